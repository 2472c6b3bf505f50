"""Laws of what lies abroad over random stories: consents given and withdrawn, copies whole and cut off, endings, holds.

What may lie where is told by a small model of one customer (`Truth`), which says the rules of docs/transfers.md a second
time. After every act the stores are looked into: what lies there is what the model says, to the byte.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from retention.catalog import cases as case_rows
from retention.clock import ManualClock
from retention.errors import RefusedByRule
from retention.evidence.verify import verify_files
from retention.model.case import StrandState
from retention.model.copy import CopyRole, EndState
from retention.model.record import StrandRecord
from retention.model.transfer import TransferRequest, Verdict
from retention.model.transfer_copy import TransferCopy
from retention.workflows.adopt_policy import adopt_policy
from retention.workflows.audit_transfers import audit_transfers
from retention.workflows.consents import grant_consent, withdraw_consent
from retention.workflows.copy_to_replica import CopyStopped, copy_to_replica
from retention.workflows.decide_transfer import check_transfer
from retention.workflows.verify_again import verify_again
from storage_adapters.contract import Prefix
from tests.transfer_policy import CONSENT, REPLICA, with_replica
from tests.workflow.conftest import START, Provider, Told, open_provider

SHANGHAI = ZoneInfo("Asia/Shanghai")
CUSTOMER, NEIGHBOUR = "c-1", "c-10"
LION, TIGER = RECIPIENTS = ("Lion Pte", "Tiger Pte")
REPLICAS = """{store: sg, prefix: "lion/{customer}/", territory: SG, recipient: Lion Pte},
               {store: sg, prefix: "shared/{customer}/", territory: SG}"""
POLICY = """
policy: {title: T, version: "1", effective: 2026-11-01, time-zone: Asia/Shanghai, holidays: CN, home: CN}
services: {training: {title: Training, buffer: 3 days}}
datasets:
  models:
    title: Models
    services: [training]
    personal-information: true
    in: {store: objects, prefix: "models/{customer}/"}
    encrypted: customer
    caches: [{store: cache, keys: "features:{customer}:*"}]
rules:
  customer-deletion:
    {title: D, clause: "6.10", when: [data-deleted], buffer: none, tombstone: 24 hours, complete-within: 15 days}
  end-of-service:
    title: E
    clause: "6.11"
    when: [service-expired]
    cancelled-by: [service-renewed]
    buffer: service
    tombstone: none
    complete-within: 15 days
