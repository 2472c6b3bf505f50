"""One walk over all deletions of a period: their rows for several tables, and the figures that count them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from retention.catalog.report_queries import ReportedStrand, reported_strands
from retention.model.copy import CopyRole, CopyStatus, EndState
from retention.reports.document import Row, Text
from retention.workflows.report_sections.period import month_of
from retention.workflows.report_sections.sources import Sources, cited
from retention.workflows.report_sections.spool import Spool
from retention.workflows.report_sections.standing import Cause, Standing, Stood, live_copies, standing_of
from retention.workflows.report_sections.words import CAUSES, STANDINGS, outcome

ALL_SERVICES = "*"
"""Stands for a starting fact that is about all of the customer's services."""

_RANK = {standing: rank for rank, standing in enumerate(Standing)}
_WAITING = (EndState.QUARANTINED, EndState.HELD)
_BAD = (EndState.UNSUPPORTED, EndState.FAILED)


@dataclass(slots=True)
class Tally:
    """Deletions that are due, by how they stood; `left`: of those done, with a copy that is not gone yet."""

    standings: Counter[Standing] = field(default_factory=Counter)
    left: int = 0

    @property
    def due(self) -> int:
        """How many were due."""
        return self.standings.total()


@dataclass(slots=True)
class Deletions:
    """Rows for the tables, and figures by what they are grouped by: its name, and the group's value."""

    cases: Spool
    copies: Spool
    sets: Spool
    kept: Spool
    bad: Spool
    total: Tally = field(default_factory=Tally)
    groups: dict[str, dict[str, Tally]] = field(default_factory=dict)

    def tally(self, name: str, value: str) -> Tally:
        """The figures of one group."""
        group = self.groups.setdefault(name, {})
        known = group.get(value)
        if known is None:
            known = group[value] = Tally()
        return known


def gather(sources: Sources) -> Deletions:
    """Every deletion of the period, read once, a page at a time."""
    spool = sources.scratch.spool
    found = Deletions(spool(), spool(), spool(), spool(), spool())
    for strand in reported_strands(sources.session, sources.period.start_at, sources.period.until):
        holds = sources.holds.get(strand.record.customer, ())
        stood = standing_of(strand, holds, sources.period)
        _count(found, sources, strand, stood)
        found.cases.put(_case_row(sources, strand, stood), _RANK[stood.standing])
        for status in live_copies(strand.record):
            _put_copy(found, sources, strand, status, stood)
        _put_kept(found, sources, strand)
    return found


def _count(found: Deletions, sources: Sources, strand: ReportedStrand, stood: Stood) -> None:
    if not stood.is_due:
        return
    record, case = strand.record, strand.case
    by = {
        "clause": case.clause,
        "month": month_of(record.strand.due.at.astimezone(sources.period.zone).date()),
        "rule": case.rule,
        "service": strand.service or ALL_SERVICES,
        "dataset": record.strand.dataset,
    }
    tallies = [found.tally(name, value) for name, value in by.items()]
    is_done = stood.standing in (Standing.ON_TIME, Standing.LATE)
    for tally in (found.total, *tallies):
        tally.standings[stood.standing] += 1
        tally.left += is_done and stood.left_count > 0


def _case_row(sources: Sources, strand: ReportedStrand, stood: Stood) -> Row:
    record, case, keys = strand.record, strand.case, strand.keys
    copies = live_copies(record)
    return (
        case.id,
        *sources.names.cells(case.customer),
        case.clause,
        case.rule,
        strand.service or ALL_SERVICES,
        record.strand.dataset,
        STANDINGS[stood.standing],
        why(stood),
        stood.is_due,
        case.started_at,
        record.strand.due.at,
        record.strand.complete_by.at,
        record.shredded_at,
        keys.unrecoverable_at if keys and not keys.waiting_count else None,
        stood.done_at,
        stood.left_count,
        cited(
            strand.opened_entry,
            strand.dates_entry,
            *((keys.first_entry, keys.last_entry, keys.gone_entry) if keys else ()),
            *(status.entry for status in copies if status.end_state is not None),
        ),
    )


def why(stood: Stood) -> Text | None:
    """Why it is not done or was late, in words; None where there is nothing to say."""
    if stood.cause is None:
        return None
    words = CAUSES[stood.cause]
    if stood.hold is None:
        return words
    hold = stood.hold
    return Text(
        f"{words.zh} {hold.id}（{hold.authority or '未写明机关'}）",
        f"{words.en}: {hold.id} ({hold.authority or 'no authority named'})",
    )


def _put_copy(found: Deletions, sources: Sources, strand: ReportedStrand, status: CopyStatus, stood: Stood) -> None:
    record, copy = strand.record, status.copy
    where = copy.label.removeprefix(f"{copy.dataset}/")
    reason = sources.names.plain(status.reason, record.customer)
    found.copies.put(
        (
            strand.case.id,
            copy.dataset,
            where,
            outcome(status.end_state) or _waits(stood),
            status.verified_at,
            status.until,
            status.gone_count,
            reason,
            cited(status.entry if status.end_state else None),
        ),
        _RANK[stood.standing],
    )
    if status.end_state in _BAD:
        cells = (strand.case.id, *sources.names.cells(record.customer), copy.dataset, where)
        found.bad.put((*cells, outcome(status.end_state), status.until, reason, cited(status.entry)))
    if copy.role is CopyRole.BACKUP:
        _put_sets(found, sources, strand, status)


def _waits(stood: Stood) -> Text | None:
    """What stands in for an outcome of a copy that waits for its deletion to go on."""
    states = {Cause.HELD: EndState.HELD, Cause.KEPT_BY_LAW: EndState.KEPT_BY_LAW}
    return outcome(states[stood.cause]) if stood.standing is Standing.STOPPED and stood.cause in states else None


def _put_sets(found: Deletions, sources: Sources, strand: ReportedStrand, status: CopyStatus) -> None:
    """The copy's sets that are not gone; those in quarantine first."""
    customer = strand.record.customer
    for end in status.sets:
        if end.end_state.is_gone:
            continue
        row = (
            strand.case.id,
            *sources.names.cells(customer),
            status.copy.dataset,
            end.store,
            sources.names.plain(end.set, customer),
            end.id,
            outcome(end.end_state),
            sources.names.plain(end.reason, customer),
            sources.names.plain(end.refusal, customer),
            end.until,
            end.at,
            cited(end.entry),
        )
        found.sets.put(row, 0 if end.end_state in _WAITING else 1)


def _put_kept(found: Deletions, sources: Sources, strand: ReportedStrand) -> None:
    """What the law keeps at some time of the period: by the case's own date, and copies by that of each object."""
    record = strand.record
    cells = (strand.case.id, *sources.names.cells(record.customer), record.strand.dataset)
    basis = record.strand.keep_basis
    if record.strand.keep is not None and record.strand.keep.at > sources.period.start_at and live_copies(record):
        entry = cited(strand.dates_entry)
        found.kept.put((*cells, None, record.strand.keep.basis or basis, record.strand.keep.at, entry))
    for status in live_copies(record):
        if status.end_state is EndState.KEPT_BY_LAW:
            until: datetime | None = status.until
            found.kept.put((*cells, status.copy.store, basis or status.reason, until, cited(status.entry)))
