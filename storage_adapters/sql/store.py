"""A PostgreSQL, MariaDB or SQLite database as a store of customers' rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from storage_adapters.contract import Batch, Capabilities, ItemOutcome, ItemResult, Keep, Page, Place, Rows
from storage_adapters.errors import Refused
from storage_adapters.sql.database import Database
from storage_adapters.sql.dialect import Limits
from storage_adapters.sql.drift import unlisted
from storage_adapters.sql.family import Family, FamilyReader
from storage_adapters.sql.hiding import HiddenTables
from storage_adapters.sql.looking import choose, key_pages, remaining_pages
from storage_adapters.sql.removing import Removal, erase_hidden
from storage_adapters.sql.returning import Return
from storage_adapters.sql.schema import Schema, read_schema


class SqlStore:
    """Rows in a database, under the contract of `storage_adapters.contract.Store`.

    An item is a row, named by its key; see `storage_adapters.sql.names.RowNames`. Whose a row is, what hangs below it
    and in which order rows can go is read from the database's schema at each call. Another customer's row is never
    changed: where one points at a row that should go, that row is `REFUSED`.

    Hidden rows are moved, in the same database, to tables made for them: the schema `retention_tombstone` on
    PostgreSQL, tables `retention_tombstone__…` elsewhere.
    """

    def __init__(self, name: str, url: str, *, limits: Limits | None = None) -> None:
        """Connects to nothing yet. `url` is SQLAlchemy's, with or without a driver.

        Raises ValueError where it is of no database that this adapter knows.
        """
        self._name = name
        self._database = Database(name, url, limits or Limits())

    @property
    def name(self) -> str:
        """The store's configured name."""
        return self._name

    def capabilities(self) -> Capabilities:
        """The sheet; its notes are read from the database: triggers, journals, tables without transactions."""
        notes = self._database.read(self._database.dialect.notes)
        return Capabilities(
            tombstone=True,
            hides_superseded=False,
            tells_written_at=False,
            verifies_independently=True,
            notes=tuple(notes),
        )

    def survey(self, place: Place) -> Iterator[Page]:
        """Every row of the customer by table, children first, and then its hidden rows."""
        family = self._family(place)
        chosen = choose(self._database, family)
        for source in family.sources():
            for page in key_pages(self._database, source, chosen):
                yield tuple(map(source.names.item, page))

    def remains(self, place: Place) -> Iterator[Page]:
        """Every row that another form of question still finds, live and hidden."""
        family = self._family(place)
        chosen = choose(self._database, family)
        for source in family.sources():
            for page in remaining_pages(self._database, family, source, chosen):
                yield tuple(map(source.names.item, page))

    def tombstone(self, place: Place) -> Iterator[Batch]:
        """The rows are moved out of readers' sight, children first; a row hidden earlier under the same key is gone."""
        family = self._removable(place)
        hiding = HiddenTables(self._name, self._database, family)
        yield from Removal(self._database, family, hiding).batches()

    def bring_back(self, place: Place) -> Iterator[Batch]:
        """The hidden rows are where they were, parents first.

        Columns that the table has got since take their default, those it has lost are lost. A row is `REFUSED` where
        another stands under its key, where a constraint forbids it, and where it would now be another customer's.
        """
        family = self._family(place, may_be_incomplete=True)
        yield from Return(self._name, self._database, family).batches()

    def erase(self, place: Place, keep: Keep | None = None) -> Iterator[Batch]:
        """The rows are gone, children first, and then the hidden ones. With `keep` all are `KEPT`: rows tell no time.

        Raises Unavailable at the end where a reader keeps deleted rows in SQLite's journal; call again.
        """
        if keep is not None:
            for page in self.survey(place):
                yield tuple(ItemOutcome(item, ItemResult.KEPT, "no time of writing") for item in page)
            return
        family = self._removable(place)
        yield from Removal(self._database, family).batches()
        yield from erase_hidden(self._database, family)
        self._database.settle()

    def heads(self, names: Sequence[str], length: int) -> Iterator[tuple[str, bytes | None]]:
        """Raises Refused: a row has no bytes of its own."""
        raise Refused(self._name, "rows have no bytes of their own")

    def unclaimed(self, places: Sequence[Place]) -> tuple[str, ...]:
        """Unlisted tables that have a customer column like a listed one, hang below one, or keep hidden rows.

        On PostgreSQL also "large objects", where there are any: nothing says whose they are. Empty where `places` is.
        """
        rows = [self._rows(place) for place in places]
        tables = unlisted(self._schema(rows), rows, self._database.dialect)
        return (*tables, *self._database.read(self._database.dialect.ownerless)) if rows else tables

    def close(self) -> None:
        """No connection is open. A second call does nothing; another call of the store connects again."""
        self._database.close()

    # ------------------------------------------------------------------------------ places

    def _schema(self, places: Sequence[Rows]) -> Schema:
        tables = [entry.name for place in places for entry in place.tables]
        return self._database.read(lambda connection: read_schema(connection, self._database.dialect, tables))

    def _rows(self, place: Place) -> Rows:
        if not isinstance(place, Rows):
            raise ValueError(f"{self._name} has no place of this kind: {type(place).__name__}")
        return place

    def _family(self, place: Place, *, may_be_incomplete: bool = False) -> Family:
        rows = self._rows(place)
        reader = FamilyReader(self._name, self._database.dialect, self._schema([rows]))
        return reader.read(rows, may_be_incomplete=may_be_incomplete)

    def _removable(self, place: Place) -> Family:
        family = self._family(place)
        for source in family.live.values():
            if source.facts.keeps_history:
                table = source.facts.label
                raise Refused(self._name, f"table {table} keeps deleted rows in its history: drop system versioning")
        return family
