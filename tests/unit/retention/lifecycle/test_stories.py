"""Stories: what happened to one customer, and what goes, stays or comes back because of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from retention.lifecycle.cases import derive
from retention.model.fact import Fact
from tests.unit.retention.lifecycle.world import fact, instant, policy, told

ACTIVE_INFERENCE = fact("service-activated", "2026-01-01", "inference")
ACTIVE_TRAINING = fact("service-activated", "2026-01-01", "training")
EXPIRED = fact("service-expired", "2026-03-01 10:00", "training", id="expired")
NOTEBOOKS = [fact("service-activated", "2026-01-01", f"notebook/s{n}") for n in (1, 2)]

STORIES: dict[str, tuple[list[Fact], list[str]]] = {
    # ------------------------------------------------------------------------------------------- 6.11, the end of service
    "nothing happened, nothing goes": ([], []),
    "who has ordered and is a customer loses nothing": ([ACTIVE_TRAINING], ["training lives"]),
    "an expired service's data goes when 15 days are over, the first not counted": (
        [EXPIRED],
        ["ending: metrics goes 2026-03-17 00:00", "ending: weights goes 2026-03-17 00:00"],
    ),
    "a terminated service has the same buffer": (
        [fact("service-terminated", "2026-03-01", "inference")],
        ["ending: metrics goes 2026-03-17 00:00", "ending: prompts goes 2026-03-17 00:00"],
    ),
    "arrears have the buffer that the service sets for arrears": (
        [fact("arrears-started", "2026-03-01", "inference")],
        ["ending: metrics goes 2026-03-09 00:00", "ending: prompts goes 2026-03-09 00:00"],
    ),
    "arrears of the account end every subscription there is, and no other service": (
        [ACTIVE_TRAINING, fact("arrears-started", "2026-03-01")],
        ["ending: metrics goes 2026-03-17 00:00", "ending: weights goes 2026-03-17 00:00"],
    ),
    "arrears of the account before we know any subscription end every service": (
        [fact("arrears-started", "2026-03-01")],
        [
            "ending: invoices goes 2026-09-02 00:00",
            "ending: metrics goes 2026-03-17 00:00",
            "ending: notebooks goes 2026-03-17 00:00",
            "ending: prompts goes 2026-03-09 00:00",
            "ending: weights goes 2026-03-17 00:00",
        ],
    ),
    "a closed account ends also what we were never told of": (
        [ACTIVE_TRAINING, fact("account-closed", "2026-03-01")],
        [
            "ending: invoices goes 2026-09-02 00:00",
            "ending: metrics goes 2026-03-17 00:00",
            "ending: notebooks goes 2026-03-17 00:00",
            "ending: prompts goes 2026-03-17 00:00",
            "ending: weights goes 2026-03-17 00:00",
        ],
    ),
    "a second notice of the same end opens no case, and the earlier date stands": (
        [EXPIRED, fact("service-expired", "2026-03-05", "training")],
        ["ending: metrics goes 2026-03-17 00:00", "ending: weights goes 2026-03-17 00:00"],
    ),
    "arrears and then expiry are two cases, and the earlier date acts": (
        [fact("arrears-started", "2026-03-01", "inference"), fact("service-expired", "2026-03-04", "inference")],
        [
            "ending: metrics goes 2026-03-09 00:00",
            "ending: prompts goes 2026-03-09 00:00",
            "ending: metrics goes 2026-03-20 00:00",
            "ending: prompts goes 2026-03-20 00:00",
        ],
    ),
    # --------------------------------------------------------------------------------------- payment, renewal, coming back
    "payment inside the buffer brings everything back": (
        [
            fact("arrears-started", "2026-03-01", "inference"),
            fact("arrears-cleared", "2026-03-05", "inference", id="paid"),
        ],
        ["ending: metrics comes back by paid", "ending: prompts comes back by paid", "inference lives"],
    ),
    "payment at the very moment the data is due wins": (
        [
            fact("arrears-started", "2026-03-01", "inference"),
            fact("arrears-cleared", "2026-03-09 00:00", "inference", id="paid"),
        ],
        ["ending: metrics comes back by paid", "ending: prompts comes back by paid", "inference lives"],
    ),
    "payment at the very moment the arrears start wins": (
        [
            fact("arrears-cleared", "2026-03-01", "inference", id="a-paid"),
            fact("arrears-started", "2026-03-01", "inference", id="b-arrears"),
        ],
        ["ending: metrics comes back by a-paid", "ending: prompts comes back by a-paid", "inference lives"],
    ),
    "payment after the due moment still wins while nothing was deleted": (
        [
            fact("arrears-started", "2026-03-01", "inference"),
            fact("arrears-cleared", "2026-03-20", "inference", id="paid"),
        ],
        ["ending: metrics comes back by paid", "ending: prompts comes back by paid", "inference lives"],
    ),
    "payment does not bring back what has expired": (
        [
            fact("arrears-started", "2026-03-01", "inference"),
            fact("service-expired", "2026-03-02", "inference"),
            fact("arrears-cleared", "2026-03-03", "inference", id="paid"),
        ],
        [
            "ending: metrics comes back by paid",
            "ending: prompts comes back by paid",
            "ending: metrics goes 2026-03-18 00:00",
            "ending: prompts goes 2026-03-18 00:00",
        ],
    ),
    "renewal inside the buffer brings everything back": (
        [EXPIRED, fact("service-renewed", "2026-03-10", "training", id="renewed")],
        ["ending: metrics comes back by renewed", "ending: weights comes back by renewed", "training lives"],
    ),
    "renewal before the term is over changes nothing about a later end": (
        [fact("service-renewed", "2026-02-10", "training"), EXPIRED],
        ["ending: metrics goes 2026-03-17 00:00", "ending: weights goes 2026-03-17 00:00"],
    ),
    "a renewed subscription is there, although nobody told of its activation": (
        [fact("service-renewed", "2026-02-10", "inference"), EXPIRED],
        ["ending: weights goes 2026-03-17 00:00", "ending: metrics is left to inference", "inference lives"],
    ),
    "ordering again inside the buffer brings everything back, whatever the rule names": (
        [EXPIRED, fact("service-activated", "2026-03-10", "training", id="ordered")],
        ["ending: metrics comes back by ordered", "ending: weights comes back by ordered", "training lives"],
    ),
    "ordering again under another subscription id keeps the data as well": (
        [
            fact("service-expired", "2026-03-01", "training/s1"),
            fact("service-activated", "2026-03-10", "training/s2", id="ordered"),
        ],
        ["ending: metrics is left to training/s2", "ending: weights is left to training/s2", "training/s2 lives"],
    ),
    "arrears of the account, of which one service is paid, go on for the other": (
        [
            ACTIVE_INFERENCE,
            ACTIVE_TRAINING,
            fact("arrears-started", "2026-03-01"),
            fact("arrears-cleared", "2026-03-02", "inference", id="paid"),
        ],
        [
            "ending: weights goes 2026-03-17 00:00",
            "ending: metrics is left to inference",
            "ending: prompts comes back by paid",
            "inference lives",
        ],
    ),
    "an end after a renewal has its own date": (
        [
            EXPIRED,
            fact("service-renewed", "2026-03-10", "training", id="renewed"),
            fact("service-expired", "2026-06-01", "training"),
        ],
        [
            "ending: metrics comes back by renewed",
            "ending: weights comes back by renewed",
            "ending: metrics goes 2026-06-17 00:00",
            "ending: weights goes 2026-06-17 00:00",
        ],
    ),
    "a fact reported by mistake is withdrawn and never counted": (
        [EXPIRED, fact("deletion-withdrawn", "2026-03-02", withdraws="expired", id="sorry")],
        ["ending: metrics comes back by sorry", "ending: weights comes back by sorry", "training lives"],
    ),
    "the end that was reported right after a withdrawn one counts": (
        [
            EXPIRED,
            fact("service-expired", "2026-03-04", "training"),
            fact("deletion-withdrawn", "2026-03-05", withdraws="expired", id="sorry"),
        ],
        [
            "ending: metrics comes back by sorry",
            "ending: weights comes back by sorry",
            "ending: metrics goes 2026-03-20 00:00",
            "ending: weights goes 2026-03-20 00:00",
        ],
    ),
    # ----------------------------------------------------------------------------------------------- whose data is it still
    "what another service needs stays while that one lives": (
        [ACTIVE_INFERENCE, EXPIRED],
        ["ending: weights goes 2026-03-17 00:00", "ending: metrics is left to inference", "inference lives"],
    ),
    "what two services needed goes with the one that deletes later": (
        [ACTIVE_INFERENCE, EXPIRED, fact("service-expired", "2026-03-10", "inference")],
        [
            "ending: weights goes 2026-03-17 00:00",
            "ending: metrics is left to inference",
            "ending: metrics goes 2026-03-26 00:00",
            "ending: prompts goes 2026-03-26 00:00",
        ],
    ),
    "a shorter buffer that starts later does not take the data of the longer one": (
        [EXPIRED, fact("arrears-started", "2026-03-03", "inference")],
        [
            "ending: metrics goes 2026-03-17 00:00",
            "ending: weights goes 2026-03-17 00:00",
            "ending: prompts goes 2026-03-11 00:00",
            "ending: metrics is left to training",
        ],
    ),
    "the rest of an ending that was half taken back is not forgotten": (
        [
            fact("service-activated", "2026-01-01", "training/s1"),
            fact("service-activated", "2026-01-01", "training/s2"),
            fact("arrears-started", "2026-03-01"),
            fact("arrears-cleared", "2026-03-02", "training/s1", id="paid"),
            fact("service-released", "2026-03-03", "training/s1"),
        ],
        [
            "ending: metrics goes 2026-03-17 00:00",
            "ending: weights goes 2026-03-17 00:00",
            "deletion: metrics is left to training/s2",
            "deletion: weights is left to training/s2",
        ],
    ),
    "the rest of an ending that was half taken back has its own buffer": (
        [
            ACTIVE_INFERENCE,
            ACTIVE_TRAINING,
            fact("arrears-started", "2026-03-01"),
            fact("arrears-cleared", "2026-03-02", "training", id="paid"),
            fact("service-released", "2026-03-03", "training"),
        ],
        [
            "ending: metrics goes 2026-03-09 00:00",
            "ending: prompts goes 2026-03-09 00:00",
            "ending: weights comes back by paid",
            "deletion: weights goes 2026-03-04 00:00",
            "deletion: metrics is left to inference",
        ],
    ),
    "where the place names the subscription, each part goes by its own, and what is shared stays": (
        [*NOTEBOOKS, fact("service-expired", "2026-03-01", "notebook/s1")],
        ["ending: notebooks/s1 goes 2026-03-17 00:00", "notebook/s2 lives"],
    ),
    "subscriptions that end together each have their part": (
        [*NOTEBOOKS, fact("arrears-started", "2026-03-01", "notebook")],
        ["ending: notebooks/s1 goes 2026-03-17 00:00", "ending: notebooks/s2 goes 2026-03-17 00:00"],
    ),
    "a subscription without a name takes no folder of a named one that lives": (
        [fact("service-expired", "2026-03-01", "notebook"), fact("service-activated", "2026-03-05", "notebook/s1")],
        ["ending: notebooks is left to notebook/s1", "notebook/s1 lives"],
    ),
    # ------------------------------------------------------------------------------------------------- 6.10, instructions
    "a released service's data goes after the undo window": (
        [fact("service-released", "2026-03-01 10:00", "training")],
        ["deletion: metrics goes 2026-03-02 10:00", "deletion: weights goes 2026-03-02 10:00"],
    ),
    "a released service leaves what another service needs": (
        [ACTIVE_INFERENCE, fact("service-released", "2026-03-01 10:00", "training")],
        ["deletion: weights goes 2026-03-02 10:00", "deletion: metrics is left to inference", "inference lives"],
    ),
    "ordering again inside the undo window of a release keeps the data": (
        [
            fact("service-released", "2026-03-01 10:00", "training"),
            fact("service-activated", "2026-03-01 11:00", "training", id="ordered"),
        ],
        ["deletion: metrics comes back by ordered", "deletion: weights comes back by ordered", "training lives"],
    ),
    "renewal does not take back a release": (
        [
            fact("service-released", "2026-03-01 10:00", "training"),
            fact("service-renewed", "2026-03-01 11:00", "training"),
        ],
        ["deletion: metrics goes 2026-03-02 10:00", "deletion: weights goes 2026-03-02 10:00"],
    ),
    "deleting everything takes every dataset, and the subscriptions live on": (
        [ACTIVE_TRAINING, fact("data-deleted", "2026-03-01 10:00")],
        [
            "deletion: invoices goes 2026-09-03 00:00",
            "deletion: metrics goes 2026-03-02 10:00",
            "deletion: notebooks goes 2026-03-02 10:00",
            "deletion: prompts goes 2026-03-02 10:00",
            "deletion: weights goes 2026-03-02 10:00",
            "training lives",
        ],
    ),
    "deleting a dataset takes it, whoever else would need it": (
        [ACTIVE_INFERENCE, ACTIVE_TRAINING, fact("data-deleted", "2026-03-01 10:00", dataset="metrics")],
        ["deletion: metrics goes 2026-03-02 10:00", "inference lives", "training lives"],
    ),
    "deleting a dataset by name is not narrowed by the service it is named with": (
        [ACTIVE_INFERENCE, ACTIVE_TRAINING, fact("data-deleted", "2026-03-01 10:00", "training", dataset="metrics")],
        ["deletion: metrics goes 2026-03-02 10:00", "inference lives", "training lives"],
    ),
    "deleting a service's data leaves what another service needs": (
        [ACTIVE_INFERENCE, ACTIVE_TRAINING, fact("data-deleted", "2026-03-01 10:00", "training")],
        [
            "deletion: weights goes 2026-03-02 10:00",
            "deletion: metrics is left to inference",
            "inference lives",
            "training lives",
        ],
    ),
    "deleting a subscription's data never takes what cannot be told apart from another's": (
        [
            fact("service-activated", "2026-01-01", "training/s2"),
            fact("data-deleted", "2026-03-01", "training/s1", dataset="weights"),
        ],
        ["deletion: weights is left to training/s2", "training/s2 lives"],
    ),
    "deleting a subscription's data takes its own folder where it has one": (
        [*NOTEBOOKS, fact("data-deleted", "2026-03-01", "notebook/s1", dataset="notebooks")],
        ["deletion: notebooks/s1 goes 2026-03-02 00:00", "notebook/s1 lives", "notebook/s2 lives"],
    ),
    "an ordered deletion has neither buffer nor undo window": (
        [ACTIVE_INFERENCE, fact("deletion-ordered", "2026-03-01 10:00", dataset="prompts")],
        ["order: prompts goes 2026-03-01 10:00", "inference lives"],
    ),
    "an ordered deletion waits for the statutory minimum": (
        [fact("deletion-ordered", "2026-03-01 10:00", dataset="invoices")],
        ["order: invoices goes 2026-09-02 00:00"],
    ),
    "a withdrawn instruction is undone, payment and renewal do not undo it": (
        [
            fact("data-deleted", "2026-03-01 10:00", dataset="weights", id="oops"),
            fact("data-deleted", "2026-03-01 10:00", dataset="prompts"),
            fact("deletion-withdrawn", "2026-03-01 12:00", withdraws="oops", id="sorry"),
            fact("arrears-cleared", "2026-03-01 13:00", "inference"),
            fact("service-renewed", "2026-03-01 13:00", "inference"),
            fact("service-activated", "2026-03-01 13:00", "inference"),
        ],
        ["deletion: prompts goes 2026-03-02 10:00", "deletion: weights comes back by sorry", "inference lives"],
    ),
    # ------------------------------------------------------------------------------------------------------- agreements
    "an agreement made before sets the buffer, longer or shorter": (
        [fact("agreement-made", "2026-02-01", "training", buffer="3 days"), ACTIVE_INFERENCE, EXPIRED],
        ["ending: weights goes 2026-03-05 00:00", "ending: metrics is left to inference", "inference lives"],
    ),
    "an agreement with the account counts for all its services": (
        [fact("agreement-made", "2026-02-01", buffer="1 month"), EXPIRED],
        ["ending: metrics goes 2026-04-02 00:00", "ending: weights goes 2026-04-02 00:00"],
    ),
    "of two agreements the later counts": (
        [
            fact("agreement-made", "2026-02-02", buffer="20 days"),
            fact("agreement-made", "2026-02-01", buffer="1 month"),
            EXPIRED,
        ],
        ["ending: metrics goes 2026-03-22 00:00", "ending: weights goes 2026-03-22 00:00"],
    ),
    "an agreement made afterwards lengthens": (
        [EXPIRED, fact("agreement-made", "2026-03-10", "training", buffer="30 days")],
        ["ending: metrics goes 2026-04-01 00:00", "ending: weights goes 2026-04-01 00:00"],
    ),
    "an agreement made afterwards shortens nothing that was promised": (
        [EXPIRED, fact("agreement-made", "2026-03-10", "training", buffer="3 days")],
        ["ending: metrics goes 2026-03-17 00:00", "ending: weights goes 2026-03-17 00:00"],
    ),
    "an agreement made at the moment of the end shortens nothing": (
        [EXPIRED, fact("agreement-made", "2026-03-01 10:00", "training", buffer="3 days")],
        ["ending: metrics goes 2026-03-17 00:00", "ending: weights goes 2026-03-17 00:00"],
    ),
    "an agreement about the buffer does not delay what the customer instructs": (
        [fact("agreement-made", "2026-02-01", buffer="30 days"), fact("data-deleted", "2026-03-01", dataset="weights")],
        ["deletion: weights goes 2026-03-02 00:00"],
    ),
    "an agreement about another service changes nothing": (
        [fact("agreement-made", "2026-02-01", "inference", buffer="30 days"), EXPIRED],
        ["ending: metrics goes 2026-03-17 00:00", "ending: weights goes 2026-03-17 00:00"],
    ),
    # ------------------------------------------------------------------------------------------------- statutory minimum
    "the statutory minimum outlasts the buffer": (
        [fact("service-expired", "2026-08-31 10:00", "billing")],
        ["ending: invoices goes 2027-03-01 00:00"],
    ),
    "the undo window begins when the statutory minimum is over": (
        [fact("service-released", "2026-03-01", "billing")],
        ["deletion: invoices goes 2026-09-03 00:00"],
    ),
}


@pytest.mark.parametrize(("facts", "expected"), STORIES.values(), ids=STORIES.keys())
def test_what_happened_decides_what_goes(facts: list[Fact], expected: list[str]) -> None:
    assert told(facts) == expected
    assert told(reversed(facts)) == expected
    assert told([*facts, *facts]) == expected


@pytest.mark.parametrize(("facts", "expected"), STORIES.values(), ids=STORIES.keys())
def test_the_order_in_which_we_are_told_changes_nothing(facts: list[Fact], expected: list[str]) -> None:
    derived = derive(facts, [policy()])
    for arrival in permutations(facts) if len(facts) < 5 else [facts[2:] + facts[:2]]:
        later = [replace(each, recorded_at=instant("2026-12-01 00:00")) for each in arrival]
        assert derive(later, [policy()]) == derived
