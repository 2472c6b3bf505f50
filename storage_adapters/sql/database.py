"""Transactions on one database: bounded, repeated where that is safe, every foreign error translated."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from storage_adapters.errors import NotFound, OutcomeUnknown, Refused, StoreError, Unavailable
from storage_adapters.sql.dialect import READS_ONLY, Dialect, Limits, Trouble, Verdict
from storage_adapters.sql.mariadb import MariaDB
from storage_adapters.sql.postgres import Postgres
from storage_adapters.sql.sqlite import SQLite

Result = TypeVar("Result")

FIRST_PAUSE_SECONDS = 0.05

_DIALECTS: dict[str, Callable[[], Dialect]] = {
    "postgresql": Postgres,
    "mysql": MariaDB,
    "mariadb": MariaDB,
    "sqlite": SQLite,
}


class Constrained(Refused):
    """Some row of a batch cannot be changed, while with fewer rows others may. `reason` names the constraint."""

    def __init__(self, store: str, reason: str) -> None:
        super().__init__(store, f"the database does not allow it: {reason}")
        self.reason = reason


class Database:
    """One database, and the only way to it. Thread-safe."""

    def __init__(self, store: str, url: str, limits: Limits) -> None:
        """Connects to nothing yet. Raises ValueError for a URL of another kind of database."""
        parsed = _parsed(url)
        self._store = store
        self._limits = limits
        self.dialect = _DIALECTS[parsed.get_backend_name()]()
        self._engine = self.dialect.engine(parsed, limits)

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` returns, run in a transaction that changes nothing. Raises as `change` does."""
        return self._run(work, reads_only=True)

    def change(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` returns, when what it did is durable.

        After a deadlock, a timeout or a lost connection the transaction is begun anew, so `work` may run several
        times. Raises Constrained, Refused, NotFound or Unavailable when nothing was done, OutcomeUnknown when the
        connection broke during COMMIT.
        """
        return self._run(work, reads_only=False)

    def settle(self) -> None:
        """Nothing deleted is left in the journal, where the database can do that at once. Raises Unavailable."""
        try:
            settled = self.dialect.settle(self._engine)
        except DBAPIError as error:
            raise self._error(self.dialect.verdict(error)) from error
        if not settled:
            raise Unavailable(self._store, "a reader keeps the journal from being emptied of what was deleted")

    def close(self) -> None:
        """No connection is open. A second call does nothing."""
        self._engine.dispose()

    def _run(self, work: Callable[[Connection], Result], *, reads_only: bool) -> Result:
        pause = FIRST_PAUSE_SECONDS
        for last in [False] * (self._limits.attempts - 1) + [True]:
            try:
                return self._once(work, reads_only=reads_only)
            except _Failed as failed:
                if last or failed.verdict.trouble not in (Trouble.BUSY, Trouble.LOST):
                    raise self._error(failed.verdict) from failed.__cause__
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - so that two who clash do not clash again
            pause *= 3
        raise AssertionError("the last attempt returns or raises")

    def _once(self, work: Callable[[Connection], Result], *, reads_only: bool) -> Result:
        committing = False
        try:
            with self._engine.connect() as connection:
                connection = connection.execution_options(**{READS_ONLY: reads_only})
                with connection.begin() as transaction:
                    self.dialect.begin(connection, self._limits)
                    result = work(connection)
                    committing = True
                    transaction.commit()
                    committing = False
                return result
        except DBAPIError as error:
            verdict = self.dialect.verdict(error)
            if committing and not reads_only and verdict.trouble is Trouble.LOST:
                raise OutcomeUnknown(self._store, f"the connection broke during COMMIT ({verdict.word})") from error
            raise _Failed(verdict) from error
        except PoolTimeoutError as error:
            raise _Failed(Verdict(Trouble.BUSY, "no free connection")) from error
        except SQLAlchemyError as error:
            raise Refused(self._store, f"the database cannot be spoken to: {type(error).__name__}") from error

    def _error(self, verdict: Verdict) -> StoreError:
        match verdict.trouble:
            case Trouble.MISSING:
                return NotFound(self._store, f"the database or a table is not there ({verdict.word})")
            case Trouble.FORBIDDEN:
                return Refused(self._store, f"the database refuses ({verdict.word})")
            case Trouble.CONSTRAINT:
                return Constrained(self._store, f"constraint {verdict.word}")
            case Trouble.BUSY:
                return Unavailable(self._store, f"locked, too slow or in deadlock at every attempt ({verdict.word})")
            case Trouble.LOST:
                return Unavailable(self._store, f"not reached at any attempt ({verdict.word})")


class _Failed(Exception):
    """One attempt failed, and the transaction is rolled back."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.word)
        self.verdict = verdict


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except ArgumentError as error:
        raise ValueError("a SQL store needs a URL such as postgresql://host/database") from error  # never the URL
    if backend not in _DIALECTS:
        raise ValueError(f"a SQL store is PostgreSQL, MariaDB or SQLite, not {backend}")
    return parsed
