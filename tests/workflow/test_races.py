"""Several processes at one catalogue: whoever comes second sees what the first has done, on every kind of database."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from retention.catalog import cases as case_rows
from retention.catalog import facts as fact_rows
from retention.catalog import keys as key_rows
from retention.clock import ManualClock
from retention.errors import RefusedByRule
from retention.evidence.entries import EntryType, decode_entry
from retention.evidence.verify import verify_files
from retention.keys.errors import KeyGone, KeyRefused
from retention.model.plan import StepKind
from retention.workflows.adopt_policy import adopt_policy
from retention.workflows.carry_out_plan import RunHooks
from retention.workflows.plan_deletions import plan_deletions
from retention.workflows.read_facts import read_facts
from retention.workflows.record_facts import record_facts
from retention.workflows.run_cycle import NotTheOwner, run_cycle
from retention.workflows.status import status
from retention.workflows.strand_run import Moment
from tests.workflow.conftest import POLICY, START, open_provider

if TYPE_CHECKING:
    from tests.workflow.conftest import Provider

Processes = Callable[[], "Provider"]


def due(provider: Provider, *customers: str) -> None:
    """Each customer's service expired sixteen days ago, and nothing but restricting was done."""
    for customer in customers:
        provider.tell("service-activated", customer, service="training")
        provider.put_model(customer, "a.bin")
        provider.tell("service-expired", customer, service="training")
    provider.run()
    provider.pass_time(days=16)


@contextmanager
def at_once(*acts: Callable[[], object]) -> Iterator[None]:
    """The acts begin together, each in a thread of its own, and have all ended well when the block is left."""
    with ThreadPoolExecutor(len(acts)) as threads:
        running = [threads.submit(act) for act in acts]
        yield
        for one in running:
            one.result()


def test_one_whole_deletion_on_every_kind_of_catalogue(processes: Processes) -> None:
    provider = processes()
    due(provider, "c-1", "c-10")
    provider.tell("service-renewed", "c-10", service="training")
    assert provider.run().report.troubles == []
    assert provider.visible("models") == ["models/c-10/a.bin"]
    assert provider.case("c-1").state == "certified"
    ledger = provider.deployment.journal.ledger
    assert verify_files([provider.root / "ledger"], ledger.key).findings == ()


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        pytest.param("hold-placed", {"hold": "h", "ground": "g", "authority": "a"}, id="a hold"),
        pytest.param("service-renewed", {"service": "training"}, id="a renewal"),
    ],
)
def test_either_the_fact_saw_the_shred_or_the_shred_saw_the_fact(
    processes: Processes, kind: str, data: dict[str, Any]
) -> None:
    daemon, platform = processes(), processes()
    customers = [f"c-{number}" for number in range(8)]
    due(daemon, *customers)
    shredding: dict[str, threading.Event] = {customer: threading.Event() for customer in customers}
    case_customers = {case.case: case.customer for case in status(daemon.deployment)}

    def observe(moment: Moment) -> None:
        if (moment.step, moment.phase) == (StepKind.SHRED, "intent"):
            shredding[case_customers[moment.strand.partition("/")[0]]].set()

    def interfere() -> None:
        delays = random.Random(7)
        for customer in customers:
            assert shredding[customer].wait(60)
            time.sleep(delays.choice([0, 0, 0.002, 0.005, 0.01, 0.02]))
            platform.tell(kind, customer, key=f"late-{customer}", **data)

    with at_once(lambda: run_cycle(daemon.deployment, RunHooks(observe=observe)), interfere):
        pass
    for customer in customers:
        check_who_was_first(daemon, customer, kind)
    ledger = daemon.deployment.journal.ledger
    daemon.deployment.journal.publish()
    assert verify_files([daemon.root / "ledger"], ledger.key).findings == ()


