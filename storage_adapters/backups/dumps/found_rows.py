"""The rows that go, and the values by which others point at them, on disk in bounded memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_IN_MEMORY = 20_000
_CACHE_KIB = 16 * 1024

_TABLES = """
    CREATE TABLE belongs (place INTEGER, relation INTEGER, at INTEGER,
        PRIMARY KEY (place, relation, at)) WITHOUT ROWID;
    CREATE TABLE key (place INTEGER, target INTEGER, value BLOB, relation INTEGER, at INTEGER,
        PRIMARY KEY (place, target, value, relation, at)) WITHOUT ROWID;
    CREATE TABLE pointer (place INTEGER, target INTEGER, value BLOB, relation INTEGER, at INTEGER,
        PRIMARY KEY (place, target, value, relation, at)) WITHOUT ROWID;
    CREATE TABLE chosen (place INTEGER, relation INTEGER, at INTEGER, round INTEGER,
        PRIMARY KEY (place, relation, at)) WITHOUT ROWID;
    CREATE TABLE doomed (relation INTEGER, at INTEGER, PRIMARY KEY (relation, at)) WITHOUT ROWID;
    CREATE TABLE doomed_key (target INTEGER, value BLOB, PRIMARY KEY (target, value)) WITHOUT ROWID;
    CREATE INDEX key_by_row ON key (place, relation, at);
    CREATE INDEX chosen_by_round ON chosen (place, round);
"""
_BELOW = """
    INSERT OR IGNORE INTO chosen SELECT p.place, p.relation, p.at, :round + 1 FROM chosen c
    JOIN key k ON k.place = c.place AND k.relation = c.relation AND k.at = c.at
    JOIN pointer p ON p.place = k.place AND p.target = k.target AND p.value = k.value
    WHERE c.place = :place AND c.round = :round
"""


class FoundRows:
    """Rows by relation (a table of the dump, as a number) and by how many rows of it came before.

    `target` is the number of columns that foreign keys point at. `place` is the number of a removal. Made by `fresh`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection
        self._sql.executescript(_TABLES)
        self._sql.execute("BEGIN")  # without end: nothing of it is kept

    @classmethod
    @contextmanager
    def fresh(cls, scratch: Path) -> Iterator[FoundRows]:
        """An empty one in a file below `scratch`, readable by this user alone, that is gone afterwards."""
        with (
            TemporaryDirectory(prefix="rows-", dir=scratch) as folder,
            closing(sqlite3.connect(Path(folder) / "found", isolation_level=None)) as connection,
        ):
            for setting in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{_CACHE_KIB}", "temp_store=FILE"):
                connection.execute(f"PRAGMA {setting}")
            yield cls(connection)

    def add(self, place: int, relation: int, at: int) -> None:
        """The row belongs to the removal's customer."""
        self._sql.execute("INSERT OR IGNORE INTO belongs VALUES (?, ?, ?)", (place, relation, at))

    def add_key(self, place: int, target: int, value: bytes, relation: int, at: int) -> None:
        """Others point at this row by this value."""
        self._sql.execute("INSERT OR IGNORE INTO key VALUES (?, ?, ?, ?, ?)", (place, target, value, relation, at))

    def add_pointer(self, place: int, target: int, value: bytes, relation: int, at: int) -> None:
        """This row points at another by this value, and goes with it."""
        self._sql.execute("INSERT OR IGNORE INTO pointer VALUES (?, ?, ?, ?, ?)", (place, target, value, relation, at))

    def choose(self, place: int, relation: int, at: int) -> None:
        """The row is one of those that the removal names."""
        self._sql.execute("INSERT OR IGNORE INTO chosen VALUES (?, ?, ?, 0)", (place, relation, at))

    def settle(self, narrow: Collection[int]) -> None:
        """Doom what belongs; of the removals in `narrow` only what was chosen and what hangs below."""
        for place in narrow:
            at, is_done = 0, False
            while not is_done:
                is_done = self._sql.execute(_BELOW, {"place": place, "round": at}).rowcount <= 0
                at += 1
        marks = ", ".join(str(int(place)) for place in narrow)
        self._sql.execute(
            f"INSERT OR IGNORE INTO doomed SELECT relation, at FROM belongs WHERE place NOT IN ({marks})"  # noqa: S608
        )
        self._sql.execute("INSERT OR IGNORE INTO doomed SELECT relation, at FROM chosen")
        self._sql.execute(
            "INSERT OR IGNORE INTO doomed_key SELECT key.target, key.value FROM doomed JOIN key"
            " ON key.relation = doomed.relation AND key.at = doomed.at"
        )

    def keys(self, place: int, target: int) -> Values:
        """The values by which others point at rows that belong to the removal's customer."""
        return Values(self._sql, "key WHERE place = ? AND target = ?", (place, target))

    def doomed_keys(self, target: int) -> Values:
        """The values by which others point at doomed rows."""
        return Values(self._sql, "doomed_key WHERE target = ?", (target,))

    def doomed(self, relation: int) -> Iterator[int]:
        """Which rows of the relation go, in the order of the dump."""
        rows = self._sql.execute("SELECT at FROM doomed WHERE relation = ? ORDER BY at", (relation,))
        return (at for (at,) in rows)

    def doomed_count(self, relation: int) -> int:
        """How many rows of the relation go."""
        return int(self._sql.execute("SELECT count(*) FROM doomed WHERE relation = ?", (relation,)).fetchone()[0])


class Values:
    """A set of values; a small one is held in memory. It does not see what is added to the rows afterwards."""

    def __init__(self, connection: sqlite3.Connection, where: str, bound: tuple[int, ...]) -> None:
        self._sql = connection
        self._bound = bound
        found = connection.execute(f"SELECT DISTINCT value FROM {where} LIMIT {_IN_MEMORY + 1}", bound)  # noqa: S608
        self._small: frozenset[bytes] | None = frozenset(bytes(value) for (value,) in found)
        self._question = f"SELECT 1 FROM {where} AND value = ? LIMIT 1"  # noqa: S608 - from this file only
        if len(self._small) > _IN_MEMORY:
            self._small = None

    def __contains__(self, value: bytes) -> bool:
        if self._small is not None:
            return value in self._small
        return self._sql.execute(self._question, (*self._bound, value)).fetchone() is not None

    def __bool__(self) -> bool:
        return self._small is None or bool(self._small)
