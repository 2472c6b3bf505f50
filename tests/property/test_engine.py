"""Laws of the whole engine over random stories: facts, clocks, stores that fail and lie, processes that die.

What must never happen is checked by rules of thumb (`tests.property.provider.Truth`) and by looking into the stores.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retention.catalog import cases as case_rows
from retention.catalog import facts as fact_rows
from retention.catalog.database import Catalog, open_catalog
from retention.errors import RefusedByRule
from retention.evidence.verify import verify_files
from retention.keys.errors import KeyGone
from retention.model.case import StrandState
from retention.model.copy import EndState
from retention.model.plan import StepKind
from retention.model.record import StrandRecord
from retention.workflows.carry_out_plan import RunHooks
from retention.workflows.plan_deletions import plan_deletions
from retention.workflows.read_facts import read_facts
from retention.workflows.record_facts import record_facts
from retention.workflows.run_cycle import run_cycle
from retention.workflows.strand_run import Moment
from storage_adapters.contract import KeyPattern, Prefix
from storage_adapters.faults import CHANGES, Crash, Fault, FaultKind, Schedule
from tests.property.provider import CUSTOMERS, DATASETS, START, Provider, event

VICTIM, OTHER = CUSTOMERS
DAMAGE = (
    FaultKind.ITEM_LIE,
    FaultKind.BATCH_LIE,
    FaultKind.ITEM_REFUSED,
    FaultKind.ITEM_UNKNOWN_NOT_DONE,
    FaultKind.UNKNOWN_DONE,
    FaultKind.CRASH_AFTER,
)
DONE = (StrandState.VERIFIED, StrandState.CERTIFIED)
_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]


def examples(count: int) -> settings:
    """The same examples in every run, and only so many."""
    return settings(max_examples=count, derandomize=True, deadline=None, suppress_health_check=_QUIET)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """One catalogue for all stories, emptied before each: its statements are compiled only once."""
    opened = open_catalog(f"sqlite:///{tmp_path_factory.mktemp('engine') / 'catalog.db'}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("provider") / "now"


# -------------------------------------------------------------------------------------------------------- stories

KINDS = (
    "service-activated",
    "service-expired",
    "service-renewed",
    "arrears-started",
    "arrears-cleared",
    "data-deleted",
    "deletion-withdrawn",
    "hold-placed",
    "hold-released",
)


@dataclass(frozen=True, slots=True)
class Act:
    """What happens next: a fact of the customer's, a write of their application, time that passes, runs of the daemon.

    `which` chooses the hold, or the fact that is withdrawn.
    """

    kind: str | None
    which: int
    writes: str | None
    hours: int
    runs: int


def acts(most: int) -> st.SearchStrategy[list[Act]]:
    """Stories that begin with something that has to go, so that most of them get somewhere."""
    begin = st.builds(
        Act,
        st.sampled_from(["service-expired", "arrears-started", "data-deleted"]),
        st.just(0),
        st.none(),
        st.sampled_from([0, 25]),
        st.sampled_from([0, 1, 1]),
    )
    then = st.builds(
        Act,
        st.sampled_from([None, *KINDS]),
        st.integers(0, 3),
        st.sampled_from([None, None, *DATASETS]),
        st.sampled_from([0, 1, 24, 25, 96]),
        st.sampled_from([0, 1, 1, 2]),
    )
    return st.tuples(begin, st.lists(then, max_size=most - 1)).map(lambda story: [story[0], *story[1]])


FAULTS = st.lists(
    st.one_of(
        st.none(),
        st.builds(Fault, st.sampled_from(FaultKind), st.none(), st.integers(0, 5)),
        st.builds(Fault, st.sampled_from(DAMAGE), st.sampled_from(sorted(CHANGES)), st.integers(0, 5)),
    ),
    max_size=12,
)
"""What fails; damage to one kind of change is chosen often, because the first fault keeps the others waiting."""


def play(provider: Provider, story: list[Act]) -> None:
    """Let the story happen, and look after every act whether something happened that must not."""
    for customer in CUSTOMERS:
        provider.tell("service-activated", customer)
        for dataset in (*DATASETS, "models"):
            assert provider.write(customer, dataset)
    for act in story:
        if act.kind is not None:
            tell(provider, act.kind, act.which)
        if act.writes is not None:
            provider.write(VICTIM, act.writes)
        provider.clock.advance(timedelta(hours=act.hours))
        for _ in range(act.runs):
            run(provider)
            check(provider)


def tell(provider: Provider, kind: str, which: int) -> None:
    about = f"h{which % 2}"
    if kind == "deletion-withdrawn":
        orders = sorted(provider.truths[VICTIM].orders)
        passed = {record.strand.case for record in strands(provider) if record.passed_at}
        with provider.catalog.reading() as session:
            too_late = {record.case.starting_fact.id for record in case_rows.cases(session) if record.case.id in passed}
        if not orders or orders[which % len(orders)] in too_late:
            return  # what is withdrawn too late goes on, which the rules of thumb do not know
        about = orders[which % len(orders)]
    provider.tell(kind, VICTIM, about)


def run(provider: Provider) -> None:
    """One cycle of a process that has just started, and that dies where a fault kills it."""
    with contextlib.suppress(Crash):
        run_cycle(provider.started())


def strands(provider: Provider) -> tuple[StrandRecord, ...]:
    with provider.catalog.reading() as session:
        return case_rows.strands(session)


def covering(provider: Provider, record: StrandRecord) -> set[str]:
    """The objects that were there when the strand passed its point of no return, and that it was about."""
    if record.passed_at is None:
        return set()
    until = min(record.passed_at, record.strand.not_from or record.passed_at)
    return {
        one.name
        for one in provider.written
        if (one.customer, one.dataset) == (record.customer, record.strand.dataset) and one.at <= until
    }


# ---------------------------------------------------------------------------------------------------------- laws


def check(provider: Provider) -> None:
    """Nothing happened that must not: too early, held, not asked for, somebody else's, or said and not done."""
    records = strands(provider)
    truth = provider.truths[VICTIM]
    for one in provider.written:
        if one.customer == OTHER:
            assert provider.readable(one), f"{one.name} is another customer's"
    for record in records:
        assert record.customer == VICTIM
        if record.passed_at == provider.clock.now():
            assert truth.may_go(record.passed_at), f"{record.strand.id} passed and nobody allowed it"
    condemned = {name for record in records for name in covering(provider, record)}
    for dataset in DATASETS:
        mine = {one.name for one in provider.written if (one.customer, one.dataset) == (VICTIM, dataset)}
        gone = mine - provider.there(VICTIM, dataset)
        assert gone <= condemned, f"{gone - condemned} went too early"
    for customer in {one.customer for one in provider.written if one.dataset == "models" and one.name not in condemned}:
        check_key(provider, customer)
    for record in records:
        check_said(provider, record)


