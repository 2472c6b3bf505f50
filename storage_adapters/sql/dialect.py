"""What differs between PostgreSQL, MariaDB and SQLite, as one list of questions that each of them answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Engine, FromClause
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.types import TypeEngine, UserDefinedType

from storage_adapters.sql.names import Key, TableName


class Trouble(StrEnum):
    """What a database's error means for what to do next."""

    MISSING = "missing"  # the database or a table is not there
    FORBIDDEN = "forbidden"  # no, and no again
    CONSTRAINT = "constraint"  # these rows break a constraint, others may not
    BUSY = "busy"  # a deadlock, a lock or a timeout: the transaction is rolled back and can be repeated
    LOST = "lost"  # the connection is gone


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an error means. `word` is the database's code or a constraint's name, never data."""

    trouble: Trouble
    word: str


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one statement may run and wait for a lock, in seconds, and how often a batch is tried."""

    statement_seconds: float = 30.0
    lock_seconds: float = 5.0
    attempts: int = 4


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key: `columns` of `child` point at `parent_columns` of `parent`.

    acts: the database changes or deletes the child by itself when the parent goes (CASCADE, SET NULL, SET DEFAULT).
    cascades: what it does is to delete it.
    """

    constraint: str
    child: TableName
    columns: tuple[str, ...]
    parent: TableName
    parent_columns: tuple[str, ...]
    acts: bool
    cascades: bool


class Declared(UserDefinedType[Any]):
    """A type as the database itself spells it. Its values go in as text or as the driver takes them."""

    cache_ok = True

    def __init__(self, spelling: str) -> None:
        self.spelling = spelling

    def get_col_spec(self, **_: object) -> str:
        """The type's words in the database's DDL."""
        return self.spelling


class DeclaredText(Declared):
    """A type of text, as the database spells it."""

    cache_ok = True  # SQLAlchemy asks each class for itself

    @property
    def python_type(self) -> type[str]:
        """Its values are text."""
        return str


@dataclass(frozen=True, slots=True)
class FoundColumn:
    """A column as the database tells it.

    kind: how its values are bound and compared. declared: its type in the words of the database's DDL, collation
    included where it matters. is_generated: only the database writes it. is_numbered: GENERATED ALWAYS AS IDENTITY,
    which takes a value only when told to.
    """

    name: str
    kind: TypeEngine[Any]
    declared: str
    is_nullable: bool
    is_generated: bool = False
    is_numbered: bool = False


@dataclass(frozen=True, slots=True)
class FoundTable:
    """A table as the database tells it.

    keys: what names a row, the primary key first, then other unique ones. has_address: the database's own address of
    a row is unique in it. keeps_history: deleted rows stay readable in a history.
    """

    name: TableName
    columns: tuple[FoundColumn, ...]
    keys: tuple[tuple[str, ...], ...]
    has_address: bool
    keeps_history: bool = False


class Dialect(Protocol):
    """One database's answers."""

    @property
    def longest_name(self) -> int:
        """The most bytes an identifier may have."""
        ...

    @property
    def largest_integer(self) -> int:
        """The largest integer that a column can hold."""
        ...

    @property
    def customer_type(self) -> TypeEngine[bytes]:
        """The type of `CUSTOMER_COLUMN`: bytes that are compared as they are, and can be indexed."""
        ...

    @property
    def no_customer(self) -> ColumnElement[bytes]:
        """NULL, of the customer column's type."""
        ...

    def engine(self, url: URL, limits: Limits) -> Engine:
        """An engine whose sessions are set up as the adapter needs them. Connects to nothing yet."""
        ...

    def begin(self, connection: Connection, limits: Limits) -> None:
        """The transaction that has just begun is bounded by the limits."""
        ...

    def verdict(self, error: DBAPIError) -> Verdict:
        """What the error means."""
        ...

    def schemas(self, connection: Connection, named: frozenset[str]) -> list[str]:
        """The schemas in which tables matter, the default one first: those of `named` that are there, and those whose
        tables may point into these."""
        ...

    def tables(self, connection: Connection, schemas: Sequence[str]) -> Iterable[FoundTable]:
        """Every table in these schemas. Partitions are not tables: their rows are seen through the whole."""
        ...

    def references(self, connection: Connection, schemas: Sequence[str]) -> Iterable[Reference]:
        """Every foreign key of, or into, tables of these schemas."""
        ...

    def defer(self, connection: Connection) -> None:
        """Foreign keys that can wait are checked at the end of this transaction."""
        ...

    def row_id(self, table: FromClause) -> ColumnClause[object] | None:
        """The database's own address of a row of a table without key; None where it has none."""
        ...

    def among(self, columns: Sequence[ColumnElement[object]], keys: Sequence[Key]) -> ColumnElement[bool]:
        """Whether the columns' values are one of the keys (not empty, at most `PAGE_SIZE`)."""
        ...

    def is_exactly(self, column: ColumnElement[object], text: str) -> ColumnElement[bool] | None:
        """Whether a column of text holds exactly this text, whatever its collation; None where it never can."""
        ...

    def as_told(self, column: ColumnElement[object]) -> ColumnElement[object]:
        """The column's value so that the driver gives it whole: as itself, or as text in the database's words (instants
        in ISO 8601) where the driver knows less than the database."""
        ...

    def hidden_name(self, table: TableName) -> TableName:
        """The table that keeps the hidden rows of this one; its name may be too long."""
        ...

    def settle(self, engine: Engine) -> bool:
        """Whether nothing of what was deleted is left in the database's journals, where that can be done at once."""
        ...

    def ownerless(self, connection: Connection) -> tuple[str, ...]:
        """What the database holds beside its tables that may be a customer's, and that nothing says whose it is."""
        ...

    def notes(self, connection: Connection) -> list[str]:
        """What an operator has to know about this database, one sentence each."""
        ...


CUSTOMER_COLUMN = "retention_tombstone_customer"
"""The column of a table of hidden rows that says whose they are, in UTF-8 bytes."""

READS_ONLY = "retention_reads_only"
"""The execution option of a connection whose transactions change nothing."""
