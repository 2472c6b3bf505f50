"""Laws of backups over random stories: sets made, copied, renamed and lost, stores that fail, processes that die.

What is claimed is read from the catalogue; whether it is true is looked up on the disk, byte by byte.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from retention.catalog import backups as backup_rows
from retention.catalog.database import Catalog, open_catalog
from retention.errors import InputError
from retention.evidence.verify import verify_files
from retention.model.case import StrandState
from retention.model.copy import CopyRole, CopyStatus, EndState, SetEnd
from retention.model.record import StrandRecord
from retention.workflows.carry_out_plan import RunHooks
from retention.workflows.certify import certify
from retention.workflows.deployment import Deployment
from retention.workflows.restore_backup import RestoreRefused, restore_backup
from retention.workflows.run_cycle import run_cycle
from retention.workflows.scan_backups import scan_backups
from retention.workflows.strand_run import Moment
from retention.workflows.verify_again import verify_again
from storage_adapters.errors import StoreError
from tests.property.backup_model import CUSTOMERS, DATASETS, SHANGHAI, SHORTEST, Killed, World, Written

_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
_SERIES = ("nightly", "weekly", "own")
CALLS = ("sets", "heads", "delete", "quarantine")
Acting = Callable[[Deployment, RunHooks], object]

whoever = st.sampled_from(CUSTOMERS)
whatever = st.integers(0, 50)


class Backups(RuleBasedStateMachine):
    """A provider, whoever has hands on its backups, and the service."""

    catalog: Catalog
    folder: Path

    @initialize(series=st.sampled_from(_SERIES), stray=st.booleans(), whose=whoever, passes=st.booleans())
    def begin(self, series: str, stray: bool, whose: str, passes: bool) -> None:
        """Everybody has data, of which there is a backup, and somebody is about to go, or beyond return."""
        self.world = World.fresh(self.catalog, self.folder)
        self.world.back_up("nightly", CUSTOMERS[0], stray=stray)
        self.world.back_up(series, whose, stray=not stray)
        self.world.tell("data-deleted", whose)
        if passes:
            self.run()
            self.wait(25)
            self.run()

    # ------------------------------------------------------------------------------------------- what others do

    @rule(customer=whoever, dataset=st.sampled_from(DATASETS))
    def write(self, customer: str, dataset: str) -> None:
        self.world.write(customer, dataset)

    @rule(series=st.sampled_from(_SERIES), customer=whoever, stray=st.booleans())
    def back_up(self, series: str, customer: str, stray: bool) -> None:
        self.world.back_up(series, customer, stray=stray)

    @rule(customer=whoever, dataset=st.sampled_from([None, *DATASETS]))
    def delete(self, customer: str, dataset: str | None) -> None:
        self.world.tell("data-deleted", customer, **({"dataset": dataset} if dataset else {}))

    @rule(customer=whoever, closes=st.booleans())
    def end(self, customer: str, closes: bool) -> None:
        if closes:
            self.world.tell("account-closed", customer)
        else:
            self.world.tell("service-expired", customer, service="training")

    @rule(customer=whoever)
    def come_back(self, customer: str) -> None:
        self.world.tell("service-renewed", customer, service="training")

    @rule(customer=whoever)
    def hold(self, customer: str) -> None:
        self.world.tell("hold-placed", customer, hold=f"H-{customer}", ground="g", authority="a")

    @precondition(lambda self: self.world.holds)
    @rule(which=whatever)
    def release(self, which: int) -> None:
        hold, customer = sorted(self.world.holds.items())[which % len(self.world.holds)]
        self.world.tell("hold-released", customer, hold=hold, ground="over", authority="a")

    @precondition(lambda self: self.world.live_sets())
    @rule(which=whatever, act=st.sampled_from(["keep", "remove", "by-hand", "manual", "weekly"]))
    def meddle(self, which: int, act: str) -> None:
        names = self.world.live_sets()
        name = names[which % len(names)]
        if act == "keep":
            self.world.keep_a_copy(name)
        elif act == "remove":
            self.world.remove(name)
        else:
            self.world.rename(name, f"{act}/{name.rstrip('/').rpartition('/')[2]}/")

    @precondition(lambda self: self.world.copies())
    @rule(which=whatever, new_times=st.booleans())
    def copy_back(self, which: int, new_times: bool) -> None:
        names = self.world.copies()
        self.world.copy_back(names[which % len(names)], new_times=new_times)

    @precondition(lambda self: self.world.version < 3)
    @rule()
    def change_policy(self) -> None:
        self.world.adopt(self.world.version + 1)

    @rule(hours=st.sampled_from([1, 25, 25, 97, 24 * 8, 24 * 21]))
    def wait(self, hours: int) -> None:
        self.world.clock.advance(timedelta(hours=hours))

    @rule(calls=st.sets(st.sampled_from(CALLS), max_size=2))
    def fail(self, calls: set[str]) -> None:
        self.world.failing = frozenset(calls)

    # --------------------------------------------------------------------------------------- what the service does

    @rule()
    def run(self) -> None:
        self.act(run_cycle)

    @rule(moment=st.integers(0, 40), after=st.sampled_from(["", "delete", "quarantine"]))
    def run_and_die(self, moment: int, after: str) -> None:
        self.act(lambda _deployment, _hooks: run_until_killed(self.world, moment, after))

    @rule()
    def look_again(self) -> None:
        self.act(verify_again)

    @rule()
    def scan(self) -> None:
        self.act(lambda deployment, _: scan_backups(deployment))

    @rule()
    def look_at_everything(self) -> None:
        """A night in which everything works: from now on nothing that was done by hand is news."""
        self.world.failing = frozenset()
        for step in (run_cycle, verify_again, run_cycle):
            self.act(step)
            self.world.clock.advance(timedelta(minutes=10))
        self.world.touched.clear()

    @rule()
    def weeks_go_by(self) -> None:
        """Long enough for every rotation."""
        for _ in range(2):
            self.look_at_everything()
            self.world.clock.advance(timedelta(days=11))
        self.look_at_everything()

    @precondition(lambda self: self.world.placed)
    @rule(which=whatever)
    def restore(self, which: int) -> None:
        names = sorted(self.world.placed)
        name = names[which % len(names)]
        shutil.rmtree(self.world.root / "restored", ignore_errors=True)
        inside = self.world.inside(name)
        try:
            restore_backup(self.world.started(), f"backups:{name}", ["restored"])
        except (RestoreRefused, InputError, StoreError):
            assert self.given_out() == set()
            return
        self.check_given_out(inside)

    def act(self, acting: Acting, hooks: RunHooks | None = None) -> None:
        """The service does something, and takes nothing from a set that has to stay in it."""
        before = {name: self.world.inside(name) for name in self.world.placed}
        try:
            acting(self.world.started(), hooks or RunHooks())
        finally:
            self.check_removed(before)

    # ------------------------------------------------------------------------------------------------------ laws

    def check_removed(self, before: dict[str, set[Written]]) -> None:
        condemned = {one for record in self.world.strands() for one in self.world.condemned(record)}
        held = set(self.world.holds.values())
        for name, inside in before.items():
            for one in inside - self.world.inside(name):
                if one in condemned:
                    assert one.customer not in held, f"{one.name} went from {name}, and a hold stands"
                else:
                    assert self.is_over(name), f"{one.name} went from {name}, and it has to stay"

    def is_over(self, name: str) -> bool:
        """Whether the set's own rotation may be over."""
        if series_of(name) is None and (self.world.version == 1 or not name.startswith("manual/")):
            return False
        day = datetime.strptime(name.split("/")[-2][:10], "%Y-%m-%d").replace(tzinfo=SHANGHAI)
        return self.world.clock.now() >= day + SHORTEST

    def given_out(self) -> set[Written]:
        root = self.world.root / "restored"
        files = [path.read_bytes() for path in root.rglob("*") if path.is_file()] if root.exists() else []
        return {one for one in self.world.written if any(one.stored in content for content in files)}

    def check_given_out(self, inside: set[Written]) -> None:
        world, given = self.world, self.given_out()
        records = [record for record in world.strands() if record.state is not StrandState.BROUGHT_BACK]
        about = {(record.customer, record.strand.dataset) for record in records}
        condemned = {one for record in records for one in world.condemned(record)}
        for one in given:
            order = world.orders.get((one.customer, one.dataset))
            assert one not in condemned, f"{one.name} was deleted"
            assert order is None or one.at > order, f"{one.name} is restricted"
            assert one.customer not in world.ended, f"{one.name} is in the buffer"
        missing = {one for one in inside - given if (one.customer, one.dataset) not in about}
        assert not missing, "everything of those who stay comes back"

    @invariant()
    def what_is_claimed_is_true(self) -> None:
        if not hasattr(self, "world"):
            return
        everything = self.world.everything()
        with self.catalog.reading() as session:
            names = {known.id: known.set.name for known in backup_rows.known_sets(session)}
        for record in self.world.strands():
            condemned = [one for one in self.world.condemned(record) if self.world.opens(one)]
            for status in record.copies:
                if status.copy.role is not CopyRole.BACKUP:
                    continue
                for end in status.sets:
                    name = names.get(end.id)
                    if name is not None and end.end_state is EndState.QUARANTINED and not self.is_touched(name):
                        assert not (self.world.root / "backups" / name).exists(), f"{name} is in the live folder"
                if status.end_state is not None and status.end_state.is_gone:
                    self.check_gone(record, status, condemned, everything)

    def check_gone(
        self, record: StrandRecord, status: CopyStatus, condemned: list[Written], everything: dict[Path, bytes]
    ) -> None:
        manual = any(copy.copy.backup == "manual" for copy in record.copies)
        for path, content in everything.items():
            name = self.name_of(path)
            series = series_of(name) or ("manual" if manual and name.startswith("manual/") else None)
            if series in (None, status.copy.backup) and not self.is_touched(name):
                there = [one.name for one in condemned if one.stored in content]
                assert not there, f"{status.end_state}, and {there} are in {name} ({path.parent})"

    def name_of(self, path: Path) -> str:
        """The path of a file as it was before its set was put in quarantine."""
        parts = path.relative_to(self.world.root).parts
        return "/".join(parts[1:] if parts[0] == "backups" else parts[3:])

    def is_touched(self, name: str) -> bool:
        return any(name.startswith(other) or other.startswith(name) for other in self.world.touched)

    def teardown(self) -> None:
        """Nothing fails any more, nobody is held, and a month passes."""
        if not hasattr(self, "world"):
            return
        for hold, customer in sorted(self.world.holds.items()):
            self.world.tell("hold-released", customer, hold=hold, ground="over", authority="a")
        for days in (5, 22, 2, 2):
            self.look_at_everything()
            self.what_is_claimed_is_true()
            self.world.clock.advance(timedelta(days=days))
        self.look_at_everything()
        self.check_end()

    def check_end(self) -> None:
        world = self.world
        everything = world.everything()
        unknown = [path for path in everything if series_of(self.name_of(path)) is None]
        deployment = world.started()
        records = world.strands()
        files = [world.root / "ledger"]
        for record in records:
            ends = (StrandState.CERTIFIED, StrandState.BROUGHT_BACK, *([StrandState.VERIFIED] if unknown else []))
            assert record.state in ends, (
                f"{record.state}: {[(s.copy.label, s.end_state, s.reason) for s in record.copies]}"
            )
            for one in world.condemned(record):
                there = [path for path, content in everything.items() if one.stored in content and path not in unknown]
                assert not there or not world.opens(one), f"{one.name} has gone, and it can be read in {there}"
        for case in {record.strand.case for record in records if record.state is StrandState.CERTIFIED}:
            issued = certify(deployment, case)
            files.append(world.root / f"{case}.json")
            files[-1].write_bytes(issued.certificate.encode())
            mine = [one for record in records if record.strand.case == case for one in world.condemned(record)]
            if issued.final:
                left = [
                    one.name for one in mine if any(one.stored in c for c in everything.values()) and world.opens(one)
                ]
                assert not left, f"the certificate is final, and {left} can be read"
        assert verify_files(files, deployment.journal.ledger.key).findings == ()