def check_key(provider: Provider, customer: str) -> None:
    """The key of what must stay was not destroyed: it opens, or refuses because it is restricted."""
    (key,) = provider.keys_of(customer)
    with contextlib.suppress(RefusedByRule):
        provider.started().keyring.key_for_opening(key.key_id, key.scope)


def check_said(provider: Provider, record: StrandRecord) -> None:
    """What is said to be verified is not there, whatever the store has said."""
    if record.state not in DONE:
        return
    dataset = record.strand.dataset
    left = covering(provider, record) & provider.there(VICTIM, dataset)
    assert not left, f"{record.state}, and {left} are there"
    for status in record.copies:
        assert status.end_state in (EndState.ERASED_VERIFIED, EndState.NOT_FOUND), status
        assert isinstance(status.copy.place, Prefix | KeyPattern)


def finish(provider: Provider) -> None:
    """The faults that are left strike, and then none; no more holds; a month passes in which the daemon runs."""
    for _ in range(4):
        run(provider)
        check(provider)
    provider.heal()
    for hold in sorted(provider.truths[VICTIM].holds):
        provider.tell("hold-released", VICTIM, hold)
    for hours in (1, 25, 96, 1, 1, 1, 48, 1):
        provider.clock.advance(timedelta(hours=hours))
        cycle = run_cycle(provider.started())
        check(provider)
    assert cycle.report.troubles == []


def check_end(provider: Provider) -> None:
    """Everything that had to go is gone and proven; everything that is still wanted is there and readable."""
    truth = provider.truths[VICTIM]
    asked = [*truth.endings.values(), *truth.orders.values()]
    records = strands(provider)
    condemned = {name for record in records for name in covering(provider, record)}
    for one in provider.written:
        is_there = one.name in provider.there(one.customer, one.dataset)
        if one.customer == VICTIM and any(one.at <= at for at in asked):
            assert not is_there, f"{one.name} should have gone"
        elif one.customer == OTHER or (truth.is_wanted and one.name not in condemned):
            assert provider.readable(one), f"{one.name} is wanted"
    for record in records:
        assert record.state in (StrandState.CERTIFIED, StrandState.BROUGHT_BACK), record.state
    deployment = provider.started()
    assert verify_files([provider.folder / "ledger"], deployment.journal.ledger.key).findings == ()


def whole_story(catalog: Catalog, folder: Path, kind: str, story: list[Act], faults: list[Fault | None]) -> None:
    provider = Provider.fresh(catalog, folder, kind, Schedule(faults))
    play(provider, story)
    finish(provider)
    check_end(provider)


STORIES = given(st.sampled_from(["memory", "files"]), acts(most=7), FAULTS)


