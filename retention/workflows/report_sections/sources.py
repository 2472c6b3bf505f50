"""What every part of a report is made from: one view of the catalogue, the ledger's entries of the period, and names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from sqlmodel import Session

from retention.catalog.report_queries import AdoptedPolicy
from retention.model.hold import Hold
from retention.model.policy import Policy
from retention.reports.document import CellKind, Column, Row, Table, Text
from retention.workflows.journal import Journal
from retention.workflows.report_sections.events import Events
from retention.workflows.report_sections.period import Period
from retention.workflows.report_sections.spool import Spool

PSEUDONYM_LENGTH = 12
"""Hex digits of a commitment that stand for a customer in a report."""
MOST_ENTRIES = 40
"""Entry numbers that one row cites; of more, the first and the last."""

_GROUND = re.compile(r"\b(hold [^:]{1,200}):.*", re.DOTALL)


class Names:
    """How customers stand in a report: by the beginning of their commitment in the ledger, and by name only where asked."""

    def __init__(self, journal: Journal, *, identified: bool) -> None:
        self._journal = journal
        self.identified = identified
        self._known = lru_cache(maxsize=10_000)(lambda name: journal.customer(name)[:PSEUDONYM_LENGTH])

    def of(self, customer: str) -> str:
        """The pseudonym, the same in every report and, as its beginning, in the ledger."""
        return self._known(customer)

    def subscription(self, name: str | None) -> str | None:
        """What stands for the subscription; None for none."""
        commitment = self._journal.subscription(name)
        return commitment[:PSEUDONYM_LENGTH] if commitment else None

    def columns(self) -> tuple[Column, ...]:
        """The columns that say whose a row is."""
        customer = Column("customer", Text("客户（代号）", "Customer (pseudonym)"))
        if not self.identified:
            return (customer,)
        return (customer, Column("customer_name", Text("客户名称", "Customer's name")))

    def cells(self, customer: str) -> tuple[str, ...]:
        """What stands in those columns."""
        return (self.of(customer), customer) if self.identified else (self.of(customer),)

    def plain(self, text: str | None, customer: str) -> str | None:
        """A reason as a report may tell it: without the customer's name, and without the ground of a hold."""
        if text is None or self.identified:
            return text
        if customer in text:
            text = re.sub(rf"(?<!\w){re.escape(customer)}(?!\w)", self.of(customer), text)
        return _GROUND.sub(r"\1", text) if "hold " in text else text


@dataclass(frozen=True, slots=True)
class Sources:
    """One view of everything. All of it is of one moment, but the ledger, which may have grown by a few entries.

    policies: the versions that were in force at some time of the period, and those adopted in it. holds: of all customers.
    """

    session: Session
    journal: Journal
    period: Period
    names: Names
    events: Events
    policies: tuple[Policy, ...]
    adopted: tuple[AdoptedPolicy, ...]
    in_force: Policy
    holds: dict[str, tuple[Hold, ...]]
    scratch: Scratch


@dataclass(frozen=True, slots=True)
class Scratch:
    """Makes spools in a folder; they go together."""

    folder: Path
    stack: ExitStack = field(default_factory=ExitStack)

    def spool(self) -> Spool:
        """An empty spool."""
        spool = Spool(self.folder)
        self.stack.callback(spool.close)
        return spool


def cited(*entries: int | None) -> tuple[int, ...]:
    """The entry numbers that a row rests on, each once and in order; what has none is left out."""
    numbers = sorted({entry for entry in entries if entry is not None})
    if len(numbers) <= MOST_ENTRIES:
        return tuple(numbers)
    return (*numbers[: MOST_ENTRIES // 2], *numbers[-MOST_ENTRIES // 2 :])


ENTRIES = Column("entries", Text("账本条目", "Ledger entries"), CellKind.ENTRIES)


def table_of(
    name: str, title: Text, columns: Iterable[Column], rows: Spool | Iterable[Row], note: Text | None = None
) -> Table:
    """A table over a spool, or over rows that are few."""
    if isinstance(rows, Spool):
        return Table(name, title, tuple(columns), rows.rows, rows.row_count, note)
    few = tuple(rows)
    return Table(name, title, tuple(columns), lambda: iter(few), len(few), note)