def check_who_was_first(provider: Provider, customer: str, kind: str) -> None:
    """The ledger has one order: what was shredded was shredded before the fact, what was not still opens or is held."""
    with provider.deployment.catalog.reading() as session:
        (record,) = (r for r in case_rows.strands(session, customer=customer) if r.strand.dataset == "models")
        keys = key_rows.keys_of(session, customer, "models")
    told = EntryType.HOLD_PLACED if kind == "hold-placed" else EntryType.FACT_RECORDED
    mine = provider.deployment.journal.customer(customer)
    entries = [decode_entry(entry) for entry in provider.deployment.journal.ledger.entries()]
    about = [(at, entry) for at, entry in enumerate(entries) if entry.body.get("customer") == mine]
    fact_at = max(at for at, entry in about if entry.type is told)
    shreds = [at for at, entry in about if entry.type is EntryType.KEY_SHREDDED]
    if record.passed_at is None:
        assert len(keys) == 1
        assert shreds == []
    else:
        assert keys == ()
        assert len(shreds) == 1
        assert shreds[0] < fact_at


def test_holds_told_by_many_processes_at_once_are_all_there(processes: Processes) -> None:
    first, second = processes(), processes()
    names = [f"h{number}" for number in range(12)]

    def place(number: int) -> None:
        process = (first, second)[number % 2]
        process.tell("hold-placed", "c-1", key=names[number], hold=names[number], ground="g", authority="a")

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(place, range(len(names))))
    with first.deployment.catalog.reading() as session:
        assert sorted(hold.id for hold in fact_rows.holds_of(session, "c-1")) == sorted(names)
        assert len(fact_rows.facts_of(session, "c-1")) == len(names)


def test_the_same_fact_told_by_many_processes_at_once_counts_once(processes: Processes) -> None:
    first, second = processes(), processes()
    at = first.clock.now()

    def tell(number: int) -> int:
        process = (first, second)[number % 2]
        return process.tell("service-expired", "c-1", at=at, key="same", service="training").new_count

    with ThreadPoolExecutor(6) as threads:
        counts = list(threads.map(tell, range(8)))
    assert sorted(counts) == [0] * 7 + [1]
    assert len(status(first.deployment, "c-1")) == 1


def test_two_daemons_at_once_do_everything_once(processes: Processes) -> None:
    daemons = [processes(), processes()]
    customers = [f"c-{number}" for number in range(4)]
    due(daemons[0], *customers)

    def run(daemon: Provider) -> None:
        for _ in range(6):
            try:
                run_cycle(daemon.deployment)
            except NotTheOwner:
                time.sleep(0.05)

    with at_once(*(partial(run, daemon) for daemon in daemons)):
        pass
    assert {case.state for case in status(daemons[0].deployment)} == {"certified"}
    entries = [decode_entry(entry) for entry in daemons[0].deployment.journal.ledger.entries()]
    assert sum(entry.type is EntryType.KEY_SHREDDED for entry in entries) == len(customers)
    assert sum(int(str(entry.body["count"])) for entry in entries if entry.type is EntryType.BATCH) == len(customers)


def test_a_step_that_takes_longer_than_the_lease_loses_it_to_nobody(tmp_path: Path) -> None:
    clock, term = ManualClock(START), timedelta(seconds=1)
    daemons = [open_provider(tmp_path / "disk", clock, lease_term=term) for _ in range(2)]
    policy = tmp_path / "policies.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    adopt_policy(daemons[0].deployment, policy)
    due(daemons[0], "c-1")
    stood_by: list[str] = []

    def long_listing(moment: Moment) -> None:
        if (moment.step, moment.phase) != (StepKind.ERASE, "intent"):
            return
        time.sleep(1.5)
        with pytest.raises(NotTheOwner):
            run_cycle(daemons[1].deployment)
        stood_by.append(moment.strand)

    assert run_cycle(daemons[0].deployment, RunHooks(observe=long_listing)).report.troubles == []
    assert len(stood_by) == 2
    for daemon in daemons:
        daemon.deployment.close()


