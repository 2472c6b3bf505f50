"""Holds: an order that stops deletion is placed and released as a fact, with its ground and the authority behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from retention.catalog import facts as fact_rows
from retention.errors import InputError
from retention.model.fact import FactType
from retention.model.hold import Hold
from retention.workflows.deployment import Deployment
from retention.workflows.record_facts import Recorded
from retention.workflows.take_in_facts import record_here


@dataclass(frozen=True, slots=True)
class HoldOrder:
    """What is ordered. `name` tells the customer's holds apart; `dataset=None` is all of the customer's data."""

    customer: str
    name: str
    ground: str
    authority: str
    dataset: str | None = None
    review_at: datetime | None = None


def new_hold_name() -> str:
    """A name for a hold that nobody has named: `hold-` and eight random hex digits."""
    return f"hold-{uuid4().hex[:8]}"


def place_hold(deployment: Deployment, order: HoldOrder) -> Recorded:
    """The hold stands: nothing of what it covers is deleted until it is released. InputError where the order is wrong."""
    data = {"hold": order.name, "ground": order.ground, "authority": order.authority}
    if order.dataset is not None:
        data["dataset"] = order.dataset
    if order.review_at is not None:
        data["review-at"] = order.review_at.isoformat()
    return _record(deployment, FactType.HOLD_PLACED, order.customer, data)


def release_hold(deployment: Deployment, order: HoldOrder) -> Recorded:
    """The hold stands no more, and what it stopped goes on by itself. InputError where the customer has no such hold."""
    standing = [hold.id for hold in list_holds(deployment, order.customer) if hold.stands]
    if order.name not in standing:
        there = f"standing: {', '.join(standing)}" if standing else "no hold stands for this customer"
        raise InputError(f"hold {order.name!r} cannot be released: {there}")
    data = {"hold": order.name, "ground": order.ground, "authority": order.authority}
    return _record(deployment, FactType.HOLD_RELEASED, order.customer, data)


def list_holds(deployment: Deployment, customer: str | None = None) -> tuple[Hold, ...]:
    """Every hold (of one customer), standing or released, by customer and name."""
    with deployment.catalog.reading() as session:
        return fact_rows.holds_of(session, customer)


def _record(deployment: Deployment, kind: FactType, customer: str, data: dict[str, str]) -> Recorded:
    return record_here(deployment, "hold", kind, customer, data)
