"""Compile the report of a period: from the catalogue and the ledger to a bundle that the ledger vouches for.

Source: clauses 6.10, 6.11 and 6.12; PIPL art. 54 (compliance audits), 56 (records).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from sqlmodel import Session

from retention.catalog import facts as fact_rows
from retention.catalog.report_queries import AdoptedPolicy, adopted_policies
from retention.errors import InputError
from retention.evidence.bodies import ReportIssued
from retention.evidence.bundle import (
    LARGEST_COPY,
    MANIFEST,
    POLICIES,
    Manifest,
    TreeHead,
    ledger_bytes,
    list_files,
    write_vouchers,
)
from retention.evidence.entries import Entry, EntryType, decode_entry
from retention.model.hold import Hold
from retention.model.policy import Policy
from retention.reports.document import Integrity, Lang, Report, Section, Table, Text
from retention.reports.forms import write_forms
from retention.workflows.deployment import Deployment
from retention.workflows.report_draft import check_folder, draft_of
from retention.workflows.report_sections import (
    backups,
    cases,
    changes,
    deletions,
    exceptions,
    integrity,
    law,
    statement,
    transfers,
)
from retention.workflows.report_sections.deletions import Deletions
from retention.workflows.report_sections.events import Events
from retention.workflows.report_sections.period import Period, month_before, period_of
from retention.workflows.report_sections.sources import Names, Scratch, Sources
from retention.workflows.report_sections.standing import Standing
from retention.workflows.run_cycle import owned
from retention.workflows.timetable import time_zone_of

_LONGEST_GROUND = 500
_GROUND = "ground"
"""The label of the commitment to why names were given out."""


@dataclass(frozen=True, slots=True)
class ReportOrder:
    """What is asked for. Both days belong to the period, in the zone of the policy in force.

    ground: why customers are named; without it they stand in the report by pseudonym only. issuer: who answers for it; by
    default the name of the ledger.
    """

    first_day: date
    last_day: date
    lang: Lang = Lang.BOTH
    ground: str | None = None
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class IssuedReport:
    """A bundle that is there. entry: the ledger entry that tells of it. due, overdue: its first figures."""

    folder: Path
    number: str
    entry: int
    manifest: str
    file_count: int
    case_count: int
    due_count: int
    overdue_count: int


def compile_report(deployment: Deployment, order: ReportOrder, folder: Path) -> IssuedReport:
    """The bundle is in the folder, whole and durable, and an entry of the ledger tells of it. `folder` is new or empty.

    It is made beside the folder and renamed to it at the end, so a killed call leaves nothing under its name, and the next
    one removes what it left. A second call makes another report with an entry of its own. Raises InputError for a wrong
    order or a folder that is not empty, LedgerDamaged where the ledger was changed, and NotInOrder where the catalogue is
    behind it, or where the folder was filled meanwhile: the message says where the report lies then.
    """
    _check(order, folder)
    deployment.journal.publish()
    period = period_of(order.first_day, order.last_day, time_zone_of(deployment), deployment.clock.now())
    try:
        with draft_of(folder) as draft:
            with sources_of(deployment, order, period, draft.parent) as sources:
                deleted = deletions.gather(sources)
                report, manifest = _written(sources, deleted, order, draft)
            data = manifest.encode()
            (draft / MANIFEST).write_bytes(data)
            entry = _tell(deployment, manifest, order)
            write_vouchers(draft, deployment.journal.ledger, entry, manifest)
    finally:  # as long as the catalogue was read here, nobody could empty its log
        deployment.catalog.forget_freed_pages()
    return IssuedReport(
        folder=folder,
        number=report.number,
        entry=entry,
        manifest=_digest(data),
        file_count=len(manifest.files),
        case_count=deleted.cases.row_count,
        due_count=deleted.total.due,
        overdue_count=deleted.total.standings[Standing.OVERDUE],
    )


def report_of_last_month(deployment: Deployment, directory: Path, issuer: str | None = None) -> IssuedReport | None:
    """The report of the month before this one lies in `directory/YYYY-MM`; None where it was there before, and is kept.

    Raises NotTheOwner where another process acts on the catalogue: it may be making the same report.
    """
    first_day, last_day = month_before(deployment.clock.now(), time_zone_of(deployment))
    folder = directory / f"{first_day:%Y-%m}"
    with owned(deployment):
        if (folder / MANIFEST).exists():
            return None
        return compile_report(deployment, ReportOrder(first_day, last_day, issuer=issuer), folder)


def is_report_missing(deployment: Deployment, directory: Path) -> bool:
    """Whether the report of the month before is not there, although the ledger was begun before that month ended."""
    first_day, _ = month_before(deployment.clock.now(), time_zone_of(deployment))
    ledger = deployment.journal.ledger
    if (directory / f"{first_day:%Y-%m}" / MANIFEST).exists() or ledger.checkpoint().size == 0:
        return False
    return decode_entry(ledger.entry(0)).at < begin_of_this_month(deployment)


def begin_of_this_month(deployment: Deployment) -> datetime:
    """00:00 of the first day of this month in the policy's zone, aware UTC."""
    now, zone = deployment.clock.now(), time_zone_of(deployment)
    first_day, last_day = month_before(now, zone)
    return Period(first_day, last_day, zone, now).end_at