def test_a_plan_may_be_asked_for_while_facts_come_in(processes: Processes) -> None:
    office, platform = processes(), processes()

    def tell() -> None:
        for number in range(12):
            platform.tell("service-expired", f"c-{number}", service="training")

    def plan() -> None:
        for _ in range(25):
            shown = plan_deletions(office.deployment, office.clock.now(), count=False)
            assert len({item.customer for item in shown.items}) * 2 == len({item.strand for item in shown.items})
            status(office.deployment)

    with at_once(tell, plan):
        pass
    assert len(status(office.deployment)) == 12


def test_many_seal_for_one_customer_while_the_service_is_restricted_and_none_is_let_through_after_it(
    processes: Processes,
) -> None:
    daemon, platform = processes(), processes()
    daemon.tell("service-activated", "c-1", service="training")

    def restrict() -> None:
        daemon.tell("service-expired", "c-1", service="training")
        run_cycle(daemon.deployment)

    def write(worker: int) -> None:
        for number in range(40):
            try:
                platform.put_model("c-1", f"{worker}-{number}.bin")
            except RefusedByRule:
                return

    with at_once(restrict, *(partial(write, worker) for worker in range(3))):
        pass
    fresh = processes()  # it has no key in memory; the others may use theirs for five seconds
    with pytest.raises(RefusedByRule):
        fresh.put_model("c-1", "late.bin")
    with fresh.deployment.catalog.reading() as session:
        assert all(key.state == "restricted" for key in key_rows.keys_of(session, "c-1", "models"))


def test_a_key_in_another_process_memory_refuses_within_five_seconds(processes: Processes) -> None:
    daemon, reader = processes(), processes()
    daemon.tell("service-activated", "c-1", service="training")
    daemon.put_model("c-1", "a.bin")
    with daemon.deployment.catalog.reading() as session:
        (key,) = key_rows.keys_of(session, "c-1", "models")
    reader.deployment.keyring.key_for_opening(key.key_id, key.scope)  # from now on it is in this process's memory
    daemon.tell("deletion-ordered", "c-1", ground="order", dataset="models")
    daemon.run()
    with daemon.deployment.catalog.reading() as session:
        assert key_rows.keys_of(session, "c-1", "models") == ()
    asked_until = time.monotonic() + 5.0
    refused = False
    while not refused and time.monotonic() < asked_until + 1.0:
        try:
            reader.deployment.keyring.key_for_opening(key.key_id, key.scope)
        except (KeyGone, KeyRefused):
            refused = True
        else:
            time.sleep(0.05)
    assert refused
    assert time.monotonic() <= asked_until + 0.1


def test_files_about_the_same_customers_in_any_order_are_all_taken_in_while_the_daemon_runs(
    processes: Processes,
) -> None:
    daemon, office, platform = processes(), processes(), processes()
    customers = [f"c-{number}" for number in range(6)]
    due(daemon, *customers)

    def tell(process: Provider, name: str, order: list[str]) -> None:
        for number in range(6):
            events = [hold(process, customer, f"{name}-{number}") for customer in order]
            read = read_facts("\n".join(events), "facts", process.clock.now())
            assert record_facts(process.deployment, read.facts).new_count == len(customers)

    with at_once(
        lambda: run_cycle(daemon.deployment),
        partial(tell, office, "office", customers),
        partial(tell, platform, "platform", customers[::-1]),
    ):
        pass
    with office.deployment.catalog.reading() as session:
        assert len(fact_rows.holds_of(session)) == 12 * len(customers)


def hold(process: Provider, customer: str, name: str) -> str:
    event = {
        "specversion": "1.0",
        "id": f"{name}-{customer}",
        "source": "/holds",
        "type": "hold-placed",
        "subject": customer,
        "time": process.clock.now().isoformat(),
        "data": {"hold": name, "ground": "g", "authority": "a"},
    }
    return json.dumps(event)
