"""Look through the backup stores: which sets there are, what is said to be in them, and what locks them.

Every set of every store that a policy version names is found, also one that fits no series: what it holds is unknown, so it
counts as holding everybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from retention.catalog import backups as backup_rows
from retention.catalog import cases as case_rows
from retention.errors import InputError
from retention.evidence.canonical import JsonValue
from retention.evidence.entries import Entry, EntryType
from retention.lifecycle.backup_sets import claimed_prefixes, layout_of, read_label, shown_name
from retention.model.backup import KnownSet
from retention.model.case import StrandState
from retention.model.policy import Policy
from retention.workflows.deployment import Deployment
from retention.workflows.journal import Journal
from storage_adapters.backups.contract import BackupSet
from storage_adapters.errors import StoreError

_ID_LENGTH = 16
"""Hex digits of a commitment: 64 bits tell the sets of a service apart."""


@dataclass(slots=True)
class Inventory:
    """The sets of each backup store, listed once in its lifetime: one cycle, one command. Not for several threads.

    missed_count: how many sets that were there at the last listing were not found by these.
    """

    deployment: Deployment
    missed_count: int = 0
    _found: dict[str, tuple[KnownSet, ...]] = field(default_factory=dict)
    _begun_at: dict[str, datetime] = field(default_factory=dict)

    def sets(self, store: str) -> tuple[KnownSet, ...]:
        """Every set that is in the store now, by name.

        Raises InputError for a store that is none, and StoreError where it cannot be listed.
        """
        if store not in self._found:
            self._begun_at[store] = self.deployment.clock.now()
            self._found[store], missed = _listed(self.deployment, store, self._begun_at[store])
            self.missed_count += missed
        return self._found[store]

    def listed_at(self, store: str) -> datetime:
        """When the listing that `sets` returns was begun (aware UTC)."""
        self.sets(store)
        return self._begun_at[store]

    def forget(self, store: str) -> None:
        """List the store anew when it is asked for next: something was changed in it."""
        self._found.pop(store, None)


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scan came to: the sets that are there, how many were missed, and stores that could not be listed, and why."""

    sets: tuple[KnownSet, ...]
    missed_count: int
    troubles: tuple[tuple[str, str], ...]


def scan_backups(deployment: Deployment) -> Scanned:
    """Every backup store is listed, and the catalogue knows its sets. One entry of the ledger tells how many there are."""
    inventory = Inventory(deployment)
    found: list[KnownSet] = []
    troubles: list[tuple[str, str]] = []
    for store in backup_stores(deployment):
        try:
            found += inventory.sets(store)
        except (StoreError, InputError) as error:  # also a store that a version names and the settings have no more
            troubles.append((store, str(error)))
    body: dict[str, JsonValue] = {
        "sets": len(found),
        "unknown": sum(not known.plans for known in found),
        "locked": sum(bool(known.set.locks) for known in found),
        "troubles": len(troubles),
    }
    with deployment.catalog.transaction() as session:
        deployment.journal.write(session, Entry(EntryType.BACKUPS_SCANNED, deployment.clock.now(), body))
    deployment.journal.publish()
    return Scanned(tuple(found), inventory.missed_count, tuple(troubles))


def notice_lifted_locks(deployment: Deployment) -> int:
    """Waiting sets that their store locked when they were last seen are asked for; how many of their locks are other ones.

    Those are due now, whatever date they had. A store that does not answer changes nothing: closing the set will say so.
    """
    now = deployment.clock.now()
    with deployment.catalog.reading() as session:
        locked = {(known.store, known.id): known for known in backup_rows.known_sets(session) if known.set.locks}
        records = case_rows.strands(session, states=[StrandState.VERIFIED]) if locked else ()
    waiting = [
        (record.strand.id, status.copy.label, end)
        for record in records
        for status in record.copies
        for end in status.sets
        if not end.end_state.is_gone and (end.store, end.id) in locked
    ]
    other = {key for key in {(end.store, end.id) for _, _, end in waiting} if _has_other_locks(deployment, locked[key])}
    if not other:
        return 0
    with deployment.catalog.transaction() as session:
        for strand, label, end in waiting:
            if (end.store, end.id) in other:
                backup_rows.put_set_end(session, strand, label, replace(end, until=now))
    return len(other)


def _has_other_locks(deployment: Deployment, known: KnownSet) -> bool:
    try:
        found = deployment.backup_store(known.store).find(known.set.name)
    except (StoreError, InputError):
        return False
    return found is None or found.locks != known.set.locks


def backup_stores(deployment: Deployment) -> tuple[str, ...]:
    """The stores that the backups of any adopted policy version lie in."""
    return tuple(sorted({plan.store for policy in _versions(deployment) for plan in policy.backups.values()}))


def _versions(deployment: Deployment) -> tuple[Policy, ...]:
    with deployment.catalog.reading() as session:
        return deployment.shelf.versions(session)


def _listed(deployment: Deployment, store: str, now: datetime) -> tuple[tuple[KnownSet, ...], int]:
    """The sets that are in the store, and how many of those known before are not."""
    versions = _versions(deployment)
    layouts = {layout_of(plan) for policy in versions for plan in policy.backups.values() if plan.store == store}
    claimed = sorted({prefix for policy in versions for prefix in claimed_prefixes(policy, store)})
    listed = list(deployment.backup_store(store).sets(sorted(layouts, key=repr), claimed))
    with deployment.catalog.transaction() as session:
        known = [
            backup_rows.put_found(session, each) for each in _known(deployment.journal, versions, store, listed, now)
        ]
        missed = backup_rows.put_gone(session, store, [each.set.name for each in known], now)
    return tuple(sorted(known, key=lambda each: each.set.name)), missed


def _known(
    journal: Journal, versions: tuple[Policy, ...], store: str, listed: list[BackupSet], now: datetime
) -> Iterator[KnownSet]:
    """The sets with their series. Of several versions of a series, the one adopted last says how its sets are shown."""
    for found in listed:
        told = journal.item(f"{store}/{found.name}")[:_ID_LENGTH]
        known = KnownSet(store, told, found, f"unknown-{told}", (), now, now)
        for policy in versions:
            for plan in policy.backups.values():
                label = read_label(plan, found.label, policy) if plan.store == store else None
                if label is not None:
                    known = replace(known, shown=shown_name(found, label), plans=tuple({*known.plans, plan.name}))
        yield replace(known, plans=tuple(sorted(known.plans)))
