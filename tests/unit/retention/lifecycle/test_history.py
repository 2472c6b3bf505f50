"""What cannot be derived from facts alone: deletions past their point of no return, and policy versions frozen into cases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from retention.lifecycle.cases import History, derive
from retention.model.copy import CopyRole
from retention.model.fact import Fact
from tests.unit.retention.lifecycle.world import fact, flags, instant, passed, policy, told

EXPIRED = fact("service-expired", "2026-03-01", "training", id="expired")
WEIGHTS = "ending: weights goes 2026-03-17 00:00"
METRICS = "ending: metrics goes 2026-03-17 00:00"
NOTEBOOKS = [fact("service-activated", "2026-01-01", f"notebook/s{n}") for n in (1, 2)]
FIRST = fact("service-expired", "2026-03-01", "notebook/s1")
SECOND = fact("service-expired", "2026-03-02", "notebook/s2")


def after(*facts: Fact, at: str, datasets: tuple[str, ...]) -> History:
    """The history after the strands that these facts led to passed."""
    return passed(derive(facts, [policy()]), at, *datasets)


GONE = after(EXPIRED, at="2026-03-17 00:10", datasets=("weights", "metrics"))

COMEBACKS: dict[str, tuple[Fact, str]] = {
    "a payment at the very moment of the end, told too late": (
        fact("service-renewed", "2026-03-01", "training", id="late"),
        "told too late",
    ),
    "a payment that was told too late": (fact("service-renewed", "2026-03-10", "training", id="late"), "told too late"),
    "a payment after the deletion": (
        fact("service-renewed", "2026-04-01", "training", id="late"),
        "does not come back",
    ),
    "a withdrawal after the deletion": (
        fact("deletion-withdrawn", "2026-04-01", withdraws="expired", id="late"),
        "too late",
    ),
}


@pytest.mark.parametrize(("late", "flag"), COMEBACKS.values(), ids=COMEBACKS.keys())
def test_what_passed_stays_and_somebody_looks(late: Fact, flag: str) -> None:
    clean = f", not what is written from {late.at.astimezone(policy().time_zone):%Y-%m-%d %H:%M}"
    assert told([EXPIRED, late], GONE) == [METRICS + clean, WEIGHTS + clean, "training lives"]
    assert flag in flags([EXPIRED, late], GONE)["late"]


def test_who_orders_again_after_the_deletion_starts_clean_and_nobody_has_to_look() -> None:
    ordered = fact("service-activated", "2026-04-01", "training")
    assert told([EXPIRED, ordered], GONE) == [
        METRICS + ", not what is written from 2026-04-01 00:00",
        WEIGHTS + ", not what is written from 2026-04-01 00:00",
        "training lives",
    ]
    assert flags([EXPIRED, ordered], GONE) == {}


def test_who_orders_another_service_after_the_deletion_starts_clean_with_what_both_share() -> None:
    ordered = fact("service-activated", "2026-04-01", "inference")
    assert told([EXPIRED, ordered], GONE) == [
        METRICS + ", not what is written from 2026-04-01 00:00",
        WEIGHTS,
        "inference lives",
    ]


def test_the_end_of_a_clean_start_is_a_deletion_of_its_own() -> None:
    facts = [
        EXPIRED,
        fact("service-activated", "2026-04-01", "training"),
        fact("service-released", "2026-05-01", "training"),
    ]
    assert told(facts, GONE) == [
        METRICS + ", not what is written from 2026-04-01 00:00",
        WEIGHTS + ", not what is written from 2026-04-01 00:00",
        "deletion: metrics goes 2026-05-02 00:00",
        "deletion: weights goes 2026-05-02 00:00",
    ]


def test_what_was_ordered_and_ended_before_the_deletion_went_with_it() -> None:
    facts = [
        EXPIRED,
        fact("service-activated", "2026-03-02", "inference"),
        fact("service-released", "2026-03-03", "inference"),
    ]
    gone = after(*facts, at="2026-03-17 00:10", datasets=("metrics",))
    assert METRICS in told(facts, gone)


def test_what_ends_after_a_deletion_is_not_left_to_it_whatever_is_told_of_that_one_later() -> None:
    lines = told(
        [
            EXPIRED,
            fact("agreement-made", "2026-03-10", "training", buffer="3 months"),
            fact("service-expired", "2026-03-20", "inference"),
        ],
        GONE,
    )
    assert "ending: metrics goes 2026-04-05 00:00" in lines


def test_a_new_subscription_keeps_what_it_writes_to_a_shared_place_from_a_deletion_that_passed() -> None:
    only = fact("service-expired", "2026-03-01", "notebook/s1")
    gone = after(only, at="2026-03-17 00:10", datasets=("notebooks",))
    ordered = fact("service-activated", "2026-04-01", "notebook/s2")
    assert told([only, ordered], gone) == [
        "ending: notebooks/s1 goes 2026-03-17 00:00, not what is written from 2026-04-01 00:00",
        "notebook/s2 lives",
    ]


def test_a_deletion_that_passed_in_a_folder_of_its_own_spares_nothing_there() -> None:
    facts = [*NOTEBOOKS, FIRST]
    gone = after(*facts, at="2026-03-17 00:10", datasets=("notebooks",))
    ordered = fact("service-activated", "2026-04-01", "notebook/s3")
    assert told([*facts, ordered], gone)[0] == "ending: notebooks/s1 goes 2026-03-17 00:00"


def test_only_what_did_not_pass_comes_back() -> None:
    half = after(EXPIRED, at="2026-03-17 00:10", datasets=("weights",))
    paid = fact("service-renewed", "2026-03-18", "training", id="paid")
    assert told([EXPIRED, paid], half) == [
        WEIGHTS + ", not what is written from 2026-03-18 00:00",
        "ending: metrics comes back by paid",
        "training lives",
    ]


def test_an_earlier_end_that_is_told_after_the_deletion_makes_nothing_disappear() -> None:
    earlier = fact("service-expired", "2026-02-01", "training")
    assert told([EXPIRED, earlier], GONE)[-2:] == [METRICS, WEIGHTS]


def test_subscriptions_that_are_told_after_the_deletion_make_nothing_disappear() -> None:
    arrears = fact("arrears-started", "2026-03-01")
    gone = after(arrears, at="2026-03-17 00:10", datasets=("weights", "prompts"))
    told_late = fact("service-activated", "2026-01-01", "training/s1")
    lines = told([arrears, told_late], gone)
    assert WEIGHTS in lines
    assert "ending: prompts goes 2026-03-09 00:00" in lines


def test_what_passed_stays_exactly_as_it_was() -> None:
    before = derive([EXPIRED], [policy()])
    later = derive([EXPIRED, fact("agreement-made", "2026-02-01", buffer="3 months")], [policy()], GONE)
    assert later.cases == before.cases


# --------------------------------------------------------------------------------------------------- shared and apart


def test_a_part_that_goes_while_others_stay_takes_its_own_folder_and_neither_rows_nor_keys() -> None:
    (strand,) = derive([*NOTEBOOKS, FIRST], [policy()]).cases[0].strands
    assert not strand.shreds_key
    assert [(copy.role, copy.store, copy.subscription, copy.partial) for copy in strand.copies] == [
        (CopyRole.PRIMARY, "objects", "s1", False),
        (CopyRole.CACHE, "cache", None, True),
    ]


def test_the_last_part_takes_what_all_shared_and_the_key() -> None:
    first, second = (case.strands[0] for case in derive([*NOTEBOOKS, FIRST, SECOND], [policy()]).cases)
    assert [(s.subscription, s.shreds_key) for s in (first, second)] == [("s1", False), ("s2", True)]
    assert [(copy.role, copy.store, copy.subscription, copy.partial) for copy in second.copies] == [
        (CopyRole.PRIMARY, "objects", "s2", False),
        (CopyRole.PRIMARY, "database", None, False),
        (CopyRole.CACHE, "cache", None, False),
    ]


def test_keys_of_single_objects_stay_too_where_others_need_them() -> None:
    own = policy(
        **{
            "services: [notebook], personal-information: true, encrypted: customer": "services: [notebook], "
            "personal-information: true, encrypted: object",
        }
    )
    (notebooks,) = derive([*NOTEBOOKS, FIRST], [own]).cases[0].strands
    assert not notebooks.shreds_key


def test_a_part_of_a_dataset_is_erased_and_its_key_stays() -> None:
    part = fact("data-deleted", "2026-03-01", dataset="weights", object="a/b.bin")
    (strand,) = derive([part], [policy()]).cases[0].strands
    assert not strand.shreds_key
    assert all(copy.partial for copy in strand.copies)


def test_a_part_with_keys_of_its_own_is_shredded_alone() -> None:
    part = fact("data-deleted", "2026-03-01", dataset="invoices", object="2025.pdf")
    assert derive([part], [policy()]).cases[0].strands[0].shreds_key


def test_what_two_services_needed_waits_for_the_longer_statutory_minimum() -> None:
    shared = policy(**{"services: [billing]": "services: [billing, inference]"})
    facts = [fact("service-expired", "2026-03-01", "billing"), fact("arrears-started", "2026-03-06", "inference")]
    assert [line for line in told(facts, versions=[shared]) if "invoices" in line] == [
        "ending: invoices is left to inference",  # whose buffer ends first, and whose minimum ends later
        "ending: invoices goes 2026-09-07 00:00",
    ]


# --------------------------------------------------------------------------------------------------- policy versions

SHORTER = policy(**{"effective: 2026-01-01": "effective: 2026-03-05", "buffer: 15 days": "buffer: 3 days"})


def test_a_case_keeps_the_policy_of_its_starting_fact() -> None:
    assert told([EXPIRED], versions=[policy(), SHORTER]) == [METRICS, WEIGHTS]


def test_a_later_fact_has_the_later_policy() -> None:
    later = fact("service-expired", "2026-03-05", "training")
    assert told([later], versions=[SHORTER, policy()]) == [
        "ending: metrics goes 2026-03-09 00:00",
        "ending: weights goes 2026-03-09 00:00",
    ]


def test_a_policy_that_is_backdated_moves_no_case_that_exists() -> None:
    backdated = replace(SHORTER, effective_at=instant("2026-02-01"))
    frozen = History({EXPIRED.key: policy().hash}, {}, {})
    assert told([EXPIRED], frozen, [policy(), backdated]) == [METRICS, WEIGHTS]


def test_a_fact_from_before_the_first_policy_falls_under_it() -> None:
    assert told([fact("service-expired", "2025-12-01", "training")]) == [
        "ending: metrics goes 2025-12-17 00:00",
        "ending: weights goes 2025-12-17 00:00",
    ]


def test_a_dataset_that_is_new_in_a_policy_does_not_wait_for_who_left_long_before() -> None:
    old = policy(**{"services: [training, inference]": "services: [inference]"})
    new = policy(**{"effective: 2026-01-01": "effective: 2026-06-01"})
    left_long_ago = fact("service-expired", "2026-03-01", "training")
    lines = told([left_long_ago, fact("service-expired", "2026-07-01", "inference")], versions=[old, new])
    assert "ending: metrics goes 2026-07-17 00:00" in lines


def test_an_end_without_a_rule_ends_nothing_and_somebody_looks() -> None:
    silent = policy(
        **{", arrears-started, account-closed],": "],", "[service-renewed, arrears-cleared]": "[service-renewed]"}
    )
    arrears = fact("arrears-started", "2026-03-01", "inference", id="arrears")
    alive = fact("service-activated", "2026-01-01", "inference")
    assert told([alive, arrears, EXPIRED], versions=[silent]) == [
        WEIGHTS,
        "ending: metrics is left to inference",
        "inference lives",
    ]
    (flag,) = derive([alive, arrears], [silent]).flags
    assert "no rule starts from arrears-started" in flag.what


def test_who_ended_by_a_rule_that_leaves_a_dataset_out_still_needs_it() -> None:
    partial = policy(
        **{
            "when: [service-expired, service-terminated, arrears-started, account-closed],": "when: [service-expired],",
            "cancelled-by: [service-renewed, arrears-cleared]": "cancelled-by: [service-renewed]",
            "rules:\n": "rules:\n  arrears:\n    {title: 欠费, clause: '6.11', when: [arrears-started], cancelled-by: "
            "[arrears-cleared], buffer: service, tombstone: none, complete-within: 15 days, datasets: [prompts]}\n",
        }
    )
    arrears = fact("arrears-started", "2026-02-01", "inference")
    assert told([arrears, EXPIRED], versions=[partial]) == [
        "arrears: prompts goes 2026-02-09 00:00",
        WEIGHTS,
        "ending: metrics is left to inference",
    ]


# ------------------------------------------------------------------------------------------------------------- flags

FLAGGED: dict[str, tuple[list[Fact], str]] = {
    "an end that was known": (
        [EXPIRED, fact("service-expired", "2026-03-02", "training", id="x")],
        "had already ended by service-expired",
    ),
    "a payment where nothing was owed": (
        [EXPIRED, fact("arrears-cleared", "2026-03-02", "training", id="x")],
        "cannot take back service-expired",
    ),
    "a withdrawal of something unknown": (
        [fact("deletion-withdrawn", "2026-03-02", withdraws="nothing", id="x")],
        "started no deletion that we were told of",
    ),
    "ordering again inside the undo window of a release": (
        [
            fact("service-released", "2026-03-01", "training"),
            fact("service-activated", "2026-03-01 10:00", "training", id="x"),
        ],
        "contradicts service-released",
    ),
    "the end of a subscription that was activated under no name": (
        [
            fact("service-activated", "2026-01-01", "training"),
            fact("service-expired", "2026-03-01", "training/s1", id="x"),
        ],
        "training without a name lives on",
    ),
    "an instruction that another service's need narrows": (
        [
            fact("service-activated", "2026-01-01", "inference"),
            fact("data-deleted", "2026-03-01", "training", id="x"),
        ],
        "metrics stays: inference needs it too",
    ),
    "an instruction that reaches nothing": (
        [fact("data-deleted", "2026-03-01", dataset="archive", id="x")],
        "reaches no dataset",
    ),
    "a release of a hold that nobody placed": (
        [fact("hold-released", "2026-03-01", hold="h", id="x")],
        "was not placed before",
    ),
}


@pytest.mark.parametrize(("facts", "what"), FLAGGED.values(), ids=FLAGGED.keys())
def test_what_does_not_fit_is_kept_and_flagged(facts: list[Fact], what: str) -> None:
    assert what in flags(facts)["x"]


ORDINARY: dict[str, list[Fact]] = {
    "a renewal before the end of the term": [fact("service-renewed", "2026-02-01", "training"), EXPIRED],
    "topping up without arrears": [
        fact("service-activated", "2026-01-01", "training"),
        fact("arrears-cleared", "2026-02-01"),
    ],
    "payment for the account, when one service had also expired": [
        fact("service-activated", "2026-01-01", "inference"),
        EXPIRED,
        fact("arrears-started", "2026-03-02"),
        fact("arrears-cleared", "2026-03-03"),
    ],
    "activating what is active": [fact("service-activated", "2026-01-0" + day, "training") for day in "12"],
}


@pytest.mark.parametrize("facts", ORDINARY.values(), ids=ORDINARY.keys())
def test_what_is_ordinary_is_not_flagged(facts: list[Fact]) -> None:
    assert flags(facts) == {}