limits: {customers-per-run: 50, share-of-customers: 100 %, clock-jump: 1 hour}
"""
DONE = (StrandState.VERIFIED, StrandState.CERTIFIED)
HALF_DONE = (StrandState.SHREDDED, StrandState.ERASING, StrandState.ERASED, StrandState.REOPENED)
_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]


class PulledPlug(BaseException):
    """The process that copies dies."""


# ------------------------------------------------------------------------------------- what may be, said a second time


def replicas_under(recipient: str) -> set[str]:
    """The replicas that a consent to this recipient is about: their own, and the one that names nobody."""
    return {"lion", "shared"} if recipient == LION else {"shared"}


@dataclass(slots=True)
class Given:
    """A consent, and whether it stands."""

    recipient: str
    stands: bool = True


@dataclass(slots=True)
class Due:
    """Something that has to go from `at` on: everything, or what lies abroad under a withdrawn consent."""

    at: datetime
    withdrawn: str | None = None
    ends_service: bool = False
    is_over: bool = False


@dataclass(slots=True)
class Truth:
    """What a customer's facts allow: one service, facts told as they happen, a run that does at once all it may do.

    home: what they wrote and still have. abroad: when each object arrived at each replica. gone_count: deletions that passed.
    """

    is_ordered: bool = True
    consents: dict[str, Given] = field(default_factory=dict)
    holds: set[str] = field(default_factory=set)
    dues: list[Due] = field(default_factory=list)
    home: set[str] = field(default_factory=set)
    abroad: dict[tuple[str, str], datetime] = field(default_factory=dict)
    gone_count: int = 0

    def standing(self) -> list[str]:
        return [name for name, consent in self.consents.items() if consent.stands]

    def end(self, at: datetime) -> None:
        """The service expires; in three days, at midnight, everything goes."""
        if self.is_ordered:
            last = at.astimezone(SHANGHAI).date() + timedelta(days=4)
            self.dues.append(Due(datetime.combine(last, time(), SHANGHAI), ends_service=True))
        self.is_ordered = False

    def come_back(self) -> None:
        """The service is renewed, or ordered anew; what has not gone yet stays."""
        self.is_ordered = True
        for due in self.dues:
            due.is_over |= due.ends_service

    def going(self, due: Due) -> set[str]:
        """The replicas that it is about, as the consents are now."""
        if due.withdrawn is None:
            return {"lion", "shared"}
        others = [replicas_under(consent.recipient) for consent in self.consents.values() if consent.stands]
        return replicas_under(self.consents[due.withdrawn].recipient).difference(*others)

    def waiting(self) -> list[Due]:
        return [due for due in self.dues if not due.is_over and self.going(due)]

    def is_consented(self, recipient: str) -> bool:
        """Whether a decision to bring data to this recipient is yes."""
        return self.is_ordered and any(self.consents[name].recipient == recipient for name in self.standing())

    def may_copy(self, recipient: str) -> bool:
        return self.is_consented(recipient) and not self.waiting()

    def run(self, now: datetime) -> None:
        """All that is due goes, unless it is held."""
        for due in self.waiting():
            if due.at <= now and not self.holds:
                going, due.is_over = self.going(due), True
                self.gone_count += 1
                self.abroad = {key: at for key, at in self.abroad.items() if key[0] not in going}
                self.home = self.home if due.withdrawn else set()


# --------------------------------------------------------------------------------------------------------- stories

KINDS = (
    "write",
    "expire",
    "renew",
    "activate",
    "give",
    "withdraw",
    "hold",
    "release",
    "copy",
    "again",
    "look",
    "order",
)
MEANWHILE = (
    (),
    (),
    ("pull",),
    ("withdraw",),
    ("withdraw", "run"),
    ("withdraw", "run", "give"),
    ("withdraw", "give", "run"),
    ("hold", "withdraw", "run"),
    ("expire",),
    ("write",),
)
"""What happens behind the first batch of a copy."""


@dataclass(frozen=True, slots=True)
class Act:
    """What happens next, the time that passes, and whether the daemon runs.

    `which` chooses the recipient, the consent, the hold, the decision, and what happens during a copy.
    """

    kind: str
    which: int = 0
    hours: int = 0
    runs: bool = False


def acts(most: int) -> st.SearchStrategy[list[Act]]:
    """Stories that begin with something abroad, so that most of them get somewhere."""
    begin = st.sampled_from([(LION,), (TIGER,), RECIPIENTS, RECIPIENTS]).map(
        lambda given: [Act(kind, RECIPIENTS.index(who)) for who in given for kind in ("give", "copy")]
    )
    then = st.builds(
        Act,
        st.sampled_from([*KINDS, "copy", "copy", "withdraw", "give"]),
        st.integers(0, 2 * len(MEANWHILE) - 1),
        st.sampled_from([0, 0, 1, 25, 96]),
        st.sampled_from([False, False, True]),
    )
    return st.tuples(begin, st.lists(then, min_size=2, max_size=most)).map(lambda story: [*story[0], *story[1]])


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision that was asked for, whether it was yes, and what lay at home then."""

    id: str
    recipient: str
    is_yes: bool
    home: frozenset[str]

    @property
    def place(self) -> str:
        """The replica that what goes to this recipient goes to."""
        return "lion" if self.recipient == LION else "shared"


