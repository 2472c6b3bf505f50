"""Bring a catalogue that was restored from an old copy up to date with its ledger, before anything is done with it.

Nothing of what was done is done again: no store is touched. Everything is put in place in one transaction, the entry that
tells it included, so a replay that is killed has not happened and simply begins again (docs/adr/0014).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import structlog
from sqlmodel import Session

from retention.catalog import keys as key_rows
from retention.catalog import leases, ledger_outbox
from retention.catalog.cases import StrandChanged
from retention.catalog.keys import CatalogKeyStore
from retention.catalog.leases import Lease
from retention.errors import NotInOrder
from retention.evidence.audit import audit_ledger
from retention.evidence.entries import Entry, EntryType, decode_entry
from retention.evidence.errors import EvidenceError
from retention.evidence.ledger import Ledger
from retention.evidence.merkle import leaf_hash
from retention.keys.epochs import is_in, make_epoch
from retention.lifecycle.states import NoSuchTransition
from retention.model.key import Epoch, EpochState
from retention.workflows.deployment import Deployment
from retention.workflows.journal import Journal
from retention.workflows.retelling import Line, Lines, Retelling, lines_of, retire_current
from retention.workflows.roll_keys import epoch_rolled
from retention.workflows.run_cycle import owned
from retention.workflows.steps.restriction import settle_key_states
from retention.workflows.strand_run import LeaseLost

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to. known: entries that the old catalogue had; size: those of the ledger.

    keys_lost: wrapped keys of the old catalogue that no epoch key opens any more, because the epochs were rolled since it
    was copied. What is sealed under them is lost, and so is what is sealed under keys that were made since the copy: those
    were in the catalogue alone, and nobody can count them.
    """

    known: int
    size: int
    facts: int
    cases: int
    shreds: int
    keys_lost: int

    @property
    def sentence(self) -> str:
        """What happened, for people."""
        told = (
            f"the catalogue was behind the ledger; entries {self.known} to {self.size - 1} were replayed: "
            f"{self.facts} facts, {self.cases} new cases, {self.shreds} shredded keys"
        )
        lost = (
            f"{self.keys_lost} keys of the old copy open nothing any more, and what was sealed under them is lost"
            if self.keys_lost
            else "every key of the old copy that was not shredded opens still"
        )
        return f"{told}. {lost}; keys made since the copy was taken are not in it"


Observe = Callable[[str], None]


def catch_up(deployment: Deployment, observe: Observe = lambda moment: None) -> Replayed | None:
    """The catalogue knows every entry of its ledger, and is open to all; what was replayed, or None where nothing was.

    Killed at any moment, the next call begins again or finds nothing left. `observe` is told between two acts. Raises
    NotInOrder, and nothing is changed, where the ledger is not whole, is not this catalogue's, was cut off, or its
    particulars are missing or changed; NotTheOwner where another process has the lease; what the key provider raises.
    """
    inside = _beyond_the_bar(deployment)
    replayed = None
    if inside.journal.unknown():
        with owned(inside) as lease:
            unknown = inside.journal.unknown()
            if unknown:
                replayed = _replay(inside, lease, unknown, observe)
            inside.journal.publish()
            observe("published")
    deployment.catalog.lift()
    return replayed


def _beyond_the_bar(deployment: Deployment) -> Deployment:
    catalog = deployment.catalog.beyond_the_bar()
    journal = replace(deployment.journal, catalog=catalog)
    return replace(deployment, catalog=catalog, journal=journal, key_store=CatalogKeyStore(catalog))


def _replay(inside: Deployment, lease: Lease, unknown: range, observe: Observe) -> Replayed:
    _log.warning("catalogue is behind the ledger", known=unknown.start, size=unknown.stop)
    try:
        check_whole(inside.journal.ledger)
        _check_same_beginning(inside, unknown)
        outlook = _look_ahead(inside, unknown)
        observe("read")
        fresh = None if outlook.has_current else make_epoch(inside.provider, inside.clock.now())
        observe("epoch")
        with inside.catalog.transaction() as session:
            if not leases.renew(session, lease, inside.wall.now(), inside.lease_term):
                raise LeaseLost("another daemon has taken over this catalogue")
            replayed = _put_all(inside, session, unknown, outlook, fresh)
            observe("told")
    except (EvidenceError, StrandChanged, NoSuchTransition) as error:
        what = type(error).__name__ if isinstance(error, StrandChanged) else str(error)
        raise NotInOrder(
            f"the catalogue is behind the ledger, and cannot be replayed: {what}; nothing was changed"
        ) from error
    observe("committed")
    inside.catalog.forget_freed_pages()
    counts = {"facts": replayed.facts, "cases": replayed.cases, "shreds": replayed.shreds}
    _log.warning("catalogue replayed", known=replayed.known, size=replayed.size, **counts)
    if replayed.keys_lost:
        _log.error("keys of the old catalogue open nothing any more", count=replayed.keys_lost)
    return replayed


# ------------------------------------------------------------------------------------------------ before anything is changed


