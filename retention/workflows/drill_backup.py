"""Rehearse a restore: the newest set of each series comes back on a scratch place, is cleaned, looked at, and thrown away."""

from __future__ import annotations

from dataclasses import dataclass

from retention.errors import RetentionError
from retention.lifecycle.backup_sets import read_label
from retention.model.backup import KnownSet
from retention.workflows.deployment import Deployment
from retention.workflows.failures import explain_failure
from retention.workflows.restore_backup import Gate, Restored, find_set
from retention.workflows.scan_backups import Inventory
from storage_adapters.errors import StoreError


@dataclass(frozen=True, slots=True)
class Drilled:
    """What the rehearsals came to. `troubles`: sets that did not come back clean, or not as a whole, and why."""

    restored: tuple[Restored, ...]
    troubles: tuple[tuple[str, str], ...]


def drill_backup(deployment: Deployment, name: str | None = None) -> Drilled:
    """The set, or the newest of every series of the policy in force, was restored, replayed and verified on a scratch place.

    Nothing is given out. Each rehearsal is an entry of the ledger. Empty where there are no sets yet. Raises InputError where
    there is no set of this name.
    """
    if name is not None:
        known, plan, policy = find_set(deployment, name)
        gates = [Gate(deployment, known, plan, policy)]
    else:
        gates = _newest(deployment)
    restored: list[Restored] = []
    troubles: list[tuple[str, str]] = []
    for gate in gates:
        try:
            done = gate.pass_through(deployment.backups.drill_places, release=False)
        except (StoreError, RetentionError) as error:
            troubles.append((gate.known.shown, str(explain_failure(error) or error)))
            continue
        restored.append(done)
        if done.left_out or done.unknown:
            left = ", ".join(f"{count} × {form}" for form, count in sorted(done.left_out.items()))
            what = "; ".join(filter(None, (left, f"{done.unknown} files that fit no dataset" if done.unknown else "")))
            troubles.append((gate.known.shown, f"not rehearsed: {what}"))
    return Drilled(tuple(restored), tuple(troubles))


def _newest(deployment: Deployment) -> list[Gate]:
    with deployment.catalog.reading() as session:
        policy = deployment.shelf.in_force(session, deployment.clock.now())
    inventory = Inventory(deployment)
    gates = []
    for plan in policy.backups.values():
        sets = [known for known in inventory.sets(plan.store) if read_label(plan, known.set.label, policy) is not None]
        if sets:
            gates.append(Gate(deployment, max(sets, key=_age), plan, policy))
    return gates


def _age(known: KnownSet) -> tuple[bool, str, str]:
    """Sets in the order of their time, those without one first."""
    taken = known.set.taken_at
    return taken is not None, taken.isoformat() if taken else "", known.set.label
