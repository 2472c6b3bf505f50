"""The restore gate: a backup set comes back without anybody who was deleted or is restricted since, or not at all.

The set is restored into a place that nothing serves; every erasure that the ledger tells is done again there; a look behind
that finds nothing; only then is the place given out. What was killed half way was never given out.

Source: product promise 2 (a restore does not bring the data back); clause 6.10 (no further processing of what is restricted).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Event

from sqlmodel import Session

from retention.catalog import cases as case_rows
from retention.catalog import leases
from retention.catalog.leases import Lease
from retention.errors import InputError, NotInOrder, RefusedByRule
from retention.evidence.canonical import JsonValue
from retention.evidence.entries import Entry, EntryType
from retention.keys.sealed import HEADER_LENGTH, read_header
from retention.lifecycle.backup_sets import (
    begun_at,
    dataset_folders,
    dataset_rows,
    may_hold,
    object_roots,
    read_label,
)
from retention.model.backup import KnownSet
from retention.model.case import StrandState
from retention.model.policy import BackupPlan, Policy
from retention.model.record import StrandRecord
from retention.workflows.backup_owners import places_in_set
from retention.workflows.deployment import Deployment
from retention.workflows.erasure_ledger import Erasures, read_erasures
from retention.workflows.run_cycle import NotTheOwner, owned
from retention.workflows.scan_backups import Inventory, backup_stores
from retention.workflows.strand_run import LeaseLost
from storage_adapters.backups.contract import CONTENT_OF, Content, Form, RestorePlace, Staging
from storage_adapters.contract import ItemResult, KeyPattern, Place, Prefix, Rows
from storage_adapters.errors import StoreError

_LOOKS = 5
_PATIENCE_SECONDS = 600


class RestoreRefused(RefusedByRule):
    """The gate stays shut: nothing was given out, and the set is as it was."""


@dataclass(slots=True)
class Restored:
    """What a restore or a rehearsal came to. `set` is the set's name without personal data; seconds are real ones.

    replayed: strands whose data was not to come back; removed: items and rows of theirs that the set brought. unknown: files
    that fit no dataset and were not given out. left_out: files for which no place was named, by form. ledger_size: up to
    where the ledger was replayed.
    """

    store: str
    set: str
    places: tuple[str, ...]
    released: bool = False
    replayed: int = 0
    removed: int = 0
    unknown: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    ledger_size: int = 0
    seconds: float = 0.0


def restore_backup(deployment: Deployment, name: str, into: Sequence[str]) -> Restored:
    """The set is restored into the named places, without what was deleted or is restricted, and given out.

    name: as `backup list` shows it, or as the store names it, with `STORE:` before it where several have it. A second call
    for the same place is refused: it is not empty any more. Raises InputError (no such set or place), NotInOrder (the ledger
    is missing, shorter than it was, or damaged), RestoreRefused, StoreError.
    """
    places = [_place(deployment, store) for store in into]
    known, plan, policy = find_set(deployment, name)
    gate = Gate(deployment, known, plan, policy)
    by_content: dict[Content, RestorePlace] = {}
    for place in places:
        if by_content.setdefault(place.takes, place) is not place:
            raise InputError(
                f"--into: {place.name} and {by_content[place.takes].name} would take the same {place.takes}"
            )
    targets = {form: by_content[content] for form, content in CONTENT_OF.items() if content in by_content}
    return gate.pass_through(targets, release=True)


def find_set(deployment: Deployment, name: str) -> tuple[KnownSet, BackupPlan, Policy]:
    """The set of this name as its store has it now, its series, and the policy in force. InputError where there is none."""
    with deployment.catalog.reading() as session:
        policy = deployment.shelf.in_force(session, deployment.clock.now())
    inventory = Inventory(deployment)
    found = [
        known
        for store in backup_stores(deployment)
        for known in inventory.sets(store)
        if name in (known.shown, known.set.name, f"{store}:{known.shown}", f"{store}:{known.set.name}")
    ]
    if len(found) != 1:
        what = "is no backup set" if not found else f"names {len(found)} sets; write STORE:SET"
        raise InputError(f"{name!r} {what}; `retention backup list` shows them")
    known = found[0]
    for plan in policy.backups.values():
        if plan.store == known.store and read_label(plan, known.set.label, policy) is not None:
            return known, plan, policy
    raise RestoreRefused(
        f"{known.shown} fits no series of the policy, so nobody knows whom it holds; declare the series under `backups`"
    )


def _place(deployment: Deployment, store: str) -> RestorePlace:
    place = deployment.backups.places.get(store)
    if place is None:
        raise InputError(
            f"--into: {store!r} is no store of retention.toml that can be restored into (files, s3 or sql)"
        )
    return place


@dataclass(frozen=True, slots=True)
class Gate:
    """One set on its way through."""

    deployment: Deployment
    known: KnownSet
    plan: BackupPlan
    policy: Policy

    def pass_through(self, targets: Mapping[Form, RestorePlace], *, release: bool) -> Restored:
        """Restore, replay, verify, and with `release` give out.

        Leaves an entry in the ledger, also of a refusal, unless it is the ledger that is not whole.
        Raises NotInOrder, RestoreRefused, StoreError; NotTheOwner and LeaseLost where another process acts on the catalogue.
        """
        began = self.deployment.wall.reading().ticks
        places = tuple(sorted({place.name for place in targets.values()}))
        restored = Restored(self.known.store, self.known.shown, places)
        self.deployment.backups.scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        erasures = read_erasures(self.deployment)
        try:
            with ExitStack() as stack:
                stagings = self._loaded(stack, targets, restored)
                done = self._replay(stagings, restored, frozenset())
                if release:
                    with self._undisturbed() as lease:
                        self._clean(stagings, restored, erasures, done)
                        self._release(stagings, restored, lease)
                else:
                    self._clean(stagings, restored, erasures, done)
        except (StoreError, RestoreRefused, NotInOrder) as error:
            self._tell(EntryType.REFUSED, {"step": "restore", "why": type(error).__name__, "places": list(places)})
            raise
        restored.seconds = self.deployment.wall.reading().ticks - began
        self._tell_outcome(EntryType.BACKUP_RESTORED if release else EntryType.BACKUP_DRILLED, restored)
        return restored

    def _clean(
        self,
        stagings: Sequence[tuple[Staging, Content]],
        restored: Restored,
        erasures: Erasures,
        done: frozenset[str],
    ) -> None:
        """What began while the set was being loaded is replayed too, and a look behind it finds nothing."""
        for _ in range(_LOOKS):
            before, done = done, self._replay(stagings, restored, done)
            if before == done:
                break
        else:
            raise RestoreRefused("new deletions begin faster than they can be replayed; try again later")
        for staging, content in stagings:
            self._verify(staging, content, erasures)
        restored.replayed, restored.ledger_size = len(done), self._head()

    def _release(self, stagings: Sequence[tuple[Staging, Content]], restored: Restored, lease: Lease) -> None:
        """Give out what is staged, place by place. Raises LeaseLost where somebody else may have begun a deletion."""
        with self.deployment.catalog.transaction() as session:
            if not leases.renew(session, lease, self.deployment.wall.now(), self.deployment.lease_term):
                raise LeaseLost("another daemon has taken over this catalogue; nothing was given out")
            self._write(session, EntryType.STEP_INTENT, {"step": "restore", "places": list(restored.places)})
        for staging, _ in stagings:
            staging.release()
        restored.released = True

    def _loaded(
        self,
        stack: ExitStack,
        targets: Mapping[Form, RestorePlace],
        restored: Restored,
    ) -> list[tuple[Staging, Content]]:
        """Every place with its part of the set, staged. RestoreRefused where nothing of the set has a place."""
        store = self.deployment.backup_store(self.known.store)
        files = tuple(store.files(self.known.set.name))
        stagings: list[tuple[Staging, Content]] = []
        for place in {id(place): place for place in targets.values()}.values():
            mine = [file for file in files if targets.get(file.form) is place]
            if not mine:
                continue
            staging = stack.enter_context(place.begin())
            staging.load(store, self.known.set.name, mine)
            if place.takes is Content.FILES:
                restored.unknown += staging.forget(dataset_folders(self.policy, self.plan).covers)
            stagings.append((staging, place.takes))
        for file in files:
            if file.form not in targets:
                restored.left_out[str(file.form)] = restored.left_out.get(str(file.form), 0) + 1
        if not stagings:
            kinds = ", ".join(sorted(restored.left_out)) or "nothing"
            raise RestoreRefused(f"the set holds {kinds}, and no place that was named takes that")
        return stagings

    # --------------------------------------------------------------------------------------------- replaying

    def absent(self) -> tuple[StrandRecord, ...]:
        """Every strand whose data must not come back with this set: restricted now, or deleted since the set was begun."""
        with self.deployment.catalog.reading() as session:
            records = case_rows.strands(session)
        begun = begun_at(self.known.set, read_label(self.plan, self.known.set.label, self.policy))
        return tuple(
            record
            for record in records
            if record.strand.dataset in self.plan.holds
            and record.state is not StrandState.BROUGHT_BACK
            and may_hold(begun, record.erased_at)
        )

    def _replay(
        self, stagings: Sequence[tuple[Staging, Content]], restored: Restored, done: frozenset[str]
    ) -> frozenset[str]:
        """Do again, in the staged copies, what was done to the primaries; the strands that are done now."""
        records = self.absent()
        for record in records:
            if record.strand.id in done:
                continue
            for staging, place in self._staged_places(stagings, record):
                for batch in staging.store().erase(place):
                    restored.removed += sum(outcome.result is ItemResult.DONE for outcome in batch)
        return done | {record.strand.id for record in records}

    def _staged_places(
        self, stagings: Sequence[tuple[Staging, Content]], record: StrandRecord
    ) -> Iterator[tuple[Staging, Place]]:
        for place in places_in_set(record, self.plan):
            for staging, content in stagings:
                if not isinstance(place, KeyPattern) and isinstance(place, Rows) == (content is Content.ROWS):
                    yield staging, place

    # --------------------------------------------------------------------------------------------- verifying

    def _verify(self, staging: Staging, content: Content, erasures: Erasures) -> None:
        """Nothing of anybody absent is there, nothing under a destroyed key, and nothing that nobody accounts for.

        Raises RestoreRefused else.
        """
        staged = staging.store()
        for record in self.absent():
            for _, place in self._staged_places([(staging, content)], record):
                left = sum(len(page) for page in staged.remains(place))
                if left:
                    raise RestoreRefused(f"{left} items of a deleted or restricted customer are still there")
        if content is Content.ROWS:
            listed = dataset_rows(self.policy, self.plan)
            if not listed:
                raise RestoreRefused("no dataset of the series has tables, so nobody knows whose rows the set holds")
            if unclaimed := staged.unclaimed(listed):
                named = ", ".join(unclaimed[:5])
                raise RestoreRefused(f"the set may hold customers' data that no dataset of the series has: {named}")
            return
        for root in object_roots(self.policy, self.plan):
            for page in staged.survey(Prefix(root)):
                for _, head in staged.heads([item.name for item in page], HEADER_LENGTH):
                    header = read_header(head) if head is not None else None
                    if header is not None and header.key_id in erasures.destroyed_keys:
                        raise RestoreRefused("a file sealed under a destroyed key is still there")

    @contextmanager
    def _undisturbed(self) -> Iterator[Lease]:
        """Under the lease of deletions, so that none goes on between the last look and the release; waits for it a while."""
        waited, pause = 0, Event()
        with ExitStack() as stack:
            lease: Lease | None = None
            while lease is None:
                try:
                    lease = stack.enter_context(owned(self.deployment))
                except NotTheOwner:
                    if waited >= _PATIENCE_SECONDS:
                        raise
                    pause.wait(1.0)
                    waited += 1
            yield lease

    # --------------------------------------------------------------------------------------------- evidence

    def _head(self) -> int:
        self.deployment.journal.publish()
        return self.deployment.journal.ledger.checkpoint().size

    def _tell_outcome(self, kind: EntryType, restored: Restored) -> None:
        """Write down what it came to."""
        body: dict[str, JsonValue] = {
            "places": list(restored.places),
            "replayed": restored.replayed,
            "removed": restored.removed,
            "unknown": restored.unknown,
            "left_out": sum(restored.left_out.values()),
            "ledger_size": restored.ledger_size,
            "seconds": round(restored.seconds),
        }
        self._tell(kind, body)

    def _tell(self, kind: EntryType, body: dict[str, JsonValue]) -> None:
        with self.deployment.catalog.transaction() as session:
            self._write(session, kind, body)
        self.deployment.journal.publish()

    def _write(self, session: Session, kind: EntryType, body: dict[str, JsonValue]) -> None:
        told: dict[str, JsonValue] = {"store": self.known.store, "set": self.known.shown, "id": self.known.id, **body}
        self.deployment.journal.write(session, Entry(kind, self.deployment.clock.now(), told, policy=self.policy.hash))
