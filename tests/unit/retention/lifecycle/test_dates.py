"""How the dates of a strand are counted, and what each date rests on."""

from __future__ import annotations

import pytest

from retention.lifecycle.cases import derive
from retention.model.case import CountedBy, Strand
from retention.model.fact import Fact
from tests.unit.retention.lifecycle.world import fact, local, policy

EXPIRED = fact("service-expired", "2026-03-01 10:00", "training")
RELEASED = fact("service-released", "2026-03-01 10:00", "training")


def strand_of(dataset: str, *facts: Fact, **changes: str) -> Strand:
    """The only strand about the dataset."""
    cases = derive(facts, [policy(**changes)]).cases
    (strand,) = (s for case in cases for s in case.strands if s.dataset == dataset)
    return strand


def test_the_buffer_says_whose_words_set_it() -> None:
    due = strand_of("weights", EXPIRED).due
    assert (due.by, due.basis, str(due.period)) == (CountedBy.SERVICE, "services.training.buffer", "15 days")
    assert (local(due.from_at), str(due.last_day), due.moved_from) == ("2026-03-01 10:00", "2026-03-16", None)


def test_an_agreed_buffer_names_the_agreement() -> None:
    due = strand_of("weights", fact("agreement-made", "2026-02-01", buffer="1 month"), EXPIRED).due
    assert (due.by, due.basis) == (CountedBy.AGREEMENT, "agreement 合同 9")


def test_a_rule_with_a_period_of_its_own_is_what_counts() -> None:
    due = strand_of("weights", EXPIRED, **{"buffer: service": "buffer: 24 hours"}).due
    assert (due.by, due.basis, local(due.at)) == (CountedBy.RULE, "rules.ending.buffer", "2026-03-02 10:00")
    assert due.last_day is None


def test_a_last_day_off_moves_where_the_policy_says_so() -> None:
    off = {"holidays: CN,": "holidays: CN, last-day-off: moves,"}
    due = strand_of("weights", fact("service-expired", "2026-03-06", "training"), **off).due
    assert (str(due.moved_from), str(due.last_day), local(due.at)) == ("2026-03-21", "2026-03-23", "2026-03-24 00:00")


def test_the_undo_window_follows_the_buffer() -> None:
    strand = strand_of("weights", RELEASED)
    assert (local(strand.due.at), local(strand.no_return.at)) == ("2026-03-01 10:00", "2026-03-02 10:00")


def test_an_undo_window_in_days_follows_the_last_day_of_the_buffer() -> None:
    strand = strand_of("weights", EXPIRED, **{"buffer: service, tombstone: none": "buffer: service, tombstone: 2 days"})
    assert (str(strand.due.last_day), str(strand.no_return.last_day)) == ("2026-03-16", "2026-03-18")


def test_the_undo_window_is_not_used_up_by_the_statutory_minimum() -> None:
    strand = strand_of("invoices", fact("service-released", "2026-03-01", "billing"))
    assert strand.keep is not None
    assert (strand.keep.by, strand.keep.basis) == (CountedBy.LAW, "《电子商务法》第三十一条")
    assert local(strand.keep.at) == "2026-09-02 00:00"
    assert local(strand.no_return.at) == "2026-09-03 00:00"
    assert strand.erasable_at == strand.no_return.at


HOLD = fact("hold-placed", "2026-03-02", hold="h")

COMPLETE_BY: dict[str, tuple[list[Fact], str, str]] = {
    "follows the buffer": ([EXPIRED], "weights", "2026-04-01 00:00"),
    "follows an instruction at once": ([RELEASED], "weights", "2026-03-17 00:00"),
    "follows the statutory minimum": (
        [fact("service-expired", "2026-03-01", "billing")],
        "invoices",
        "2026-09-17 00:00",
    ),
    "is 24 hours after an order, to the minute": (
        [fact("deletion-ordered", "2026-03-01 10:00", dataset="weights")],
        "weights",
        "2026-03-02 10:00",
    ),
    "does not move for a hold that was released inside the buffer": (
        [EXPIRED, HOLD, fact("hold-released", "2026-03-05", hold="h")],
        "weights",
        "2026-04-01 00:00",
    ),
    "begins anew when a hold is released later": (
        [EXPIRED, HOLD, fact("hold-released", "2026-05-05 09:00", hold="h")],
        "weights",
        "2026-05-21 00:00",
    ),
    "does not move for a hold of another dataset": (
        [
            EXPIRED,
            fact("hold-placed", "2026-03-02", hold="h", dataset="prompts"),
            fact("hold-released", "2026-05-05", hold="h"),
        ],
        "weights",
        "2026-04-01 00:00",
    ),
}


@pytest.mark.parametrize(("facts", "dataset", "expected"), COMPLETE_BY.values(), ids=COMPLETE_BY.keys())
def test_the_time_to_complete(facts: list[Fact], dataset: str, expected: str) -> None:
    assert local(strand_of(dataset, *facts).complete_by.at) == expected
