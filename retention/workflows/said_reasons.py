"""The reasons of a decision as sentences, for doors, which know no codes."""

from __future__ import annotations

from retention.model.transfer import Decision
from retention.transfers.reasons import said


def sentences_of(decision: Decision, lang: str) -> tuple[str, ...]:
    """Every ground, in `zh` or `en`, with its basis."""
    return tuple(said(ground, lang) for ground in decision.grounds)


def warnings_of(decision: Decision, lang: str) -> tuple[str, ...]:
    """Every warning, in `zh` or `en`."""
    return tuple(said(ground, lang) for ground in decision.warnings)
