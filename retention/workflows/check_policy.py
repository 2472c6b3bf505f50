"""Check a policy file against the stores that are configured. Nothing is adopted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from retention.model.policy import Policy
from retention.policy.load import load_policy


def check_policy(path: Path, store_kinds: Mapping[str, str]) -> Policy:
    """The policy in the file. Raises InputError with every problem at once, as `file:line:column: what; what instead`."""
    return load_policy(path, store_kinds)
