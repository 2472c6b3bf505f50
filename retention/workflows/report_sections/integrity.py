"""The ledger at both ends of the period, and the epoch keys that were destroyed in it."""

from __future__ import annotations

from retention.catalog.report_queries import destroyed_epochs
from retention.evidence.note import encode_base64
from retention.reports.document import CellKind, Column, Integrity, Section, Text
from retention.workflows.report_sections.sources import ENTRIES, Sources, cited, table_of
from retention.workflows.report_sections.words import count, instant

_NOTE = Text(
    "文件 consistency.json 证明账本在报告期内只增不改，checkpoint 是签名的账本头，report-issued.tlog-proof 证明本报告的清单"
    "已记入账本。retention verify 离线核对这一切。",
    "The file consistency.json proves that the ledger only grew in the period, checkpoint is its signed head, and "
    "report-issued.tlog-proof proves that this report's manifest is in it. retention verify checks all of it offline.",
)


def integrity(sources: Sources, heads: Integrity) -> Section:
    """Sizes and roots, and destroyed epoch keys."""
    ledger = (
        Column("end", Text("时点", "End of the period")),
        instant("at", "时间", "Time"),
        count("size", "条目数", "Entries"),
        Column("root", Text("根散列", "Root hash"), weight=4),
    )
    period = sources.period
    rows = (
        (Text("期初", "beginning"), period.start_at, heads.first_size, heads.first_root),
        (Text("期末", "end"), period.until, heads.last_size, heads.last_root),
    )
    epochs = (
        Column("epoch", Text("纪元密钥", "Epoch key"), CellKind.TEXT),
        instant("destroyed_at", "销毁", "Destroyed"),
        ENTRIES,
    )
    destroyed = destroyed_epochs(sources.session, period.start_at, period.until)
    return Section(
        Text("完整性", "Integrity"),
        (
            _NOTE,
            table_of("ledger", Text("账本", "The ledger"), ledger, rows),
            table_of(
                "epochs-destroyed",
                Text("已销毁的纪元密钥", "Epoch keys destroyed"),
                epochs,
                ((each.name, each.destroyed_at, cited(each.entry)) for each in destroyed),
            ),
        ),
    )


def heads_of(sources: Sources) -> Integrity:
    """The ledger's size and root at both ends of the period. Raises LedgerDamaged where it was changed."""
    ledger, span = sources.journal.ledger, sources.events.span
    return Integrity(
        origin=ledger.key.name,
        key=str(ledger.key),
        first_size=span.first_size,
        first_root=encode_base64(ledger.root_at(span.first_size)),
        last_size=span.last_size,
        last_root=encode_base64(ledger.root_at(span.last_size)),
    )
