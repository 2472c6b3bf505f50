"""What may happen next to a strand: hold, then statutory minimum, then buffer, then deletion."""

from __future__ import annotations

from dataclasses import replace

import pytest

from retention.lifecycle.cases import derive
from retention.lifecycle.precedence import Progress, next_steps
from retention.model.case import Strand, StrandState
from retention.model.fact import Fact
from retention.model.hold import Hold
from retention.model.plan import BlockKind, StepKind
from tests.unit.retention.lifecycle.world import CUSTOMER, fact, instant, policy


def strand_of(started: Fact, dataset: str) -> Strand:
    (strand,) = (s for s in derive([started], [policy()]).cases[0].strands if s.dataset == dataset)
    return strand


EXPIRED = strand_of(fact("service-expired", "2026-03-01", "training"), "weights")  # due 03-17
PLAIN = strand_of(fact("service-expired", "2026-03-01", "training"), "metrics")
RELEASED = strand_of(fact("service-released", "2026-03-01", "training"), "weights")  # window until 03-02
KEPT = strand_of(fact("service-released", "2026-03-01", "billing"), "invoices")  # until 09-02, window until 09-03
HOLD = Hold("h", CUSTOMER, None, "案件 7", "某法院", instant("2026-01-01"))
S = StrandState

NEXT: dict[str, tuple[Strand, StrandState, str, tuple[Hold, ...], str]] = {
    # -------------------------------------------------------------------------------------------------- in the buffer
    "at once the data is restricted and its caches are cleared": (
        EXPIRED, S.BUFFER, "2026-03-01", (), "restrict clear-caches | in-buffer"),
    "a moment before the buffer ends nothing more": (
        EXPIRED, S.BUFFER, "2026-03-16 23:59", (), "restrict clear-caches | in-buffer"),
    "when the buffer is over and there is no window, everything goes": (
        EXPIRED, S.BUFFER, "2026-03-17", (), "restrict clear-caches tombstone shred erase verify"),
    "what has no key is erased": (
        PLAIN, S.BUFFER, "2026-03-17", (), "restrict tombstone erase verify"),
    "inside the undo window the data is hidden": (
        RELEASED, S.BUFFER, "2026-03-01 12:00", (), "restrict clear-caches tombstone | in-undo-window"),
    "the statutory minimum comes before the buffer": (
        KEPT, S.BUFFER, "2026-09-01 23:59", (), "restrict | kept-by-law"),
    "after the statutory minimum the undo window begins": (
        KEPT, S.BUFFER, "2026-09-02", (), "restrict tombstone | in-undo-window"),
    "a hold comes before everything, and even caches stay": (
        EXPIRED, S.BUFFER, "2026-09-02", (HOLD,), "restrict | held"),
    "a hold on another dataset stops nothing": (
        EXPIRED, S.BUFFER, "2026-03-17", (replace(HOLD, dataset="prompts"),),
        "restrict clear-caches tombstone shred erase verify"),
    "a released hold stops nothing": (
        EXPIRED, S.BUFFER, "2026-03-17", (replace(HOLD, released_at=instant("2026-02-01")),),
        "restrict clear-caches tombstone shred erase verify"),
    # -------------------------------------------------------------------------------------------------- tombstoned
    "what is hidden waits for the end of the window": (
        RELEASED, S.TOMBSTONED, "2026-03-01 23:59", (), "| in-undo-window"),
    "when the window is over, there is no way back": (RELEASED, S.TOMBSTONED, "2026-03-02", (), "shred erase verify"),
    "a hold stops what is hidden": (RELEASED, S.TOMBSTONED, "2027-01-01", (HOLD,), "| held"),
    "a buffer that was lengthened stops what is hidden": (EXPIRED, S.TOMBSTONED, "2026-03-10", (), "| in-buffer"),
    # -------------------------------------------------------------------------------------------------- no way back
    "what is shredded is erased": (EXPIRED, S.SHREDDED, "2026-03-17", (), "erase verify"),
    "a hold comes too late for what is shredded": (EXPIRED, S.SHREDDED, "2026-03-17", (HOLD,), "erase verify"),
    "a hold still stops bytes that have no key": (PLAIN, S.ERASING, "2026-03-17", (HOLD,), "| held"),
    "a hold stops what was found again": (EXPIRED, S.REOPENED, "2026-04-17", (HOLD,), "| held"),
    "what was found again is erased": (EXPIRED, S.REOPENED, "2026-04-17", (), "erase verify"),
    "what is erased is verified": (EXPIRED, S.ERASED, "2026-03-17", (), "verify"),
    "what is verified is certified": (EXPIRED, S.VERIFIED, "2026-03-17", (), "certify"),
    "what is certified is done": (EXPIRED, S.CERTIFIED, "2026-03-17", (), ""),
    "what comes back is made readable": (EXPIRED, S.BROUGHT_BACK, "2026-03-10", (), "bring-back"),
}  # fmt: skip


@pytest.mark.parametrize(("strand", "state", "now", "holds", "expected"), NEXT.values(), ids=NEXT.keys())
def test_what_comes_next(strand: Strand, state: StrandState, now: str, holds: tuple[Hold, ...], expected: str) -> None:
    following = next_steps(strand, Progress(state, 1), holds, instant(now))
    block = f"| {following.block.kind}" if following.block else ""
    assert " ".join([*following.steps, block]).strip() == expected


def test_what_was_restricted_is_not_restricted_again() -> None:
    restricted = Progress(S.BUFFER, 2, is_restricted=True)
    assert next_steps(EXPIRED, restricted, (), instant("2026-03-05")).steps == (StepKind.CLEAR_CACHES,)
    cleared = replace(restricted, is_cleared=True)
    assert next_steps(EXPIRED, cleared, (), instant("2026-03-05")).steps == ()


def test_what_is_readable_again_needs_nothing() -> None:
    settled = Progress(S.BROUGHT_BACK, 3, is_settled=True)
    assert next_steps(EXPIRED, settled, (), instant("2026-03-05")).steps == ()


def test_a_certificate_waits_for_the_keys_and_for_the_copies() -> None:
    blocks = [
        next_steps(EXPIRED, progress, (), instant("2026-04-01")).block
        for progress in (Progress(S.VERIFIED, 5, waits_for_keys=True), Progress(S.VERIFIED, 5, waits_for_copies=True))
    ]
    assert [block.kind for block in blocks if block] == [BlockKind.WAITING_FOR_KEYS, BlockKind.WAITING_FOR_COPIES]


def test_of_several_holds_the_one_placed_first_is_named_with_its_ground() -> None:
    later = replace(HOLD, id="a", placed_at=instant("2026-02-01"), review_at=instant("2026-12-01"))
    block = next_steps(EXPIRED, Progress(S.BUFFER, 1), (later, HOLD), instant("2026-04-01")).block
    assert block is not None
    assert (block.reason, block.until) == ("hold h: 案件 7", None)


@pytest.mark.parametrize("state", StrandState)
@pytest.mark.parametrize("strand", [EXPIRED, PLAIN, RELEASED, KEPT], ids=["sealed", "plain", "windowed", "kept"])
def test_a_hold_only_ever_takes_steps_away(strand: Strand, state: StrandState) -> None:
    for now in ("2026-03-01", "2026-03-01 12:00", "2026-03-17", "2026-09-02", "2027-01-01"):
        free = next_steps(strand, Progress(state, 1), (), instant(now)).steps
        held = next_steps(strand, Progress(state, 1), (HOLD,), instant(now)).steps
        assert set(held) <= set(free)
        assert StepKind.SHRED not in held
