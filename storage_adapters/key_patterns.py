"""Which keys a `KeyPattern` means. The one truth about it: what a store's own matching finds is checked again here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import AnyStr


def is_match(parts: Sequence[AnyStr | None], key: AnyStr) -> bool:
    """Whether the whole key is made of the literal parts in their order, with any text, or none, where `None` stands.

    Works on text and on bytes alike; no character of a literal is special.
    """
    literals, open_at_start, open_at_end = _runs(parts, key[:0])
    if len(literals) == 1 and not (open_at_start or open_at_end):
        return key == literals[0]
    at, end = 0, len(key)
    if not open_at_start:
        first = literals.pop(0)
        if not key.startswith(first):
            return False
        at = len(first)
    if not open_at_end:
        last = literals.pop()
        if not key.endswith(last):
            return False
        end -= len(last)
    for literal in literals:
        # the leftmost fit leaves the most room for the rest, so no other fit has to be tried
        found = key.find(literal, at, end)
        if found < 0:
            return False
        at = found + len(literal)
    return at <= end


def _runs(parts: Sequence[AnyStr | None], empty: AnyStr) -> tuple[list[AnyStr], bool, bool]:
    """The literals between gaps, neighbours joined, and whether a gap stands first and last."""
    runs: list[AnyStr | None] = []
    for part in parts:
        if part is None:
            if not runs or runs[-1] is not None:
                runs.append(None)
        elif part:
            last = runs.pop() if runs and runs[-1] is not None else empty
            runs.append((last or empty) + part)
    literals = [run for run in runs if run is not None]
    return literals, bool(runs) and runs[0] is None, bool(runs) and runs[-1] is None
