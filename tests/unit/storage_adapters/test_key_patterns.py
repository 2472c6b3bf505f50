"""Which keys a pattern means, for text and for bytes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_adapters.key_patterns import is_match


@pytest.mark.parametrize(
    ("parts", "key", "matches"),
    [
        pytest.param(("a",), "a", True, id="a literal is itself"),
        pytest.param(("a",), "ab", False, id="a literal is no prefix"),
        pytest.param(("a", "b"), "ab", True, id="two literals are one"),
        pytest.param(("a", None), "a", True, id="a gap may be empty"),
        pytest.param(("a", None), "xa", False, id="the first literal stands first"),
        pytest.param((None, "a"), "ax", False, id="the last literal stands last"),
        pytest.param(("aba", None, "aba"), "aba", False, id="literals do not overlap"),
        pytest.param(("ab", None, "b", None, "b"), "abb", False, id="the last literal is not used twice"),
        pytest.param((None, None, "a", None), "xaax", True, id="gaps side by side are one"),
        pytest.param(("", None, "", "a", ""), "xa", True, id="an empty literal is nothing"),
        pytest.param(("c:", "*", ":", None), "c:x:y", False, id="a star in a literal is a star"),
        pytest.param(("c:", "*", ":", None), "c:*:y", True, id="and matches a star"),
        pytest.param(("c:", "c-1", ":", None), "c:c-10:y", False, id="c-1 is not c-10"),
        pytest.param(("a", None), "a\nb", True, id="a gap spans lines"),
    ],
)
def test_a_pattern_matches_whole_keys(parts: tuple[str | None, ...], key: str, matches: bool) -> None:
    assert is_match(parts, key) is matches
    assert is_match([None if part is None else part.encode() for part in parts], key.encode()) is matches


short = st.text(alphabet="ab", max_size=3)


@given(st.lists(st.none() | short, min_size=1, max_size=6).filter(any), st.text(alphabet="ab", max_size=8))
def test_a_pattern_means_what_the_regular_expression_means(parts: list[str | None], key: str) -> None:
    expression = "".join(".*" if part is None else re.escape(part) for part in parts)
    assert is_match(parts, key) is (re.fullmatch(expression, key, re.DOTALL) is not None)
