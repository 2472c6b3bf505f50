"""Commitments, their openings, and batches."""

from __future__ import annotations

import hmac
import json
import tracemalloc
from collections.abc import Callable
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.evidence.commitments import (
    CUSTOMER,
    ITEM,
    Commitments,
    Opening,
    batch_root,
    commitment_of,
    verify_opening,
)
from retention.evidence.entries import decode_entry
from retention.evidence.errors import Malformed, ProofInvalid

values = st.text(st.characters(codec="utf-8"))
KEYED = Commitments(bytes(range(32)))


def test_the_worked_example_is_what_this_key_opens(
    example: Callable[[str, str], str], commitments: Commitments
) -> None:
    opening = Opening(**json.loads(example("ledger", "opening")))
    assert commitments.open(CUSTOMER, "acme-42") == opening
    entry = decode_entry(example("ledger", "entries").encode().splitlines()[1])
    assert commitments.of(CUSTOMER, "acme-42") == commitment_of(opening) == entry.body["customer"]


def test_the_batch_of_the_worked_example_has_its_root(
    example: Callable[[str, str], str], commitments: Commitments
) -> None:
    names = [f"training/acme-42/part-{i}" for i in range(3)]
    entry = decode_entry(example("ledger", "entries").encode().splitlines()[3])
    batch = commitments.batch(ITEM, names)
    assert (batch.count, batch.root) == (3, entry.body["root"])
    assert batch_root(ITEM, [commitments.of(ITEM, name) for name in names]) == batch


@given(values)
def test_a_commitment_is_two_hmacs(value: str) -> None:
    key = hmac.new(bytes(range(32)), b"opening\x00customer\x00" + value.encode(), sha256).digest()
    assert KEYED.of(CUSTOMER, value) == hmac.new(key, b"customer\x00" + value.encode(), sha256).hexdigest()
    assert KEYED.open(CUSTOMER, value).opening_key == key.hex()


@given(values, values)
def test_an_opening_opens_its_own_commitment_only(value: str, other: str) -> None:
    opening = KEYED.open(CUSTOMER, value)
    verify_opening(opening, KEYED.of(CUSTOMER, value))
    wrong = [Opening("item", value, opening.opening_key), Opening(CUSTOMER, value, "00" * 32)]
    if other != value:
        wrong.append(Opening(CUSTOMER, other, opening.opening_key))
    for each in wrong:
        with pytest.raises(ProofInvalid):
            verify_opening(each, KEYED.of(CUSTOMER, value))


def test_other_keys_and_labels_make_other_commitments() -> None:
    made = {
        KEYED.of(CUSTOMER, "c-1"),
        KEYED.of(CUSTOMER, "c-10"),
        KEYED.of(ITEM, "c-1"),
        Commitments(bytes(32)).of(CUSTOMER, "c-1"),
    }
    assert len(made) == 4


@pytest.mark.parametrize("label", ["", "Customer", "a\x00b", "a b", "x" * 33])
def test_a_label_is_a_short_lower_case_word(label: str) -> None:
    with pytest.raises(Malformed, match="label"):
        KEYED.of(label, "c-1")


def test_a_short_ledger_key_a_wrong_opening_key_and_half_a_surrogate_are_refused() -> None:
    with pytest.raises(Malformed, match="32 bytes"):
        Commitments(bytes(31))
    with pytest.raises(Malformed, match="64 lower-case hex"):
        commitment_of(Opening(CUSTOMER, "c-1", "AB" * 32))
    with pytest.raises(Malformed, match="UTF-8"):
        KEYED.of(CUSTOMER, "\ud800")


def test_no_error_says_the_value() -> None:
    with pytest.raises(ProofInvalid) as caught:
        verify_opening(KEYED.open(CUSTOMER, "Zhang San"), KEYED.of(CUSTOMER, "Li Si"))
    assert "Zhang" not in str(caught.value)


def test_a_batch_tells_order_and_number_and_holds_none_of_its_items_in_memory() -> None:
    assert KEYED.batch(ITEM, []) == batch_root(ITEM, [])
    assert KEYED.batch(ITEM, ["a", "b"]).root != KEYED.batch(ITEM, ["b", "a"]).root
    tracemalloc.start()
    batch = KEYED.batch(ITEM, (f"object-{i}" for i in range(20_000)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert batch.count == 20_000
    assert peak < 100_000
