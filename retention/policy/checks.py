"""What the parts of a policy have to mean together: references, reach, facts that fit, time that suffices.

Every check is a generator of problems over the parts that are well formed; `CHECKS` lists them all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from retention.model.fact_roles import CANCELS, ENDINGS, INSTRUCTIONS, STARTING, WITHDRAWALS
from retention.model.period import Period, PeriodUnit
from retention.model.policy import Encryption, KeepFrom
from retention.policy.document import BackupForm, DatasetForm, Document, LegalMeasure, LocationForm, TableForm
from retention.policy.lengths import longest_hours, shortest_hours
from retention.policy.problems import Problem, did_you_mean, one_of, quoted
from retention.policy.source import Place, Source

FITTING_STORES = {"prefix": ("s3", "files"), "keys": ("redis", "memory"), "tables": ("sql",)}
"""Which kinds of store can hold which kind of place."""

BACKUP_STORES = ("s3", "files", "restic", "rds-snapshots", "ebs-snapshots", "aws-backup")
"""Which kinds of store can hold backup sets."""


@dataclass(frozen=True, slots=True)
class Declared:
    """The names that the file gives, also those whose entries have mistakes: a reference to them is none."""

    services: Collection[str]
    datasets: Collection[str]
    rules: Collection[str]
    backups: Collection[str]


@dataclass(frozen=True, slots=True)
class Reading:
    """A policy file on its way: the entries that are well formed, what else it names, and where everything stands.

    stores: kind by name of the configured stores; None where there are no settings to compare with.
    """

    document: Document
    declared: Declared
    source: Source
    stores: Mapping[str, str] | None

    def unknown(self, loc: Place, what: str, names: Collection[str], known: Collection[str]) -> Iterator[Problem]:
        """A problem for each of `names`, the list at `loc`, that is not among `known`."""
        for index, name in enumerate(names):
            if name not in known:
                message = f"there is no {what} {quoted(name)}; {did_you_mean(name, known)}"
                yield self.source.problem((*loc, index), message)

    def locations(self) -> Iterator[tuple[Place, str, LocationForm]]:
        """Every primary place, replica and cache, with its place in the file and its dataset."""
        for name, dataset in self.document.datasets.items():
            for key, locations in (("in", dataset.places), ("replicas", dataset.replicas), ("caches", dataset.caches)):
                for index, location in enumerate(locations):
                    yield ("datasets", name, key, index), name, location


def references_exist(reading: Reading) -> Iterator[Problem]:
    """Every service, dataset, backup and store that is named is declared."""
    document, declared = reading.document, reading.declared
    for name, dataset in document.datasets.items():
        yield from reading.unknown(("datasets", name, "services"), "service", dataset.services, declared.services)
        yield from reading.unknown(("datasets", name, "backups"), "backup", dataset.backups, declared.backups)
    for name, measure in (document.transfers.measures if document.transfers else {}).items():
        loc = ("transfers", "measures", name, "datasets")
        yield from reading.unknown(loc, "dataset", measure.datasets, declared.datasets)
    for name, rule in document.rules.items():
        yield from reading.unknown(("rules", name, "datasets"), "dataset", rule.datasets or (), declared.datasets)
    for name, backup in document.backups.items():
        yield from reading.unknown(("backups", name, "holds"), "dataset", backup.holds, declared.datasets)


def backups_agree(reading: Reading) -> Iterator[Problem]:
    """A dataset and a backup name each other, or neither does: one of the two sides would be forgotten."""
    datasets, backups = reading.document.datasets, reading.document.backups
    for name, dataset in datasets.items():
        for index, backup in enumerate(dataset.backups):
            if backup in backups and name not in backups[backup].holds:
                message = f"the backup {backup} does not hold {name}; add {name} to its `holds`, or remove it here"
                yield reading.source.problem(("datasets", name, "backups", index), message)
    for name, backup_form in backups.items():
        for index, dataset_name in enumerate(backup_form.holds):
            if dataset_name in datasets and name not in datasets[dataset_name].backups:
                message = f"{dataset_name} does not list {name}; add {name} to its `backups`, or remove it here"
                yield reading.source.problem(("backups", name, "holds", index), message)


def every_dataset_is_reached(reading: Reading) -> Iterator[Problem]:
    """A dataset that no rule reaches would never be deleted."""
    rules = reading.document.rules.values()
    if not rules or any(rule.datasets is None for rule in rules) or len(rules) < len(reading.declared.rules):
        return  # a rule with mistakes may well be the one that reaches everything
    reached = {name for rule in rules for name in rule.datasets or ()}
    for name in reading.document.datasets:
        if name not in reached:
            message = f"no rule reaches {name}, so it would be kept for ever; add it to the `datasets` of a rule"
            yield reading.source.problem(("datasets", name), message, at_key=True)


def facts_fit(reading: Reading) -> Iterator[Problem]:
    """Facts that start a deletion do so, and those that cancel it can."""
    for name, rule in reading.document.rules.items():
        for index, fact in enumerate(rule.when):
            if fact not in STARTING:
                message = f"{fact} starts no deletion; {one_of(STARTING)}"
                yield reading.source.problem(("rules", name, "when", index), message)
        for index, fact in enumerate(rule.cancelled_by):
            if not CANCELS.get(fact, frozenset()) & set(rule.when):
                fitting = [other for other, starts in CANCELS.items() if starts & set(rule.when)]
                message = f"{fact} cannot take back {', '.join(rule.when)}; {one_of(fitting)}"
                yield reading.source.problem(("rules", name, "cancelled-by", index), message)
        for fact in rule.when:
            if rule.buffer is None and fact in INSTRUCTIONS | WITHDRAWALS:
                message = f"{fact} ends no service, so there is no service's buffer; write `none` or a period"
                yield reading.source.problem(("rules", name, "buffer"), message)


def time_suffices(reading: Reading) -> Iterator[Problem]:
    """The undo window ends before the time to complete does."""
    for name, rule in reading.document.rules.items():
        if longest_hours(rule.tombstone) >= shortest_hours(rule.complete_within):
            message = (
                f"{rule.complete_within} may be over before the undo window of {rule.tombstone} is, or with it; "
                "write a longer `complete-within` or a shorter `tombstone`"
            )
            yield reading.source.problem(("rules", name, "complete-within"), message)


def working_days_have_a_calendar(reading: Reading) -> Iterator[Problem]:
    """Periods in working days need to know the days off."""
    policy = reading.document.policy
    if policy.holidays is not None:
        return
    message = "the days off have to be known for this; add `holidays: CN` under `policy`"
    if policy.last_day_off == "moves":
        yield reading.source.problem(("policy", "last-day-off"), message)
    for loc, period in _periods(reading.document):
        if period.unit is PeriodUnit.WORKING_DAYS:
            yield reading.source.problem(loc, message)


def _periods(document: Document) -> Iterator[tuple[Place, Period]]:
    for name, service in document.services.items():
        for fact in ("default", *ENDINGS):
            period = getattr(service.buffer, fact.replace("-", "_"))
            if period is not None:
                yield ("services", name, "buffer", str(fact)), period
    for name, dataset in document.datasets.items():
        if dataset.keep_at_least is not None:
            yield ("datasets", name, "keep-at-least", "period"), dataset.keep_at_least.period
    for name, rule in document.rules.items():
        if rule.buffer is not None:
            yield ("rules", name, "buffer"), rule.buffer
        yield ("rules", name, "tombstone"), rule.tombstone
        yield ("rules", name, "complete-within"), rule.complete_within
    for name, backup in document.backups.items():
        yield ("backups", name, "delete-after"), backup.delete_after
    for index, notice in enumerate(document.notices):
        yield ("notices", index, "before-buffer-ends"), notice.before_buffer_ends


def locations_are_whole(reading: Reading) -> Iterator[Problem]:
    """A location says in exactly one way where the data lies, and fits its store."""
    for loc, _, location in reading.locations():
        kinds = [kind for kind in FITTING_STORES if getattr(location, kind) is not None]
        if len(kinds) != 1:
            given = " and ".join(f"`{kind}`" for kind in kinds) or "none of them"
            message = f"give exactly one of `prefix`, `keys` and `tables`; this has {given}"
            yield reading.source.problem(loc, message, at_key=True)
        else:
            yield from _store_fits(reading, loc, location.store, kinds[0], FITTING_STORES[kinds[0]])
    for name, backup in reading.document.backups.items():
        yield from _store_fits(reading, ("backups", name), backup.store, "sets", BACKUP_STORES)
        yield from _customer_in_sets(reading, name, backup)


def _store_fits(reading: Reading, loc: Place, store: str, word: str, kinds: Collection[str]) -> Iterator[Problem]:
    if reading.stores is None:
        return
    if store not in reading.stores:
        message = f"there is no store {quoted(store)} in the settings; {did_you_mean(store, reading.stores)}"
        yield reading.source.problem((*loc, "store"), message)
    elif reading.stores[store] not in kinds:
        fitting = sorted(name for name, its_kind in reading.stores.items() if its_kind in kinds)
        message = f"the store {store} is of kind {reading.stores[store]} and has no `{word}`; {one_of(fitting)}"
        yield reading.source.problem((*loc, "store"), message)


def _customer_in_sets(reading: Reading, name: str, backup: BackupForm) -> Iterator[Problem]:
    loc = ("backups", name, "sets")
    if backup.mixed and "{customer}" in backup.sets:
        yield reading.source.problem(loc, "`sets` names a customer although they are mixed; write `mixed: false`")
    if not backup.mixed and "{customer}" not in backup.sets:
        message = "`sets` has no `{customer}` although they are not mixed; add `{customer}/`, or write `mixed: true`"
        yield reading.source.problem(loc, message)


def tables_are_found(reading: Reading) -> Iterator[Problem]:
    """Every table leads to the customer: by its own column, or through others that do."""
    for loc, _, location in reading.locations():
        tables = location.tables or {}
        for name, table in tables.items():
            place = (*loc, "tables", name)
            if (table.customer is None) == (table.through is None):
                message = "give either `customer` (a column) or `through` (a listed table)"
                yield reading.source.problem(place, message, at_key=True)
            elif table.through is not None and table.through not in tables:
                message = (
                    f"there is no table {quoted(table.through)} in this list; {did_you_mean(table.through, tables)}"
                )
                yield reading.source.problem((*place, "through"), message)
            elif _runs_in_a_circle(name, tables):
                message = "the way never arrives at a table with a `customer` column; end the way at one that has it"
                yield reading.source.problem((*place, "through"), message)


def _runs_in_a_circle(name: str, tables: Mapping[str, TableForm]) -> bool:
    passed: set[str] = set()
    at: str | None = name
    while at is not None and at in tables:
        if at in passed:
            return True
        passed.add(at)
        at = tables[at].through if tables[at].customer is None else None
    return False


def written_dates_exist(reading: Reading) -> Iterator[Problem]:
    """A minimum that runs from each object's own date needs objects with dates."""
    for name, dataset in reading.document.datasets.items():
        keep = dataset.keep_at_least
        if keep is None or keep.starts is not KeepFrom.WRITTEN:
            continue
        if any(location.prefix is None for location in dataset.places):
            message = "rows and cache keys do not tell when they were written; write `from: start`"
            yield reading.source.problem(("datasets", name, "keep-at-least", "from"), message)
        if dataset.encrypted is not Encryption.NO:
            message = (
                "keys go as a whole, and objects of different ages do not; write `from: start`, or `encrypted: no`"
            )
            yield reading.source.problem(("datasets", name, "keep-at-least", "from"), message)


