"""Audit transfers: what leaves home, or lies abroad already, without a decision that allows it today. Reads only.

It looks at what stores do by themselves (replication rules, copies of backups, standbys of databases), at every place that
the policy names in a store abroad or nowhere known, and at what went under decisions to where the policy has no replica.
Source: clause 6.12; PIPL art. 38, 39.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from retention.catalog import facts as fact_rows
from retention.catalog import transfer_copies as copy_rows
from retention.catalog import transfers as transfer_rows
from retention.errors import InputError
from retention.evidence.entries import Entry, EntryType
from retention.lifecycle.consents import replicas_of
from retention.lifecycle.places import Unplaceable, place_of
from retention.model.fact import Part
from retention.model.policy import BackupPlan, Dataset, Location, Policy
from retention.model.transfer import Verdict
from retention.transfers.decide import decide
from retention.workflows.decide_transfer import circumstances, terms_of
from retention.workflows.deployment import Deployment
from storage_adapters.contract import Place, Prefix
from storage_adapters.egress.contract import Destination, WayKind, WayOut
from storage_adapters.errors import StoreError

MOST_CUSTOMERS = 50
"""How many customers of one finding are named."""
MOST_SUBJECTS = 1_000
"""How many folders of one finding are told."""


class FindingKind(StrEnum):
    """What the audit found."""

    WAY_OUT = "way-out"  # a store sends data abroad, or nobody knows where
    LIES_ABROAD = "lies-abroad"  # customers' data lies abroad without a decision
    BACKED_UP_ABROAD = "backed-up-abroad"  # backups of such data do
    UNKNOWN_PLACE = "unknown-place"  # nobody can tell where a store lies
    WRONG_TERRITORY = "wrong-territory"  # a replica lies elsewhere than the policy says
    UNDECLARED = (
        "undeclared"  # something went abroad to where the policy has no replica: it would not go with its customer
    )
    NOT_ASKED = "not-asked"  # a store could not be asked


class Remedy(StrEnum):
    """What `--enforce` would do about it."""

    CLOSE = "close"  # the replication rule is removed
    FENCE = "fence"  # the bucket's policy denies everybody to write there


@dataclass(frozen=True, slots=True)
class TransferFinding:
    """One thing that is not in order. `id` stays the same while it is found.

    territory: where to, or where it lies; None is not known. customers: those without a decision, at most MOST_CUSTOMERS of
    customer_count. remedy and subjects: what can be done, and to which rule or which prefixes; None where only a person can
    do something. what: the rule, place or series that it is about. why: a store's own words, where it could not be asked.
    """

    id: str
    kind: FindingKind
    store: str
    what: str
    territory: str | None
    datasets: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    customer_count: int = 0
    remedy: Remedy | None = None
    subjects: tuple[str, ...] = ()
    why: str = ""


def is_audited(deployment: Deployment) -> bool:
    """Whether the policy in force says where regions lie; without that nobody can tell home from abroad."""
    with deployment.catalog.reading() as session:
        policy = deployment.shelf.in_force(session, deployment.clock.now())
    return policy.transfers is not None and bool(policy.transfers.regions)


def audit_transfers(deployment: Deployment) -> tuple[TransferFinding, ...]:
    """Everything that is not in order, by store; empty where all is. Changes nothing; one entry tells what was found."""
    with deployment.catalog.reading() as session:
        policy = deployment.shelf.in_force(session, deployment.clock.now())
        versions, customers = deployment.shelf.versions(session), fact_rows.customers(session)
    audit = _Audit(deployment, policy, versions, customers)
    found = tuple(sorted(audit.findings(), key=lambda each: (each.store, each.kind, each.what, each.id)))
    counts = {str(kind): count for kind, count in sorted(Counter(each.kind for each in found).items())}
    with deployment.catalog.transaction() as session:
        entry = Entry(EntryType.TRANSFERS_AUDITED, deployment.clock.now(), {"found": counts}, policy=policy.hash)
        deployment.journal.write(session, entry)
    deployment.journal.publish()
    return found


Asked = tuple[str, str, str | None]
"""A customer, a dataset and a territory."""


@dataclass(slots=True)
class _Audit:
    """One audit. What was decided about a customer, a dataset and a territory is asked once. versions: all that were adopted;
    what was brought to a replica that an older one declares lies there still.

    The catalogue is asked for a moment at a time: stores are slow, and a reader that stays keeps old pages alive.
    """

    deployment: Deployment
    policy: Policy
    versions: tuple[Policy, ...]
    customers: tuple[str, ...]
    _allowed: dict[Asked, bool] = field(default_factory=dict)

    def findings(self) -> Iterator[TransferFinding]:
        for name in sorted(self.deployment.transfers.egress):
            yield from self._ways_out(name)
        for name, dataset in self.policy.datasets.items():
            yield from self._dataset(replace(dataset, replicas=replicas_of(self.versions, name)))
        for plan in self.policy.backups.values():
            yield from self._backups(plan)
        yield from self._undeclared()

    # -------------------------------------------------------------------------------------------------- ways out

    def _ways_out(self, store: str) -> Iterator[TransferFinding]:
        try:
            ways = self.deployment.transfers.egress[store].ways_out()
        except StoreError as error:
            yield _finding(FindingKind.NOT_ASKED, store, "ways out", None, why=error.message)
            return
        for way in ways:
            there = self._territory_of_destination(way.destination)
            if there == self.policy.home or not way.is_on:
                continue
            datasets = self._datasets_in(store, way)
            names = [dataset.name for dataset in datasets]
            without = [who for who in self.customers if any(not self._allows(who, name, there) for name in names)]
            if names and not without:
                continue
            yield _finding(
                FindingKind.WAY_OUT,
                store,
                f"{way.kind} {way.name}",
                there,
                datasets=names,
                customers=without,
                remedy=Remedy.CLOSE if way.kind is WayKind.REPLICATION else None,
                subjects=(way.name,),
            )

    def _territory_of_destination(self, there: Destination) -> str | None:
        """By the region that is told, else by a configured store of this bucket or host; None where neither tells."""
        parts = self.deployment.transfers
        region = there.region
        if region is None and there.bucket is not None:
            region = parts.bucket_regions.get(there.bucket)
        if region is None and there.host is not None:
            region = parts.host_regions.get(there.host.lower())
        return self._territory_of_region(region)

    def _territory_of_region(self, region: str | None) -> str | None:
        regions = self.policy.transfers.regions if self.policy.transfers else {}
        return regions.get(region or "")

    def _datasets_in(self, store: str, way: WayOut) -> list[Dataset]:
        """The datasets of which something may go this way: those of which a place of this store may be below its prefix."""
        held = {name for plan in self.policy.backups.values() if plan.store == store for name in plan.holds}
        return [
            dataset
            for dataset in self.policy.datasets.values()
            if dataset.name in held
            or any(place.store == store and _may_take(way.prefix, place) for place in dataset.locations())
        ]

    # ---------------------------------------------------------------------------------------------------- places

    def _dataset(self, dataset: Dataset) -> Iterator[TransferFinding]:
        declared = {replica.location: replica.territory for replica in dataset.replicas}
        for location in dataset.locations():
            there = self._territory_of_store(location.store)
            told = declared.get(location, there)
            if there is None:
                yield _finding(FindingKind.UNKNOWN_PLACE, location.store, dataset.name, None, datasets=[dataset.name])
            elif told != there:
                what = f"{dataset.name}: the policy says {told}"
                yield _finding(FindingKind.WRONG_TERRITORY, location.store, what, there, datasets=[dataset.name])
            if there != self.policy.home:
                yield from self._lies_abroad(dataset, location, there)

    def _lies_abroad(self, dataset: Dataset, location: Location, there: str | None) -> Iterator[TransferFinding]:
        places = {
            who: place
            for who in self.customers
            if not self._allows(who, dataset.name, there) and (place := _place_of(location, who, dataset)) is not None
        }
        try:
            store = self.deployment.store(location.store)
            there_now = [who for who, place in places.items() if next(iter(store.survey(place)), None) is not None]
        except (StoreError, InputError) as error:  # it fails, or it is in the settings no more
            why = error.message if isinstance(error, StoreError) else str(error)
            yield _finding(FindingKind.NOT_ASKED, location.store, _what(dataset, location), there, why=why)
            return
        if there_now:
            prefixes = [place.prefix for who in there_now if isinstance(place := places[who], Prefix)]
            what = _what(dataset, location)
            yield self._fenced(FindingKind.LIES_ABROAD, location.store, what, there, [dataset], there_now, prefixes)

    def _backups(self, plan: BackupPlan) -> Iterator[TransferFinding]:
        there = self._territory_of_store(plan.store)
        if there == self.policy.home:
            return
        if there is None:
            yield _finding(FindingKind.UNKNOWN_PLACE, plan.store, plan.name, None, datasets=list(plan.holds))
            return
        held = [self.policy.datasets[name] for name in plan.holds]
        without = [who for who in self.customers if any(not self._allows(who, each.name, there) for each in held)]
        if without:
            root = plan.sets.partition("{")[0]
            nobody_may = bool(root) and len(without) == len(self.customers)  # else others would be fenced off with them
            roots = [root] if nobody_may else []
            yield self._fenced(FindingKind.BACKED_UP_ABROAD, plan.store, plan.name, there, held, without, roots)

    def _fenced(
        self,
        kind: FindingKind,
        store: str,
        what: str,
        there: str | None,
        datasets: Iterable[Dataset],
        customers: list[str],
        prefixes: list[str],
    ) -> TransferFinding:
        is_bucket = store in self.deployment.transfers.egress and self.deployment.store_kinds.get(store) == "s3"
        is_bucket = is_bucket and there is not None  # what lies nowhere known may be home, and is the policy's to say
        return _finding(
            kind,
            store,
            what,
            there,
            datasets=[dataset.name for dataset in datasets],
            customers=customers,
            remedy=Remedy.FENCE if is_bucket and prefixes else None,
            subjects=tuple(prefixes[:MOST_SUBJECTS]) if is_bucket else (),
        )

    def _undeclared(self) -> Iterator[TransferFinding]:
        with self.deployment.catalog.reading() as session:
            used = copy_rows.used_destinations(session)
        for name, territory in used:
            dataset = self.policy.datasets.get(name)
            known = {replica.territory for replica in dataset.replicas} if dataset else set()
            if territory != self.policy.home and territory not in known:
                yield _finding(FindingKind.UNDECLARED, "-", name, territory, datasets=[name])

    # ------------------------------------------------------------------------------------------------- decisions

    def _territory_of_store(self, store: str) -> str | None:
        return self._territory_of_region(self.deployment.store_regions.get(store))

    def _allows(self, customer: str, dataset: str, there: str | None) -> bool:
        """Whether a decision that was made for this would be made again now. Where it goes nowhere known, none was."""
        asked = (customer, dataset, there)
        if asked not in self._allowed:
            self._allowed[asked] = there is not None and self._would_allow(customer, dataset, there)
        return self._allowed[asked]

    def _would_allow(self, customer: str, dataset: str, there: str) -> bool:
        with self.deployment.catalog.reading() as session:
            made = transfer_rows.allowed_transfers(session, customer, dataset, there)
            if not made:
                return False
            terms, known = terms_of(self.policy), circumstances(self.deployment, session, customer)
        requests = (replace(each.request, persons=0, sensitive_persons=0) for each in made)
        return any(decide(request, terms, known).verdict is Verdict.ALLOW for request in requests)


def _what(dataset: Dataset, location: Location) -> str:
    """The dataset and its place, without a customer."""
    return f"{dataset.name} ({location.prefix or location.keys or ', '.join(table.name for table in location.tables)})"


def _may_take(prefix: str, place: Location) -> bool:
    """Whether something of the place, whoever's, may begin with the prefix."""
    if place.prefix is None:
        return not prefix
    root = place.prefix.partition("{")[0]
    return root.startswith(prefix) or prefix.startswith(root)


def _place_of(location: Location, customer: str, dataset: Dataset) -> Place | None:
    try:
        return place_of(location, customer, None, Part(dataset.name))
    except (Unplaceable, ValueError):
        return None  # such a customer has no place there, and nothing can lie in it


def _finding(
    kind: FindingKind,
    store: str,
    what: str,
    territory: str | None,
    *,
    datasets: Iterable[str] = (),
    customers: list[str] | None = None,
    remedy: Remedy | None = None,
    subjects: tuple[str, ...] = (),
    why: str = "",
) -> TransferFinding:
    name = hashlib.sha256("\x00".join((kind, store, what, territory or "")).encode()).hexdigest()[:8]
    who = customers or []
    return TransferFinding(
        id=name,
        kind=kind,
        store=store,
        what=what,
        territory=territory,
        datasets=tuple(datasets),
        customers=tuple(who[:MOST_CUSTOMERS]),
        customer_count=len(who),
        remedy=remedy,
        subjects=subjects if remedy else (),
        why=why,
    )
