"""What the server matches, and what our own matching says, agree; the loose pattern matches at least as much."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from storage_adapters.key_patterns import is_match
from storage_adapters.redis.globs import exact_glob, loose_glob


@pytest.mark.parametrize(
    ("literal", "exact", "loose"),
    [
        (b"plain", b"plain", b"*plain"),
        (b"*", b"\\*", b"*?"),
        (b"a[b-c]?", b"a\\[b-c\\]\\?", b"*a?b-c??"),
        (b"\\", b"\\\\", b"*?"),
        (b"\xff", b"\xff", b"*\xff"),
    ],
)
def test_glob_characters_of_a_literal_are_escaped_or_loosened(literal: bytes, exact: bytes, loose: bytes) -> None:
    assert exact_glob([literal]) == exact
    assert loose_glob([literal]) == loose
    assert exact_glob([literal, None]) == exact + b"*"


tricky = st.text(alphabet="ab*?[]^-\\{}\xe9", max_size=4).map(lambda text: text.encode())
patterns = st.lists(st.none() | tricky, min_size=1, max_size=5).filter(any)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(patterns, st.lists(tricky, max_size=5), st.data())
def test_the_server_and_our_own_matching_agree(
    redis_database: str, parts: list[bytes | None], others: list[bytes], data: st.DataObject
) -> None:
    gaps = [data.draw(tricky) if part is None else part for part in parts]
    keys = {b"".join(gaps), *others, b"".join(part or b"" for part in parts)}
    with Redis.from_url(redis_database) as client:
        client.flushdb()
        client.mset(dict.fromkeys(keys, b"1"))
        meant = {key for key in keys if is_match(parts, key)}
        assert set(client.scan_iter(exact_glob(parts), count=100)) == meant
        assert set(client.scan_iter(loose_glob(parts), count=100)) >= meant
