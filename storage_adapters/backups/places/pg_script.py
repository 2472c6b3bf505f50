"""The statements of a plain PostgreSQL dump, one by one, without a shell, a client or a server.

The lexical rules are PostgreSQL's with `standard_conforming_strings` on, which is all that `pg_restore` and `pg_dump`
write. A dump is not trusted: what is no statement, no COPY data and none of the three client commands that pg_dump
itself writes ends the reading. Source: PostgreSQL 18 documentation, 4.1 "Lexical Structure", COPY "Text Format", psql.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from storage_adapters.backups.places.damage import LARGEST_STATEMENT, Unfit, at

_TOKEN = re.compile(
    rb"--|/\*|['\";\\()]|\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$|[A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]*"
)
_COMMENT = re.compile(rb"/\*|\*/")
_COPY = re.compile(rb"COPY\s[^;]*\sFROM\s+stdin;\Z", re.IGNORECASE)
_ROUTINE = re.compile(rb"CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)\s", re.IGNORECASE)
_FENCE = re.compile(rb"\\(?:un)?restrict\s+[A-Za-z0-9]+\s*\Z")
_CONNECT = re.compile(rb"\\connect\s+(.+?)\s*\Z")
_ENDS = {b"'": re.compile(rb"'"), b"E'": re.compile(rb"\\.|''|'", re.DOTALL), b'"': re.compile(rb'"')}
_HEADER = b"-- PostgreSQL database dump\n"
_TRAILER = b"-- PostgreSQL database dump complete"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement without comments, with its semicolon. line: where it begins, from 1."""

    line: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Connect:
    """`\\connect` and what stands after it."""

    line: int
    target: bytes


class PgScript:
    """A plain dump being read. After a statement that `copies`, `rows` gives its data and has to be read to its end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._line = 0
        self._announced = self._complete = False

    @staticmethod
    def copies(text: bytes) -> bool:
        """Whether data of COPY follows this statement."""
        return _COPY.match(text) is not None

    def steps(self) -> Iterator[Statement | Connect]:
        """Every statement in order. Raises Unfit for a client command, for what is no SQL, and at an early end."""
        reader = _Reader()
        while line := self._next_line():
            if not reader.is_inside:
                self._note(line)
                if line.startswith(b"\\"):
                    if (connect := self._command(line)) is not None:
                        yield connect
                    continue
            for statement in reader.read(line, self._line):
                yield statement
                if self.copies(statement.text) and reader.rest.strip():
                    raise at(self._line, "something stands between COPY and its data")
        if reader.is_inside:
            raise at(reader.begun_at, "the dump ends inside a statement")
        if self._announced and not self._complete:
            raise Unfit("the dump is cut off: its last line is missing")

    def rows(self) -> Iterator[bytes]:
        """The data of the COPY just read, line by line, up to its end mark. Raises Unfit where that is missing."""
        while line := self._next_line():
            if line.rstrip(b"\r\n") == b"\\.":
                return
            yield line
        raise at(self._line, "the dump ends inside the data of COPY")

    def _next_line(self) -> bytes:
        self._line += 1
        line = self._stream.readline(LARGEST_STATEMENT + 1)
        if len(line) > LARGEST_STATEMENT:
            raise at(self._line, "a line is too long")
        return line

    def _note(self, line: bytes) -> None:
        self._announced = self._announced or line == _HEADER
        self._complete = self._complete or line.startswith(_TRAILER)

    def _command(self, line: bytes) -> Connect | None:
        if _FENCE.match(line):
            return None
        if (connect := _CONNECT.match(line)) is not None:
            return Connect(self._line, connect[1])
        raise at(self._line, "the dump holds a command of a client program")


class _Reader:
    """Cuts lines into statements; keeps what a statement that spans lines is inside of."""

    def __init__(self) -> None:
        self._text = bytearray()
        self.begun_at = 0
        self._parentheses = 0
        self._blocks = 0  # BEGIN … END of a body that is no string
        self._escapes_at = -1  # where the E of E'…' stands
        self._quote = b""  # what opened the string; b"/*" in a comment
        self._depth = 0  # of comments
        self.rest = b""

    @property
    def is_inside(self) -> bool:
        return bool(self._text or self._quote)

    def read(self, line: bytes, number: int) -> Iterator[Statement]:
        """Every statement that ends in this line; `rest` is what of the line comes after the one just given."""
        position = 0
        while position < len(line):
            if self._quote:
                position = self._in_quote(line, position)
                continue
            found = _TOKEN.search(line, position)
            self._add(line[position : found.start()] if found else line[position:], number)
            if found is None:
                return
            position = found.end()
            token = found[0]
            if token == b"--":
                self._add(b"\n", number)
                return
            if token == b"\\":
                raise at(number, "a backslash outside of a string")
            if token == b"/*":
                self._quote, self._depth = token, 1
                continue
            self._add(token, number)
            if self._ends(token, line, position):
                statement = Statement(self.begun_at, bytes(self._text))
                self._begin()
                self.rest = line[position:]
                yield statement

    def _ends(self, token: bytes, line: bytes, position: int) -> bool:
        """Takes note of a token of the statement; whether it ends with it."""
        if token == b";":
            return self._parentheses == 0 and self._blocks == 0
        if token in (b"'", b'"') or token.startswith(b"$"):
            self._quote = token
            if token == b"'" and self._escapes_at == len(self._text) - 1:
                self._quote = b"E'"
        elif token == b"(":
            self._parentheses += 1
        elif token == b")":
            self._parentheses -= 1
        else:
            self._word(token.lower(), line[position : position + 1])
        return False

    def _word(self, word: bytes, following: bytes) -> None:
        if word == b"e" and following == b"'":
            self._escapes_at = len(self._text)
        elif word in (b"begin", b"case", b"end") and _ROUTINE.match(self._text):  # a body that is no string
            if word == b"end":
                self._blocks = max(0, self._blocks - 1)
            elif word == b"begin" or self._blocks:
                self._blocks += 1

    def _in_quote(self, line: bytes, position: int) -> int:
        if self._quote == b"/*":
            found = _COMMENT.search(line, position)
            if found is None:
                return len(line)
            self._depth += 1 if found[0] == b"/*" else -1
            if self._depth == 0:
                self._quote = b""
                self._add(b" ", self.begun_at)
            return found.end()
        if self._quote.startswith(b"$"):
            end = line.find(self._quote, position)
            stop, is_end = (len(line), False) if end < 0 else (end + len(self._quote), True)
        else:
            found = _ENDS[self._quote].search(line, position)
            stop, is_end = (found.end(), len(found[0]) == 1) if found else (len(line), False)
        self._add(line[position:stop], self.begun_at)
        if is_end:
            self._quote = b""
        return stop

    def _begin(self) -> None:
        self._text = bytearray()
        self.begun_at = self._parentheses = self._blocks = 0
        self._escapes_at = -1

    def _add(self, piece: bytes, number: int) -> None:
        if not self._text:
            piece = piece.lstrip()
            self.begun_at = number
        self._text += piece
        if len(self._text) > LARGEST_STATEMENT:
            raise at(self.begun_at, "a statement is too long")
