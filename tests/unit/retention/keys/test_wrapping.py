"""What is inside a wrapped key, and to which row it belongs."""

from __future__ import annotations

import json
from typing import TypedDict

import pytest

from retention.errors import InputError
from retention.keys.wrapping import key_inside, payload_of
from retention.model.key import KeyScope
from tests.unit.retention.keys.reference import VECTORS


class WrappedCase(TypedDict):
    name: str
    customer_key: str
    key_id: str
    customer: str
    dataset: str
    item: str | None
    payload: str


CASES: list[WrappedCase] = json.loads((VECTORS / "sealed.json").read_text("utf-8"))["wrapped_keys"]
KEY, KEY_ID = bytes(range(32)), "0123456789abcdef0123456789abcdef"
SCOPE = KeyScope("c-1", "training-data", "object:a")


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_payload_is_as_the_vectors_say(case: WrappedCase) -> None:
    scope = KeyScope(case["customer"], case["dataset"], case["item"])
    key, payload = bytes.fromhex(case["customer_key"]), bytes.fromhex(case["payload"])
    assert payload_of(key, case["key_id"], scope) == payload
    assert key_inside(payload, case["key_id"], scope) == key


@pytest.mark.parametrize(
    ("key_id", "scope"),
    [
        pytest.param("0" * 32, SCOPE, id="another key id"),
        pytest.param(KEY_ID, KeyScope("c-10", "training-data", "object:a"), id="another customer"),
        pytest.param(KEY_ID, KeyScope("c-1", "training-dat", "object:a"), id="another dataset"),
        pytest.param(KEY_ID, KeyScope("c-1", "training-data", "object:b"), id="another item"),
        pytest.param(KEY_ID, SCOPE.whole, id="the whole dataset"),
    ],
)
def test_the_payload_of_another_row_is_no_key(key_id: str, scope: KeyScope) -> None:
    assert key_inside(payload_of(KEY, KEY_ID, SCOPE), key_id, scope) is None


@pytest.mark.parametrize("payload", [b"", KEY, bytes(64)], ids=["nothing", "a bare key", "zeros"])
def test_what_is_no_payload_is_no_key(payload: bytes) -> None:
    assert key_inside(payload, KEY_ID, SCOPE) is None


def test_a_scope_that_is_no_text_is_refused() -> None:
    with pytest.raises(InputError):
        payload_of(KEY, KEY_ID, KeyScope("\ud800", "d"))


@pytest.mark.parametrize(("customer", "dataset", "item"), [("", "d", None), ("c", "", None), ("c", "d", "")])
def test_a_scope_without_a_name_is_no_scope(customer: str, dataset: str, item: str | None) -> None:
    with pytest.raises(ValueError, match="named"):
        KeyScope(customer, dataset, item)