def _check(order: ReportOrder, folder: Path) -> None:
    ground = order.ground
    if ground is not None and not (ground.strip() and len(ground) <= _LONGEST_GROUND and ground.isprintable()):
        raise InputError(f"--ground: say why in 1 to {_LONGEST_GROUND} characters on one line")
    check_folder(folder)


# ------------------------------------------------------------------------------------------------------- content


@contextmanager
def sources_of(deployment: Deployment, order: ReportOrder, period: Period, scratch: Path) -> Iterator[Sources]:
    """One view of the catalogue, and what the ledger tells of the period, for as long as the block runs."""
    files = Scratch(scratch)
    with files.stack, deployment.catalog.reading() as session:
        events = Events(files.spool(), files.spool(), files.spool(), files.spool())
        events.read(deployment.journal.ledger, period)
        adopted = adopted_policies(session)
        yield Sources(
            session=session,
            journal=deployment.journal,
            period=period,
            names=Names(deployment.journal, identified=order.ground is not None),
            events=events,
            policies=_in_force(deployment.shelf.versions(session), adopted, period),
            adopted=adopted,
            in_force=deployment.shelf.in_force(session, period.last_at),
            holds=_holds(session),
            scratch=files,
        )


def _holds(session: Session) -> dict[str, tuple[Hold, ...]]:
    found: dict[str, list[Hold]] = {}
    for hold in fact_rows.holds_of(session):
        found.setdefault(hold.customer, []).append(hold)
    return {customer: tuple(holds) for customer, holds in found.items()}


def _in_force(versions: tuple[Policy, ...], adopted: tuple[AdoptedPolicy, ...], period: Period) -> tuple[Policy, ...]:
    """The versions that were in force at some time of the period, and those adopted in it, by when they take effect."""
    adopted_at = {each.hash: each.adopted_at for each in adopted}
    by_effect = sorted(versions, key=lambda version: version.effective_at)
    before = [version for version in by_effect if version.effective_at <= period.start_at]
    found = {before[-1].hash if before else versions[0].hash}
    for version in versions:
        takes_effect = period.start_at < version.effective_at < period.until
        if takes_effect or period.start_at <= adopted_at[version.hash] < period.until:
            found.add(version.hash)
    return tuple(version for version in by_effect if version.hash in found)


