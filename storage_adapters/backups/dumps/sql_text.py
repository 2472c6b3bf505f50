"""The little of SQL's spelling that a dump is read with: names, lists, and where a statement ends."""

from __future__ import annotations

import re

from storage_adapters.backups.dumps.trouble import Unfit
from storage_adapters.sql.names import TableName

NAME = r'(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_]*)'
"""A name as the server quotes it: without quotes only where it is small letters, digits and underscores."""

QUALIFIED = rf"{NAME}(?:\.{NAME})?"
NAMES = rf"{NAME}(?:, {NAME})*"

_NAME = re.compile(NAME)
_PART = re.compile(
    r"""(?<![\w$])[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | (?<![\w$])\$(\w*)\$.*?\$\1\$
        | [(),;\[\]]""",
    re.DOTALL | re.VERBOSE,
)


def unquoted(name: str) -> str:
    """The name that is written so."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def names_in(text: str) -> tuple[str, ...]:
    """The names of a list with commas between."""
    return tuple(unquoted(found) for found in _NAME.findall(text))


def table_in(text: str, default_schema: str) -> TableName:
    """The table that is written `table` or `schema.table`."""
    parts = names_in(text)
    return TableName(parts[0], parts[1]) if len(parts) == 2 else TableName(default_schema, parts[0])


def list_items(text: str, start: int) -> tuple[list[str], int]:
    """What lies between the commas of the list in parentheses that opens at `start`, and where the list ends.

    Raises Unfit where it does not end.
    """
    items: list[str] = []
    depth, begin = 0, start + 1
    for found in _PART.finditer(text, start):
        match found[0]:
            case "(" | "[":
                depth += 1
            case ")" | "]":
                depth -= 1
                if depth == 0:
                    last = text[begin : found.start()].strip()
                    return [*items, last] if last else items, found.end()
            case "," if depth == 1:
                items.append(text[begin : found.start()].strip())
                begin = found.end()
    raise Unfit("a list in a definition of the dump does not end")


class StatementEnds:
    """Follows SQL line by line and knows where it stands: between statements, or inside of one.

    Strings, quoted names, dollar quotes and comments may hold anything, also what looks like statements.
    """

    _NORMAL = re.compile(
        rb"""(?P<text>(?<![\w$])[eE]'|'|")|(?P<dollar>(?<![\w$])\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$)"""
        rb"""|(?P<comment>--)|(?P<long>/\*)|(?P<mark>[();])"""
    )
    _ESCAPING = re.compile(rb"\\.|'", re.DOTALL)
    _LONG = re.compile(rb"/\*|\*/")

    def __init__(self) -> None:
        self.is_between = True
        self._inside = b""  # what the text, comment or body that goes on is closed by
        self._escapes = False
        self._has_begun = False
        self._depth = 0
        self._long_depth = 0

    def feed(self, line: bytes) -> None:
        """Go on by one line, its end included."""
        at, code = 0, b""
        while at < len(line):
            if self._long_depth:
                at = self._in_long(line, at)
            elif self._inside:
                at = self._in_text(line, at)
                code = b"'"
            else:
                found = self._NORMAL.search(line, at)
                before = line[at : found.start() if found else len(line)].strip()
                code = before[-1:] or code
                if found is None or found["comment"]:
                    break
                code = found["mark"] or (code if found["long"] else b"'")
                self._enter(found)
                at = found.end()
        is_open = bool(self._inside or self._long_depth)
        if code:
            self._has_begun = code != b";" or is_open or self._depth > 0
            self._depth = self._depth if self._has_begun else 0
        self.is_between = not self._has_begun and not is_open

    def _enter(self, found: re.Match[bytes]) -> None:
        if found["text"]:
            self._inside = found["text"][-1:]
            self._escapes = len(found["text"]) == 2
        elif found["dollar"]:
            self._inside, self._escapes = found["dollar"], False
        elif found["long"]:
            self._long_depth = 1
        elif found["mark"] == b"(":
            self._depth += 1
        elif found["mark"] == b")":
            self._depth -= 1

    def _in_text(self, line: bytes, at: int) -> int:
        if self._escapes:
            for found in self._ESCAPING.finditer(line, at):
                if found[0] == b"'":
                    self._inside = b""
                    return found.end()
            return len(line)
        end = line.find(self._inside, at)
        if end < 0:
            return len(line)
        end += len(self._inside)
        self._inside = b""
        return end

    def _in_long(self, line: bytes, at: int) -> int:
        found = self._LONG.search(line, at)
        if found is None:
            return len(line)
        self._long_depth += 1 if found[0] == b"/*" else -1
        return found.end()