@examples(30)
@STORIES
def test_nothing_goes_too_early_and_everything_due_goes_once_faults_stop(
    catalog: Catalog, folder: Path, kind: str, story: list[Act], faults: list[Fault | None]
) -> None:
    whole_story(catalog, folder, kind, story, faults)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@settings(max_examples=400, deadline=None, suppress_health_check=_QUIET)
@STORIES
def test_the_same_over_many_more_stories(
    catalog: Catalog, folder: Path, kind: str, story: list[Act], faults: list[Fault | None]
) -> None:
    whole_story(catalog, folder, kind, story, faults)


# ------------------------------------------------------------------------------------------------- facts told late


def lines_of(kinds: list[tuple[str, int, int]]) -> list[str]:
    """Facts with times of their own, in the order in which they happened."""
    lines = []
    at = START
    for number, (kind, hours, which) in enumerate(kinds):
        at += timedelta(hours=hours, seconds=1)
        about = f"f{which}" if kind == "deletion-withdrawn" else f"h{which % 2}"
        lines.append(event(kind, VICTIM, f"f{number}", at, about))
    return lines


def amounts_to(provider: Provider) -> object:
    """What stands in the catalogue: cases that go on, and holds."""
    with provider.catalog.reading() as session:
        records = case_rows.strands(session)
        holds = fact_rows.holds_of(session)
    going = sorted((r.strand for r in records if r.state is not StrandState.BROUGHT_BACK), key=lambda s: s.id)
    return going, holds


@examples(40)
@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 200), st.integers(0, 7)), min_size=1, max_size=8).flatmap(
        lambda facts: st.tuples(
            st.just(facts), st.permutations(range(len(facts))), st.lists(st.booleans(), min_size=8, max_size=8)
        )
    )
)
def test_facts_told_late_twice_or_in_another_order_amount_to_the_same_cases(
    catalog: Catalog, folder: Path, told: tuple[list[tuple[str, int, int]], list[int], list[bool]]
) -> None:
    facts, order, twice = told
    lines = lines_of(facts)
    results = []
    for arrival in ([*range(len(lines))], order):
        provider = Provider.fresh(catalog, folder, "memory", Schedule())
        provider.clock.advance(timedelta(days=120))
        for number in arrival:
            for _ in range(2 if twice[number] and arrival is order else 1):
                read = read_facts(lines[number], "facts", provider.clock.now())
                record_facts(provider.started(), read.facts)
                provider.clock.advance(timedelta(seconds=1))
        results.append(amounts_to(provider))
    assert results[0] == results[1]


# ------------------------------------------------------------------------------------------------------- previews


@examples(25)
@given(acts(most=5), st.sampled_from([0, 24, 25, 96, 97, 24 * 30]))
def test_a_run_does_what_the_plan_as_of_its_moment_had_shown(
    catalog: Catalog, folder: Path, story: list[Act], hours: int
) -> None:
    provider = Provider.fresh(catalog, folder, "memory", Schedule())
    play(provider, story)
    at = provider.clock.now() + timedelta(hours=hours)
    shown = plan_deletions(provider.started(), at)
    before = provider.inner.read_all()  # type: ignore[attr-defined]  # it is the store in memory
    assert plan_deletions(provider.started(), at).hash == shown.hash
    assert provider.inner.read_all() == before, "a plan touches nothing"  # type: ignore[attr-defined]
    moments: list[Moment] = []
    provider.clock.advance(timedelta(hours=hours))
    cycle = run_cycle(provider.started(), RunHooks(observe=moments.append))
    assert cycle.plan.hash == shown.hash
    promised: dict[str, set[StepKind]] = {}
    for item in shown.acting:
        promised.setdefault(item.strand, set()).update(item.steps)
    done: dict[str, set[StepKind]] = {}
    for moment in moments:
        if moment.phase == "outcome":
            done.setdefault(moment.strand, set()).add(moment.step)
    closing = {strand: steps - {StepKind.CERTIFY} for strand, steps in done.items()}
    assert {strand: steps - {StepKind.CERTIFY} for strand, steps in promised.items()} == {
        s: k for s, k in closing.items() if k
    } or not cycle.plan.acting


def test_a_key_that_is_gone_is_told_apart_from_one_that_refuses(catalog: Catalog, folder: Path) -> None:
    """The law above rests on it."""
    provider = Provider.fresh(catalog, folder, "memory", Schedule())
    play(provider, [])
    (key,) = provider.keys_of(VICTIM)
    provider.tell("data-deleted", VICTIM)
    run(provider)
    deployment = provider.started()
    with pytest.raises(RefusedByRule):
        deployment.keyring.key_for_opening(key.key_id, key.scope)
    provider.clock.advance(timedelta(hours=25))
    run(provider)
    with pytest.raises(KeyGone):
        provider.started().keyring.key_for_opening(key.key_id, key.scope)
