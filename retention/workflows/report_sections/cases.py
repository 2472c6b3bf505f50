"""The deletion cases, those that need somebody first, and how each copy of each ended."""

from __future__ import annotations

from retention.reports.document import CellKind, Column, Section, Text
from retention.workflows.report_sections.deletions import Deletions
from retention.workflows.report_sections.sources import ENTRIES, Sources, table_of
from retention.workflows.report_sections.words import (
    CASE,
    COPY,
    DATASET,
    END_STATE,
    REASON,
    below,
    count,
    instant,
)

_NOTE = Text(
    "报告期结束前立案、且在报告期开始前尚未结案的每一次删除，逾期与中止者在前。状态以报告期结束时为准；"
    "日期与副本结果以制作报告时目录库所知为准，可能晚于报告期。",
    "Every deletion of a case that was opened before the period ended and not closed before it began; overdue and stopped "
    "ones first. The status is that at the period's end; dates and outcomes are what was known when the report was made, and "
    "may lie after it.",
)


def cases(sources: Sources, found: Deletions) -> Section:
    """The cases and their copies."""
    columns = (
        CASE,
        *below(*sources.names.columns()),
        Column("clause", Text("条款", "Clause"), weight=1),
        *below(Column("rule", Text("规则", "Rule"))),
        Column("service", Text("服务", "Service"), is_summary=False),
        *below(DATASET),
        Column("status", Text("状态", "Status")),
        *below(Column("why", Text("原因", "Why"), weight=3)),
        Column("is_due", Text("计入", "Counted"), CellKind.FLAG, is_summary=False),
        instant("started_at", "起始事实", "Started", is_summary=False),
        instant("due_at", "应删除", "Due"),
        *below(instant("complete_by", "应完成", "Complete by")),
        instant("shredded_at", "密钥销毁", "Keys destroyed", is_summary=False),
        instant("unrecoverable_at", "密钥不可恢复", "Keys gone"),
        *below(instant("done_at", "完成", "Done")),
        count("copies_left", "待处理副本", "Copies left", is_summary=False),
        ENTRIES,
    )
    copies = (
        CASE,
        DATASET,
        *below(COPY),
        END_STATE,
        instant("verified_at", "核验", "Verified"),
        *below(instant("until", "至", "Until")),
        count("items_erased", "已删", "Erased"),
        REASON,
        ENTRIES,
    )
    return Section(
        Text("删除案件", "Deletion cases"),
        (
            _NOTE,
            table_of("cases", Text("案件", "Cases"), columns, found.cases),
            table_of(
                "copies",
                Text("各副本的结果", "Outcome of each copy"),
                copies,
                found.copies,
                Text(
                    "副本写作“用途/存储@备份系列”；“已删”为已删除的对象数。没有结果的副本尚未走到最后一步。",
                    "A copy is written role/store@backup series; erased is the number of items. A copy without an outcome "
                    "has not come to its end yet.",
                ),
            ),
        ),
    )
