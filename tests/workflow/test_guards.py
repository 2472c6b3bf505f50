"""What stops a run before its first change, and what stops one deletion at the last moment."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from retention.catalog import leases
from retention.evidence.entries import EntryType, decode_entry
from retention.model.plan import StepKind
from retention.workflows.adopt_policy import adopt_policy, approve
from retention.workflows.carry_out_plan import RunHooks
from retention.workflows.plan_deletions import plan_deletions
from retention.workflows.run_cycle import NotTheOwner, RunRefused, owned, run_cycle
from retention.workflows.strand_run import LEASE_NAME, LeaseLost, Moment

if TYPE_CHECKING:
    from tests.workflow.conftest import Provider


def _due(provider: Provider, *customers: str) -> None:
    """Each customer's service expired sixteen days ago, and nothing but restricting was done."""
    for customer in customers:
        provider.tell("service-activated", customer, service="training")
        provider.put_model(customer, "a.bin")
    for customer in customers:
        provider.tell("service-expired", customer, service="training")
    provider.run()
    provider.pass_time(days=16)


def _limit(provider: Provider, old: str, new: str) -> None:
    path = provider.root / "policies.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    adoption = adopt_policy(provider.deployment, path)
    approve(provider.deployment, adoption.policy.hash, "second officer")
    adopt_policy(provider.deployment, path)


def _told(provider: Provider) -> list[EntryType]:
    return [decode_entry(entry).type for entry in provider.deployment.journal.ledger.entries()]


# ---------------------------------------------------------------------------------------------------- limits, clock


def test_above_the_limit_nothing_is_changed_until_an_officer_approves_exactly_this_plan(provider: Provider) -> None:
    _limit(provider, "customers-per-run: 50", "customers-per-run: 1")
    _due(provider, "c-1", "c-2")
    with pytest.raises(RunRefused, match="2 customers would be deleted in one run"):
        provider.run()
    assert provider.visible("models") == ["models/c-1/a.bin", "models/c-2/a.bin"]
    assert EntryType.LIMIT_HIT in _told(provider)
    approve(provider.deployment, "0" * 64, "officer")
    with pytest.raises(RunRefused):
        provider.run()
    approve(provider.deployment, plan_deletions(provider.deployment, provider.clock.now(), count=False).hash, "officer")
    provider.run()
    assert provider.visible("models") == []


def test_an_approved_plan_that_is_interrupted_goes_on_without_a_second_approval(provider: Provider) -> None:
    _limit(provider, "customers-per-run: 50", "customers-per-run: 1")
    _due(provider, "c-1", "c-2", "c-3")
    approve(provider.deployment, plan_deletions(provider.deployment, provider.clock.now(), count=False).hash, "officer")

    def die(moment: Moment) -> None:
        if moment.step is StepKind.SHRED:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cycle(provider.deployment, RunHooks(observe=die))
    provider.run()
    assert provider.visible("models") == []


def test_a_clock_that_jumps_makes_nobody_due(provider: Provider) -> None:
    provider.tell("service-activated", "c-1", service="training")
    provider.put_model("c-1", "a.bin")
    provider.tell("service-expired", "c-1", service="training")
    provider.run()
    provider.clock.jump(timedelta(days=400))
    with pytest.raises(RunRefused, match="the clock jumped by 400 days"):
        provider.run()
    assert provider.visible("models") == ["models/c-1/a.bin"]
    assert EntryType.CLOCK_JUMP in _told(provider)
    provider.clock.jump(timedelta(days=-400))
    provider.run()
    assert provider.visible("models") == ["models/c-1/a.bin"]


def test_a_clock_set_back_is_a_jump_too(provider: Provider) -> None:
    provider.run()
    provider.clock.jump(timedelta(hours=-2))
    with pytest.raises(RunRefused, match="the clock jumped"):
        provider.run()


