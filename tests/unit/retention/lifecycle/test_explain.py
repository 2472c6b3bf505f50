"""Why this date, in Chinese and English: what a data officer reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from string import Formatter

import pytest

from retention.lifecycle.cases import derive
from retention.lifecycle.explain import Explanation, explain
from retention.lifecycle.precedence import Progress
from retention.lifecycle.sentences import FACT_WORDS, SENTENCES, STATE_WORDS, STEP_WORDS, Language, Reason, Text
from retention.model.case import StrandState
from retention.model.fact import Fact, FactType
from retention.model.plan import StepKind
from retention.model.policy import Policy
from tests.unit.retention.lifecycle.world import fact, instant, passed, policy

EXPIRED = fact("service-expired", "2026-03-01 10:00", "training", id="end")
RELEASED = fact("service-released", "2026-03-01 10:00", "billing/b7", id="away")
HOLD = fact("hold-placed", "2026-03-02", hold="h1", dataset="invoices")


def explained(
    facts: list[Fact],
    now: str,
    dataset: str | None = None,
    version: Policy | None = None,
    progress: Progress | None = None,
) -> Explanation:
    """What is said about the dataset when every strand has come as far as `progress`."""
    versions = [version or policy()]
    derived = derive(facts, versions)
    strands = [strand.id for case in derived.cases for strand in case.strands]
    known = {} if progress is None else dict.fromkeys(strands, progress)
    return explain(derived, facts, versions, known, instant(now), dataset)


# ------------------------------------------------------------------------------------------------------------ as read


def test_an_ended_service_in_english() -> None:
    said = explained([EXPIRED], "2026-03-02 09:00", "weights")
    assert said.lines(Language.EN)[1:] == (
        "The dataset weights “权重”:",
        "Starting fact: service expired on 2026-03-01 10:00 +08:00 (crm#end).",
        "It is about training.",
        "The rule is ending “终止”, clause 6.11 of the agreement.",
        "Policy version 1 (in force from 2026-01-01 00:00 +08:00) counts, as at the starting fact; no later one shortens "
        "what was promised.",
        "The buffer is that of the ordered service, 15 days (services.training.buffer).",
        "It began on 2026-03-01, which does not count; its last day is 2026-03-16, and it ends at 24:00 of that day, that "
        "is 2026-03-17 00:00 +08:00 (Civil Code, articles 200-203).",
        "There is no undo window (rules.ending.tombstone).",
        "Its keys are destroyed then, and nobody can bring it back any more.",
        "It has to be complete by 2026-04-01 00:00 +08:00: 15 days from 2026-03-17 00:00 +08:00 "
        "(rules.ending.complete-within).",
        "Precedence: hold (none) → keep-at-least (none) → buffer (2026-03-17 00:00 +08:00) → deletion "
        "(2026-03-17 00:00 +08:00).",
        "It now stands at: only stored, not deleted yet.",
        "The next run will: restrict, clear caches.",
        "It is in its buffer until 2026-03-17 00:00 +08:00, and only stored.",
        "From 2026-03-17 00:00 +08:00 on, a run will: hide, destroy the keys, erase, verify.",
    )


def test_a_held_and_kept_release_in_chinese() -> None:
    said = explained([RELEASED, HOLD], "2026-03-03 09:00", "invoices")
    assert said.lines(Language.ZH)[1:] == (
        "数据集 invoices“账单”：",
        "起始事实：2026-03-01 10:00 +08:00 客户释放服务（crm#away）。",
        "它所指的是 billing/b7。",
        "适用规则 deletion“删除”，协议条款 6.10。",
        "按起始事实发生时的策略版本 1（自 2026-01-01 00:00 +08:00 起施行）处理，以后的版本不缩短已承诺的期限。",
        "没有缓冲期（rules.deletion.buffer）：2026-03-01 10:00 +08:00 起即可删除。",
        "法律要求自起始事实起至少保存 6 个月（《电子商务法》第三十一条）。",
        "自 2026-03-01 起算，当日不计入，最后一日为 2026-09-01，至当日 24:00 届满，即 2026-09-02 00:00 +08:00"
        "（《民法典》第二百条至第二百零三条）。",
        "其后有 24 小时的撤销期（rules.deletion.tombstone）：数据隐藏，2026-09-03 00:00 +08:00 之前仍可恢复。",
        "届时销毁其密钥，此后任何人都无法恢复。",
        "须在 2026-09-17 00:00 +08:00 前完成：自 2026-09-02 00:00 +08:00 起 15 日（rules.deletion.complete-within）。",
        "优先顺序：保全（h1）→ 法定最短保存期（2026-09-02 00:00 +08:00）→ 缓冲期（无）→ 删除（2026-09-03 00:00 +08:00）。",
        "目前状态：仅存储，尚未删除。",
        "下一次运行将：限制处理。",
        "被保全令 h1 阻止（2026-03-02 00:00 +08:00 起）；依据：案件 7；机关：某法院。",
        "依法保存至 2026-09-02 00:00 +08:00（《电子商务法》第三十一条）。",
        "自 2026-09-02 00:00 +08:00 起的运行将：隐藏。",
        "撤销期至 2026-09-03 00:00 +08:00。",
        "自 2026-09-03 00:00 +08:00 起的运行将：销毁密钥、清除、核验。",
    )


# ------------------------------------------------------------------------------------------------------ what is said

ACTIVE = fact("service-activated", "2026-01-01", "inference")
MOVES = policy(**{"holidays: CN,": "holidays: CN, last-day-off: moves,"})
WRITTEN = policy(**{"from: start": "from: written", "encrypted: object": "encrypted: no"})
GROUNDED = replace(fact("deletion-ordered", "2026-03-01", dataset="weights"), ground="网信办令 3")
REVIEWED = replace(HOLD, hold=replace(HOLD.hold, review_at=instant("2026-06-01"))) if HOLD.hold else HOLD
S = StrandState

SAID: dict[Reason, tuple[Explanation, str]] = {
    Reason.NOTHING_STARTED: (
        explained([ACTIVE], "2026-03-01", "prompts"),
        "Nothing has started a deletion of this data.",
    ),
    Reason.LIVES: (explained([ACTIVE], "2026-03-01"), "The subscription inference is active."),
    Reason.GROUND: (explained([GROUNDED], "2026-03-01"), "Its ground: 网信办令 3."),
    Reason.LEFT: (explained([ACTIVE, EXPIRED], "2026-03-02", "metrics"), "metrics stays: inference still needs it."),
    Reason.UNDONE: (
        explained([EXPIRED, fact("service-renewed", "2026-03-05", "training", id="again")], "2026-03-06", "weights"),
        "weights was brought back: service renewed on 2026-03-05 00:00 +08:00 (crm#again) came before the point of no "
        "return.",
    ),
    Reason.PART_ONLY: (
        explained([fact("data-deleted", "2026-03-01", dataset="weights", object="a")], "2026-03-01"),
        "Only the part that was named goes.",
    ),
    Reason.KEEPS_KEYS: (
        explained([fact("data-deleted", "2026-03-01", dataset="weights", object="a")], "2026-03-01"),
        "Its key is still needed for other data, so the key stays and the data itself is erased.",
    ),
    Reason.WITHOUT_KEYS: (
        explained([EXPIRED], "2026-03-02", "metrics"),
        "It is stored plain, so the data itself is erased.",
    ),
    Reason.BUFFER_AGREED: (
        explained([fact("agreement-made", "2026-02-01", buffer="1 month"), EXPIRED], "2026-03-02"),
        "The buffer is 1 month, as agreed with the customer (agreement 合同 9).",
    ),
    Reason.BUFFER_OF_RULE: (
        explained([EXPIRED], "2026-03-02", version=policy(**{"buffer: service": "buffer: 24 hours"})),
        "The buffer is 24 hours (rules.ending.buffer).",
    ),
    Reason.COUNTED_IN_HOURS: (
        explained([EXPIRED], "2026-03-02", version=policy(**{"buffer: service": "buffer: 24 hours"})),
        "Counted in hours, it runs from 2026-03-01 10:00 +08:00 to 2026-03-02 10:00 +08:00.",
    ),
    Reason.LAST_DAY_MOVED: (
        explained([fact("service-expired", "2026-03-06", "training")], "2026-03-07", version=MOVES),
        "The last day would have been 2026-03-21, a day off; it moved to 2026-03-23 (Civil Code, article 203).",
    ),
    Reason.KEEP_FROM_WRITTEN: (
        explained([RELEASED], "2026-03-02", version=WRITTEN),
        "The law requires keeping each object for at least 6 months from its own date (《电子商务法》第三十一条); each goes "
        "when its time is over.",
    ),
    Reason.HOLD_REVIEW: (
        explained([RELEASED, REVIEWED], "2026-03-03"),
        "That hold is to be reviewed on 2026-06-01 00:00 +08:00.",
    ),
    Reason.ONCE_RELEASED: (
        explained([EXPIRED, fact("hold-placed", "2026-03-02", hold="h")], "2026-03-20", "weights"),
        "Once the hold is released, a run will: clear caches, hide, destroy the keys, erase, verify.",
    ),
    Reason.OVERDUE: (
        explained([EXPIRED], "2026-04-02", "weights", progress=Progress(S.ERASING, 4)),
        "It is overdue: it had to be complete by 2026-04-01 00:00 +08:00.",
    ),
    Reason.WAITING_FOR_KEYS: (
        explained([EXPIRED], "2026-03-18", "weights", progress=Progress(S.VERIFIED, 6, waits_for_keys=True)),
        "It waits for the key epochs: an epoch key that wrapped its keys still exists.",
    ),
    Reason.WAITING_FOR_COPIES: (
        explained([EXPIRED], "2026-03-18", "weights", progress=Progress(S.VERIFIED, 6, waits_for_copies=True)),
        "It waits for a copy that is not gone yet; each says why and until when.",
    ),
    Reason.DONE: (
        explained([EXPIRED], "2026-03-18", "weights", progress=Progress(S.CERTIFIED, 9)),
        "Nothing remains to be done.",
    ),
    Reason.UNPLACEABLE: (
        explained([fact("data-deleted", "2026-03-01", dataset="weights", object="../c-2")], "2026-03-01"),
        "In the copy weights/primary/objects it cannot be told what is the customer's, so it is not touched: the name of "
        "the part is empty or has a '.' or '..' segment.",
    ),
}


@pytest.mark.parametrize(("reason", "said"), [(r, s) for r, (s, _) in SAID.items()], ids=SAID.keys())
def test_what_there_is_to_say_is_said(reason: Reason, said: Explanation) -> None:
    assert SAID[reason][1] in said.lines(Language.EN)
    assert reason in {sentence.reason for passage in said.passages for sentence in passage.sentences}


def test_who_came_back_after_the_deletion_reads_that_new_data_is_safe() -> None:
    facts = [EXPIRED, fact("service-activated", "2026-04-01", "training")]
    history = passed(derive([EXPIRED], [policy()]), "2026-03-17 00:10", "weights")
    said = explain(derive(facts, [policy()], history), facts, [policy()], {}, instant("2026-04-02"), "weights")
    assert "The customer came back: what was written from 2026-04-01 00:00 +08:00 on is not touched." in said.lines(
        Language.EN
    )


@pytest.mark.parametrize("now", ["2026-03-01 10:00", "2026-03-20", "2027-01-01"])
@pytest.mark.parametrize("state", StrandState)
def test_every_decision_comes_with_its_precedence_and_has_an_end(state: StrandState, now: str) -> None:
    facts = [EXPIRED, RELEASED, HOLD]
    for passage in explained(facts, now, progress=Progress(state, 1)).passages:
        assert [s.reason for s in passage.sentences].count(Reason.PRECEDENCE) == 1


def test_without_a_dataset_every_dataset_is_told() -> None:
    said = explained([fact("account-closed", "2026-03-01")], "2026-03-02")
    assert [passage.dataset for passage in said.passages] == sorted(policy().datasets)


def test_an_unknown_dataset_has_nothing_started() -> None:
    assert explained([EXPIRED], "2026-03-02", "no such").lines(Language.EN)[1:] == (
        "Nothing has started a deletion of this data.",
    )


def test_a_name_that_looks_like_a_placeholder_is_printed_as_it_is() -> None:
    odd = fact("service-expired", "2026-03-01", "training/{basis}")
    assert "It is about training/{basis}." in explained([odd], "2026-03-02").lines(Language.EN)


# ---------------------------------------------------------------------------------------------------- both languages


def texts() -> Iterator[tuple[str, Text]]:
    for table in (SENTENCES, FACT_WORDS, STATE_WORDS, STEP_WORDS):
        yield from ((str(code), text) for code, text in table.items())


@pytest.mark.parametrize(
    ("table", "codes"),
    [(SENTENCES, Reason), (FACT_WORDS, FactType), (STATE_WORDS, StrandState), (STEP_WORDS, StepKind)],
    ids=["every reason", "every fact", "every state", "every step"],
)
def test_has_words(table: dict[StrEnum, Text], codes: type[StrEnum]) -> None:
    assert set(table) == set(codes)


@pytest.mark.parametrize("text", [text for _, text in texts()], ids=[code for code, _ in texts()])
def test_both_languages_say_the_same_things(text: Text) -> None:
    zh, en = ({name for _, name, _, _ in Formatter().parse(words) if name} for words in (text.zh, text.en))
    assert zh == en
    assert text.zh
    assert text.en


@pytest.mark.parametrize("language", Language)
def test_everything_can_be_read_in_every_language(language: Language) -> None:
    for said, _ in SAID.values():
        for line in said.lines(language):
            assert "{" not in line
