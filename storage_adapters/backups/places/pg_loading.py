"""A plain PostgreSQL dump, carried out in a database in one transaction, statement by statement."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, Protocol

from psycopg import pq

from storage_adapters.backups.places.damage import at
from storage_adapters.backups.places.pg_rules import (
    Doing,
    database_connected_to,
    database_of,
    doing_of,
    sets_path,
)
from storage_adapters.backups.places.pg_script import Connect, PgScript, Statement
from storage_adapters.errors import Unavailable

_NOT_THERE = frozenset({"42704", "42P01", "42883", "42703", "3F000"})
_THERE_ALREADY = "42P06"
_OUTSIDE = ("08", "53", "57", "58")  # connection, resources (a full disk), operator, system
_DATA_BATCH = 256 * 1024
_GOOD = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.EMPTY_QUERY)


class Wire(Protocol):
    """The part of libpq that is used. A statement goes by the extended protocol, which takes exactly one."""

    def exec_params(self, command: bytes, param_values: None) -> pq.abc.PGresult:
        """Run one statement without parameters; what came of it."""
        ...

    def put_copy_data(self, buffer: bytes) -> int:
        """Send rows of a COPY that is under way."""
        ...

    def put_copy_end(self, error: bytes | None = None) -> int:
        """End the COPY, or give it up with an error."""
        ...

    def get_result(self) -> pq.abc.PGresult | None:
        """The next result; None when there is none."""
        ...

    @property
    def status(self) -> int:
        """Whether the connection is good."""
        ...


@dataclass(slots=True)
class Later:
    """Statements that are kept until the release, in order, each of them with its line."""

    statements: list[tuple[int, bytes]] = field(default_factory=list)


class PgLoading:
    """One dump being carried out on a connection that is otherwise idle."""

    def __init__(self, store: str, wire: Wire, later: Later) -> None:
        self._store = store
        self._wire = wire
        self._later = later
        self._path: tuple[int, bytes] | None = None
        self._database: str | None = None

    def load(self, stream: IO[bytes]) -> None:
        """All of the dump is in the database, or nothing. Raises Unfit and Unavailable, as `at` says with the line."""
        self._run(0, b"BEGIN")
        try:
            script = PgScript(stream)
            for step in script.steps():
                if isinstance(step, Connect):
                    self._connect(step)
                else:
                    self._do(step, script)
            self._run(0, b"COMMIT")
        except BaseException:
            if self._wire.status == pq.ConnStatus.OK:
                self._wire.exec_params(b"ROLLBACK", None)
            raise

    def finish(self) -> None:
        """What was kept for later is done, all or nothing. A second call does nothing."""
        self._run(0, b"BEGIN")
        for line, text in self._later.statements:
            self._run(line, text)
        self._run(0, b"COMMIT")
        self._later.statements.clear()

    def _do(self, step: Statement, script: PgScript) -> None:
        match doing_of(step.text):
            case Doing.RUN:
                self._run(step.line, step.text)
            case Doing.TRY:
                self._try(step)
            case Doing.COPY:
                self._copy(step, script)
            case Doing.LATER:
                if self._path is not None:
                    self._later.statements.append(self._path)
                self._later.statements.append((step.line, step.text))
            case Doing.DATABASE:
                self._its_database(step.line, database_of(step.text))
            case Doing.REFUSE:
                raise at(step.line, "a statement that a restore does not carry out")
            case Doing.SKIP:
                return
        if sets_path(step.text):
            self._path = (step.line, step.text)

    def _connect(self, step: Connect) -> None:
        self._its_database(step.line, database_connected_to(step.target))

    def _its_database(self, line: int, name: str) -> None:
        """The dump speaks of one database, its own; what it says of it is left out."""
        if self._database not in (None, name):
            raise at(line, "the dump is of more than one database, or connects elsewhere")
        self._database = name

    def _try(self, step: Statement) -> None:
        self._run(step.line, b"SAVEPOINT retention")
        state = self._state(self._wire.exec_params(step.text, None))
        if state is not None:
            creates = step.text[:6].upper() == b"CREATE"
            if not (state == _THERE_ALREADY if creates else state in _NOT_THERE):
                raise self._trouble(step.line, state)
            self._run(step.line, b"ROLLBACK TO SAVEPOINT retention")
        self._run(step.line, b"RELEASE SAVEPOINT retention")

    def _copy(self, step: Statement, script: PgScript) -> None:
        begun = self._wire.exec_params(step.text, None)
        if begun.status != pq.ExecStatus.COPY_IN:
            raise self._trouble(step.line, self._state(begun) or "no COPY")
        batch = bytearray()
        try:
            for row in script.rows():
                batch += row
                if len(batch) >= _DATA_BATCH:
                    self._wire.put_copy_data(bytes(batch))
                    batch.clear()
            if batch:
                self._wire.put_copy_data(bytes(batch))
        except BaseException:
            if self._wire.status == pq.ConnStatus.OK:
                self._wire.put_copy_end(b"the dump ends here")
                while self._wire.get_result() is not None:
                    continue
            raise
        self._wire.put_copy_end()
        state = None
        while (result := self._wire.get_result()) is not None:
            state = state or self._state(result)
        if state is not None:
            raise self._trouble(step.line, state)

    def _run(self, line: int, text: bytes) -> None:
        if (state := self._state(self._wire.exec_params(text, None))) is not None:
            raise self._trouble(line, state)

    def _state(self, result: pq.abc.PGresult) -> str | None:
        """The SQLSTATE of a statement that failed; None where it went well."""
        if result.status in _GOOD:
            return None
        return (result.error_field(pq.DiagnosticField.SQLSTATE) or b"08006").decode("ascii")

    def _trouble(self, line: int, state: str) -> Exception:
        if state.startswith(_OUTSIDE):
            what = "its disk is full" if state == "53100" else "the connection or the server broke off"
            return Unavailable(self._store, f"{what} at line {line} of the dump ({state})")
        return at(line, f"the database refuses the statement ({state})")
