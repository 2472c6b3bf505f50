"""Customer keys and epochs in the catalogue: the `KeyStore` of `retention.keys.store`, and the shred itself."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from retention.catalog import leases
from retention.catalog.cases import refuse_writing
from retention.catalog.database import Catalog
from retention.catalog.facts import share_customer
from retention.catalog.tables import EpochRow, KeyRow
from retention.keys.store import PAGE_SIZE, Rewrap
from retention.model.key import Epoch, EpochState, KeyScope, KeyState, WrappedKey

_EPOCHS = "epochs"
"""The lock of the epochs' states: a row of its own, because there may be no epoch yet and an update moves index entries."""

_WHOLE = "-"  # stands for "no item" in the unique key, where SQL's NULL would not


class CatalogKeyStore:
    """The key store in the catalogue's database. Thread-safe."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def find(self, scope: KeyScope) -> WrappedKey | None:
        with self._catalog.reading() as session:
            row = _find(session, scope)
            return _key(row) if row else None

    def get(self, key_id: str) -> WrappedKey | None:
        with self._catalog.reading() as session:
            row = session.get(KeyRow, key_id)
            return _key(row) if row else None

    def add(self, key: WrappedKey) -> WrappedKey | None:
        try:
            with self._catalog.transaction() as session:
                share_customer(session, key.scope.customer)
                return add_key(session, key)
        except IntegrityError:  # another process added the scope's key at the same moment: it was there first
            return self.find(key.scope)

    def epochs(self) -> Sequence[Epoch]:
        with self._catalog.reading() as session:
            return epochs(session)

    def prepare_epoch(self, epoch: Epoch) -> Epoch:
        with self._catalog.transaction() as session:
            leases.hold_still(session, _EPOCHS)
            prepared = _in_state(session, EpochState.PREPARED)
            if prepared is None:
                prepared = EpochRow(name=epoch.name, state=EpochState.PREPARED, created_at=epoch.created_at)
                session.add(prepared)
                session.flush()
            return _epoch(prepared)

    def make_current(self, name: str) -> None:
        with self._catalog.transaction() as session:
            leases.hold_still(session, _EPOCHS)
            row = _named(session, name)
            if row is None or row.state != EpochState.PREPARED:
                return
            before = _in_state(session, EpochState.CURRENT)
            if before is not None:
                before.state = EpochState.RETIRED
                session.add(before)
            row.state = EpochState.CURRENT
            session.add(row)

    def keys_under(self, epoch: str, after: str, limit: int) -> Sequence[WrappedKey]:
        with self._catalog.reading() as session:
            query = (
                select(KeyRow)
                .where(KeyRow.epoch == epoch, KeyRow.key_id > after)
                .order_by(col(KeyRow.key_id))
                .limit(min(limit, PAGE_SIZE))
            )
            return tuple(_key(row) for row in session.exec(query))

    def rewrap(self, page: Sequence[Rewrap]) -> int:
        with self._catalog.transaction() as session:
            leases.hold_still(session, _EPOCHS, share=True)
            current = _in_state(session, EpochState.CURRENT)
            if current is None or any(swap.new_epoch != current.name for swap in page):
                return 0
            return sum(_swap(session, swap) for swap in page)

    def begin_destruction(self, name: str) -> bool:
        with self._catalog.transaction() as session:
            leases.hold_still(session, _EPOCHS)
            row = _named(session, name)
            allowed = (EpochState.PREPARED, EpochState.RETIRED, EpochState.DESTROYING)
            if row is None or row.state not in allowed or _is_used(session, name):
                return False
            row.state = EpochState.DESTROYING
            session.add(row)
            return True

    def schedule_destruction(self, name: str, effective_at: datetime) -> None:
        with self._catalog.transaction() as session:
            leases.hold_still(session, _EPOCHS)
            row = _named(session, name)
            if row is not None and row.state == EpochState.DESTROYING:
                row.effective_at = effective_at
                session.add(row)

    def finish_destruction(self, name: str, destroyed_at: datetime) -> None:
        with self._catalog.transaction() as session:
            leases.hold_still(session, _EPOCHS)
            row = _named(session, name)
            if row is not None and row.state == EpochState.DESTROYING:
                row.state, row.destroyed_at = EpochState.DESTROYED, destroyed_at
                session.add(row)


# ------------------------------------------------------------------------ within a transaction of the caller


def add_key(session: Session, key: WrappedKey) -> WrappedKey | None:
    """`KeyStore.add` within the caller's transaction, which holds the customer's lock."""
    leases.hold_still(session, _EPOCHS, share=True)
    there = _find(session, key.scope)
    if there is not None:
        return _key(there)
    current = _in_state(session, EpochState.CURRENT)
    if current is None or current.name != key.epoch:
        return None
    if key.scope.item is not None:
        whole = _find(session, key.scope.whole)
        if whole is None or whole.state != KeyState.LIVE:
            return None
    refuse_writing(session, key.scope.customer, key.scope.dataset)
    session.add(
        KeyRow(
            key_id=key.key_id,
            customer=key.scope.customer,
            dataset=key.scope.dataset,
            item=key.scope.item,
            item_hash=_item_hash(key.scope.item),
            first_epoch=key.first_epoch,
            epoch=key.epoch,
            wrapped=key.wrapped,
            state=str(key.state),
            created_at=key.created_at,
        )
    )
    session.flush()
    return key


def keys_of(session: Session, customer: str, dataset: str, *, lock: bool = False) -> tuple[WrappedKey, ...]:
    """The dataset's own key and those of its items, by id. With `lock`, none changes until the transaction ends."""
    query = select(KeyRow).where(KeyRow.customer == customer, KeyRow.dataset == dataset).order_by(col(KeyRow.key_id))
    return tuple(_key(row) for row in session.exec(query.with_for_update() if lock else query))