def measures_make_sense(reading: Reading) -> Iterator[Problem]:
    """A measure ends after it begins, has its number, and an exemption its ground."""
    for name, measure in (reading.document.transfers.measures if reading.document.transfers else {}).items():
        loc = ("transfers", "measures", name)
        if measure.until < measure.starts:
            yield reading.source.problem((*loc, "until"), "is before `from`; write the last day on which it counts")
        is_exemption = measure.kind is LegalMeasure.EXEMPTION
        if is_exemption and measure.ground is None:
            message = "an exemption needs its ground; add `ground: Order 16, 5(1): …`"
            yield reading.source.problem(loc, message, at_key=True)
        if not is_exemption and measure.number is None:
            message = (
                "a measure that is no exemption has a number; add `number`, as the authority or the filing gave it"
            )
            yield reading.source.problem(loc, message, at_key=True)


def replicas_can_go(reading: Reading) -> Iterator[Problem]:
    """What lies abroad is reached by a rule for withdrawn consents, and no replica is a cache."""
    document = reading.document
    rules = [rule for rule in document.rules.values() if WITHDRAWALS & set(rule.when)]
    has_wrong_rules = len(document.rules) < len(reading.declared.rules)
    for name, dataset in document.datasets.items():
        for index, replica in enumerate(dataset.replicas):
            loc = ("datasets", name, "replicas", index)
            if replica.keys is not None:
                message = "a replica lasts, and keys of a cache do not; write `prefix` or `tables`"
                yield reading.source.problem((*loc, "keys"), message)
            yield from _subscriptions_agree(reading, loc, replica, dataset)
            is_reached = any(rule.datasets is None or name in rule.datasets for rule in rules)
            if replica.territory != document.policy.home and not is_reached and not has_wrong_rules:
                message = (
                    f"no rule takes {name} away from {replica.territory} when its consent is withdrawn; add a rule with "
                    "`when: [consent-withdrawn]`, `buffer: none`"
                )
                yield reading.source.problem((*loc, "territory"), message)


