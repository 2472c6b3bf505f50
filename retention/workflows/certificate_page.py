"""A signed statement as the page that people read: in both languages, what is not gone first. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from retention.evidence.statement import CopyClaim, KeyClaim, Method, SetClaim, Statement, StrandClaim, Technique
from retention.model.copy import BEST_TO_WORST, Copy, CopyRole
from retention.model.policy import Policy
from retention.reports.certificate_page import CertificatePage, CopyLine, LedgerPlace, Sanitized, StrandLine
from retention.reports.document import Text
from retention.workflows.certify import VERIFICATION_METHODS
from retention.workflows.report_sections.words import END_STATES

CopyIdentity = tuple[str, str, CopyRole, str | None, str | None, bool, int]
"""What tells a copy from the others of its case."""

_ROLES = MappingProxyType(
    {
        CopyRole.PRIMARY: Text("主副本", "primary"),
        CopyRole.CACHE: Text("缓存", "cache"),
        CopyRole.REPLICA: Text("复本", "replica"),
        CopyRole.BACKUP: Text("备份", "backup"),
    }
)
_METHODS = MappingProxyType({Method.CLEAR: "清除", Method.PURGE: "净化", Method.DESTROY: "销毁"})
_TECHNIQUES = MappingProxyType(
    {
        Technique.CRYPTOGRAPHIC_ERASE: "密码擦除",
        Technique.DELETION: "经存储接口删除",
        Technique.REWRITING: "改写去除该客户部分",
    }
)
_VERIFICATIONS = MappingProxyType(
    {
        VERIFICATION_METHODS["erased-verified"]: "删除后另行列举，未发现任何内容",
        VERIFICATION_METHODS["shredded-verified"]: "封装的密钥已移除并回读确认；已查内容确由其封装",
        VERIFICATION_METHODS["anonymised"]: "恢复后检索",
    }
)


def identity(copy: Copy | CopyClaim) -> CopyIdentity:
    """What tells this copy from the others of its case."""
    return (copy.dataset, copy.store, copy.role, copy.subscription, copy.backup, copy.partial, copy.number)


def page_of(
    statement: Statement, policy: Policy, territories: Mapping[CopyIdentity, str], place: LedgerPlace
) -> CertificatePage:
    """The page. Titles and time zone are those of its policy; territories, of replicas, those of its case."""
    worst_first = sorted(statement.copies, key=lambda each: -BEST_TO_WORST.index(each.end_state))
    rule = policy.rules.get(statement.rule)
    return CertificatePage(
        case=statement.case,
        customer=statement.customer,
        rule=statement.rule,
        rule_title=rule.title if rule else None,
        clause=statement.clause,
        policy=statement.policy,
        started_at=statement.started_at,
        issued_at=statement.issued_at,
        zone=policy.time_zone,
        is_final=statement.final,
        strands=tuple(_strand_line(each, statement.keys, policy) for each in statement.strands),
        copies=tuple(_copy_line(each, _kind(each, territories, policy.home), policy.time_zone) for each in worst_first),
        sanitized=_sanitized(statement),
        ledger=place,
    )


def _strand_line(claim: StrandClaim, keys: Iterable[KeyClaim], policy: Policy) -> StrandLine:
    dataset = policy.datasets.get(claim.dataset)
    mine = [key for key in keys if (key.dataset, key.subscription) == (claim.dataset, claim.subscription)]
    gone = [key.unrecoverable_at for key in mine if key.unrecoverable_at is not None]
    return StrandLine(
        dataset=claim.dataset,
        title=dataset.title if dataset else None,
        subscription=claim.subscription,
        due_at=claim.due_at,
        complete_by=claim.complete_by,
        key_count=len(mine),
        waiting_count=len(mine) - len(gone),
        shredded_at=max((key.shredded_at for key in mine), default=None),
        unrecoverable_at=max(gone) if len(gone) == len(mine) and gone else None,
    )


def _copy_line(claim: CopyClaim, kind: Text, zone: ZoneInfo) -> CopyLine:
    done = claim.sanitization
    return CopyLine(
        asset=f"{claim.store}/{claim.dataset}",
        kind=kind,
        end_state=END_STATES[claim.end_state],
        is_gone=claim.end_state.is_gone,
        method=_method(done.method, done.technique) if done else None,
        item_count=claim.items,
        at=claim.at,
        entry=claim.entries[-1],
        notes=tuple(_notes(claim, zone)),
    )


def _kind(claim: CopyClaim, territories: Mapping[CopyIdentity, str], home: str) -> Text:
    """What the copy is for, and what tells it from others: series, number, subscription, territory, part."""
    role = _ROLES[claim.role]
    tail = f" @{claim.backup}" if claim.backup else ""
    tail += f" /{claim.number}" if claim.number > 1 else ""
    tail += f" · {claim.subscription}" if claim.subscription else ""
    zh, en = role.zh + tail, role.en + tail
    if claim.partial:
        zh, en = f"{zh}（部分数据）", f"{en} (part)"
    territory = territories.get(identity(claim))
    if territory is not None:
        abroad = territory != home
        zh, en = f"{zh}，{'境外 ' if abroad else ''}{territory}", f"{en}, {'abroad: ' if abroad else 'in '}{territory}"
    return Text(zh, en)


def _notes(claim: CopyClaim, zone: ZoneInfo) -> Iterable[Text]:
    """Of a copy that is not gone until when, of a backup its sets, of any why it ended so."""
    if not claim.end_state.is_gone:
        day = claim.until and _day(claim.until, zone)
        yield Text(f"至 {day}", f"until {day}") if day else Text("无届满日期", "no date by which it ends")
    if claim.sets:
        yield _sets(claim.sets, zone)
    reason = _reason_of_sets(claim) if claim.sets else claim.reason
    if reason:
        yield _same(reason)


def _reason_of_sets(claim: CopyClaim) -> str | None:
    """Why the first of the worst sets waits; the copy's own reason counts the sets, which `_sets` says already."""
    waiting = (each for each in claim.sets or () if not each.end_state.is_gone and each.reason)
    return next((each.reason for each in waiting if each.end_state is claim.end_state), None)


