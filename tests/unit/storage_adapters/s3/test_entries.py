"""Names of items."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_adapters.contract import ItemKind
from storage_adapters.s3.entries import item_name, parse_name

ODD_KEYS = ["a", "a?versionId=null", "a?versionId=b?versionId=c", "a?uploadId=", "x\n?versionId=1", "?", "%3F", "汉字"]


@pytest.mark.parametrize("key", ODD_KEYS)
@pytest.mark.parametrize("entry_id", ["null", "3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY", "a?versionId=b", ""])
def test_a_name_reads_back_to_its_key_and_version(key: str, entry_id: str) -> None:
    entry = parse_name(item_name(ItemKind.VERSION, key, entry_id))
    assert (entry.kind, entry.key, entry.id) == (ItemKind.VERSION, key, entry_id)


def test_an_upload_is_not_taken_for_a_version() -> None:
    entry = parse_name(item_name(ItemKind.UPLOAD, "a", "u?versionId=1"))
    assert (entry.kind, entry.key, entry.id) == (ItemKind.UPLOAD, "a", "u?versionId=1")


def test_an_object_without_versions_is_named_by_its_key() -> None:
    assert item_name(ItemKind.OBJECT, "training/c-1/a b", None) == "training/c-1/a b"


def test_an_object_whose_key_looks_like_a_version_keeps_its_whole_key() -> None:
    assert parse_name(item_name(ItemKind.OBJECT, "a?versionId=1", None)).key == "a?versionId=1"


PARTS = st.text(st.sampled_from("ab?=/%+&\n versionIdupload"), max_size=12)
THINGS = st.tuples(st.sampled_from([ItemKind.VERSION, ItemKind.UPLOAD]), PARTS, PARTS)


@given(THINGS, THINGS)
def test_two_different_things_never_share_a_name(
    one: tuple[ItemKind, str, str], other: tuple[ItemKind, str, str]
) -> None:
    assert (item_name(*one) == item_name(*other)) == (one == other)
