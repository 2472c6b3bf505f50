"""Taking live rows away: erased, or moved to where no reader looks. Children first, a bounded transaction at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from sqlalchemy import ColumnElement, Connection, delete, exists, literal, not_, select, update

from storage_adapters.contract import PAGE_SIZE, Batch, ItemOutcome, ItemResult
from storage_adapters.sql.database import Constrained, Database
from storage_adapters.sql.dialect import Dialect, Reference
from storage_adapters.sql.family import Family, Source
from storage_adapters.sql.hiding import HiddenTables
from storage_adapters.sql.looking import choose, fetch_keys, key_pages
from storage_adapters.sql.names import Key, TableName
from storage_adapters.sql.order import Group, Row, parcels, steps_of

Keys = dict[TableName, list[Key]]


class Removal:
    """Takes a family's live rows away. With `hiding` they are moved to the tables of hidden rows."""

    def __init__(self, database: Database, family: Family, hiding: HiddenTables | None = None) -> None:
        self._database = database
        self._dialect = database.dialect
        self._family = family
        self._hiding = hiding

    def batches(self) -> Iterator[Batch]:
        """What became of each row. A row that others point at is tried once more after all the rest, because what
        was written below it meanwhile is found then; if it still cannot go it is REFUSED and says why."""
        for is_last in (False, True):
            is_stuck = False
            for parcel in self._parcels():
                outcomes = self._settle(parcel)
                if not is_last:
                    gone = [each for each in outcomes if each.result is not ItemResult.REFUSED]
                    is_stuck = is_stuck or len(gone) < len(outcomes)
                    outcomes = gone
                for start in range(0, len(outcomes), PAGE_SIZE):
                    yield tuple(outcomes[start : start + PAGE_SIZE])
            if not is_stuck:
                return

    def _parcels(self) -> Iterator[list[Group]]:
        chosen = choose(self._database, self._family)
        for knot in self._family.knots:
            yield from parcels(self._database, self._family, knot, chosen, hidden=False, children=True)

    def _settle(self, parcel: list[Group], *, careful: bool | None = None) -> list[ItemOutcome]:
        """Take the parcel away; where a constraint forbids it, find out by halves for which rows."""
        careful = self._needs_care(parcel) if careful is None else careful
        if self._hiding is not None:
            for name in dict.fromkeys(row.table for group in parcel for row in group.rows):
                self._hiding.ready(self._family.live[name].facts)
        try:
            return self._database.change(partial(self._take, parcel, careful))
        except Constrained as constrained:
            if not careful:
                return self._settle(parcel, careful=True)
            if len(parcel) == 1:
                return [self._refused(row, constrained.reason) for row in parcel[0].rows]
        middle = len(parcel) // 2
        return self._settle(parcel[:middle], careful=True) + self._settle(parcel[middle:], careful=True)

    def _needs_care(self, parcel: list[Group]) -> bool:
        """Whether the database would go on by itself to rows that nobody looked at, or rows go in circles."""
        tables = {row.table for group in parcel for row in group.rows}
        return any(ref.parent in tables and (ref.acts or ref.child in tables) for ref in self._family.references)

    # ------------------------------------------------------------------------------ inside one transaction

    def _take(self, parcel: list[Group], careful: bool, connection: Connection) -> list[ItemOutcome]:
        doomed = _by_table(parcel)
        reasons: dict[Row, str] = {}
        is_locked = careful or self._hiding is not None
        if is_locked:
            doomed = {name: self._lock(connection, name, keys) for name, keys in doomed.items()}
        if careful:
            reasons = self._spare(connection, doomed)
        if self._hiding is not None:
            for name, keys in doomed.items():
                self._hiding.copy(connection, self._family.live[name], keys)
        if any(group.is_circle for group in parcel):
            self._open_circles(connection, doomed)
        gone = self._delete(connection, parcel, doomed, is_locked)
        return [self._outcome(row, row in gone, reasons.get(row)) for group in parcel for row in group.rows]

    def _lock(self, connection: Connection, name: TableName, keys: list[Key]) -> list[Key]:
        """Which of the rows are still there and the customer's. Until the end of the transaction they stay so, and
        nothing new can point at them."""
        source = self._family.live[name]
        query = select(*source.key).where(self._dialect.among(source.key, keys), source.still_belongs).with_for_update()
        return [tuple(row) for row in connection.execute(query).all()]

    def _spare(self, connection: Connection, doomed: Keys) -> dict[Row, str]:
        """Rows that other rows point at which stay are taken out of `doomed`; why, by row."""
        reasons: dict[Row, str] = {}
        into = [ref for ref in self._family.references if ref.parent in doomed]
        found = True
        while found:
            found = False
            for ref in into:
                for key in self._pointed_at(connection, ref, doomed):
                    found = True
                    doomed[ref.parent].remove(key)
                    label = self._family.live[ref.child].facts.label
                    reasons[Row(ref.parent, key)] = f"rows of {label} that stay point at it"
        return reasons

    def _pointed_at(self, connection: Connection, ref: Reference, doomed: Keys) -> list[Key]:
        parent, child = self._family.live[ref.parent], self._family.live[ref.child]
        if not doomed[ref.parent]:
            return []
        below = child.sql.alias("below")
        pointing: list[ColumnElement[bool]] = [
            below.columns[mine] == theirs
            for mine, theirs in zip(ref.columns, parent.columns(ref.parent_columns), strict=True)
        ]
        if doomed.get(ref.child):
            pointing.append(not_(self._dialect.among(child.key_in(below), doomed[ref.child])))
        stays = exists(select(literal(1)).select_from(below).where(*pointing).correlate_except(below))
        return fetch_keys(connection, parent.key, self._dialect.among(parent.key, doomed[ref.parent]), stays)

    def _open_circles(self, connection: Connection, doomed: Keys) -> None:
        """Rows that go in circles point at one another no more, where a column takes NULL; the rest is checked late."""
        self._dialect.defer(connection)
        for ref in self._family.within(tuple(doomed)):
            child = self._family.live[ref.child]
            loose = [name for name in ref.columns if name in child.facts.nullable]
            if loose and doomed[ref.child]:
                rows = self._dialect.among(child.key, doomed[ref.child])
                connection.execute(update(child.sql).where(rows).values(dict.fromkeys(loose)))

    def _delete(self, connection: Connection, parcel: list[Group], doomed: Keys, is_locked: bool) -> set[Row]:
        """Delete the doomed rows, those of one height and table together."""
        left = {name: frozenset(keys) for name, keys in doomed.items()}
        gone: set[Row] = set()
        for name, keys in steps_of(parcel, self._family, children=True):
            if ready := [key for key in keys if key in left[name]]:
                source = self._family.live[name]
                gone.update(Row(name, key) for key in delete_rows(connection, self._dialect, source, ready, is_locked))
        return gone

    def _outcome(self, row: Row, is_gone: bool, reason: str | None) -> ItemOutcome:
        if reason is not None:
            return self._refused(row, reason)
        item = self._family.live[row.table].names.item(row.key)
        return ItemOutcome(item, ItemResult.DONE if is_gone else ItemResult.ABSENT)

    def _refused(self, row: Row, reason: str) -> ItemOutcome:
        return ItemOutcome(self._family.live[row.table].names.item(row.key), ItemResult.REFUSED, reason)