def _sets(sets: tuple[SetClaim, ...], zone: ZoneInfo) -> Text:
    """How many of the sets ended how, worst first; of those that remain, until when, and whether a read was refused."""
    counts = Counter(each.end_state for each in sets)
    states = sorted(counts, key=lambda state: -BEST_TO_WORST.index(state))
    zh = f"备份集 {len(sets)} 个：" + "，".join(f"{counts[state]} {END_STATES[state].zh}" for state in states)
    en = f"backup sets, {len(sets)}: " + ", ".join(f"{counts[state]} {END_STATES[state].en}" for state in states)
    waiting = [each.until for each in sets if not each.end_state.is_gone]
    dates = [until for until in waiting if until is not None]
    if dates:
        day = _day(max(dates), zone)
        zh, en = f"{zh}；最迟至 {day}", f"{en}; the last until {day}"
    if len(dates) < len(waiting):
        zh, en = f"{zh}；{len(waiting) - len(dates)} 个无届满日期", f"{en}; without a date: {len(waiting) - len(dates)}"
    refused = sum(each.refusal is not None for each in sets)
    if refused:
        zh, en = f"{zh}；{refused} 个经试读被拒", f"{en}; a read was tried and refused: {refused}"
    return Text(zh, en)


def _sanitized(statement: Statement) -> Sanitized:
    done = [copy.sanitization for copy in statement.copies if copy.sanitization is not None]
    instants = [each.verified_at for each in done]
    return Sanitized(
        methods=_counted(_method(each.method, each.technique) for each in done),
        tools=_counted(_same(f"{each.tool} {each.tool_version}") for each in done),
        verification_methods=_counted(_verification(each.verification_method) for each in done),
        agents=_counted(_same(each.agent) for each in done),
        first_at=min(instants, default=None),
        last_at=max(instants, default=None),
    )


def _counted(values: Iterable[Text]) -> tuple[Text, ...]:
    """Each value once, the most frequent first; with how many copies it is of where there are several."""
    counts = Counter(values).most_common()
    if len(counts) == 1:
        return (counts[0][0],)
    return tuple(Text(f"{text.zh}（{count} 份）", f"{text.en} ({count})") for text, count in counts)


def _method(method: Method, technique: Technique) -> Text:
    return Text(f"{_METHODS[method]}：{_TECHNIQUES[technique]}", f"{method}: {technique}")


def _verification(method: str) -> Text:
    """In both languages where it is one of ours; the words of another version are said as they are."""
    return Text(_VERIFICATIONS.get(method, method), method)


def _day(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _same(text: str) -> Text:
    return Text(text, text)
