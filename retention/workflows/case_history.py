"""What already happened to a customer's cases, as the rules have to know it before they read the facts again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from retention.lifecycle.cases import History
from retention.model.fact import FactKey
from retention.model.record import CaseRecord


def history_of(existing: Sequence[CaseRecord]) -> History:
    """The policy version of each case, and what is past its point of no return; empty for no cases."""
    passed = [strand for record in existing for strand in record.strands if strand.passed_at is not None]
    passed_facts: dict[FactKey, datetime] = {}
    for record in existing:
        instants = [strand.passed_at for strand in record.strands if strand.passed_at is not None]
        if instants:
            passed_facts[record.case.starting_fact] = min(instants)
    return History(
        frozen={record.case.starting_fact: record.case.policy_hash for record in existing},
        passed={strand.strand.id: strand.passed_at for strand in passed if strand.passed_at is not None},
        passed_facts=passed_facts,
        strands={strand.strand.id: strand.strand for strand in passed},
    )