@dataclass(slots=True)
class Story:
    """The provider, what its customer's truth is, and what was ever written."""

    provider: Provider
    neighbours: dict[str, bytes]
    truth: Truth = field(default_factory=Truth)
    contents: dict[str, bytes] = field(default_factory=dict)
    decisions: list[Decided] = field(default_factory=list)

    def play(self, acts: list[Act]) -> None:
        for _ in range(2):
            self.do("write", 0)
        for act in acts:
            self.do(act.kind, act.which)
            self.check()
            self.provider.pass_time(hours=act.hours)
            if act.runs:
                self.do("run", 0)
                self.check()

    def do(self, kind: str, which: int) -> None:
        self.provider.pass_time(seconds=1)
        match kind:
            case "write":
                self.write()
            case "expire" | "renew" | "activate":
                self.tell_service(kind)
            case "order":
                self.provider.tell("data-deleted", CUSTOMER, dataset="models")
                self.truth.dues.append(Due(self.provider.clock.now() + timedelta(hours=24)))
            case "give" | "withdraw":
                self.consent(kind, which)
            case "hold" | "release":
                self.hold(kind, f"h{which % 2}")
            case "copy":
                self.copy(self.decide(RECIPIENTS[which % 2]), MEANWHILE[which // 2], which)
            case "again" if self.decisions:
                self.copy(self.decisions[which % len(self.decisions)], (), which)
            case "look":
                looked = verify_again(self.provider.deployment)
                assert (looked.reopened, looked.troubles) == ([], []), "nobody wrote where nothing may lie"
            case "run":
                self.run()

    def run(self) -> None:
        """One cycle; no store fails, so nothing that it begins stays half done."""
        assert self.provider.run().report.troubles == []
        self.truth.run(self.provider.clock.now())
        assert not [record for record in self.strands() if record.state in HALF_DONE]

    def write(self) -> None:
        """One more object at home, while the service is ordered; a withdrawal does not stop that."""
        if not self.truth.is_ordered:
            return
        name = f"{len(self.contents)}.bin"
        try:
            self.provider.put_model(CUSTOMER, name)
        except RefusedByRule:
            assert any(due.withdrawn is None for due in self.truth.dues), "only a deletion at home stops writing there"
            return
        self.contents[name] = (self.provider.objects / "models" / CUSTOMER / name).read_bytes()
        self.truth.home.add(name)

    def tell_service(self, kind: str) -> None:
        name = {"expire": "service-expired", "renew": "service-renewed", "activate": "service-activated"}[kind]
        self.provider.tell(name, CUSTOMER, service="training")
        if kind == "expire":
            self.truth.end(self.provider.clock.now())
        else:
            self.truth.come_back()

    def hold(self, kind: str, name: str) -> None:
        told = "hold-placed" if kind == "hold" else "hold-released"
        self.provider.tell(told, CUSTOMER, hold=name, ground="g", authority="a")
        (self.truth.holds.add if kind == "hold" else self.truth.holds.discard)(name)

    def consent(self, kind: str, which: int) -> None:
        truth, standing = self.truth, self.truth.standing()
        if kind == "give":
            name, recipient = f"K-{len(truth.consents)}", RECIPIENTS[which % 2]
            give(self.provider, CUSTOMER, name, recipient)
            truth.consents[name] = Given(recipient)
        elif standing:
            name = standing[which % len(standing)]
            withdraw_consent(self.provider.deployment, CUSTOMER, name)
            truth.consents[name].stands = False
            truth.dues.append(Due(self.provider.clock.now(), withdrawn=name))

    # --------------------------------------------------------------------------------------------------- copies

    def decide(self, recipient: str) -> Decided:
        decided = check_transfer(self.provider.deployment, request(CUSTOMER, recipient))
        is_yes = decided.decision.verdict is Verdict.ALLOW
        assert is_yes == self.truth.is_consented(recipient), decided.decision
        self.decisions.append(Decided(decided.id, recipient, is_yes, frozenset(self.truth.home)))
        return self.decisions[-1]

    def copy(self, decided: Decided, meanwhile: tuple[str, ...], which: int) -> None:
        """It comes to its end exactly where it may; what arrives is what lies at home, and arrives while it may."""
        seen: list[TransferCopy] = []
        gone_before = self.truth.gone_count

        def may_go() -> bool:
            return decided.is_yes and self.truth.may_copy(decided.recipient) and self.truth.gone_count == gone_before

        def observe(copy: TransferCopy) -> None:
            self.arrive(decided, is_allowed=may_go())
            seen.append(copy)
            for kind in meanwhile if len(seen) == 1 else ():
                if kind == "pull":
                    raise PulledPlug
                self.do(kind, which)

        try:
            copy_to_replica(self.provider.deployment, decided.id, "sg", observe)
            is_done = True
        except CopyStopped:
            is_done = False
        except PulledPlug:
            return
        self.arrive(decided, is_allowed=may_go())
        assert is_done == may_go(), "it went although it may not" if is_done else "it stopped although it may go"
        if is_done:
            there = {name for place, name in self.truth.abroad if place == decided.place}
            assert decided.home & self.truth.home <= there, "what lay there when it was decided has arrived"

    def arrive(self, decided: Decided, *, is_allowed: bool) -> None:
        """Take note of what has just arrived; files abroad bear the provider's time, not this machine's."""
        now = self.provider.clock.now()
        for path in sorted((self.provider.root / "sg" / decided.place / CUSTOMER).rglob("*")):
            known_at = self.truth.abroad.get((decided.place, path.name))
            if known_at is not None and path.stat().st_mtime == known_at.timestamp():
                continue
            assert is_allowed, f"{path.name} went although it may not"
            assert path.name in self.truth.home, f"{path.name} does not lie at home"
            os.utime(path, (now.timestamp(), now.timestamp()))
            self.truth.abroad[decided.place, path.name] = now

    # ----------------------------------------------------------------------------------------------------- laws

    def check(self) -> None:
        """What lies at home and abroad is what may lie there, and what is said to be gone is gone."""
        at_home = {f"models/{CUSTOMER}/{name}": self.contents[name] for name in self.truth.home}
        abroad = {f"{place}/{CUSTOMER}/{name}": self.contents[name] for place, name in self.truth.abroad}
        assert lying(self.provider) == at_home | abroad | self.neighbours
        for record in self.strands():
            assert record.customer == CUSTOMER
            if record.state in DONE:
                self.check_said(record)

    def check_said(self, record: StrandRecord) -> None:
        """Nothing that was at a replica when the strand passed its point of no return lies there still."""
        assert record.passed_at is not None
        until = min(record.passed_at, record.strand.not_from or record.passed_at)
        for status in record.copies:
            assert status.end_state in (EndState.ERASED_VERIFIED, EndState.NOT_FOUND), status
            if status.copy.role is not CopyRole.REPLICA or not isinstance(status.copy.place, Prefix):
                continue
            place = status.copy.place.prefix.partition("/")[0]
            left = [name for (where, name), at in self.truth.abroad.items() if where == place and at <= until]
            assert not left, f"{record.state}, and {left} lie at {place}"

    def strands(self) -> tuple[StrandRecord, ...]:
        with self.provider.deployment.catalog.reading() as session:
            return case_rows.strands(session)

    def finish(self) -> None:
        """No more holds and consents; days pass in which the daemon runs. Then nothing of the customer's lies abroad."""
        for name in sorted(self.truth.holds):
            self.hold("release", name)
        while self.truth.standing():
            self.do("withdraw", 0)
        for hours in (0, 121, 1):
            self.provider.pass_time(hours=hours)
            self.do("run", 0)
            self.check()
        assert not self.truth.abroad
        for record in self.strands():
            assert record.state in (StrandState.CERTIFIED, StrandState.BROUGHT_BACK), record.state
        self.do("look", 0)
        assert audit_transfers(self.provider.deployment) == ()
        ledger = self.provider.deployment.journal.ledger
        assert verify_files([self.provider.root / "ledger"], ledger.key).findings == ()


def give(provider: Provider, customer: str, name: str, recipient: str) -> None:
    now = provider.clock.now().isoformat()
    told = {**CONSENT, "consent": name, "recipient": recipient, "given-at": now, "valid-from": now}
    grant_consent(provider.deployment, customer, told)


def request(customer: str, recipient: str) -> TransferRequest:
    return TransferRequest(customer, "models", "CN", "SG", recipient, "support", "training", 3, 0)


def lying(provider: Provider) -> dict[str, bytes]:
    """Everything that lies in the two stores, hidden or not, by the name that it had when it was written."""
    found = {}
    for root in (provider.objects, provider.root / "sg"):
        for path in root.rglob("*"):
            parts = path.relative_to(root).parts
            if path.is_file():
                found["/".join(parts[2:] if parts[0].startswith(".retention") else parts)] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A provider with two customers, of whom the neighbour has consented, and has an object at home and abroad."""
    root = tmp_path_factory.mktemp("abroad")
    provider = open_provider(root / "first", ManualClock(START))
    policy = provider.root / "policies.yaml"
    policy.write_text(with_replica(POLICY).replace(REPLICA, REPLICAS), encoding="utf-8")
    adopt_policy(provider.deployment, policy)
    for customer in (CUSTOMER, NEIGHBOUR):
        provider.tell("service-activated", customer, service="training")
    provider.put_model(NEIGHBOUR, "a.bin")
    for recipient in RECIPIENTS:
        give(provider, NEIGHBOUR, recipient, recipient)
        copy_to_replica(
            provider.deployment, check_transfer(provider.deployment, request(NEIGHBOUR, recipient)).id, "sg"
        )
    return Told.by(provider, root / "disk")


@pytest.fixture(scope="module", autouse=True)
def _small_batches() -> Iterator[None]:
    """Every object is a batch of its own: it is asked before and behind each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("retention.workflows.copy_to_replica.BATCH_PIECES", 1)
        yield


@contextmanager
def beginning(told: Told, disk: Path) -> Iterator[Story]:
    """A story that begins where the told one ended."""
    shutil.rmtree(disk, ignore_errors=True)
    provider = told.go_on(disk)
    try:
        yield Story(provider, lying(provider))
    finally:
        provider.deployment.close()


def whole_story(told: Told, disk: Path, acts: list[Act]) -> None:
    with beginning(told, disk) as story:
        story.play(acts)
        story.finish()


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("provider") / "now"


BOTH = [Act("give", 0), Act("give", 1), Act("copy", 0), Act("copy", 1)]
"""Both recipients have a consent and the data."""


@settings(max_examples=12, derandomize=True, deadline=None, suppress_health_check=_QUIET)
@given(acts(most=7))
@example([*BOTH, Act("hold"), Act("withdraw", 0, runs=True), Act("copy", 1)])
@example([*BOTH, Act("withdraw", 0, runs=True), Act("write"), Act("copy", 1), Act("give", 0), Act("copy", 0)])
@example([Act("give", 0), Act("copy", 2 * MEANWHILE.index(("withdraw", "run", "give"))), Act("look")])
@example([Act("order", hours=25, runs=True), Act("write"), Act("expire"), Act("look")])
@example(
    [
        Act("give", 1),
        Act("copy", 1),
        Act("order", runs=True),
        Act("withdraw", runs=True),
        Act("look", hours=25, runs=True),
    ]
)
@example([Act("give", 0), Act("copy", 2 * MEANWHILE.index(("pull",))), Act("expire", 0, 96, runs=True), Act("again")])
def test_abroad_lies_only_what_may_lie_there_and_nothing_once_no_consent_stands(
    told: Told, disk: Path, acts: list[Act]
) -> None:
    whole_story(told, disk, acts)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@settings(max_examples=400, deadline=None, suppress_health_check=_QUIET)
@given(acts(most=12))
def test_the_same_over_many_more_stories(told: Told, disk: Path, acts: list[Act]) -> None:
    whole_story(told, disk, acts)
