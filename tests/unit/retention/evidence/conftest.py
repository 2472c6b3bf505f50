"""A small log to test on: its key, its ledger, and the worked examples of the format documents."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retention.evidence.commitments import Commitments
from retention.evidence.ledger import Ledger
from retention.evidence.note import SeedSigner, VerifierKey

ROOT = Path(__file__).parents[4]
NAME = "evidence.example/retention"


@pytest.fixture
def signer() -> SeedSigner:
    """The key of the worked examples."""
    return SeedSigner(NAME, bytes(range(32)))


@pytest.fixture
def key(signer: SeedSigner) -> VerifierKey:
    return signer.verifier_key


@pytest.fixture
def commitments() -> Commitments:
    """Under the ledger key of the worked examples."""
    return Commitments(bytes(range(0x40, 0x60)))


@pytest.fixture
def ledger(tmp_path: Path, signer: SeedSigner) -> Ledger:
    """An empty ledger."""
    return Ledger.create(tmp_path / "ledger", signer)


@pytest.fixture
def merkle_vectors() -> Any:
    return json.loads((ROOT / "tests/vectors/merkle.json").read_text())


@pytest.fixture
def example() -> Callable[[str, str], str]:
    """The fenced block of a format document: `example("ledger", "checkpoint")`."""

    def block(document: str, name: str) -> str:
        text = (ROOT / f"docs/formats/{document}.md").read_text(encoding="utf-8")
        match = re.search(rf"^```{name}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        assert match, f"{document}.md has no block {name}"
        return match[1]

    return block