def _subscriptions_agree(
    reading: Reading, loc: Place, replica: LocationForm, dataset: DatasetForm
) -> Iterator[Problem]:
    """A copy keeps the names that things have behind the customer's folder, so both ends have to tell subscriptions alike."""
    tails = {_from_subscription(place.prefix or "") for place in dataset.places}
    mine = _from_subscription(replica.prefix or "")
    is_told = any(tails) or bool(mine)
    if replica.prefix is not None and is_told and (len(dataset.places) > 1 or tails != {mine}):
        there = " and ".join(quoted(tail) for tail in sorted(tails) if tail) or "no `{subscription}`"
        message = (
            f"the dataset's own place has {there} there; a dataset of one place can have the same in its replica, so that "
            "each subscription's part goes with its own"
        )
        yield reading.source.problem((*loc, "prefix"), message)


def _from_subscription(prefix: str) -> str:
    """What the template has from `{subscription}` on; empty where it does not name it."""
    _, named, tail = prefix.partition("{subscription}")
    return named + tail if named else ""


Check = Callable[[Reading], Iterator[Problem]]

CHECKS: tuple[Check, ...] = (
    references_exist,
    backups_agree,
    every_dataset_is_reached,
    facts_fit,
    time_suffices,
    working_days_have_a_calendar,
    locations_are_whole,
    tables_are_found,
    written_dates_exist,
    measures_make_sense,
    replicas_can_go,
)
