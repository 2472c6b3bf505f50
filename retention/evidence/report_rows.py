"""Reading the `report.json` of a bundle line by line, however long it is, and in no other way than it is written.

Every row of a table is one line there. A document that another program would read otherwise than we do is refused.
Format: `docs/formats/report.md`.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

from retention.evidence.bundle import open_file
from retention.evidence.errors import Malformed

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
JsonRow: TypeAlias = Mapping[str, Json]

_LONGEST_LINE = 4 << 20
"""Bytes."""
MOST_NUMBERS = 40
"""Entries that one cell cites at most."""
_HALF = "\\ud"
"""How a JSON escape of half of a surrogate pair begins."""
_ABOUT = ("name", "title", "note", "columns", "row_count")


@dataclass(frozen=True, slots=True)
class ReportedRow:
    """One row: its table, its number from 1, its cells by column, and the names of the columns that cite entries."""

    table: str
    number: int
    cells: JsonRow
    citing: tuple[str, ...]

    @property
    def place(self) -> str:
        """Where it stands, for a finding."""
        return f"report.json: table {self.table}, row {self.number}"

    def cited(self) -> Iterator[int]:
        """Every entry that the row cites. Malformed where a cell is no list of numbers, or has more than `MOST_NUMBERS`."""
        for column in self.citing:
            cell = self.cells[column]
            if not isinstance(cell, list) or len(cell) > MOST_NUMBERS:
                raise Malformed(f"{self.place}: {column} is a list of at most {MOST_NUMBERS} entries")
            for number in cell:
                if not isinstance(number, int) or isinstance(number, bool):
                    raise Malformed(f"{self.place}: an entry has a number")
                yield number


class ReportFile:
    """A `report.json`. `front` is what stands before its tables. Malformed, naming the line, where it is not of the form.

    Malformed too where anything but a regular file lies there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with open_file(path) as file:
            self.front: dict[str, Json] = _front(_Lines(file))

    def rows(self) -> Iterator[ReportedRow]:
        """Every row of every table, in order."""
        with open_file(self._path) as file:
            lines = _Lines(file)
            _front(lines)
            names: set[str] = set()
            line = lines.next()
            goes_on = line == "{"
            while goes_on:
                goes_on = yield from _table(lines, names)
                line = lines.next()
                if goes_on and line != "{":
                    raise lines.wrong("a table begins here")
            if line != "]}":
                raise lines.wrong("the tables end here")
            if lines.rest():
                raise lines.wrong("nothing follows the tables")


class _Lines:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._number = 0

    def next(self) -> str:
        self._number += 1
        line = self._file.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise self.wrong("a line is cut off, or too long")
        try:
            return line[:-1].decode("utf-8")
        except UnicodeDecodeError:
            raise self.wrong("no UTF-8") from None

    def rest(self) -> bytes:
        return self._file.read(1)

    def wrong(self, what: str) -> Malformed:
        return Malformed(f"line {self._number}: {what}")

    def parsed(self, text: str) -> Json:
        try:
            value: Json = json.loads(text, object_pairs_hook=_object, parse_constant=_no_number)
        except (ValueError, RecursionError):
            raise self.wrong("not JSON, or a key given twice") from None
        if _HALF in text.lower() and not _is_sound(value):
            raise self.wrong("half of a surrogate pair, which is no character")
        return value

    def object(self, text: str) -> dict[str, Json]:
        value = self.parsed(text)
        if not isinstance(value, dict):
            raise self.wrong("no object")
        return value


def _front(lines: _Lines) -> dict[str, Json]:
    if lines.next() != "{":
        raise lines.wrong("a report begins with {")
    front: dict[str, Json] = {}
    while (line := lines.next()) != '"tables": [':
        member = lines.object("{" + line.removesuffix(",") + "}")
        if not line.endswith(",") or len(member) != 1 or member.keys() & {*front, "tables"}:
            raise lines.wrong("one member a line, each once")
        front |= member
    return front


def _table(lines: _Lines, names: set[str]) -> Generator[ReportedRow, None, bool]:
    """The rows of one table; whether another table follows."""
    about: dict[str, Json] = {}
    for name in _ABOUT:
        line = lines.next()
        member = lines.object("{" + line.removesuffix(",") + "}")
        if not line.endswith(",") or list(member) != [name]:
            raise lines.wrong(f"the member {name!r} of a table stands here")
        about |= member
    table, columns = str(about["name"]), _columns(lines, about["columns"])
    if table in names or lines.next() != '"rows": [':
        raise lines.wrong("rows begin here, and no table is there twice")
    names.add(table)
    citing = tuple(name for name, kind in columns.items() if kind == "entries")
    count, goes_on = 0, True
    while (line := lines.next()) not in ("]}", "]},"):
        cells = lines.object(line.removesuffix(","))
        if not goes_on or list(cells) != list(columns):
            raise lines.wrong("a row has the columns of its table, and a comma behind it where another follows")
        if not all(map(_is_flat, cells.values())):
            raise lines.wrong("a cell is one value, a list of values, or words in two languages")
        count, goes_on = count + 1, line.endswith(",")
        yield ReportedRow(table, count, cells, citing)
    if count != about["row_count"] or (count and goes_on):
        raise lines.wrong(f"table {table} has {count} rows, not {about['row_count']}")
    return line == "]},"


def _columns(lines: _Lines, value: Json) -> dict[str, str]:
    columns: dict[str, str] = {}
    for column in value if isinstance(value, list) else ():
        if isinstance(column, dict):
            columns[str(column.get("name"))] = str(column.get("kind"))
    if not isinstance(value, list) or len(columns) != len(value):
        raise lines.wrong("a table has columns, each with a name of its own")
    return columns


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _no_number(constant: str) -> Json:
    raise ValueError(f"{constant} is no JSON")


def _is_flat(cell: Json) -> bool:
    inner = cell if isinstance(cell, list) else cell.values() if isinstance(cell, dict) else ()
    return not any(isinstance(value, list | dict) for value in inner)


def _is_sound(value: Json) -> bool:
    """Whether every character of it is one."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (UnicodeEncodeError, RecursionError):
        return False
    return True
