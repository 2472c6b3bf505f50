"""Fixtures for the tests of keys: the vectors, one case at a time."""

from __future__ import annotations

import pytest

from tests.unit.retention.keys.reference import ChunkedCase, Reference, SealedCase, chunked_cases, sealed_cases


@pytest.fixture(params=list(chunked_cases()), ids=lambda case: case["name"])
def chunked_case(request: pytest.FixtureRequest) -> ChunkedCase:
    """One case of the published format's vectors; its message is SHAKE-128 of 'message ' and its name."""
    case: ChunkedCase = request.param
    return case


@pytest.fixture(params=list(sealed_cases()), ids=lambda case: case["name"])
def sealed_case(request: pytest.FixtureRequest) -> SealedCase:
    """One case of tests/vectors/sealed.json."""
    case: SealedCase = request.param
    return case


@pytest.fixture
def reference() -> Reference:
    return Reference()
