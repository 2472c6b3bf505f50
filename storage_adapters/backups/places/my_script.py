"""The statements of a dump of mysqldump or mariadb-dump, one by one, without a client.

The lexical rules are the server's; of the client's commands only DELIMITER is known. Comments before a statement are
left out; a comment that some servers execute stays, and its place is noted, so that a statement can be judged with
and without it. Source: MariaDB documentation, "Comment Syntax", "String Literals", "Delimiters".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from storage_adapters.backups.places.damage import LARGEST_STATEMENT, Unfit, at

_OPEN = rb"['\"`]|--(?=[\s\x00-\x1f]|\Z)|#|/\*M?!|/\*|\*/"
_TOKENS: dict[bytes, re.Pattern[bytes]] = {}
_SANDBOX = re.compile(rb"/\*M?!999999[^*]*\*/\s*\Z")
_DELIMITER = re.compile(rb"DELIMITER\s+(\S+)\s*\Z", re.IGNORECASE)
_VERSION = re.compile(rb"/\*M?!\d*")
_WITHOUT_ESCAPES = re.compile(rb"sql_mode\s*=\s*'[^']*NO_BACKSLASH_ESCAPES", re.IGNORECASE)
_WITH_ESCAPES = re.compile(rb"sql_mode\s*=", re.IGNORECASE)
_HEADERS = (b"-- MariaDB dump", b"-- MySQL dump")
_TRAILER = b"-- Dump completed"
_PLAIN = {b"'": re.compile(rb"'"), b'"': re.compile(rb'"'), b"`": re.compile(rb"`"), b"/*": re.compile(rb"\*/")}
_ESCAPING = {
    **_PLAIN,
    b"'": re.compile(rb"\\.|'", re.DOTALL),
    b'"': re.compile(rb'\\.|"', re.DOTALL),
}


@dataclass(frozen=True, slots=True)
class MyStatement:
    """One statement without its delimiter. line: where it begins, from 1.

    executed: where in the text the comments lie that only some servers execute, as (from, up to).
    """

    line: int
    text: bytes
    executed: tuple[tuple[int, int], ...]

    def readings(self, most: int) -> list[str]:
        """What a server may read: everything, then what is outside of such comments, then the inside of each.

        Of at most `most` bytes of the text; readings of nothing are left out. One space stands for each gap.
        """
        outside, insides, everything, position = b"", [], b"", 0
        text = self.text[:most]
        for begin, end in self.executed:
            if begin >= most:
                break
            inside = _VERSION.sub(b" ", text[begin:end], count=1).removesuffix(b"*/")
            outside += text[position:begin] + b" "
            everything += text[position:begin] + b" " + inside + b" "
            insides.append(inside)
            position = end
        readings = [everything + text[position:], *([outside + text[position:], *insides] if self.executed else [])]
        return [" ".join(reading.decode("latin-1").split()) for reading in readings if reading.strip()]


class MyScript:
    """A dump being read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._delimiter = b";"
        self._ends = _ESCAPING
        self._announced = self._complete = False
        self._text = bytearray()
        self._begun_at = 0
        self._executed: list[tuple[int, int]] = []
        self._opened_at: int | None = None  # where a comment that is executed begins
        self._quote = b""  # what opened the string or the comment
        self._is_dropped = False  # the comment is not part of a statement

    def statements(self) -> Iterator[MyStatement]:
        """Every statement in order. Raises Unfit at an early end, and for a line or a statement that is too long."""
        number = 0
        while line := self._stream.readline(LARGEST_STATEMENT + 1):
            number += 1
            if len(line) > LARGEST_STATEMENT or len(self._text) > LARGEST_STATEMENT:
                raise at(number, "a line or a statement is too long")
            if not self._text and not self._quote:
                self._note(line)
                if _SANDBOX.match(line):
                    continue
                if (told := _DELIMITER.match(line)) is not None:
                    self._delimiter = told[1]
                    continue
            yield from self._cut(line, number)
        if self._text or self._quote:
            raise at(self._begun_at, "the dump ends inside a statement")
        if self._announced and not self._complete:
            raise Unfit("the dump is cut off: its last line is missing")

    def _note(self, line: bytes) -> None:
        self._announced = self._announced or line.startswith(_HEADERS)
        self._complete = self._complete or line.startswith(_TRAILER)

    def _cut(self, line: bytes, number: int) -> Iterator[MyStatement]:
        token_at, position = _tokens(self._delimiter), 0
        while position < len(line):
            if self._quote:
                position = self._in_quote(line, position)
                continue
            found = token_at.search(line, position)
            self._add(line[position : found.start()] if found else line[position:], number)
            if found is None:
                return
            token, position = found[0], found.end()
            if token == self._delimiter and self._opened_at is None:
                if self._text:
                    statement = MyStatement(self._begun_at, bytes(self._text), tuple(self._executed))
                    self._begin()
                    self._heed(statement.text)
                    yield statement
            elif token in (b"--", b"#"):
                self._add(line[found.start() :] if self._text else b"", number)
                return
            else:
                self._token(token, number)

    def _token(self, token: bytes, number: int) -> None:
        if token == b"/*":
            self._quote, self._is_dropped = token, not self._text
            if not self._is_dropped:
                self._text += token
            self._begun_at = self._begun_at or number
            return
        self._add(token, number)
        if token in _PLAIN:
            self._quote = token
        elif token.endswith(b"!") and self._opened_at is None:
            self._opened_at = len(self._text) - len(token)
        elif token == b"*/" and self._opened_at is not None:
            self._executed.append((self._opened_at, len(self._text)))
            self._opened_at = None

    def _in_quote(self, line: bytes, position: int) -> int:
        found = self._ends[self._quote].search(line, position)
        stop = found.end() if found else len(line)
        if not self._is_dropped:
            self._text += line[position:stop]
        if found and not found[0].startswith(b"\\"):
            self._quote, self._is_dropped = b"", False
        return stop

    def _heed(self, text: bytes) -> None:
        """Whether a backslash escapes, from now on."""
        if len(text) < 1024 and _WITH_ESCAPES.search(text):
            self._ends = _PLAIN if _WITHOUT_ESCAPES.search(text) else _ESCAPING

    def _begin(self) -> None:
        self._text = bytearray()
        self._executed = []
        self._opened_at = None
        self._quote, self._is_dropped, self._begun_at = b"", False, 0

    def _add(self, piece: bytes, number: int) -> None:
        if not self._text:
            piece, self._begun_at = piece.lstrip(), number
        self._text += piece


def _tokens(delimiter: bytes) -> re.Pattern[bytes]:
    if delimiter not in _TOKENS:
        _TOKENS[delimiter] = re.compile(re.escape(delimiter) + b"|" + _OPEN)
    return _TOKENS[delimiter]
