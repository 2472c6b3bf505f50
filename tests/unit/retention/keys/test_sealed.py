"""The sealed format: its vectors, its paper, what it is bound to, and what opening refuses."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.errors import InputError
from retention.keys import sealed
from retention.keys.errors import KeyGone, NotAuthentic, NotSealed
from retention.keys.sealed import (
    HEADER_LENGTH,
    PROOF_LENGTH,
    Algorithm,
    Binding,
    CellSubject,
    ObjectSubject,
    SealedHeader,
)
from retention.model.key import KeyScope
from tests.unit.retention.keys.reference import Reference, SealedCase, message_of, sealed_cases

PAPER = Path(__file__).parents[4] / "docs" / "formats" / "sealed.md"
KEY, KEY_ID = bytes(range(32)), "0123456789abcdef0123456789abcdef"
PLACE = Binding("c-1", "training-data", ObjectSubject("training/c-1/a"))
CELL = Binding("c-1", "logs", CellSubject("message", "body", (("id", 7), ("session", "s"))))
ALGORITHMS = pytest.mark.parametrize("algorithm", list(Algorithm))


def the_key(header: SealedHeader) -> bytes:
    return KEY


def binding_of(case: SealedCase) -> Binding:
    if case["object"] is not None:
        return Binding(case["customer"], case["dataset"], ObjectSubject(case["object"]))
    assert case["cell"] is not None
    assert case["row"] is not None
    table, column = case["cell"]
    row = tuple((str(name), value) for name, value in case["row"])
    return Binding(case["customer"], case["dataset"], CellSubject(table, column, row))


# -------------------------------------------------------------------------------------------------- vectors and paper


def test_the_vectors_are_what_the_primitives_give(sealed_case: SealedCase, reference: Reference) -> None:
    computed = reference.sealed(sealed_case)
    assert reference.context(sealed_case).hex() == sealed_case["context"]
    assert len(computed) == sealed_case["sealed_length"]
    assert hashlib.sha256(computed).hexdigest() == sealed_case["sealed_sha256"]
    if sealed_case["sealed"] is not None:
        assert computed.hex() == sealed_case["sealed"]


def test_opens_the_vectors(sealed_case: SealedCase, reference: Reference) -> None:
    content, asked = reference.sealed(sealed_case), list[SealedHeader]()

    def key_for(header: SealedHeader) -> bytes:
        asked.append(header)
        return bytes.fromhex(sealed_case["customer_key"])

    message = sealed.open_value(key_for, binding_of(sealed_case), content)
    assert message == message_of(sealed_case["name"], sealed_case["message_length"])
    assert asked == [SealedHeader(Algorithm(sealed_case["algorithm"]), sealed_case["key_id"])]


def test_seals_as_the_primitives_do(sealed_case: SealedCase, reference: Reference) -> None:
    message = message_of(sealed_case["name"], sealed_case["message_length"])
    key, algorithm = bytes.fromhex(sealed_case["customer_key"]), Algorithm(sealed_case["algorithm"])
    content = sealed.seal_value(key, sealed_case["key_id"], binding_of(sealed_case), message, algorithm)
    drawn: SealedCase = {**sealed_case, "salt": content[24:48].hex()}
    assert content == reference.sealed(drawn)
    assert len(content) == sealed.sealed_length(len(message)) == sealed_case["sealed_length"]


def test_the_worked_example_in_the_paper_is_the_first_vector() -> None:
    example = "".join(PAPER.read_text("utf-8").split("## Worked example")[1].split())
    sealed_case = next(sealed_cases())
    assert sealed_case["sealed"] is not None
    content = sealed_case["sealed"]
    parts = {
        "customerkey": sealed_case["customer_key"],
        "message": message_of(sealed_case["name"], sealed_case["message_length"]).hex(),
        "context": sealed_case["context"],
        "header": content[:48],
        "salt": content[48:96],
        "commitment": content[96:160],
        "lastchunk": content[160:],
    }
    for name, value in parts.items():
        assert name + value in example


# ------------------------------------------------------------------------------------------------------------- sealing


@ALGORITHMS
@pytest.mark.parametrize("length", [0, 1, 16_383, 16_384, 16_385, 300_000])
def test_files_of_any_size_come_back(algorithm: Algorithm, length: int) -> None:
    message, target, opened = message_of("file", length), io.BytesIO(), io.BytesIO()
    written = sealed.seal(KEY, KEY_ID, PLACE, io.BytesIO(message), target, algorithm)
    assert written == len(target.getvalue()) == sealed.sealed_length(length)
    assert sealed.open_sealed(the_key, PLACE, io.BytesIO(target.getvalue()), opened) == length
    assert opened.getvalue() == message


def test_an_unbuffered_target_that_takes_little_at_a_time_gets_every_byte() -> None:
    class Narrow(io.BytesIO):
        def write(self, data: object) -> int:
            assert isinstance(data, memoryview)
            return super().write(data[:1000])

    target = Narrow()
    sealed.seal(KEY, KEY_ID, PLACE, io.BytesIO(b"x" * 50_000), target)
    assert sealed.open_value(the_key, PLACE, target.getvalue()) == b"x" * 50_000


def test_a_target_that_takes_nothing_is_an_error() -> None:
    class Closed(io.BytesIO):
        def write(self, data: object) -> int:
            return 0

    with pytest.raises(BlockingIOError):
        sealed.seal(KEY, KEY_ID, PLACE, io.BytesIO(b"x"), Closed())


@ALGORITHMS
def test_the_same_message_sealed_twice_looks_different(algorithm: Algorithm) -> None:
    assert (
        sealed.seal_value(KEY, KEY_ID, PLACE, b"x", algorithm)[24:]
        != (sealed.seal_value(KEY, KEY_ID, PLACE, b"x", algorithm)[24:])
    )


@pytest.mark.parametrize("key", [b"", bytes(16), bytes(33)], ids=["no key", "a short key", "a long key"])
def test_a_key_of_another_length_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        sealed.seal_value(key, KEY_ID, PLACE, b"x")


@pytest.mark.parametrize("key_id", ["", KEY_ID[:-2], KEY_ID.upper(), KEY_ID + "00"])
def test_a_key_id_of_another_form_is_refused(key_id: str) -> None:
    with pytest.raises(ValueError, match="32 lower-case hex digits"):
        sealed.seal_value(KEY, key_id, PLACE, b"x")


# ---------------------------------------------------------------------------------------------------------- the header


@ALGORITHMS
def test_the_header_tells_algorithm_and_key(algorithm: Algorithm) -> None:
    content = sealed.seal_value(KEY, KEY_ID, PLACE, b"x", algorithm)
    assert sealed.read_header(content[:HEADER_LENGTH]) == SealedHeader(algorithm, KEY_ID)


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"%PDF-1.7 a plain document of some length", id="a plain document"),
        pytest.param(b"\xf5SEAL\n\x01\x01" + bytes(15), id="a header that is cut off"),
        pytest.param(b"\xf5SEAL\r\n\x01\x01" + bytes(16), id="a header that went through a text conversion"),
        pytest.param(b"\xf5SEAL\n\x02\x01" + bytes(16), id="a later version"),
        pytest.param(b"\xf5SEAL\n\x01\x03" + bytes(16), id="an unknown algorithm"),
    ],
)
def test_what_has_no_header_of_ours_is_not_sealed(first: bytes) -> None:
    assert sealed.read_header(first) is None
    assert not sealed.was_sealed_with(KEY, PLACE, first)
    with pytest.raises(NotSealed):
        sealed.open_value(the_key, PLACE, first)


def test_a_later_version_is_named_in_the_refusal() -> None:
    with pytest.raises(NotSealed, match="version 2, algorithm 9"):
        sealed.open_value(the_key, PLACE, b"\xf5SEAL\n\x02\x09" + bytes(80))


def test_the_first_80_bytes_prove_with_which_key_and_for_which_place_content_was_sealed() -> None:
    first = sealed.seal_value(KEY, KEY_ID, PLACE, b"x" * 100)[:PROOF_LENGTH]
    assert PROOF_LENGTH == 80
    assert sealed.was_sealed_with(KEY, PLACE, first)
    assert not sealed.was_sealed_with(bytes(32), PLACE, first)
    assert not sealed.was_sealed_with(KEY, replace(PLACE, customer="c-10"), first)
    assert not sealed.was_sealed_with(KEY, PLACE, first[:-1])
    forged = SealedHeader(Algorithm.AES_256_GCM, KEY_ID).to_bytes() + bytes(56)
    assert sealed.read_header(forged) is not None
    assert not sealed.was_sealed_with(KEY, PLACE, forged)


# ------------------------------------------------------------------------------------------------------------- opening


@ALGORITHMS
def test_every_changed_byte_is_found_even_where_the_same_key_is_used(algorithm: Algorithm) -> None:
    content = sealed.seal_value(KEY, KEY_ID, PLACE, b"secret", algorithm)
    for position in range(len(content)):
        for bit in (1, 0x80):
            changed = bytearray(content)
            changed[position] ^= bit
            with pytest.raises((NotAuthentic, NotSealed)):
                sealed.open_value(the_key, PLACE, bytes(changed))


def test_a_changed_key_id_does_not_open_even_with_the_right_key() -> None:
    content = sealed.seal_value(KEY, KEY_ID, PLACE, b"secret")
    renamed = content[:8] + bytes(16) + content[24:]
    with pytest.raises(NotAuthentic):
        sealed.open_value(the_key, PLACE, renamed)


def test_the_other_algorithm_in_the_header_does_not_open() -> None:
    content = bytearray(sealed.seal_value(KEY, KEY_ID, PLACE, b"secret"))
    content[7] = 2
    with pytest.raises(NotAuthentic):
        sealed.open_value(the_key, PLACE, bytes(content))


def test_a_refused_key_ends_the_opening_before_anything_is_read_further() -> None:
    content = sealed.seal_value(KEY, KEY_ID, PLACE, b"secret")

    def pieces() -> Iterator[bytes]:
        yield content[:HEADER_LENGTH]
        pytest.fail("more was asked for")

    def gone(header: SealedHeader) -> bytes:
        raise KeyGone("gone")

    with pytest.raises(KeyGone):
        list(sealed.open_pieces(gone, PLACE, pieces()))


# -------------------------------------------------------------------------------------------------------- the binding

ELSEWHERE = [
    pytest.param(replace(PLACE, customer="c-10"), id="another customer"),
    pytest.param(replace(PLACE, dataset="training-dat"), id="another dataset"),
    pytest.param(replace(PLACE, subject=ObjectSubject("training/c-1/b")), id="another object"),
    pytest.param(replace(PLACE, customer="c-1\x00\x0dt", dataset="raining-data"), id="names that run into each other"),
    pytest.param(CELL, id="a column value"),
]


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_what_was_moved_elsewhere_does_not_open(elsewhere: Binding) -> None:
    content = sealed.seal_value(KEY, KEY_ID, PLACE, b"secret")
    with pytest.raises(NotAuthentic):
        sealed.open_value(the_key, elsewhere, content)


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param(CellSubject("message", "body", (("id", 8), ("session", "s"))), id="another row"),
        pytest.param(CellSubject("message", "body", (("id", 7),)), id="a part of the key"),
        pytest.param(CellSubject("message", "title", (("id", 7), ("session", "s"))), id="another column"),
        pytest.param(CellSubject("messages", "body", (("id", 7), ("session", "s"))), id="another table"),
    ],
)
def test_a_column_value_moved_to_another_cell_does_not_open(subject: CellSubject) -> None:
    content = sealed.seal_value(KEY, KEY_ID, CELL, b"secret")
    with pytest.raises(NotAuthentic):
        sealed.open_value(the_key, replace(CELL, subject=subject), content)


def test_a_row_is_the_same_whatever_the_order_of_its_key_and_however_its_number_was_read() -> None:
    content = sealed.seal_value(KEY, KEY_ID, CELL, b"secret")
    same = replace(CELL, subject=CellSubject("message", "body", (("session", "s"), ("id", "7"))))
    assert sealed.open_value(the_key, same, content) == b"secret"
    assert same.scope == CELL.scope


text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
rows = st.lists(st.tuples(text, st.one_of(text, st.integers())), min_size=1, max_size=3, unique_by=lambda pair: pair[0])
subjects = st.one_of(
    st.builds(ObjectSubject, text), st.builds(CellSubject, text, text, rows.map(lambda pairs: tuple(sorted(pairs))))
)
bindings = st.builds(Binding, text, text, subjects)


def in_text(binding: Binding) -> object:
    """The binding with its numbers written out: what it means."""
    if isinstance(binding.subject, CellSubject):
        cell = binding.subject
        row = tuple((name, str(value)) for name, value in cell.row)
        return (binding.customer, binding.dataset, cell.table, cell.column, row)
    return (binding.customer, binding.dataset, binding.subject.name)


@given(bindings, bindings)
def test_two_bindings_have_the_same_bytes_only_where_they_mean_the_same(one: Binding, other: Binding) -> None:
    assert (one.to_bytes() == other.to_bytes()) == (in_text(one) == in_text(other))


@pytest.mark.parametrize(
    "binding",
    [
        pytest.param(replace(PLACE, customer=""), id="no customer"),
        pytest.param(replace(PLACE, dataset=""), id="no dataset"),
        pytest.param(replace(PLACE, subject=ObjectSubject("")), id="no object name"),
        pytest.param(replace(PLACE, subject=ObjectSubject("x" * 65_536)), id="an object name of 64 KiB"),
        pytest.param(replace(PLACE, subject=ObjectSubject("\udce9")), id="a name that is no text"),
        pytest.param(replace(CELL, subject=CellSubject("message", "body", ())), id="a row without a key"),
    ],
)
def test_what_cannot_be_bound_is_refused(binding: Binding) -> None:
    with pytest.raises(InputError):
        sealed.seal_value(KEY, KEY_ID, binding, b"x")


def test_the_scope_of_a_binding_is_its_object_or_row() -> None:
    assert PLACE.scope == KeyScope("c-1", "training-data", "object:training/c-1/a")
    assert CELL.scope == KeyScope("c-1", "logs", 'row:["message",[["id","7"],["session","s"]]]')
    assert CELL.scope.whole == KeyScope("c-1", "logs")