def check_whole(ledger: Ledger) -> None:
    """Return when every file of the ledger is what was signed and every entry an entry; else raise NotInOrder."""
    audit = audit_ledger(ledger, check=lambda _, entry: _check_entry(entry))
    if audit.findings:
        raise NotInOrder(f"the ledger is not whole, and nothing is replayed from it: {audit.findings[0]}")


def _check_entry(entry: bytes) -> None:
    decode_entry(entry)


def _check_same_beginning(inside: Deployment, unknown: range) -> None:
    """What the catalogue still knows of its own entries has to be what the ledger has at their places."""
    ledger = inside.journal.ledger
    with inside.catalog.reading() as session:
        tip = ledger_outbox.tip(session)
        start, waiting = ledger_outbox.unpublished(session, unknown.start)
    is_same = list(ledger.entries(start, start + len(waiting))) == list(waiting) if waiting else True
    if tip is not None and unknown.start:
        is_same = is_same and leaf_hash(ledger.entry(unknown.start - 1)).hex() == tip
    if not is_same:
        raise NotInOrder(
            f"the ledger is not this catalogue's: its first {unknown.start} entries are others; nothing was changed"
        )


@dataclass(frozen=True, slots=True)
class _Outlook:
    """What has to be known before the first change. present: epochs that the provider opens; gone: those it does not.

    tip: the hash of the ledger's last entry. has_current: there will be an epoch to wrap keys under, or none was ever made.
    """

    shredded: tuple[str, ...]
    present: frozenset[str]
    gone: frozenset[str]
    tip: str
    has_current: bool


def _look_ahead(inside: Deployment, unknown: range) -> _Outlook:
    """Read everything once. Raises ParticularsDamaged for the first entry whose particulars are not there or not its own."""
    with inside.catalog.reading() as session:
        epochs = key_rows.epochs(session)
        names = {e.name for e in epochs if e.state is not EpochState.DESTROYED} | set(key_rows.epochs_in_use(session))
    current = next((epoch.name for epoch in epochs if epoch.state is EpochState.CURRENT), None)
    shredded: list[str] = []
    raw = b""
    for line in lines_of(inside.journal, unknown):
        raw = line.raw
        told = _epochs_named(line)
        names.update(told)
        match line.entry.type:
            case EntryType.KEY_SHREDDED:
                shredded.append(str(line.entry.body.get("key")))
            case EntryType.EPOCH_ROLLED:
                (current,) = told
            case EntryType.EPOCH_DESTROYED if current in told:
                current = None
    present = frozenset(name for name in names if is_in(inside.provider, name))
    return _Outlook(
        shredded=tuple(shredded),
        present=present,
        gone=frozenset(names - present),
        tip=leaf_hash(raw).hex(),
        has_current=current in present or not (names or epochs),
    )


def _epochs_named(line: Line) -> tuple[str, ...]:
    match line.entry.type:
        case EntryType.EPOCH_ROLLED | EntryType.EPOCH_DESTROYED:
            return (str(line.entry.body.get("epoch")),)
        case EntryType.KEY_SHREDDED:
            epochs = line.entry.body.get("epochs")
            return tuple(str(name) for name in epochs) if isinstance(epochs, list) else ()
        case _:
            return ()


# ------------------------------------------------------------------------------------------------------- in one transaction


def _put_all(inside: Deployment, session: Session, unknown: range, outlook: _Outlook, fresh: Epoch | None) -> Replayed:
    """Keys that were shredded go first: a wrapped key that came back with the copy must never serve a read."""
    key_rows.remove_keys_named(session, outlook.shredded)
    ledger_outbox.skip_to(session, unknown.stop, outlook.tip)
    retelling = Retelling(inside, session, Lines(lines_of(inside.journal, unknown)), outlook.present)
    retelling.tell_all()
    keys_lost = sum(key_rows.remove_keys_under(session, name) for name in sorted(outlook.gone))
    if fresh is not None:
        retire_current(session)
        key_rows.put_epoch(session, fresh)
        inside.journal.write(session, epoch_rolled(fresh, inside.clock.now()))
    _settle_keys(session, retelling.customers)
    counts = retelling.counts
    replayed = Replayed(unknown.start, unknown.stop, counts.facts, counts.cases, counts.shreds, keys_lost)
    _tell(inside.journal, session, replayed, inside)
    return replayed


def _settle_keys(session: Session, customers: Iterable[str]) -> None:
    """Every key of these customers has the state that their strands ask for."""
    for customer in sorted(customers):
        for dataset in sorted({key.scope.dataset for key in key_rows.all_keys(session, customer)}):
            settle_key_states(session, customer, dataset)


def _tell(journal: Journal, session: Session, replayed: Replayed, inside: Deployment) -> None:
    body = {
        "known": replayed.known,
        "size": replayed.size,
        "facts": replayed.facts,
        "cases": replayed.cases,
        "shreds": replayed.shreds,
        "keys_lost": replayed.keys_lost,
    }
    journal.write(session, Entry(EntryType.CATALOGUE_BEHIND, inside.clock.now(), dict(body)))