def _written(sources: Sources, deleted: Deletions, order: ReportOrder, draft: Path) -> tuple[Report, Manifest]:
    """The report with all its forms and policies in the draft folder, and the manifest of what lies there."""
    report = report_from(sources, deleted, order)
    write_forms(report, draft, order.lang)
    hashes = _write_policies(sources, draft)
    period, heads = sources.period, report.integrity
    size = ledger_bytes(sources.journal.ledger)
    manifest = Manifest(
        origin=heads.origin,
        number=report.number,
        first_day=period.first_day.isoformat(),
        last_day=period.last_day.isoformat(),
        zone=period.zone.key,
        from_at=period.start_at,
        until_at=period.until,
        made_at=period.made_at,
        first=TreeHead(size=heads.first_size, root=heads.first_root),
        last=TreeHead(size=heads.last_size, root=heads.last_root),
        identified=sources.names.identified,
        ledger_copied=size <= LARGEST_COPY,
        ledger_bytes=size,
        policies=hashes,
        files=list_files(draft),
    )
    return report, manifest


def report_from(sources: Sources, deleted: Deletions, order: ReportOrder) -> Report:
    """The report's content; its rows are read from the sources when a form is written."""
    period, policy = sources.period, sources.in_force
    moved, heads = transfers.gather(sources), integrity.heads_of(sources)
    figures = (
        *statement.figures(deleted),
        *exceptions.figures(sources, deleted),
        *backups.figures(sources, deleted),
        *transfers.figures(moved),
        *changes.figures(sources),
    )
    return Report(
        title=Text("客户数据留存与删除报告", "Report on the retention and deletion of customer data"),
        number=f"{period.first_day:%Y%m%d}-{period.last_day:%Y%m%d}/{period.made_at:%Y%m%dT%H%M%SZ}",
        issuer=order.issuer or heads.origin,
        first_day=period.first_day,
        last_day=period.last_day,
        zone=period.zone,
        made_at=period.made_at,
        policy_title=policy.title,
        policy_version=policy.version,
        integrity=heads,
        figures=figures,
        sections=_sections(sources, deleted, moved, heads),
        identified=order.ground,
    )


def _sections(
    sources: Sources, deleted: Deletions, moved: transfers.Transfers, heads: Integrity
) -> tuple[Section, ...]:
    parts = (
        statement.statement(sources, deleted),
        cases.cases(sources, deleted),
        exceptions.exceptions(sources, deleted),
        backups.backups(sources, deleted),
        transfers.transfers(sources, moved),
        changes.changes(sources),
        integrity.integrity(sources, heads),
    )
    return (*parts, law.law(sources.period.last_day, _table_names(parts)))


def _table_names(sections: tuple[Section, ...]) -> Iterator[str]:
    for section in sections:
        yield from (block.name for block in section.blocks if isinstance(block, Table))


def _write_policies(sources: Sources, draft: Path) -> tuple[str, ...]:
    """The canonical document of each version of the period, in a file that is named by its hash."""
    documents = {each.hash: each.document for each in sources.adopted}
    folder = draft / POLICIES
    folder.mkdir()
    for policy in sources.policies:
        (folder / f"{policy.hash}.json").write_bytes(documents[policy.hash].encode("utf-8"))
    return tuple(policy.hash for policy in sources.policies)


# ------------------------------------------------------------------------------------------------------- issuing


def _tell(deployment: Deployment, manifest: Manifest, order: ReportOrder) -> int:
    """The entry that tells of the manifest is published; its position. Names are not given out before it is."""
    journal = deployment.journal
    body = ReportIssued(
        manifest=_digest(manifest.encode()),
        number=manifest.number,
        from_at=manifest.from_at,
        until_at=manifest.until_at,
        first_size=manifest.first.size,
        last_size=manifest.last.size,
        identified=manifest.identified,
        ground=journal.commitments.of(_GROUND, order.ground) if order.ground is not None else None,
    )
    with deployment.catalog.transaction() as session:
        policy = deployment.shelf.in_force(session, manifest.made_at)
        entry = Entry(EntryType.REPORT_ISSUED, deployment.clock.now(), body.to_json(), policy=policy.hash)
        (position,) = journal.write(session, entry)
    journal.publish()
    return position


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
