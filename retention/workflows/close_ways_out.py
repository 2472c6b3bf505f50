"""Enforce an audit: remove a replication rule, or deny writing to a bucket abroad; and undo it with one command.

What would be changed is shown first, as the whole setting before and after, and that change is the one that is made: where
the setting is another one by then, nothing is done. The setting is kept before it is changed, so that undoing needs nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from retention.catalog import transfer_copies as copy_rows
from retention.errors import InputError
from retention.evidence.canonical import JsonValue
from retention.evidence.entries import Entry, EntryType
from retention.model.particulars import Particulars
from retention.model.transfer_copy import ClosedWay
from retention.workflows.audit_transfers import Remedy, TransferFinding
from retention.workflows.deployment import Deployment
from retention.workflows.journal import Told
from storage_adapters.egress.contract import Change, Egress, Part
from storage_adapters.errors import OutcomeUnknown, StoreError

MOST_AT_ONCE = 50
"""Changes that one call makes about one finding; the next call goes on with the others."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that would remedy a finding. subject: the rule that is removed, or the prefix that nobody may write below."""

    finding: str
    store: str
    remedy: Remedy
    subject: str
    change: Change


@dataclass(frozen=True, slots=True)
class Remedied:
    """What came of one finding: the changes that would remedy it, those that were made, and what went wrong."""

    finding: str
    proposals: tuple[Proposal, ...]
    closed: tuple[ClosedWay, ...]
    trouble: str | None = None

    def puts_in_order(self, finding: TransferFinding) -> bool:
        """Whether the finding is remedied now. A fence does not do that: what lies abroad lies there still."""
        return finding.remedy is Remedy.CLOSE and bool(self.closed) and self.trouble is None


def remedy_finding(
    deployment: Deployment, finding: TransferFinding, show: Callable[[Proposal], None], *, enforce: bool
) -> Remedied:
    """The changes that would remedy the finding, each shown; with `enforce`, each is made right after it was shown.

    What a store refuses is told as trouble; what was made before it stays, and can be undone.
    """
    proposals: list[Proposal] = []
    closed: list[ClosedWay] = []
    try:
        for proposal in islice(propose(deployment, finding), MOST_AT_ONCE):
            proposals.append(proposal)
            show(proposal)
            if enforce:
                closed.append(carry_out(deployment, proposal))
    except StoreError as error:
        return Remedied(finding.id, tuple(proposals), tuple(closed), str(error))
    return Remedied(finding.id, tuple(proposals), tuple(closed))


def propose(deployment: Deployment, finding: TransferFinding) -> Iterator[Proposal]:
    """What `--enforce` would change about the finding, read from the store now; nothing where it is so already.

    Each change builds on the store as it is when it is asked for: carry one out before the next is taken. Raises StoreError
    where the store does not say.
    """
    if finding.remedy is None:
        return
    egress = deployment.transfers.egress[finding.store]
    for subject in finding.subjects:
        change = _change(egress, finding.remedy, subject)
        if change is not None and change.before != change.after:
            yield Proposal(finding.id, finding.store, finding.remedy, subject, change)


def _change(egress: Egress, remedy: Remedy, subject: str) -> Change | None:
    if remedy is Remedy.FENCE:
        return egress.fencing(subject)
    way = next((way for way in egress.ways_out() if way.name == subject), None)
    return egress.closing(way) if way is not None else None


def carry_out(deployment: Deployment, proposal: Proposal) -> ClosedWay:
    """The change is made and read back; it is kept, and an entry tells it, before and after.

    Raises StoreError where the store refuses or its setting is another one by now: then nothing was changed, and the kept
    change counts as undone. Of OutcomeUnknown nobody can say that; the change is kept as made, and can be undone.
    """
    change, now = proposal.change, deployment.clock.now()
    way = ClosedWay(
        id=secrets.token_hex(8),
        store=proposal.store,
        way=f"{proposal.remedy} {proposal.subject}",
        what=str(change.what),
        before=change.before,
        after=change.after,
        closed_at=now,
    )
    _write(deployment, way, EntryType.WAY_OUT_CLOSED, "intent")
    try:
        deployment.transfers.egress[proposal.store].apply(change)
    except OutcomeUnknown:
        raise
    except StoreError:
        _write(deployment, replace(way, undone_at=now), EntryType.WAY_OUT_REOPENED, "not-done")
        raise
    _write(deployment, way, EntryType.WAY_OUT_CLOSED, "done")
    return way


def undo_closing(deployment: Deployment, way_id: str) -> ClosedWay:
    """The store's setting is what it was before the way was closed. A second call changes nothing, and asks no store.

    Raises InputError where nothing was closed under this id; StoreError where the setting was changed by somebody since.
    """
    with deployment.catalog.reading() as session:
        way = copy_rows.find_closed_way(session, way_id)
        known = copy_rows.closed_ways(session)
    if way is None:
        there = ", ".join(each.id for each in known if each.undone_at is None)
        raise InputError(f"nothing was closed under {way_id!r}; there is: {there or 'nothing'}")
    if way.undone_at is not None:
        return way
    if way.store not in deployment.transfers.egress:
        raise InputError(f"store {way.store!r} is in no [stores.{way.store}] section of retention.toml any more")
    deployment.transfers.egress[way.store].undo(Change(Part(way.what), way.before, way.after))
    undone = replace(way, undone_at=deployment.clock.now())
    _write(deployment, undone, EntryType.WAY_OUT_REOPENED, "done")
    return undone


def _write(deployment: Deployment, way: ClosedWay, kind: EntryType, phase: str) -> None:
    body: dict[str, JsonValue] = {
        "closed": way.id,
        "phase": phase,
        "store": way.store,
        "way": deployment.journal.commitments.of("way", way.way),
        "what": way.what,
        "before": _setting(deployment, way.before),
        "after": _setting(deployment, way.after),
    }
    with deployment.catalog.transaction() as session:
        copy_rows.put_closed_way(session, way)
        entry = Entry(kind, deployment.clock.now(), body)
        deployment.journal.write(session, Told(entry, Particulars(closed=way)))
    deployment.journal.publish()


def _setting(deployment: Deployment, text: str | None) -> str:
    """What stands for a setting in the ledger: it can name a customer's folder, which a plain hash would confirm."""
    return deployment.journal.commitments.of("setting", text) if text is not None else ""


def ways_closed(deployment: Deployment) -> tuple[ClosedWay, ...]:
    """Every way that was closed and not opened again, in that order."""
    with deployment.catalog.reading() as session:
        return tuple(way for way in copy_rows.closed_ways(session) if way.undone_at is None)