# ------------------------------------------------------------------------------------------------- point of no return


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        pytest.param("hold-placed", {"hold": "h", "ground": "g", "authority": "a"}, id="a hold"),
        pytest.param("service-renewed", {"service": "training"}, id="a renewal"),
    ],
)
def test_a_fact_that_comes_between_the_tombstone_and_the_shred_saves_the_data(
    provider: Provider, kind: str, data: dict[str, Any]
) -> None:
    _due(provider, "c-1")

    def interfere(moment: Moment) -> None:
        if moment.step is StepKind.SHRED and moment.phase == "intent":
            provider.tell(kind, "c-1", **data)

    cycle = run_cycle(provider.deployment, RunHooks(observe=interfere))
    assert cycle.report.troubles
    assert provider.case("c-1").shredded_at is None
    provider.run()
    if kind == "hold-placed":
        assert {c.end_state for c in provider.case("c-1").copies if c.dataset == "models"} == {"held"}
        provider.tell("hold-released", "c-1", hold="h")
        provider.run()
        assert provider.visible("models") == []
    else:
        assert provider.visible("models") == ["models/c-1/a.bin"]


def test_a_daemon_that_was_asleep_while_another_took_over_changes_nothing_more(provider: Provider) -> None:
    _due(provider, "c-1")

    def taken_over(moment: Moment) -> None:
        if moment.step is not StepKind.TOMBSTONE or moment.phase != "intent":
            return
        later = provider.deployment.wall.now() + timedelta(hours=1)
        with provider.deployment.catalog.transaction() as session:
            assert leases.take(session, LEASE_NAME, "another daemon", later, timedelta(seconds=15)) is not None

    with pytest.raises(LeaseLost):
        run_cycle(provider.deployment, RunHooks(observe=taken_over))
    assert provider.case("c-1").state == "buffer"


def test_of_two_at_once_one_acts_and_the_other_stands_by(provider: Provider) -> None:
    outcomes: list[str] = []

    def try_to_run() -> None:
        try:
            run_cycle(provider.deployment)
            outcomes.append("acted")
        except NotTheOwner:
            outcomes.append("stood by")

    with owned(provider.deployment):
        thread = threading.Thread(target=try_to_run)
        thread.start()
        thread.join()
    assert outcomes == ["stood by"]


# ------------------------------------------------------------------------------------------------ the plan is the run


def test_a_run_does_what_the_plan_showed_and_nothing_that_became_due_since(provider: Provider) -> None:
    _due(provider, "c-1")
    shown = plan_deletions(provider.deployment, provider.clock.now())
    provider.tell("service-activated", "c-2", service="training")
    provider.put_model("c-2", "a.bin")
    provider.tell("deletion-ordered", "c-2", ground="order")
    run_cycle(provider.deployment, shown=shown)
    assert provider.visible("models") == ["models/c-2/a.bin"]


def test_what_has_changed_since_the_plan_was_shown_is_left_alone_and_named(provider: Provider) -> None:
    _due(provider, "c-1", "c-2")
    shown = plan_deletions(provider.deployment, provider.clock.now())
    provider.tell("hold-placed", "c-1", hold="h", ground="g", authority="a")
    cycle = run_cycle(provider.deployment, shown=shown)
    assert provider.visible("models") == ["models/c-1/a.bin"]
    assert {strand.split("/")[1] for strand in cycle.skipped} == {"models", "logs"}


def test_a_preview_of_a_day_shows_what_the_run_of_that_day_does(provider: Provider) -> None:
    provider.tell("service-activated", "c-1", service="training")
    provider.put_model("c-1", "a.bin")
    provider.tell("service-expired", "c-1", service="training")
    provider.run()
    then = provider.clock.now() + timedelta(days=16)
    preview = plan_deletions(provider.deployment, then)
    provider.pass_time(days=16)
    assert plan_deletions(provider.deployment, provider.clock.now()).hash == preview.hash
    assert run_cycle(provider.deployment).plan.hash == preview.hash