def series_of(name: str) -> str | None:
    """The series that every version of the policy has and that the set fits."""
    parts = name.split("/")
    depth = 3 if parts[0] == "own" else 2
    return parts[0] if parts[0] in _SERIES and len(parts) > depth else None


# ------------------------------------------------------------------------------------------ processes that die

WAITS = (0, 25, 96, 24 * 22)
"""Hours before each cycle of the story below."""


def play(world: World, strays: bool, kills: Mapping[int, tuple[int, str]]) -> object:
    """One customer deletes, another one leaves; how it ends, with processes killed in these cycles at these moments."""
    for series in _SERIES:
        world.back_up(series, CUSTOMERS[0], stray=strays)
    world.tell("data-deleted", CUSTOMERS[0])
    world.tell("service-expired", CUSTOMERS[1], service="training")
    world.rename(world.live_sets()[0], "by-hand/2026-11-10/")
    world.back_up("nightly", CUSTOMERS[0], stray=strays)
    for number, hours in enumerate(WAITS):
        world.clock.advance(timedelta(hours=hours))
        if number in kills:
            run_until_killed(world, *kills[number])
        run_cycle(world.started())
    return ending(world)


def run_until_killed(world: World, moment: int, after: str) -> None:
    """One cycle that dies after this call of the backup store, or at its moment of this number."""
    left = moment

    def observe(_: Moment) -> None:
        nonlocal left
        left -= 1
        if left < 0 and not after:
            raise Killed

    world.dies_after = after
    with contextlib.suppress(Killed):
        run_cycle(world.started(), RunHooks(observe=observe))


