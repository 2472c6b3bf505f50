"""How much went abroad under decisions in the period, as the ledger tells it batch by batch; what audits found and closed."""

from __future__ import annotations

from collections.abc import Iterator

from retention.catalog import transfer_copies as copy_rows
from retention.catalog import transfers as transfer_rows
from retention.model.transfer_copy import CopyState
from retention.reports.document import CellKind, Column, Row, Table, Text
from retention.workflows.report_sections.sources import ENTRIES, Sources, cited, table_of
from retention.workflows.report_sections.words import DATASET, STORE, below, count, instant

_STATES = {
    CopyState.RUNNING: Text("未完成", str(CopyState.RUNNING)),
    CopyState.DONE: Text("已完成", str(CopyState.DONE)),
    CopyState.STOPPED: Text("已中止", str(CopyState.STOPPED)),
}


def moved_tables(sources: Sources) -> tuple[Table, ...]:
    """What went where, under which decision, consent and measure; and audits of what leaves by itself."""
    return (
        table_of("moved", Text("已传出的数据", "What went abroad"), _columns(sources), _rows(sources)),
        table_of(
            "transfer-audits", Text("出境检查与处置", "Audits of transfers"), _AUDITS, sources.events.moves.audits
        ),
    )


def _columns(sources: Sources) -> tuple[Column, ...]:
    return (
        Column("copy", Text("传输编号", "Copy")),
        *below(*sources.names.columns()),
        *below(DATASET),
        STORE,
        *below(Column("territory", Text("目的地", "Destination"))),
        count("items", "条目", "Items"),
        *below(Column("bytes", Text("数据量", "Bytes"), CellKind.BYTES)),
        Column("state", Text("状态", "State")),
        Column("reason", Text("中止原因", "Why stopped"), is_summary=False),
        Column("consent", Text("同意（代号）", "Consent (pseudonym)")),
        *below(Column("measure", Text("法律措施", "Legal measure"))),
        instant("first_at", "首批", "First batch", is_summary=False),
        instant("last_at", "末批", "Last batch", is_summary=False),
        *below(Column("decision", Text("决定编号", "Decision"))),
        ENTRIES,
    )


def _rows(sources: Sources) -> Iterator[Row]:
    went = sources.events.moves.copies
    for copy in copy_rows.copies(sources.session, since=sources.period.start_at):
        if copy.id not in went:
            continue
        part = went[copy.id]
        decided = transfer_rows.find_decision(sources.session, part.decision)
        decision = decided.decision if decided is not None else None
        consent = decision.consent if decision is not None else None
        yield (
            copy.id,
            *sources.names.cells(copy.customer),
            part.dataset,
            part.store,
            part.territory,
            part.items,
            part.bytes,
            _STATES[CopyState(part.state)],
            sources.names.plain(part.reason or None, copy.customer),
            sources.journal.commitments.of("consent", consent)[:12] if consent else None,
            decision.measure if decision is not None else None,
            part.first_at,
            part.last_at,
            part.decision,
            cited(*part.entries, decided.entry if decided is not None else None),
        )


_AUDITS = (
    instant("at", "时间", "Time"),
    Column("what", Text("事项", "What")),
    STORE,
    Column("about", Text("发现或设置", "Findings, or the setting"), weight=4),
    ENTRIES,
)
