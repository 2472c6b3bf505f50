"""Policy versions and approvals of the period, limits that stopped a run, and what went wrong."""

from __future__ import annotations

from collections.abc import Iterator

from retention.reports.document import Block, Column, Figure, Row, Section, Text
from retention.workflows.report_sections.sources import ENTRIES, Sources, cited, table_of
from retention.workflows.report_sections.words import CASE, below, count, instant

_NOTE = Text(
    "账本被改动时不能制作报告，retention verify 指出被改动之处；因此本表没有“账本被改动”一类。",
    "No report can be made from a ledger that was changed, and retention verify names the place; so no row tells that.",
)


def changes(sources: Sources) -> Section:
    """Versions, approvals, limits and incidents, each with its entry."""
    events = sources.events
    versions = (
        Column("version", Text("版本", "Version")),
        Column("hash", Text("散列", "Hash"), weight=3),
        instant("effective_at", "施行", "Effective"),
        *below(instant("adopted_at", "采用", "Adopted")),
        Column("file", Text("文件", "File"), is_summary=False),
        ENTRIES,
    )
    approvals = (
        instant("at", "时间", "Time"),
        Column("subject", Text("所批准内容的散列", "Hash of what was approved"), weight=4),
        Column("officer", Text("批准人（代号）", "Officer (pseudonym)")),
        ENTRIES,
    )
    limits = (
        instant("at", "时间", "Time"),
        count("customers", "涉及客户", "Customers"),
        count("of", "客户总数", "Of"),
        count("approvals", "已有批准", "Approvals"),
        Column("plan", Text("计划散列", "Plan hash"), weight=4),
        ENTRIES,
    )
    incidents = (
        instant("at", "时间", "Time"),
        Column("what", Text("事件", "Incident"), weight=3),
        CASE,
        Column("details", Text("详情", "Details"), weight=3),
        ENTRIES,
    )
    blocks: tuple[Block, ...] = (
        table_of("policy-versions", Text("策略版本", "Policy versions"), versions, _versions(sources)),
        table_of("approvals", Text("批准", "Approvals"), approvals, events.approvals),
        table_of("limits-hit", Text("触及的限额", "Limits hit"), limits, events.limits),
        table_of("incidents", Text("异常事件", "Incidents"), incidents, events.incidents, _NOTE),
    )
    return Section(Text("策略、批准与异常", "Policy, approvals and incidents"), blocks)


def figures(sources: Sources) -> Iterator[Figure]:
    """The figures of the summary."""
    count_of = sources.events.incidents.row_count
    yield Figure(Text("异常事件", "Incidents"), count_of, "incidents", needs_attention=count_of > 0)
    yield Figure(Text("触及的限额", "Limits hit"), sources.events.limits.row_count, "limits-hit")


def _versions(sources: Sources) -> Iterator[Row]:
    adopted = {each.hash: each.adopted_at for each in sources.adopted}
    hashes = [policy.hash for policy in sources.policies]
    since = min(adopted[each] for each in hashes)
    sources.events.look_up_policies(sources.journal.ledger, hashes, since)
    for policy in sources.policies:
        entry = cited(sources.events.policies.get(policy.hash))
        file = f"policies/{policy.hash}.json"
        yield (policy.version, policy.hash, policy.effective_at, adopted[policy.hash], file, entry)
