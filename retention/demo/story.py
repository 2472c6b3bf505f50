"""Half a year of a small provider: seven customers, and what becomes of each.

| customer | story |
|---|---|
| xirang-lab | its service expires; after the buffer everything goes (6.11) |
| hetu-ai | falls into arrears, and pays inside the buffer: nothing is lost |
| luoshu-bio | deletes its training data itself; 24 hours later there is no way back (6.10) |
| kunpeng-law | terminated, but a court holds the data; released months later, and then it goes |
| jingwei-media | closes its account; its access logs stay until each is six months old, and then they go, and with them the |
| | weekly backups that hold them: in quarantine until their own rotation, and restored only through the gate |
| nuwa-games | an authority orders deletion: gone within a day (6.2(4)) |
| fuxi-data | a customer who stays; nothing of its data may change. It consents to support from Singapore, and withdraws |
| | that later: what was brought there goes (6.12); of hetu-ai, which was never asked, nothing may leave |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from retention.demo.platform import Platform, open_platform
from retention.evidence.entries import EntryType, decode_entry
from retention.evidence.findings import Finding
from retention.evidence.verify import verify_files
from retention.model.transfer import Verdict
from retention.workflows.certificate_files import certificate_files, file_names
from retention.workflows.certify import certify
from retention.workflows.compile_report import ReportOrder, compile_report
from retention.workflows.restore_backup import Restored
from retention.workflows.run_cycle import run_cycle
from retention.workflows.said_reasons import sentences_of
from retention.workflows.status import CaseStatus, status
from retention.workflows.verify_again import verify_again

STARTED_AT = datetime(2026, 11, 10, 1, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")
DAYS = 240
CUSTOMERS = ("xirang-lab", "hetu-ai", "luoshu-bio", "kunpeng-law", "jingwei-media", "nuwa-games", "fuxi-data")
STAYING = "fuxi-data"


@dataclass(frozen=True, slots=True)
class Scene:
    """What happens on one day, counted from the beginning."""

    day: int
    sentence: str
    tell: Callable[[Platform], None]


def _told(kind: str, customer: str, **data: str) -> Callable[[Platform], None]:
    return lambda platform: platform.tell(kind, customer, dict(data))


def _one_object(platform: Platform) -> None:
    data = {"dataset": "training-data", "objects": ["run-0/checkpoint-0.bin"], "ground": "客户删除单个对象"}
    platform.tell("data-deleted", "luoshu-bio", data)


def _terminated_and_held(platform: Platform) -> None:
    platform.tell("service-terminated", "kunpeng-law", {"service": "model-training"})
    order = {"hold": "H-2026-17", "ground": "诉讼保全", "authority": "某区人民法院"}
    platform.tell("hold-placed", "kunpeng-law", order)


def _consented_and_copied(platform: Platform) -> None:
    platform.consent_to_support(STAYING)
    platform.bring_abroad(STAYING)
    platform.copied_count = platform.lies_abroad(STAYING)


SCENES: tuple[Scene, ...] = (
    Scene(2, "xirang-lab: its service expires", _told("service-expired", "xirang-lab", service="model-training")),
    Scene(3, "hetu-ai: falls into arrears", _told("arrears-started", "hetu-ai")),
    Scene(4, "luoshu-bio: deletes one object", _one_object),
    Scene(
        5,
        "kunpeng-law: terminated; a court orders a hold",
        _terminated_and_held,
    ),
    Scene(6, "jingwei-media: closes its account", _told("account-closed", "jingwei-media")),
    Scene(7, "hetu-ai: pays inside the buffer", _told("arrears-cleared", "hetu-ai")),
    Scene(
        8,
        "nuwa-games: an authority orders deletion",
        _told("deletion-ordered", "nuwa-games", ground="责令删除决定书", authority="某省网信办"),
    ),
    Scene(
        10,
        "luoshu-bio: deletes all its training data",
        _told("data-deleted", "luoshu-bio", dataset="training-data", ground="客户指令"),
    ),
    Scene(
        12,
        "fuxi-data: consents to support from Singapore; its training data is copied there under a decision",
        _consented_and_copied,
    ),
    Scene(
        13,
        "hetu-ai: the same is asked for its data, without a consent",
        lambda platform: platform.bring_abroad("hetu-ai"),
    ),
    Scene(60, "fuxi-data: withdraws its consent", _told("consent-withdrawn", STAYING, consent=f"K-{STAYING}")),
    Scene(
        120,
        "kunpeng-law: the court releases the hold",
        _told("hold-released", "kunpeng-law", hold="H-2026-17"),
    ),
    Scene(
        187,
        "a disaster: a weekly backup set comes back through the restore gate",
        lambda platform: platform.restore_through_the_gate(),
    ),
)


@dataclass(frozen=True, slots=True)
class Day:
    """One day that passed: its date (aware UTC), and what was told on it."""

    number: int
    at: datetime
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuarantineStory:
    """Backup sets that were quarantined, what the read came to that was tried on the last of them, and sets deleted then."""

    quarantined_count: int
    attempt: str
    deleted_count: int


@dataclass(frozen=True, slots=True)
class AbroadStory:
    """How many objects went abroad under a consent, how many lie there now, and why nothing else went (in English)."""

    copied_count: int
    left_count: int
    denied: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ending:
    """How the demo ended. `certificates` are files by case; `findings` what an offline check found wrong (nothing).

    report: the folder of the regulator's report.
    """

    cases: tuple[CaseStatus, ...]
    certificates: dict[str, Path]
    key_file: Path
    findings: tuple[Finding, ...]
    entry_count: int
    staying_is_unchanged: bool
    tampering: tuple[Finding, ...]
    quarantine: QuarantineStory
    restored: Restored | None
    restored_customers: tuple[str, ...]
    abroad: AbroadStory
    report: Path


def begin(root: Path) -> Platform:
    """A provider with its customers, their data, and last night's backup."""
    platform = open_platform(root, STARTED_AT)
    for index, customer in enumerate(CUSTOMERS):
        for service in ("model-training", "model-inference"):
            platform.tell("service-activated", customer, {"service": service})
        platform.clock.advance(timedelta(seconds=1))
        platform.store_training_data(customer, 4 + index)
        platform.store_messages(customer, 10 + index)
        for days in (200, 30, 1):
            platform.write_access_log(customer, STARTED_AT - timedelta(days=days))
    platform.back_up()
    return platform


