"""The inventory of backup sets with what the policy says of each, and how many cases wait for it."""

from __future__ import annotations

from dataclasses import dataclass

from retention.catalog import backups as backup_rows
from retention.catalog import cases as case_rows
from retention.model.backup import KnownSet
from retention.workflows.deployment import Deployment


@dataclass(frozen=True, slots=True)
class ListedSet:
    """A set of the last scan. holds: its datasets, empty where its content is unknown; is_mixed: it may hold many customers.

    waiting_count: how many cases have to wait for it to go.
    """

    known: KnownSet
    holds: tuple[str, ...]
    is_mixed: bool
    waiting_count: int


def listed_sets(deployment: Deployment) -> tuple[ListedSet, ...]:
    """Every set that was there at the last scan, by store and name. Asks no store."""
    with deployment.catalog.reading() as session:
        sets = backup_rows.known_sets(session)
        records = case_rows.strands(session)
        plans = {name: plan for policy in deployment.shelf.versions(session) for name, plan in policy.backups.items()}
    waiting: dict[tuple[str, str], set[str]] = {}
    for record in records:
        ends = {(end.store, end.id) for status in record.copies for end in status.sets if not end.end_state.is_gone}
        for end in ends:
            waiting.setdefault(end, set()).add(record.strand.case)
    return tuple(
        ListedSet(
            known,
            holds=tuple(sorted({dataset for name in known.plans for dataset in plans[name].holds})),
            is_mixed=not known.plans or any(plans[name].mixed for name in known.plans),
            waiting_count=len(waiting.get((known.store, known.id), ())),
        )
        for known in sets
    )
