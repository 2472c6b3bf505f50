"""How far the SQL adapter is from the limit, one raw DELETE: `python benchmarks/sql_purge.py [URL ...]`.

A chain of two tables holds ten customers with 24,000 rows each below 240 rows: 242,400 rows. In one run, customers take
turns: one is deleted by raw SQL (two statements, one transaction, no evidence), the next by the adapter (in bounded
transactions, every row named). Without URLs: a SQLite file, and the databases that `RETENTION_TEST_POSTGRES_URL` and
`RETENTION_TEST_MARIADB_URL` name, in tables of their own that are dropped at the end.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    event,
    insert,
    select,
    text,
)

from storage_adapters.contract import Batch, ItemResult, Rows, TablePlace
from storage_adapters.sql import SqlStore

CUSTOMERS = 10
SESSIONS = 240
MESSAGES = 100
EACH = SESSIONS * (MESSAGES + 1)
NUMBER = BigInteger().with_variant(Integer(), "sqlite")

TABLES = MetaData()
SESSION = Table(
    "benchmark_session",
    TABLES,
    Column("id", NUMBER, primary_key=True),
    Column("tenant_id", String(40), nullable=False, index=True),
)
MESSAGE = Table(
    "benchmark_message",
    TABLES,
    Column("id", NUMBER, primary_key=True),
    Column("session_id", NUMBER, ForeignKey("benchmark_session.id"), nullable=False, index=True),
    Column("body", String(200), nullable=False),
)
LISTED = (
    TablePlace("benchmark_session", customer_column="tenant_id"),
    TablePlace("benchmark_message", through="benchmark_session"),
)


def fill(engine: Engine) -> None:
    """Ten customers' rows, interleaved as they are written in life."""
    TABLES.drop_all(engine)
    TABLES.create_all(engine)
    count = CUSTOMERS * SESSIONS
    with engine.begin() as connection:
        sessions = [{"id": each + 1, "tenant_id": f"c-{each % CUSTOMERS}"} for each in range(count)]
        connection.execute(insert(SESSION), sessions)
        for start in range(0, count * MESSAGES, 20_000):
            rows = [
                {"id": each + 1, "session_id": each % count + 1, "body": f"message {each} " * 8}
                for each in range(start, start + 20_000)
            ]
            connection.execute(insert(MESSAGE), rows)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE benchmark_session, benchmark_message"))


def raw(engine: Engine, customer: str) -> int:
    """The customer's rows are gone by two statements."""
    mine = select(SESSION.c.id).where(SESSION.c.tenant_id == customer)
    with engine.begin() as connection:
        gone = connection.execute(delete(MESSAGE).where(MESSAGE.c.session_id.in_(mine))).rowcount
        return gone + connection.execute(delete(SESSION).where(SESSION.c.tenant_id == customer)).rowcount


def count_done(batch: Batch) -> int:
    return sum(outcome.result is ItemResult.DONE for outcome in batch)


def seconds(once: Callable[[], int]) -> float:
    """How long it took, having checked that it concerned every row of one customer."""
    started = time.perf_counter()
    assert once() == EACH
    return time.perf_counter() - started


def measure(url: str) -> None:
    engine, store = create_engine(url), SqlStore("benchmark", url)
    if engine.dialect.name == "sqlite":  # as the adapter does: what is deleted is overwritten

        @event.listens_for(engine, "connect")
        def overwrite(connection: object, _: object) -> None:
            connection.execute("PRAGMA secure_delete = ON")  # type: ignore[attr-defined] # sqlite3's

    with ExitStack() as after:
        after.callback(engine.dispose)
        after.callback(TABLES.drop_all, engine)
        after.callback(store.close)
        fill(engine)
        place = [Rows(LISTED, f"c-{each}") for each in range(CUSTOMERS)]
        limit, erased = [], []
        for first in range(0, CUSTOMERS - 2, 2):
            limit.append(seconds(lambda who=f"c-{first}": raw(engine, who)))  # type: ignore[misc] # bound at once
            erased.append(seconds(lambda where=place[first + 1]: sum(map(count_done, store.erase(where)))))  # type: ignore[misc] # likewise
        last = place[CUSTOMERS - 2]
        hidden = seconds(lambda: sum(map(count_done, store.tombstone(last))))
        back = seconds(lambda: sum(map(count_done, store.bring_back(last))))
        surveyed = seconds(lambda: sum(map(len, store.survey(last))))
        seen = seconds(lambda: sum(map(len, store.remains(last))))
    base, ours = statistics.median(limit), statistics.median(erased)
    print(
        f"{engine.dialect.name:10}  raw {base:.3f} s   erase {ours:.3f} s   ratio {ours / base:.2f}   of {EACH:,} rows"
    )
    print(
        f"{'':10}  survey {surveyed:.3f} s   remains {seen:.3f} s   tombstone {hidden:.3f} s   bring back {back:.3f} s"
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        named = [os.environ.get(f"RETENTION_TEST_{kind}_URL") for kind in ("POSTGRES", "MARIADB")]
        for url in sys.argv[1:] or [f"sqlite:///{Path(folder) / 'benchmark.db'}", *filter(None, named)]:
            measure(url)


if __name__ == "__main__":
    main()
