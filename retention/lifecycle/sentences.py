"""The sentences of an explanation, in Chinese and English, as data; `retention.lifecycle.explain` says them.

Both languages of a sentence have the same placeholders; a test compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from retention.model.case import StrandState
from retention.model.fact import FactType
from retention.model.period import Period, PeriodUnit
from retention.model.plan import StepKind


class Language(StrEnum):
    """The languages an explanation can be read in."""

    ZH = "zh"
    EN = "en"


@dataclass(frozen=True, slots=True)
class Text:
    """The same words in both languages."""

    zh: str
    en: str

    def in_(self, language: Language) -> str:
        """The words in this language."""
        return self.zh if language is Language.ZH else self.en


class Reason(StrEnum):
    """What a sentence says. The codes are stable: programs may rely on them."""

    DATASET = "dataset"
    NOTHING_STARTED = "nothing-started"
    LIVES = "lives"
    STARTED = "started"
    STARTED_FOR = "started-for"
    GROUND = "ground"
    RULE = "rule"
    FROZEN = "frozen"
    LEFT = "left"
    UNDONE = "undone"
    PART_ONLY = "part-only"
    ABROAD_ONLY = "abroad-only"
    NOT_FROM = "not-from"
    NO_BUFFER = "no-buffer"
    BUFFER_OF_RULE = "buffer-of-rule"
    BUFFER_OF_SERVICE = "buffer-of-service"
    BUFFER_AGREED = "buffer-agreed"
    COUNTED_IN_DAYS = "counted-in-days"
    COUNTED_IN_HOURS = "counted-in-hours"
    LAST_DAY_MOVED = "last-day-moved"
    KEEP_FROM_START = "keep-from-start"
    KEEP_FROM_WRITTEN = "keep-from-written"
    UNDO_WINDOW = "undo-window"
    NO_UNDO_WINDOW = "no-undo-window"
    DESTROYS_KEYS = "destroys-keys"
    KEEPS_KEYS = "keeps-keys"
    WITHOUT_KEYS = "without-keys"
    COMPLETE_BY = "complete-by"
    PRECEDENCE = "precedence"
    STANDS = "stands"
    HELD = "held"
    HOLD_REVIEW = "hold-review"
    KEPT_BY_LAW = "kept-by-law"
    IN_BUFFER = "in-buffer"
    IN_UNDO_WINDOW = "in-undo-window"
    NOT_APPROVED = "not-approved"
    WAITING_FOR_KEYS = "waiting-for-keys"
    WAITING_FOR_COPIES = "waiting-for-copies"
    NEXT_RUN = "next-run"
    FROM_THEN = "from-then"
    ONCE_RELEASED = "once-released"
    OVERDUE = "overdue"
    DONE = "done"
    UNPLACEABLE = "unplaceable"


SENTENCES: Mapping[Reason, Text] = {
    Reason.DATASET: Text("数据集 {dataset}“{title}”：", "The dataset {dataset} “{title}”:"),
    Reason.NOTHING_STARTED: Text(
        "没有任何事实启动过对这些数据的删除。", "Nothing has started a deletion of this data."
    ),
    Reason.LIVES: Text("订购仍然有效：{subscription}。", "The subscription {subscription} is active."),
    Reason.STARTED: Text("起始事实：{at} {fact}（{key}）。", "Starting fact: {fact} on {at} ({key})."),
    Reason.STARTED_FOR: Text("它所指的是 {service}。", "It is about {service}."),
    Reason.GROUND: Text("依据：{ground}。", "Its ground: {ground}."),
    Reason.RULE: Text(
        "适用规则 {rule}“{title}”，协议条款 {clause}。",
        "The rule is {rule} “{title}”, clause {clause} of the agreement.",
    ),
    Reason.FROZEN: Text(
        "按起始事实发生时的策略版本 {version}（自 {effective} 起施行）处理，以后的版本不缩短已承诺的期限。",
        "Policy version {version} (in force from {effective}) counts, as at the starting fact; no later one shortens what "
        "was promised.",
    ),
    Reason.LEFT: Text("{dataset} 保留：{subscription} 仍然需要它。", "{dataset} stays: {subscription} still needs it."),
    Reason.UNDONE: Text(
        "{dataset} 已恢复：{at} {fact}（{key}）发生在不可恢复点之前。",
        "{dataset} was brought back: {fact} on {at} ({key}) came before the point of no return.",
    ),
    Reason.ABROAD_ONLY: Text(
        "只删除依这项同意存放在 {territory} 的副本，存放在境内的数据和密钥保留。",
        "Only what lies in {territory} under the consent goes; what lies at home, and the keys, stay.",
    ),
    Reason.PART_ONLY: Text("只删除所指明的部分。", "Only the part that was named goes."),
    Reason.NOT_FROM: Text(
        "客户已重新开通：{at} 起写入的数据不在此次删除之内。",
        "The customer came back: what was written from {at} on is not touched.",
    ),
    Reason.NO_BUFFER: Text(
        "没有缓冲期（{basis}）：{at} 起即可删除。", "There is no buffer ({basis}): due from {at} on."
    ),
    Reason.BUFFER_OF_RULE: Text("缓冲期为 {period}（{basis}）。", "The buffer is {period} ({basis})."),
    Reason.BUFFER_OF_SERVICE: Text(
        "缓冲期为所订购服务的 {period}（{basis}）。", "The buffer is that of the ordered service, {period} ({basis})."
    ),
    Reason.BUFFER_AGREED: Text(
        "缓冲期按与客户的约定为 {period}（{basis}）。", "The buffer is {period}, as agreed with the customer ({basis})."
    ),
    Reason.COUNTED_IN_DAYS: Text(
        "自 {first_day} 起算，当日不计入，最后一日为 {last_day}，至当日 24:00 届满，即 {at}"
        "（《民法典》第二百条至第二百零三条）。",
        "It began on {first_day}, which does not count; its last day is {last_day}, and it ends at 24:00 of that day, "
        "that is {at} (Civil Code, articles 200-203).",
    ),
    Reason.COUNTED_IN_HOURS: Text(
        "按小时计算，自 {start} 起，至 {at} 届满。", "Counted in hours, it runs from {start} to {at}."
    ),
    Reason.LAST_DAY_MOVED: Text(
        "最后一日本为 {moved_from}，系休息日，顺延至 {last_day}（《民法典》第二百零三条）。",
        "The last day would have been {moved_from}, a day off; it moved to {last_day} (Civil Code, article 203).",
    ),
    Reason.KEEP_FROM_START: Text(
        "法律要求自起始事实起至少保存 {period}（{basis}）。",
        "The law requires keeping it for at least {period} from the starting fact ({basis}).",
    ),
    Reason.KEEP_FROM_WRITTEN: Text(
        "法律要求每个对象自写入之日起至少保存 {period}（{basis}）；到期的逐个删除。",
        "The law requires keeping each object for at least {period} from its own date ({basis}); each goes when its time "
        "is over.",
    ),
    Reason.UNDO_WINDOW: Text(
        "其后有 {period}的撤销期（{basis}）：数据隐藏，{at} 之前仍可恢复。",
        "An undo window of {period} follows ({basis}): the data is hidden and can still be brought back until {at}.",
    ),
    Reason.NO_UNDO_WINDOW: Text("没有撤销期（{basis}）。", "There is no undo window ({basis})."),
    Reason.DESTROYS_KEYS: Text(
        "届时销毁其密钥，此后任何人都无法恢复。", "Its keys are destroyed then, and nobody can bring it back any more."
    ),
    Reason.KEEPS_KEYS: Text(
        "密钥仍为其余数据所需，因此不销毁密钥，而是清除数据本身。",
        "Its key is still needed for other data, so the key stays and the data itself is erased.",
    ),
    Reason.WITHOUT_KEYS: Text("数据未加密，因此清除数据本身。", "It is stored plain, so the data itself is erased."),
    Reason.COMPLETE_BY: Text(
        "须在 {at} 前完成：自 {start} 起 {period}（{basis}）。",
        "It has to be complete by {at}: {period} from {start} ({basis}).",
    ),
    Reason.PRECEDENCE: Text(
        "优先顺序：保全（{hold}）→ 法定最短保存期（{keep}）→ 缓冲期（{buffer}）→ 删除（{deletion}）。",
        "Precedence: hold ({hold}) → keep-at-least ({keep}) → buffer ({buffer}) → deletion ({deletion}).",
    ),
    Reason.STANDS: Text("目前状态：{state}。", "It now stands at: {state}."),
    Reason.HELD: Text(
        "被保全令 {hold} 阻止（{at} 起）；依据：{ground}；机关：{authority}。",
        "The hold {hold} stops it (since {at}); ground: {ground}; authority: {authority}.",
    ),
    Reason.HOLD_REVIEW: Text("该保全须在 {at} 复核。", "That hold is to be reviewed on {at}."),
    Reason.KEPT_BY_LAW: Text("依法保存至 {at}（{basis}）。", "The law keeps it until {at} ({basis})."),
    Reason.IN_BUFFER: Text("缓冲期至 {at}，期间仅存储。", "It is in its buffer until {at}, and only stored."),
    Reason.IN_UNDO_WINDOW: Text("撤销期至 {at}。", "It is in its undo window until {at}."),
    Reason.NOT_APPROVED: Text("等待批准。", "It waits for an approval."),
    Reason.WAITING_FOR_KEYS: Text(
        "等待密钥轮换：曾包裹其密钥的周期密钥尚未销毁。",
        "It waits for the key epochs: an epoch key that wrapped its keys still exists.",
    ),
    Reason.WAITING_FOR_COPIES: Text(
        "等待尚未清除的副本；每个副本都注明原因和日期。",
        "It waits for a copy that is not gone yet; each says why and until when.",
    ),
    Reason.NEXT_RUN: Text("下一次运行将：{steps}。", "The next run will: {steps}."),
    Reason.FROM_THEN: Text("自 {at} 起的运行将：{steps}。", "From {at} on, a run will: {steps}."),
    Reason.ONCE_RELEASED: Text("保全解除后，运行将：{steps}。", "Once the hold is released, a run will: {steps}."),
    Reason.OVERDUE: Text("已逾期：本应在 {at} 前完成。", "It is overdue: it had to be complete by {at}."),
    Reason.DONE: Text("没有需要再做的事。", "Nothing remains to be done."),
    Reason.UNPLACEABLE: Text(
        "副本 {copy} 无法确定哪些属于该客户，因此不予触碰：{why}。",
        "In the copy {copy} it cannot be told what is the customer's, so it is not touched: {why}.",
    ),
}

FACT_WORDS: Mapping[FactType, Text] = {
    FactType.SERVICE_ACTIVATED: Text("服务开通", "service activated"),
    FactType.SERVICE_EXPIRED: Text("服务期届满", "service expired"),
    FactType.SERVICE_TERMINATED: Text("服务提前终止", "service terminated"),
    FactType.SERVICE_RENEWED: Text("服务续订", "service renewed"),
    FactType.SERVICE_RELEASED: Text("客户释放服务", "service released"),
    FactType.ARREARS_STARTED: Text("客户欠费", "arrears started"),
    FactType.ARREARS_CLEARED: Text("欠费结清", "arrears cleared"),
    FactType.DATA_DELETED: Text("客户删除数据", "data deleted by the customer"),
    FactType.DELETION_ORDERED: Text("主管部门或权利人要求删除", "deletion ordered"),
    FactType.DELETION_WITHDRAWN: Text("撤回删除", "deletion withdrawn"),
    FactType.ACCOUNT_CLOSED: Text("账户注销", "account closed"),
    FactType.HOLD_PLACED: Text("作出保全", "hold placed"),
    FactType.HOLD_RELEASED: Text("解除保全", "hold released"),
    FactType.AGREEMENT_MADE: Text("另行约定", "agreement made"),
    FactType.CONSENT_GRANTED: Text("单独同意出境", "consent to a transfer granted"),
    FactType.CONSENT_WITHDRAWN: Text("撤回出境同意", "consent to a transfer withdrawn"),
}

STATE_WORDS: Mapping[StrandState, Text] = {
    StrandState.BUFFER: Text("仅存储，尚未删除", "only stored, not deleted yet"),
    StrandState.TOMBSTONED: Text("已隐藏，仍可恢复", "hidden, and can still be brought back"),
    StrandState.SHREDDED: Text("密钥已销毁", "keys destroyed"),
    StrandState.ERASING: Text("正在清除", "being erased"),
    StrandState.ERASED: Text("已清除，尚未核验", "erased, not verified yet"),
    StrandState.VERIFIED: Text("已核验", "verified"),
    StrandState.CERTIFIED: Text("已出具证明", "certified"),
    StrandState.REOPENED: Text("再次发现数据，重新清除", "found again, and reopened"),
    StrandState.BROUGHT_BACK: Text("已恢复", "brought back"),
}

STEP_WORDS: Mapping[StepKind, Text] = {
    StepKind.RESTRICT: Text("限制处理", "restrict"),
    StepKind.CLEAR_CACHES: Text("清空缓存", "clear caches"),
    StepKind.TOMBSTONE: Text("隐藏", "hide"),
    StepKind.SHRED: Text("销毁密钥", "destroy the keys"),
    StepKind.ERASE: Text("清除", "erase"),
    StepKind.VERIFY: Text("核验", "verify"),
    StepKind.CLOSE_BACKUPS: Text("处理备份", "close the backups"),
    StepKind.CERTIFY: Text("出具证明", "certify"),
    StepKind.BRING_BACK: Text("恢复", "bring back"),
}

_UNITS: Mapping[PeriodUnit, str] = {
    PeriodUnit.HOURS: "{} 小时",
    PeriodUnit.DAYS: "{} 日",
    PeriodUnit.WORKING_DAYS: "{} 个工作日",
    PeriodUnit.MONTHS: "{} 个月",
    PeriodUnit.YEARS: "{} 年",
}

Value = str | date | datetime | Period | FactType | StrandState | tuple[StepKind, ...]
"""What can stand in a sentence. Instants are aware, in the zone in which they are to be read."""


def say(value: Value, language: Language) -> str:
    """The value in words: an instant to the minute with its offset, a day, a period, a fact, a state, or steps in order."""
    match value:
        case FactType():
            return FACT_WORDS[value].in_(language)
        case StrandState():
            return STATE_WORDS[value].in_(language)
        case Period():
            return _period(value, language)
        case datetime():
            return value.isoformat(" ", "minutes").replace("+", " +").replace("Z", " +00:00")
        case date():
            return value.isoformat()
        case tuple():
            words = [STEP_WORDS[step].in_(language) for step in value]
            return ("、" if language is Language.ZH else ", ").join(words)
        case _:
            return value


def _period(period: Period, language: Language) -> str:
    if language is Language.EN:
        return str(period)
    return "无" if period.is_none else _UNITS[period.unit].format(period.amount)
