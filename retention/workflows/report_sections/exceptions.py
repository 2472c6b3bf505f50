"""What stops deletions: holds with their authority, statutory minimums with their basis, and stores that cannot do it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from retention.catalog.report_queries import hold_facts
from retention.evidence.entries import EntryType
from retention.model.fact import Fact, FactType
from retention.model.hold import Hold
from retention.reports.document import CellKind, Column, Figure, Row, Section, Text
from retention.workflows.report_sections.deletions import Deletions
from retention.workflows.report_sections.sources import ENTRIES, Sources, cited, table_of
from retention.workflows.report_sections.words import CASE, COPY, DATASET, END_STATE, REASON, below, instant


def exceptions(sources: Sources, found: Deletions) -> Section:
    """Holds, statutory minimums, and copies that can be neither deleted nor kept from readers."""
    who = sources.names.columns()
    kept = (
        CASE,
        *below(*who),
        DATASET,
        *below(Column("store", Text("存储（仅就其中对象）", "Store (of single objects)"))),
        Column("basis", Text("法律依据", "Legal basis"), weight=3),
        instant("until", "保存至", "Kept until"),
        ENTRIES,
    )
    bad = (
        CASE,
        *below(*who),
        DATASET,
        *below(COPY),
        END_STATE,
        *below(instant("until", "至", "Until")),
        REASON,
        ENTRIES,
    )
    blocks = (
        table_of("holds", Text("保全", "Holds"), _hold_columns(sources), _hold_rows(sources), _HOLDS_NOTE),
        table_of("keep-at-least", Text("法定保存期限", "Statutory minimums"), kept, found.kept),
        table_of(
            "unsupported", Text("无法删除或未成功的副本", "Copies that cannot be deleted, or failed"), bad, found.bad
        ),
    )
    return Section(Text("例外", "Exceptions"), blocks)


def figures(sources: Sources, found: Deletions) -> Iterator[Figure]:
    """The figures of the summary."""
    standing = [hold for hold in holds_in(sources) if _stands(hold, sources)]
    overdue = any(hold.review_at is not None and hold.review_at < sources.period.until for hold in standing)
    yield Figure(Text("报告期结束时有效的保全", "Holds that stand"), len(standing), "holds", needs_attention=overdue)
    bad = found.bad.row_count
    yield Figure(Text("无法删除或未成功的副本", "Copies unsupported or failed"), bad, "unsupported", bad > 0)


def holds_in(sources: Sources) -> tuple[Hold, ...]:
    """The holds that stood at some time of the period; those that stand first, then by when somebody has to look again."""
    period = sources.period
    found = [
        hold
        for holds in sources.holds.values()
        for hold in holds
        if hold.placed_at < period.until and (hold.released_at is None or hold.released_at >= period.start_at)
    ]
    last = datetime.max.replace(tzinfo=period.until.tzinfo)
    return tuple(sorted(found, key=lambda h: (not _stands(h, sources), h.review_at or last, h.customer, h.id)))


_HOLDS_NOTE = Text(
    "保全的理由可能含个人信息，仅在载明客户身份的报告中列出；账本以承诺值记载该事实。",
    "The ground of a hold may name people: it stands only in a report that names customers; the ledger has a commitment to "
    "the fact.",
)


def _hold_columns(sources: Sources) -> tuple[Column, ...]:
    ground = (Column("ground", Text("理由", "Ground"), weight=3),) if sources.names.identified else ()
    return (
        *sources.names.columns(),
        Column("hold", Text("保全编号", "Hold")),
        *below(DATASET),
        Column("authority", Text("机关", "Authority"), weight=3),
        *below(*ground),
        instant("placed_at", "自", "Placed"),
        *below(instant("review_at", "复核", "Review")),
        instant("released_at", "解除", "Released"),
        Column("stands", Text("期末有效", "Stands"), CellKind.FLAG, 1),
        ENTRIES,
    )


def _hold_rows(sources: Sources) -> Iterator[Row]:
    holds = holds_in(sources)
    told = hold_facts(sources.session, holds)
    keys = {hold: [_key(sources, fact) for fact in told.get((hold.customer, hold.id), ())] for hold in holds}
    since = min((fact.recorded_at for facts in told.values() for fact in facts), default=None)
    sources.events.look_up(sources.journal.ledger, [key for each in keys.values() for key in each], since)
    for hold in holds:
        ground = (hold.ground,) if sources.names.identified else ()
        yield (
            *sources.names.cells(hold.customer),
            hold.id,
            hold.dataset,
            hold.authority,
            *ground,
            hold.placed_at,
            hold.review_at,
            hold.released_at,
            _stands(hold, sources),
            cited(*(sources.events.entry_of(kind, commitment) for kind, commitment in keys[hold])),
        )


def _stands(hold: Hold, sources: Sources) -> bool:
    return hold.released_at is None or hold.released_at >= sources.period.until


def _key(sources: Sources, fact: Fact) -> tuple[EntryType, str]:
    kind = EntryType.HOLD_RELEASED if fact.type is FactType.HOLD_RELEASED else EntryType.HOLD_PLACED
    return kind, sources.journal.commitments.of("fact", str(fact.key))