def all_keys(session: Session, customer: str | None = None) -> tuple[WrappedKey, ...]:
    """Every living key (of one customer), by customer, dataset and id."""
    query = select(KeyRow).order_by(col(KeyRow.customer), col(KeyRow.dataset), col(KeyRow.key_id))
    if customer is not None:
        query = query.where(KeyRow.customer == customer)
    return tuple(_key(row) for row in session.exec(query))


def put_key_states(session: Session, key_ids: Sequence[str], state: KeyState) -> None:
    """These keys are in this state. Repeating changes nothing; an id that is not there is passed over."""
    for start in range(0, len(key_ids), PAGE_SIZE):
        statement = (
            update(KeyRow)
            .where(col(KeyRow.key_id).in_(key_ids[start : start + PAGE_SIZE]))
            .values(state=str(state))
            .execution_options(synchronize_session=False)
        )
        session.connection().execute(statement)
    session.expire_all()


def remove_keys(session: Session, keys: Sequence[WrappedKey]) -> None:
    """The crypto-shred: the wrapped keys are not there any more when the transaction commits. There is no way back."""
    for key in keys:
        row = session.get(KeyRow, key.key_id)
        if row is not None:
            session.delete(row)
    session.flush()


def remove_keys_named(session: Session, key_ids: Sequence[str]) -> None:
    """No key with one of these ids is there when the transaction commits; an id that is not there is passed over."""
    for start in range(0, len(key_ids), PAGE_SIZE):
        session.execute(delete(KeyRow).where(col(KeyRow.key_id).in_(key_ids[start : start + PAGE_SIZE])))
    session.flush()


def remove_keys_under(session: Session, epoch: str) -> int:
    """No key is wrapped under the epoch when the transaction commits; how many there were."""
    removed = session.execute(delete(KeyRow).where(col(KeyRow.epoch) == epoch))
    session.flush()
    return int(getattr(removed, "rowcount", 0))


def epochs_in_use(session: Session) -> tuple[str, ...]:
    """Every epoch that some key is wrapped under, sorted."""
    return tuple(session.exec(select(KeyRow.epoch).distinct().order_by(col(KeyRow.epoch))))


def epochs(session: Session) -> tuple[Epoch, ...]:
    """Every epoch ever prepared, in the order in which they were prepared."""
    return tuple(_epoch(row) for row in session.exec(select(EpochRow).order_by(col(EpochRow.position))))


def put_epoch(session: Session, epoch: Epoch) -> None:
    """The epoch is as given, behind all others where it was not known. For a catalogue that is brought up to date."""
    row = _named(session, epoch.name) or EpochRow(name=epoch.name, state="", created_at=epoch.created_at)
    row.state = str(epoch.state)
    row.created_at, row.effective_at, row.destroyed_at = epoch.created_at, epoch.effective_at, epoch.destroyed_at
    session.add(row)
    session.flush()


def epochs_alive(session: Session, first: str, last: str) -> tuple[str, ...]:
    """The epochs from `first` to `last`, in their order, that are not destroyed."""
    rows = session.exec(select(EpochRow).order_by(col(EpochRow.position))).all()
    names = [row.name for row in rows]
    span = rows[names.index(first) : names.index(last) + 1]
    return tuple(row.name for row in span if row.state != EpochState.DESTROYED)


def put_epoch_entry(session: Session, name: str, entry: int) -> None:
    """Note which ledger entry tells the epoch's destruction."""
    row = _named(session, name)
    if row is not None:
        row.entry = entry
        session.add(row)
        session.flush()


def epoch_entries(session: Session) -> dict[str, int]:
    """The ledger entries that tell of destroyed epochs, by epoch."""
    return {row.name: row.entry for row in session.exec(select(EpochRow)) if row.entry is not None}


def _find(session: Session, scope: KeyScope) -> KeyRow | None:
    query = select(KeyRow).where(
        KeyRow.customer == scope.customer,
        KeyRow.dataset == scope.dataset,
        KeyRow.item_hash == _item_hash(scope.item),
    )
    return session.exec(query).one_or_none()


def _item_hash(item: str | None) -> str:
    return _WHOLE if item is None else hashlib.sha256(item.encode("utf-8", "surrogateescape")).hexdigest()


def _named(session: Session, name: str) -> EpochRow | None:
    return session.exec(select(EpochRow).where(EpochRow.name == name)).one_or_none()


def _in_state(session: Session, state: EpochState) -> EpochRow | None:
    return session.exec(select(EpochRow).where(EpochRow.state == str(state))).one_or_none()


def _is_used(session: Session, epoch: str) -> bool:
    return session.exec(select(KeyRow.key_id).where(KeyRow.epoch == epoch).limit(1)).first() is not None


def _swap(session: Session, swap: Rewrap) -> int:
    statement = (
        update(KeyRow)
        .where(col(KeyRow.key_id) == swap.key_id, col(KeyRow.epoch) == swap.old_epoch)
        .values(epoch=swap.new_epoch, wrapped=swap.wrapped)
        .execution_options(synchronize_session=False)
    )
    return session.connection().execute(statement).rowcount


def _key(row: KeyRow) -> WrappedKey:
    scope = KeyScope(row.customer, row.dataset, row.item)
    return WrappedKey(row.key_id, scope, row.first_epoch, row.epoch, row.wrapped, KeyState(row.state), row.created_at)


def _epoch(row: EpochRow) -> Epoch:
    return Epoch(row.name, EpochState(row.state), row.created_at, row.effective_at, row.destroyed_at)
