"""The canonical text: what it does not depend on, and that stored versions load for ever."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from retention.errors import InputError
from retention.policy.canonical import canonical_document
from retention.policy.load import load_policy, parse_policy, policy_from_canonical

VALID = (Path(__file__).parent / "valid_policy.yaml").read_text(encoding="utf-8")
STORED = Path(__file__).parent / "stored_policy.json"
SAMPLE = Path(__file__).parents[4] / "policies.yaml"


@pytest.mark.parametrize(
    "path", [SAMPLE, Path(__file__).parent / "valid_policy.yaml"], ids=["the sample", "a small one"]
)
def test_a_stored_policy_comes_back_as_it_was(path: Path) -> None:
    policy = load_policy(path)
    assert policy_from_canonical(canonical_document(policy)) == policy


def test_the_hash_is_the_sha_256_of_the_canonical_text() -> None:
    policy = load_policy(SAMPLE)
    assert policy.hash == hashlib.sha256(canonical_document(policy).encode()).hexdigest()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("  title: 测试策略", "  title: 测试策略   # 注释", id="a comment"),
        pytest.param("buffer: 15 days", "buffer: P15D", id="the spelling of a period"),
        pytest.param("buffer: 15 days", 'buffer: "15 days"', id="quotes"),
        pytest.param("buffer: 15 days", "buffer: {default: 15 days}", id="a buffer written out"),
        pytest.param("{period: 6 months, from: start", "{from: start, period: 6 months", id="the order of keys"),
        pytest.param(
            "[service-expired, arrears-started]", "[arrears-started, service-expired]", id="the order of facts"
        ),
        pytest.param("  holidays: CN", "  holidays: CN\n  last-day-off: stays", id="a default written out"),
        pytest.param("\nbackups:", "\nlimits: {share-of-customers: 5%}\nbackups:", id="a default limit written out"),
    ],
)
def test_the_hash_does_not_depend_on(old: str, new: str) -> None:
    assert old in VALID
    assert parse_policy(VALID.replace(old, new, 1), "p").hash == parse_policy(VALID, "p").hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("buffer: 15 days", "buffer: 16 days", id="a period"),
        pytest.param("buffer: 15 days", "buffer: 360 hours", id="hours instead of days"),
        pytest.param("title: 训练", "title: 训练 ", id="nothing"),
        pytest.param("basis: 法", "basis: 另一法", id="a law"),
        pytest.param("  holidays: CN", "  holidays: CN\n  last-day-off: moves", id="how days are counted"),
        pytest.param("effective: 2026-11-08", "effective: 2026-11-09", id="when it counts"),
    ],
)
def test_the_hash_changes_with(old: str, new: str, request: pytest.FixtureRequest) -> None:
    same = parse_policy(VALID.replace(old, new, 1), "p").hash == parse_policy(VALID, "p").hash
    assert same == ("nothing" in request.node.name)


def test_a_policy_that_was_stored_by_the_first_version_loads_with_its_hash() -> None:
    text = STORED.read_text(encoding="utf-8").strip()
    policy = policy_from_canonical(text)
    assert policy.hash == "426bdac8acc43561bbda8c07e8ffde5012cd27d52701e902a2af3d3a27b8323f"
    assert policy.services["model-inference"].buffer.amount == 15


def test_a_stored_policy_of_another_format_is_refused() -> None:
    fields = json.loads(STORED.read_text(encoding="utf-8"))
    fields["format"] = "retention-policy/9"
    with pytest.raises(InputError, match="newer version"):
        policy_from_canonical(json.dumps(fields))