def live(platform: Platform, scenes: Sequence[Scene] = SCENES, days: int = DAYS) -> Iterator[Day]:
    """The days, one after the other: facts are told, the daemon's cycle runs, the nightly backup is made.

    Once a week everything that was verified is looked at again; a real daemon does so every night.
    """
    for number in range(1, days + 1):
        platform.clock.advance(timedelta(days=1))
        told = [scene for scene in scenes if scene.day == number]
        for scene in told:
            scene.tell(platform)
        run_cycle(platform.deployment)
        platform.back_up()
        if number % 7 == 0:
            verify_again(platform.deployment)
        yield Day(number, platform.clock.now(), tuple(scene.sentence for scene in told))


def end(platform: Platform, staying_before: str) -> Ending:
    """Certificates for every closed case, checked offline like an auditor would: with the public key and nothing else."""
    folder = platform.root / "certificates"
    folder.mkdir(exist_ok=True)
    cases = status(platform.deployment)
    certificates: dict[str, Path] = {}
    for case in cases:
        if case.copies and all(copy.end_state is not None for copy in case.copies):
            path = folder / f"{case.customer}-{case.case}.json"
            certificates[case.case] = _write_certificate(platform, case.case, path)
    key = platform.deployment.journal.ledger.key
    key_file = folder / "verifier-key.txt"
    key_file.write_text(f"{key}\n", encoding="utf-8")
    proofs = [file_names(path).proof for path in certificates.values()]
    report = _report(platform)
    checked = verify_files([platform.root / "ledger", *certificates.values(), *proofs], key)
    found = (*checked.findings, *verify_files([report], key).findings)
    return Ending(
        cases=cases,
        certificates=certificates,
        key_file=key_file,
        findings=tuple(each.finding for each in found),
        entry_count=checked.entry_count,
        staying_is_unchanged=platform.fingerprint(STAYING) == staying_before,
        tampering=_tamper(platform, next(iter(certificates.values()))),
        quarantine=_quarantine(platform),
        restored=platform.restored,
        restored_customers=platform.restored_customers,
        abroad=_abroad(platform),
        report=report,
    )


def _write_certificate(platform: Platform, case: str, path: Path) -> Path:
    """The certificate's three files are there; the path of the first."""
    files, names = certificate_files(platform.deployment, certify(platform.deployment, case)), file_names(path)
    names.certificate.write_bytes(files.certificate)
    names.proof.write_bytes(files.proof)
    names.page.write_bytes(files.page)
    return names.certificate


def _report(platform: Platform) -> Path:
    """The regulator's report on the whole time; its folder."""
    platform.clock.advance(timedelta(minutes=1))  # what was told in this very moment belongs to it too
    first, last = (at.astimezone(ZONE).date() for at in (STARTED_AT, platform.clock.now()))
    order = ReportOrder(first, last, issuer="演示云服务有限公司 Demo Cloud Co., Ltd.")
    return compile_report(platform.deployment, order, platform.root / "report").folder


def _quarantine(platform: Platform) -> QuarantineStory:
    """What the ledger tells of backup sets: how many were put in quarantine and deleted, and the read that was tried."""
    moved = deleted = 0
    attempt = ""
    ledger = platform.deployment.journal.ledger
    for data in ledger.entries():
        entry = decode_entry(data)
        if entry.type is EntryType.BACKUP_QUARANTINED and entry.body["read_refused"]:
            moved, attempt = moved + 1, str(entry.body["attempt"])
        deleted += entry.type is EntryType.BACKUP_DELETED
    return QuarantineStory(moved, attempt, deleted)


def _abroad(platform: Platform) -> AbroadStory:
    left = sum(platform.lies_abroad(customer) for customer in CUSTOMERS)
    denied = [decision for decision in platform.decisions if decision.verdict is not Verdict.ALLOW]
    return AbroadStory(platform.copied_count, left, tuple(said for each in denied for said in sentences_of(each, "en")))


def _tamper(platform: Platform, certificate: Path) -> tuple[Finding, ...]:
    """What the check says of a copy of a certificate in which one word was changed."""
    forged = platform.root / "forged-certificate.json"
    forged.write_bytes(certificate.read_bytes().replace(b'"6.1', b'"9.1', 1))
    checked = verify_files([forged], platform.deployment.journal.ledger.key)
    return tuple(found.finding for found in checked.findings)
