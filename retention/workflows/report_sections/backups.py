"""Backup sets that wait for their deletion, restores and rehearsals, and sets of which nobody knows what they hold."""

from __future__ import annotations

from collections.abc import Iterator

from retention.catalog.report_queries import unknown_sets
from retention.reports.document import Column, Figure, Section, Text
from retention.workflows.report_sections.deletions import Deletions
from retention.workflows.report_sections.sources import ENTRIES, Sources, cited, table_of
from retention.workflows.report_sections.words import CASE, DATASET, END_STATE, REASON, STORE, below, count, instant

_SET = Column("set", Text("备份集", "Backup set"))
_NOTE = Text(
    "每行是一个备份集对于一个案件的状态。“拒绝证明”是真实尝试读取的结果；“可删除”是按轮转与锁定期限可以删除的时间，"
    "空白表示须由人决定。",
    "A row is what one set is to one case. The refusal is what a read came to that was really tried; possible from is when "
    "rotation and locks let it be deleted, and empty where somebody has to decide.",
)

_DRILLS_NOTE = Text(
    "“重放”为重放的删除数，“移除”为移除的对象数，“不明”为无从判断的文件数，“未演练”为演练所略去的文件数。",
    "Replayed are deletions, removed are items; unknown are files of which nothing could be told, left out are those that "
    "the rehearsal passed over.",
)


def backups(sources: Sources, found: Deletions) -> Section:
    """Sets in quarantine or not gone yet, restores and rehearsals, and unknown sets."""
    waiting = (
        CASE,
        *below(*sources.names.columns()),
        DATASET,
        *below(STORE, _SET),
        Column("set_id", Text("备份集代号", "Set id"), is_summary=False),
        END_STATE,
        *below(REASON),
        Column("refusal", Text("拒绝证明", "Refusal of a read"), weight=3),
        instant("until", "可删除", "Possible from"),
        instant("told_at", "记载", "Recorded", is_summary=False),
        ENTRIES,
    )
    drills = (
        instant("at", "时间", "Time"),
        Column("what", Text("种类", "What")),
        STORE,
        *below(_SET),
        count("replayed", "重放", "Replayed"),
        count("removed", "移除", "Removed"),
        count("unknown", "不明", "Unknown"),
        count("left_out", "未演练", "Left out"),
        count("seconds", "秒", "Seconds"),
        ENTRIES,
    )
    scan = cited(sources.events.last_scan)
    unknown = ((store, shown, seen_at, scan) for store, shown, seen_at in unknown_sets(sources.session))
    return Section(
        Text("备份", "Backups"),
        (
            _NOTE,
            table_of("backup-sets", Text("隔离及待删除的备份集", "Backup sets that wait"), waiting, found.sets),
            table_of(
                "drills", Text("恢复与演练", "Restores and rehearsals"), drills, sources.events.drills, _DRILLS_NOTE
            ),
            table_of(
                "unknown-sets",
                Text("不符合任何系列的备份集", "Sets that fit no series"),
                (STORE, _SET, instant("seen_at", "最近所见", "Last seen"), ENTRIES),
                unknown,
            ),
        ),
    )


def figures(sources: Sources, found: Deletions) -> Iterator[Figure]:
    """The figures of the summary."""
    yield Figure(Text("待删除的备份集", "Backup sets that wait"), found.sets.row_count, "backup-sets")
    yield Figure(Text("恢复与演练", "Restores and rehearsals"), sources.events.drills.row_count, "drills")
