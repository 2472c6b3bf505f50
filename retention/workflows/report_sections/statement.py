"""What was due under clauses 6.10, 6.11 and 6.12, what was done, on time or late; also by month, rule, service, dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from retention.model.policy import Policy
from retention.reports.document import Block, Cell, Chart, Column, Figure, Row, Section, Series, Text
from retention.workflows.report_sections.deletions import ALL_SERVICES, Deletions, Tally
from retention.workflows.report_sections.sources import Sources, table_of
from retention.workflows.report_sections.standing import Standing
from retention.workflows.report_sections.words import STANDINGS, count

CLAUSES = ("6.10", "6.11", "6.12")
"""Clauses that stand in every statement, also where nothing was due under them."""

_NOTE = Text(
    "“应完成”指缓冲期在报告期结束前已届满、且在报告期开始前尚未完成的删除；一次删除是一个案件中的一个数据集。"
    "“按期”指核验无残留且密钥在一切旧副本中不可恢复之时不晚于应完成时间，“迟延”指晚于该时间；“逾期”指已过该时间而尚未完成，"
    "“期内”指尚未完成而未过该时间；“中止”指保全或法定保存期限使其不能继续；“恢复”指客户在不可逆之前返回；“尚余副本”指已完成者中"
    "尚有副本待处理的。每一数字都是表 cases 中“计入”为真且状态相同的行数，账本条目见该表。",
    "Due: a deletion whose buffer was over before the period ended and that was not done before it began; one deletion is "
    "one dataset of one case. On time: a look that found nothing, and keys that nothing can recover, no later than it had "
    "to be complete; late: after that. Overdue: not done although that time is over; open: not done, and it is not over. "
    "Stopped: a hold or a statutory minimum forbids to go on. Back: the customer came back in time. Copies left: of those "
    "done, where a copy waits for its deletion. Every figure counts the rows of table cases "
    "with this status that are marked as counted; their ledger entries stand there.",
)
_MEASURES = (
    count("due", "应完成", "Due"),
    count("on_time", "按期", "On time"),
    count("late", "迟延", "Late"),
    count("overdue", "逾期", "Overdue"),
    count("stopped", "中止", "Stopped"),
    count("open", "期内", "Open"),
    count("brought_back", "恢复", "Back"),
    count("with_copies_left", "尚余副本", "Copies left"),
)
_SHOWN = (Standing.ON_TIME, Standing.LATE, Standing.OVERDUE, Standing.STOPPED, Standing.OPEN, Standing.BROUGHT_BACK)
_GROUPS: Mapping[str, tuple[str, Text, Text]] = {
    "month": ("by-month", Text("按应删除月份", "By the month in which they fell due"), Text("月份", "Month")),
    "rule": ("by-rule", Text("按规则", "By rule"), Text("规则", "Rule")),
    "service": ("by-service", Text("按服务", "By service"), Text("服务", "Service")),
    "dataset": ("by-dataset", Text("按数据集", "By dataset"), Text("数据集", "Dataset")),
}


def statement(sources: Sources, found: Deletions) -> Section:
    """The statement by clause, and the same figures in four other ways, each with its chart."""
    by_clause = {clause: Tally() for clause in CLAUSES} | found.groups.get("clause", {})
    clause = Column("clause", Text("条款", "Clause"))
    blocks: list[Block] = [
        _NOTE,
        table_of(
            "statement",
            Text("按协议条款", "By clause of the agreement"),
            (clause, *_MEASURES),
            _rows(dict(sorted(by_clause.items()))),
        ),
    ]
    for name, (table, title, heading) in _GROUPS.items():
        titles = _titles(name, sources.in_force)
        groups = dict(sorted(found.groups.get(name, {}).items()))
        named = (Column(f"{name}_title", Text("名称", "Title"), is_below=True),) if titles else ()
        rows = ((row[0], *(titles.get(str(row[0])) for _ in named), *row[1:]) for row in _rows(groups))
        blocks.append(table_of(table, title, (Column(name, heading), *named, *_MEASURES), rows))
        if groups:
            blocks.append(_chart(table, title, groups))
    return Section(Text("按协议条款的执行情况", "Statement by clause"), tuple(blocks))


def figures(found: Deletions) -> Iterator[Figure]:
    """The figures of the summary."""
    total = found.total
    yield Figure(Text("应完成的删除", "Deletions due"), total.due, "cases")
    for standing in _SHOWN:
        bad = standing is Standing.OVERDUE and total.standings[standing] > 0
        words = STANDINGS[standing]
        title = Text(f"应完成的删除：{words.zh}", f"Deletions due: {words.en}")
        yield Figure(title, total.standings[standing], "cases", needs_attention=bad)


def measured(tally: Tally) -> tuple[int, ...]:
    """The figures of one row, in the order of the columns."""
    found = tally.standings
    return (tally.due, *(found[standing] for standing in _SHOWN), tally.left)


def _rows(groups: Mapping[str, Tally]) -> Iterator[Row]:
    for value, tally in groups.items():
        yield (value, *measured(tally))


def _titles(group: str, policy: Policy) -> Mapping[str, Cell]:
    match group:
        case "rule":
            return {name: rule.title for name, rule in policy.rules.items()}
        case "service":
            return {name: service.title for name, service in policy.services.items()} | {
                ALL_SERVICES: Text("全部", "all")
            }
        case "dataset":
            return {name: dataset.title for name, dataset in policy.datasets.items()}
        case _:
            return {}


def _chart(table: str, title: Text, groups: Mapping[str, Tally]) -> Chart:
    series = tuple(
        Series(STANDINGS[standing], tuple(tally.standings[standing] for tally in groups.values()))
        for standing in _SHOWN
        if any(tally.standings[standing] for tally in groups.values())
    )
    named = tuple("全部 all" if group == ALL_SERVICES else group for group in groups)
    return Chart(f"chart-{table}", title, named, series, Text("次", "deletions"), table)