def ending(world: World) -> object:
    """What is said of each strand, and what lies where."""
    said = []
    for record in world.strands():
        ends = [(status.copy.backup, end) for status in record.copies for end in status.sets]
        said.append(
            (
                record.customer,
                record.strand.dataset,
                str(record.state),
                sorted((str(series), shown(end), str(end.end_state), str(end.until)) for series, end in ends),
            )
        )
    left = {name: sorted(one.name for one in world.inside(name)) for name in sorted(world.placed)}
    return sorted(said), left, world.live_sets(), sorted(one.name for one in world.written if world.opens(one))


def shown(end: SetEnd) -> str:
    """The set's name where it has one; the word for an unknown set is another one in each story."""
    return "unknown" if end.set.startswith("unknown-") else end.set


@pytest.fixture(scope="module")
def undisturbed(catalog: Catalog, folder: Path) -> Callable[[bool], object]:
    """How the story ends when nobody is killed, without and with files in the sets that are of no dataset."""
    return cache(lambda strays: play(World.fresh(catalog, folder), strays, {}))


KILLS = st.dictionaries(
    st.integers(0, len(WAITS) - 1),
    st.tuples(st.integers(0, 40), st.sampled_from(["", "", "delete", "quarantine"])),
    min_size=1,
)


@settings(max_examples=2, derandomize=True, deadline=None, suppress_health_check=_QUIET)
@given(st.booleans(), KILLS)
def test_whoever_is_killed_the_same_facts_have_the_same_end(
    catalog: Catalog,
    folder: Path,
    undisturbed: Callable[[bool], object],
    strays: bool,
    kills: dict[int, tuple[int, str]],
) -> None:
    assert undisturbed(strays) == play(World.fresh(catalog, folder), strays, kills)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@settings(max_examples=300, deadline=None, suppress_health_check=_QUIET)
