"""Roll the epoch: living keys go under a new epoch key, the old one is destroyed, and what was shredded is unrecoverable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session

from retention.catalog import cases as case_rows
from retention.catalog import keys as key_rows
from retention.evidence.bodies import EpochDestroyed
from retention.evidence.entries import Entry, EntryType
from retention.keys.epochs import (
    Destroyed,
    DestructionScheduled,
    NotDestroyed,
    Rewrapped,
    RollStep,
    begin_roll,
    continue_roll,
    current_epoch,
)
from retention.model.key import Epoch, EpochState
from retention.model.particulars import Particulars
from retention.workflows.deployment import Deployment
from retention.workflows.journal import Told


@dataclass(slots=True)
class Rolled:
    """What a roll came to. `obstacles` are epochs that could not be destroyed, and why."""

    epoch: str
    rewrapped_count: int = 0
    destroyed: list[str] = field(default_factory=list)
    unrecoverable_count: int = 0
    obstacles: list[str] = field(default_factory=list)


def roll_keys(deployment: Deployment) -> Rolled:
    """A new epoch is current, and every earlier one is destroyed where the provider can do it now.

    A second call rolls once more. Raises what the key provider raises; an interrupted roll is finished by the next call or
    by `finish_roll`.
    """
    epoch = begin_roll(deployment.key_store, deployment.provider, deployment.clock.now)
    with deployment.catalog.transaction() as session:
        deployment.journal.write(session, epoch_rolled(epoch, deployment.clock.now()))
    rolled = Rolled(epoch.name)
    finish_roll(deployment, rolled)
    return rolled


def epoch_rolled(epoch: Epoch, now: datetime) -> Told:
    """The entry that tells which epoch is current from now on."""
    entry = Entry(EntryType.EPOCH_ROLLED, now, {"epoch": epoch.name})
    return Told(entry, Particulars(epoch_created_at=epoch.created_at))


def finish_roll(deployment: Deployment, rolled: Rolled | None = None) -> None:
    """Bring every retired epoch to its end and note which shredded keys that makes unrecoverable. Nothing left: nothing."""
    rolled = rolled or Rolled("")
    if not _has_unfinished(deployment):
        return
    for step in continue_roll(deployment.key_store, deployment.provider, deployment.clock.now):
        _note(rolled, step)
    rolled.unrecoverable_count = _note_destroyed(deployment)
    deployment.catalog.forget_freed_pages()
    deployment.journal.publish()


def _has_unfinished(deployment: Deployment) -> bool:
    """Whether some epoch is on its way to its end, or was destroyed and the ledger does not tell it yet."""
    with deployment.catalog.reading() as session:
        told = key_rows.epoch_entries(session)
    return any(
        epoch.name not in told if epoch.state is EpochState.DESTROYED else epoch.state is not EpochState.CURRENT
        for epoch in deployment.key_store.epochs()
    )


def roll_if_due(deployment: Deployment, now: datetime) -> Rolled | None:
    """Roll when the epoch is older than `roll_every`, or when shredded keys wait whose case must be complete before that."""
    finish_roll(deployment)
    current = current_epoch(deployment.key_store)
    if current is None:
        return None
    next_roll = current.created_at + deployment.roll_every
    if now >= next_roll or _is_waited_for(deployment, next_roll):
        return roll_keys(deployment)
    return None


def _is_waited_for(deployment: Deployment, next_roll: datetime) -> bool:
    with deployment.catalog.reading() as session:
        first = case_rows.first_wait_for_keys(session)
    return first is not None and first <= next_roll


def _note(rolled: Rolled, step: RollStep) -> None:
    match step:
        case Rewrapped(epoch, count, lost):
            rolled.rewrapped_count += count
            rolled.obstacles += [f"{epoch}: key {key_id} does not open" for key_id in lost]
        case Destroyed(epoch, _):
            rolled.destroyed.append(epoch)
        case DestructionScheduled(epoch, effective_at):
            rolled.obstacles.append(f"{epoch}: the provider destroys it at {effective_at.isoformat()}")
        case NotDestroyed(epoch, obstacle):
            rolled.obstacles.append(f"{epoch}: {obstacle}")
        case _:
            pass


def _note_destroyed(deployment: Deployment) -> int:
    """Evidence for each destroyed epoch, once, and the shredded keys that nothing can open any more; how many those are."""
    epochs = {epoch.name: epoch for epoch in deployment.key_store.epochs()}
    with deployment.catalog.transaction() as session:
        told = key_rows.epoch_entries(session)
        for epoch in epochs.values():
            if epoch.destroyed_at is None or epoch.name in told:
                continue
            body = EpochDestroyed(epoch=epoch.name).to_json()
            (position,) = deployment.journal.write(session, Entry(EntryType.EPOCH_DESTROYED, epoch.destroyed_at, body))
            key_rows.put_epoch_entry(session, epoch.name, position)
            told[epoch.name] = position
        destroyed = {name: epoch.destroyed_at for name, epoch in epochs.items() if epoch.destroyed_at is not None}
        return note_unrecoverable(session, destroyed, told)


def note_unrecoverable(session: Session, destroyed: Mapping[str, datetime], told: Mapping[str, int]) -> int:
    """Shredded keys of which every epoch is `destroyed` are unrecoverable since the last of those instants; how many.

    told: the ledger entry that tells of each destroyed epoch.
    """
    count = 0
    for key in case_rows.waiting_keys(session):
        known = {name: destroyed[name] for name in key.epochs if name in destroyed}
        if len(known) == len(set(key.epochs)):
            last = max(known, key=lambda name: (known[name], name))
            case_rows.put_unrecoverable(session, key.key_id, max([*known.values(), key.shredded_at]), told[last])
            count += 1
    return count
