"""Sealing and opening under the customer's own keys, and streams that end when their key is taken away."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from retention.clock import ManualClock
from retention.errors import RefusedByRule
from retention.keys.errors import KeyGone, KeyRefused, NotAuthentic, NotSealed
from retention.keys.keyring import CACHE_SECONDS, Keyring
from retention.keys.memory_store import MemoryKeyStore
from retention.keys.sealed import Algorithm, Binding, CellSubject, ObjectSubject, read_header
from retention.keys.sealer import Sealer
from retention.model.key import KeyScope, KeyState

PLACE = Binding("c-1", "training-data", ObjectSubject("training/c-1/a"))
OTHER = replace(PLACE, subject=ObjectSubject("training/c-1/b"))
CELL = Binding("c-1", "training-data", CellSubject("message", "body", (("id", 7),)))
WHOLE = PLACE.scope.whole
PIECE = bytes(64 * 1024)


@pytest.fixture
def sealer(keyring: Keyring) -> Sealer:
    return Sealer(keyring)


def key_id_of(content: bytes) -> str:
    header = read_header(content)
    assert header is not None
    return header.key_id


@pytest.mark.parametrize("algorithm", list(Algorithm))
@pytest.mark.parametrize("own_key", [False, True], ids=["the dataset's key", "a key of its own"])
def test_what_was_sealed_opens_at_its_place_alone(keyring: Keyring, algorithm: Algorithm, own_key: bool) -> None:
    sealer, target, opened = Sealer(keyring, algorithm), io.BytesIO(), io.BytesIO()
    sealer.seal(PLACE, io.BytesIO(PIECE), target, own_key=own_key)
    assert Sealer(keyring).open(PLACE, io.BytesIO(target.getvalue()), opened) == len(PIECE)
    assert opened.getvalue() == PIECE
    for elsewhere in (OTHER, CELL, replace(PLACE, customer="c-10"), replace(PLACE, dataset="logs")):
        with pytest.raises((KeyGone, NotAuthentic)):
            sealer.open_value(elsewhere, target.getvalue())


def test_a_column_value_comes_back(sealer: Sealer) -> None:
    assert sealer.open_value(CELL, sealer.seal_value(CELL, "密".encode())).decode() == "密"


def test_objects_of_a_dataset_share_its_key_and_with_their_own_keys_do_not(sealer: Sealer) -> None:
    shared = {key_id_of(sealer.seal_value(place, b"x")) for place in (PLACE, OTHER, CELL)}
    own = {key_id_of(sealer.seal_value(place, b"x", own_key=True)) for place in (PLACE, OTHER, CELL)}
    assert (len(shared), len(own), len(shared & own)) == (1, 3, 0)


def test_columns_of_one_row_share_the_rows_own_key(sealer: Sealer) -> None:
    title = replace(CELL, subject=CellSubject("message", "title", (("id", 7),)))
    assert len({key_id_of(sealer.seal_value(place, b"x", own_key=True)) for place in (CELL, title)}) == 1


def test_shredding_one_objects_key_closes_that_object_alone(
    sealer: Sealer, keyring: Keyring, store: MemoryKeyStore
) -> None:
    one, other = (sealer.seal_value(place, b"x", own_key=True) for place in (PLACE, OTHER))
    store.remove(PLACE.scope)
    keyring.forget(PLACE.scope)
    with pytest.raises(KeyGone):
        sealer.open_value(PLACE, one)
    assert sealer.open_value(OTHER, other) == b"x"


def test_shredding_the_dataset_closes_all_of_it_and_nothing_of_another_customer(
    sealer: Sealer, keyring: Keyring, store: MemoryKeyStore
) -> None:
    theirs = replace(PLACE, customer="c-10")
    shared, own, kept = (
        sealer.seal_value(PLACE, b"x"),
        sealer.seal_value(OTHER, b"x", own_key=True),
        sealer.seal_value(theirs, b"x"),
    )
    store.remove(WHOLE)
    keyring.forget(WHOLE)
    for place, content in ((PLACE, shared), (OTHER, own)):
        with pytest.raises(KeyGone):
            sealer.open_value(place, content)
    assert sealer.open_value(theirs, kept) == b"x"


@pytest.mark.parametrize("state", [KeyState.RESTRICTED, KeyState.TOMBSTONED])
def test_a_refused_key_reads_nothing_of_the_source_and_writes_nothing(
    sealer: Sealer, keyring: Keyring, store: MemoryKeyStore, state: KeyState
) -> None:
    content = sealer.seal_value(PLACE, b"secret")
    store.set_state(WHOLE, state)
    keyring.forget(WHOLE)
    source, target = io.BytesIO(b"plain"), io.BytesIO()
    with pytest.raises(RefusedByRule):
        sealer.seal(PLACE, source, target)
    assert (source.tell(), target.getvalue()) == (0, b"")
    with pytest.raises(KeyRefused):
        sealer.open(PLACE, io.BytesIO(content), target)
    assert target.getvalue() == b""


def test_plain_content_is_not_opened(sealer: Sealer) -> None:
    with pytest.raises(NotSealed):
        sealer.open_value(PLACE, b"plain content that nobody sealed")


# ------------------------------------------------------------------------------------- streams that outlive their key


@pytest.mark.parametrize("state", [KeyState.RESTRICTED, None], ids=["restricted", "shredded"])
def test_a_running_stream_ends_within_the_bound_after_its_key_was_taken_away(
    sealer: Sealer, store: MemoryKeyStore, clock: ManualClock, state: KeyState | None
) -> None:
    """Each piece takes a second; the key is taken away, in another process, after the third."""

    def slowly(pieces: Iterator[bytes]) -> Iterator[bytes]:
        for number, piece in enumerate(pieces):
            if number == 3:
                store.remove(WHOLE) if state is None else store.set_state(WHOLE, state)
            clock.advance(timedelta(seconds=1))
            yield piece

    content = sealer.seal_value(PLACE, PIECE * 8)
    released: list[float] = []
    started = clock.ticks
    with pytest.raises(KeyGone if state is None else KeyRefused):
        consume(sealer.open_pieces(PLACE, slowly(cut(content))), released, clock)
    assert released
    assert max(released) <= started + 3 + CACHE_SECONDS

    released.clear()
    store.set_state(WHOLE, KeyState.LIVE)
    clock.advance(timedelta(seconds=CACHE_SECONDS))
    started = clock.ticks
    with pytest.raises(KeyGone if state is None else KeyRefused):
        consume(sealer.seal_pieces(PLACE, slowly(iter([PIECE] * 40))), released, clock)
    assert released
    assert max(released) <= started + 3 + CACHE_SECONDS


def cut(content: bytes) -> Iterator[bytes]:
    return (content[start : start + 16_000] for start in range(0, len(content), 16_000))


def consume(pieces: Iterator[bytes], released: list[float], clock: ManualClock) -> None:
    """Notes when each piece was released."""
    for _ in pieces:
        released.append(clock.ticks)


def test_a_stream_whose_key_was_shredded_makes_no_new_key_to_go_on(
    sealer: Sealer, keyring: Keyring, store: MemoryKeyStore
) -> None:
    pieces = sealer.seal_pieces(PLACE, iter([PIECE] * 4))
    next(pieces)
    store.remove(WHOLE)
    keyring.forget(WHOLE)
    with pytest.raises(KeyGone):
        next(pieces)
    assert store.find(KeyScope("c-1", "training-data")) is None