@given(st.booleans(), KILLS)
def test_the_same_for_many_more_kills(
    catalog: Catalog,
    folder: Path,
    undisturbed: Callable[[bool], object],
    strays: bool,
    kills: dict[int, tuple[int, str]],
) -> None:
    assert undisturbed(strays) == play(World.fresh(catalog, folder), strays, kills)


# ------------------------------------------------------------------------------------------------------ stories


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """One catalogue for all stories, emptied before each: its statements are compiled only once."""
    opened = open_catalog(f"sqlite:///{tmp_path_factory.mktemp('backups') / 'catalog.db'}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("disk") / "now"


@pytest.fixture(scope="module")
def machine(catalog: Catalog, folder: Path) -> type[Backups]:
    class Machine(Backups):
        pass

    Machine.catalog, Machine.folder = catalog, folder
    return Machine


def test_what_is_said_of_backups_is_what_lies_on_the_disk(machine: type[Backups]) -> None:
    quick = settings(
        max_examples=4, stateful_step_count=12, derandomize=True, deadline=None, suppress_health_check=_QUIET
    )
    run_state_machine_as_test(machine, settings=quick)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_same_over_many_more_stories(machine: type[Backups]) -> None:
    many = settings(max_examples=400, stateful_step_count=40, deadline=None, suppress_health_check=_QUIET)
    run_state_machine_as_test(machine, settings=many)
