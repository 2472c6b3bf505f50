"""Facts, flags, holds and live subscriptions of customers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import delete
from sqlmodel import Session, col, func, select

from retention.catalog.rows import put_if_absent
from retention.catalog.tables import CustomerRow, FactRow, FlagRow, HoldRow, SubscriptionRow
from retention.model.fact import Fact, FactKey
from retention.model.hold import Hold

_FACT = TypeAdapter(Fact)
_HOLD = TypeAdapter(Hold)
_LATER = ("consent", "withdrawn_consent")


def lock_customer(session: Session, customer: str, now: datetime) -> None:
    """Make this transaction the only one that changes the customer's facts, holds, cases and keys until it ends.

    Creates the customer's row where there is none. Whoever locks several customers does it in the order of their names,
    and before anything else but a lease: so nobody waits for each other.
    """
    query = select(CustomerRow).where(CustomerRow.name == customer).with_for_update()
    row = session.exec(query).one_or_none()
    if row is None:
        put_if_absent(session, CustomerRow, name=customer, changed_at=now)
        row = session.exec(query).one()
    row.changed_at = now
    session.add(row)
    session.flush()


def share_customer(session: Session, customer: str) -> None:
    """Keep everybody from changing the customer's facts, holds and cases until this transaction ends.

    Several may do so at once. Does nothing for a customer of whom no fact has told.
    """
    session.exec(select(CustomerRow).where(CustomerRow.name == customer).with_for_update(read=True)).one_or_none()


def digest_of(fact: Fact) -> str:
    """What the fact says, as SHA-256 (hex), without when it was recorded: a repeat has the same.

    Members that came later are left out where they say nothing, so that facts recorded before have the same digest still.
    """
    silent = {name for name in _LATER if getattr(fact, name) is None}
    said = _FACT.dump_json(fact, exclude={"recorded_at", *silent})
    return hashlib.sha256(said).hexdigest()


def find_digest(session: Session, key: FactKey) -> str | None:
    """The digest of the fact that was recorded under this key, or None."""
    query = select(FactRow.digest).where(FactRow.source == key.source, FactRow.id == key.id)
    return session.exec(query).one_or_none()


def add_fact(session: Session, fact: Fact) -> None:
    """Record a fact that was not recorded before (`find_digest` tells)."""
    session.add(
        FactRow(
            source=fact.key.source,
            id=fact.key.id,
            customer=fact.customer,
            digest=digest_of(fact),
            fact=_FACT.dump_json(fact).decode(),
        )
    )
    session.flush()


def facts_of(session: Session, customer: str) -> tuple[Fact, ...]:
    """All facts of the customer, in the order in which they arrived."""
    query = select(FactRow.fact).where(FactRow.customer == customer).order_by(col(FactRow.position))
    return tuple(_FACT.validate_json(text) for text in session.exec(query))


def put_derived(
    session: Session,
    customer: str,
    holds: Iterable[Hold],
    live: Iterable[tuple[str, str]],
    flags: Iterable[tuple[FactKey, str]],
) -> None:
    """Replace what is derived from the customer's facts: holds, live subscriptions (service, id) and flags."""
    for table in (HoldRow, SubscriptionRow, FlagRow):
        session.execute(delete(table).where(col(table.customer) == customer))
    session.add_all(HoldRow(customer=customer, id=h.id, hold=_HOLD.dump_json(h).decode()) for h in holds)
    session.add_all(SubscriptionRow(customer=customer, service=service, id=name) for service, name in live)
    texts: dict[FactKey, list[str]] = {}
    for key, what in flags:
        texts.setdefault(key, []).append(what)
    session.add_all(
        FlagRow(source=key.source, id=key.id, customer=customer, what="; ".join(said)) for key, said in texts.items()
    )
    session.flush()


def holds_of(session: Session, customer: str | None = None) -> tuple[Hold, ...]:
    """Every hold of the customer (of all customers with None), standing or released, ordered by customer and id."""
    query = select(HoldRow.hold).order_by(col(HoldRow.customer), col(HoldRow.id))
    if customer is not None:
        query = query.where(HoldRow.customer == customer)
    return tuple(_HOLD.validate_json(text) for text in session.exec(query))


def flags(session: Session, customer: str | None = None) -> tuple[tuple[FactKey, str], ...]:
    """Facts that do not fit, with what is odd about each."""
    query = select(FlagRow).order_by(col(FlagRow.source), col(FlagRow.id))
    if customer is not None:
        query = query.where(FlagRow.customer == customer)
    return tuple((FactKey(row.source, row.id), row.what) for row in session.exec(query))


def customer_count(session: Session) -> int:
    """How many customers were ever named by a fact."""
    return session.exec(select(func.count()).select_from(CustomerRow)).one()


def customers(session: Session) -> tuple[str, ...]:
    """All customers' names, sorted."""
    return tuple(session.exec(select(CustomerRow.name).order_by(col(CustomerRow.name))))
