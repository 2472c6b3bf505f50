"""Findings of the transfer audit as sentences, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

from retention.workflows.audit_transfers import FindingKind, Remedy, TransferFinding

_SENTENCES: Mapping[FindingKind, tuple[str, str]] = {
    FindingKind.WAY_OUT: (
        "{store} 自行将数据送往 {there}（{what}），{count} 个客户没有允许的决定",
        "{store} itself sends data to {there} ({what}); {count} customers have no decision that allows it",
    ),
    FindingKind.LIES_ABROAD: (
        "{what} 存放在 {there} 的 {store}，{count} 个客户没有允许的决定",
        "{what} lies in {store} in {there}; {count} customers have no decision that allows it",
    ),
    FindingKind.BACKED_UP_ABROAD: (
        "备份 {what} 存放在 {there} 的 {store}，{count} 个客户没有允许的决定",
        "the backups {what} lie in {store} in {there}; {count} customers have no decision that allows it",
    ),
    FindingKind.UNKNOWN_PLACE: (
        "不知道 {store}（{what}）在哪里：未配置 region，或者它不在 transfers.regions 中",
        "nobody can tell where {store} ({what}) lies: it has no `region`, or that is not in `transfers.regions`",
    ),
    FindingKind.WRONG_TERRITORY: (
        "{store} 在 {there}，与策略不符（{what}）",
        "{store} lies in {there}, and the policy says otherwise ({what})",
    ),
    FindingKind.UNDECLARED: (
        "{what} 曾依决定传往 {there}，而策略在那里没有登记副本（replicas），删除客户数据时无法一并删除",
        "{what} went to {there} under a decision, and the policy has no replica there: it would not go with its customer",
    ),
    FindingKind.NOT_ASKED: (
        "无法查询 {store}（{what}）：{why}",
        "{store} could not be asked ({what}): {why}",
    ),
}
_REMEDIES: Mapping[Remedy, tuple[str, str]] = {
    Remedy.CLOSE: ("删除复制规则 {subject}", "removes the replication rule {subject}"),
    Remedy.FENCE: ("禁止向 {subject} 写入", "denies writing below {subject}"),
}
_UNKNOWN = ("不明之处", "an unknown place")


def finding_sentence(finding: TransferFinding, lang: str) -> str:
    """The finding as a sentence in `zh` or `en`. Names no customer."""
    index = 0 if lang == "zh" else 1
    return _SENTENCES[finding.kind][index].format(
        store=finding.store,
        there=finding.territory or _UNKNOWN[index],
        what=finding.what,
        count=finding.customer_count,
        why=finding.why,
    )


def remedy_sentence(remedy: Remedy, subject: str, lang: str) -> str:
    """What `--enforce` does, in `zh` or `en`."""
    return _REMEDIES[remedy][0 if lang == "zh" else 1].format(subject=subject or "/")