def erase_hidden(database: Database, family: Family) -> Iterator[Batch]:
    """Take the hidden rows away for good. Nothing points at them."""
    chosen = choose(database, family)
    for source in family.hidden.values():
        for page in key_pages(database, source, chosen):
            gone = set(database.change(partial(_delete_hidden, database.dialect, source, page)))
            yield tuple(
                ItemOutcome(source.names.item(key), ItemResult.DONE if key in gone else ItemResult.ABSENT)
                for key in page
            )


def _delete_hidden(dialect: Dialect, source: Source, keys: Sequence[Key], connection: Connection) -> list[Key]:
    return delete_rows(connection, dialect, source, keys)


def delete_rows(
    connection: Connection, dialect: Dialect, source: Source, keys: Sequence[Key], is_locked: bool = False
) -> list[Key]:
    """The keys of the rows that are gone now. Rows that are not the customer's any more are left, unless locked."""
    statement = delete(source.sql).where(dialect.among(source.key, keys))
    if not is_locked:
        statement = statement.where(source.still_belongs)
    return [tuple(row) for row in connection.execute(statement.returning(*source.key)).all()]


def _by_table(parcel: Sequence[Group]) -> Keys:
    keys: Keys = {}
    for group in parcel:
        for row in group.rows:
            keys.setdefault(row.table, []).append(row.key)
    return keys
