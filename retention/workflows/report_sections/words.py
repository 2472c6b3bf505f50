"""The words of a report that several of its parts use, in Chinese and English."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from retention.model.copy import EndState
from retention.reports.document import CellKind, Column, Text
from retention.workflows.report_sections.standing import Cause, Standing

STANDINGS = MappingProxyType(
    {
        standing: Text(words, str(standing))
        for standing, words in {
            Standing.OVERDUE: "逾期未完成",
            Standing.STOPPED: "依法或依保全中止",
            Standing.OPEN: "期限内进行中",
            Standing.LATE: "逾期完成",
            Standing.ON_TIME: "按期完成",
            Standing.BROUGHT_BACK: "已恢复，不再删除",
        }.items()
    }
)
"""The English is the word that programs compare."""
CAUSES = MappingProxyType(
    {
        Cause.HELD: Text("保全", "a hold"),
        Cause.KEPT_BY_LAW: Text("法定保存期限", "a statutory minimum"),
        Cause.WAITED_FOR_KEYS: Text(
            "密钥已销毁，等待其纪元密钥销毁", "its keys were destroyed; an epoch key still existed"
        ),
        Cause.FOUND_AGAIN: Text("删除后再次发现数据", "data was found again after it had been deleted"),
        Cause.FAILED_COPY: Text("有副本未能删除", "a copy could not be deleted"),
        Cause.STEP_REPEATED: Text("步骤未一次完成，经重试", "a step did not go through at once and was repeated"),
        Cause.NOT_TAKEN_UP: Text(
            "期限内未执行；账本没有记载原因", "it was not carried out in time; no reason is recorded"
        ),
    }
)
END_STATES = MappingProxyType(
    {
        state: Text(words, str(state))
        for state, words in {
            EndState.ERASED_VERIFIED: "已删除并核验",
            EndState.SHREDDED_VERIFIED: "密钥销毁并核验",
            EndState.ANONYMISED: "已匿名化",
            EndState.NOT_FOUND: "不存在",
            EndState.QUARANTINED: "隔离",
            EndState.HELD: "保全中",
            EndState.KEPT_BY_LAW: "依法保存",
            EndState.UNSUPPORTED: "不支持删除或隔离",
            EndState.FAILED: "未成功",
        }.items()
    }
)
"""The English is the word that the ledger has."""

CASE = Column("case", Text("案件", "Case"))
DATASET = Column("dataset", Text("数据集", "Dataset"))
COPY = Column("copy", Text("副本", "Copy"), weight=3)
STORE = Column("store", Text("存储", "Store"))
END_STATE = Column("end_state", Text("结果", "End state"))
REASON = Column("reason", Text("原因", "Reason"), weight=4)


def instant(name: str, zh: str, en: str, *, is_summary: bool = True) -> Column:
    """A column of instants."""
    return Column(name, Text(zh, en), CellKind.INSTANT, is_summary=is_summary)


def count(name: str, zh: str, en: str, *, is_summary: bool = True) -> Column:
    """A column of numbers."""
    return Column(name, Text(zh, en), CellKind.COUNT, 1, is_summary=is_summary)


def below(*columns: Column) -> tuple[Column, ...]:
    """The columns as they are printed in the cell of the one before them, each on a line of its own."""
    return tuple(replace(column, is_below=True) for column in columns)


def outcome(state: EndState | None) -> Text | None:
    """How a copy ended, in words; None while it has not."""
    return END_STATES[state] if state else None
