"""What a copy would carry where: the ways from a dataset's primaries to the replica that fits a decision.

Data is only brought to a replica that the policy declares, because only those go with their customer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retention.catalog import transfers as transfer_rows
from retention.errors import InputError, RefusedByRule
from retention.lifecycle.places import Unplaceable, place_of
from retention.model.fact import Part
from retention.model.policy import Dataset, Location, Replica
from retention.model.transfer import TransferRequest
from retention.workflows.decide_transfer import territory_of
from retention.workflows.deployment import Deployment
from storage_adapters.contract import Place, Prefix
from storage_adapters.copies.contract import CopySource, CopyTarget, Piece


@dataclass(frozen=True, slots=True)
class Way:
    """From one primary. below: the folder of the replica into which its pieces go, empty where there is one primary."""

    source: CopySource
    place: Place
    below: str = ""

    def name_of(self, piece: Piece) -> str:
        """What the piece is called at the replica."""
        return self.below + piece.name


@dataclass(frozen=True, slots=True)
class Errand:
    """One copy that the decision may allow: every way, and the replica at its end."""

    decision: str
    request: TransferRequest
    policy_hash: str
    ways: tuple[Way, ...]
    target: str
    store: CopyTarget
    place: Prefix
    replica: Replica

    def leads_as(self, other: Errand) -> bool:
        """Whether it carries the same from and to the same places."""
        mine, theirs = ([(way.source.name, way.place, way.below) for way in each.ways] for each in (self, other))
        return (self.target, self.place, mine) == (other.target, other.place, theirs)


def plan_errand(deployment: Deployment, decision_id: str, target: str) -> Errand:
    """What copying under the decision to the store `target` means. Reads only; does not ask whether it is allowed.

    Raises InputError for an unknown decision or a store that cannot be copied from or to; RefusedByRule where the policy
    declares no replica there that fits the decision, or where a store does not lie where decision and policy say.
    """
    with deployment.catalog.reading() as session:
        policy = deployment.shelf.in_force(session, deployment.clock.now())
        decided = transfer_rows.find_decision(session, decision_id)
    if decided is None:
        raise InputError(f"there is no decision {decision_id!r}; `retention transfer check` makes one")
    request = decided.request
    if request.dataset not in policy.datasets:
        raise InputError(f"dataset {request.dataset!r} is not in the policy; it has {', '.join(policy.datasets)}")
    dataset = policy.datasets[request.dataset]
    replica = _fitting_replica(dataset, request, target)
    _insist_on_territory(deployment, target, replica.territory, "the policy says of this replica")
    for location in dataset.primary:
        _insist_on_territory(deployment, location.store, request.source, "the decision was made for data")
    place = _place(replica.location, request.customer, dataset)
    if not isinstance(place, Prefix):
        raise InputError(f"the replica in {target} is made of tables; a copy writes objects and files")
    if target not in deployment.transfers.targets:
        raise InputError(f"nothing can be copied into the store {target}")
    ways = tuple(_ways(deployment, dataset.primary, request.customer, dataset))
    store = deployment.transfers.targets[target]
    return Errand(decision_id, request, policy.hash, ways, target, store, place, replica)


def _fitting_replica(dataset: Dataset, request: TransferRequest, target: str) -> Replica:
    fitting = [
        replica
        for replica in dataset.replicas
        if replica.location.store == target
        and replica.territory == request.destination
        and replica.recipient in (None, request.recipient)
    ]
    if not fitting:
        raise RefusedByRule(
            f"the policy declares no replica of {dataset.name} in {target} for {request.destination or 'an unknown place'} "
            f"and this recipient; what is brought there would not go with its customer. Declare it under "
            f"datasets.{dataset.name}.replicas, or name another store"
        )
    return min(fitting, key=lambda replica: replica.recipient is None)


def _insist_on_territory(deployment: Deployment, store: str, territory: str | None, who: str) -> None:
    lies_in = territory_of(deployment, store)
    if territory is None or lies_in != territory:
        there = f"in {lies_in}" if lies_in else "nowhere known: its `region` is in no territory of `transfers.regions`"
        raise RefusedByRule(f"the store {store} lies {there}; {who}: {territory or 'unknown'}")


def _ways(deployment: Deployment, primary: Sequence[Location], customer: str, dataset: Dataset) -> Sequence[Way]:
    ways = []
    for number, location in enumerate(primary, 1):
        source = deployment.transfers.sources.get(location.store)
        if source is None:
            raise InputError(f"nothing can be copied out of the store {location.store}")
        below = f"{number}-{location.store}/" if len(primary) > 1 else ""
        ways.append(Way(source, _place(location, customer, dataset), below))
    return ways


def _place(location: Location, customer: str, dataset: Dataset) -> Place:
    try:
        return place_of(location, customer, None, Part(dataset.name))
    except (Unplaceable, ValueError) as problem:
        raise InputError(f"{location.store}: {problem}") from problem
