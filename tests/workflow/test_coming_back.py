"""Customers who come back, and data that does."""

from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING

import pytest

from retention.errors import NotYet
from retention.keys.errors import KeyGone
from retention.workflows.carry_out_plan import RunHooks
from retention.workflows.roll_keys import roll_keys
from retention.workflows.run_cycle import run_cycle
from retention.workflows.seal import open_sealed
from retention.workflows.strand_run import Moment
from retention.workflows.verify_again import verify_again

if TYPE_CHECKING:
    from tests.workflow.conftest import Provider


def _ended(provider: Provider) -> bytes:
    """The customer's service expired; the sealed bytes of their object, as they were."""
    provider.tell("service-activated", "c-1", service="training")
    provider.put_model("c-1", "a.bin", b"old")
    sealed = (provider.objects / "models/c-1/a.bin").read_bytes()
    provider.tell("service-expired", "c-1", service="training")
    provider.run()
    return sealed


def test_who_orders_again_inside_the_buffer_finds_everything_as_it_was(provider: Provider) -> None:
    sealed = _ended(provider)
    provider.tell("service-activated", "c-1", service="training")
    provider.run()
    target = io.BytesIO()
    open_sealed(provider.deployment, "c-1", "models", "models/c-1/a.bin", io.BytesIO(sealed), target)
    assert target.getvalue() == b"old"


def test_who_orders_again_after_it_starts_clean_and_is_told_not_yet_until_the_old_data_is_gone(
    provider: Provider,
) -> None:
    sealed = _ended(provider)
    provider.pass_time(days=16)
    asked: list[str] = []

    def comes_back(moment: Moment) -> None:
        if (moment.step, moment.phase) == ("erase", "intent") and moment.strand.endswith("/models"):
            provider.tell("service-activated", "c-1", service="training")
            with pytest.raises(NotYet):
                provider.put_model("c-1", "new.bin", b"new")
            asked.append("not yet")

    run_cycle(provider.deployment, RunHooks(observe=comes_back))
    provider.run()
    assert "not yet" in asked
    provider.put_model("c-1", "new.bin", b"new")
    verify_again(provider.deployment)
    provider.run()
    assert provider.visible("models") == ["models/c-1/new.bin"], "the old case never touches new data"
    with pytest.raises(KeyGone):
        open_sealed(provider.deployment, "c-1", "models", "models/c-1/a.bin", io.BytesIO(sealed), io.BytesIO())


def test_data_that_a_late_writer_leaves_reopens_the_case_and_goes_again(provider: Provider) -> None:
    sealed = _ended(provider)
    provider.pass_time(days=16)
    provider.run()
    roll_keys(provider.deployment)
    provider.run()
    assert provider.case("c-1").state == "certified"
    late = provider.objects / "models" / "c-1" / "a.bin"
    late.parent.mkdir(parents=True, exist_ok=True)
    late.write_bytes(sealed)
    looked = verify_again(provider.deployment)
    assert len(looked.reopened) == 1
    assert provider.case("c-1").state == "reopened"
    provider.run()
    assert provider.visible("models") == []
    assert provider.case("c-1").state == "certified"


def test_nothing_where_something_was_seen_is_no_success_at_first(provider: Provider) -> None:
    _ended(provider)
    provider.pass_time(days=16)

    def vanishes(moment: Moment) -> None:
        if (moment.step, moment.phase) == ("erase", "intent") and moment.strand.endswith("/models"):
            shutil.rmtree(provider.objects / ".retention-tombstones")

    run_cycle(provider.deployment, RunHooks(observe=vanishes))
    assert provider.case("c-1").has_failed_copy
    assert any("nothing was found where 1 items had been seen" in (c.reason or "") for c in provider.case("c-1").copies)
    provider.run()
    provider.run()
    primary = next(c for c in provider.case("c-1").copies if (c.dataset, c.role) == ("models", "primary"))
    assert primary.end_state == "not-found"
    assert "3 looks found nothing" in (primary.reason or "")


def test_what_was_written_after_an_instruction_waits_its_own_buffer_when_the_service_ends(provider: Provider) -> None:
    provider.tell("service-activated", "c-1", service="training")
    provider.put_model("c-1", "old.bin")
    provider.tell("data-deleted", "c-1", dataset="models")
    provider.run()
    provider.pass_time(days=2)
    provider.run()
    provider.put_model("c-1", "new.bin")
    provider.tell("service-expired", "c-1", service="training")
    provider.pass_time(days=1)
    assert not verify_again(provider.deployment).reopened
    provider.run()
    assert provider.visible("models") == ["models/c-1/new.bin"]
    provider.tell("service-renewed", "c-1", service="training")
    provider.run()
    assert provider.visible("models") == ["models/c-1/new.bin"]
