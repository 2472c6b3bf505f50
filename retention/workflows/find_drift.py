"""Drift: tables that look like they hold customers' data and that no dataset of the policy covers."""

from __future__ import annotations

from dataclasses import dataclass

from retention.lifecycle.places import locate
from retention.model.policy import Policy
from retention.workflows.deployment import Deployment
from storage_adapters.contract import Place, Rows
from storage_adapters.errors import NotFound, StoreError

_ANYBODY = "drift"  # places are asked for their tables only; whose rows would be found does not matter


@dataclass(frozen=True, slots=True)
class Drift:
    """What one store holds beside the policy. `problem` is set instead where the store could not be read."""

    store: str
    tables: tuple[str, ...] = ()
    problem: str | None = None


def find_drift(deployment: Deployment) -> tuple[Drift, ...]:
    """The stores with tables that have a customer column, or point at a listed table, and are in no dataset. Reads only."""
    with deployment.catalog.reading() as session:
        policy = deployment.shelf.in_force(session, deployment.clock.now())
    found = []
    for name, places in _row_places(policy).items():
        try:
            tables = deployment.store(name).unclaimed(places)
        except NotFound:
            continue  # no database, and so nothing in it that could be forgotten
        except StoreError as error:
            found.append(Drift(name, problem=str(error)))
            continue
        if tables:
            found.append(Drift(name, tables))
    return tuple(found)


def _row_places(policy: Policy) -> dict[str, list[Place]]:
    places: dict[str, list[Place]] = {}
    for dataset in policy.datasets.values():
        for copy in locate(policy, dataset, _ANYBODY):
            if isinstance(copy.place, Rows):
                places.setdefault(copy.store, []).append(copy.place)
    return places
