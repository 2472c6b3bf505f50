"""Several deletions of one customer about the same data: each ends by its own, and none lends another its proof."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from retention.workflows.carry_out_plan import RunHooks
from retention.workflows.run_cycle import run_cycle
from retention.workflows.status import CopyLine, status
from retention.workflows.strand_run import Moment
from retention.workflows.verify_again import verify_again

if TYPE_CHECKING:
    from tests.workflow.conftest import Provider

SOURCE = "/platform"


def written(provider: Provider) -> None:
    provider.tell("service-activated", "c-1", service="training")
    for name in ("a.bin", "b.bin", "c.bin"):
        provider.put_model("c-1", name)


def primary(provider: Provider, number: int) -> CopyLine:
    """The models themselves, in the customer's case with this number in the order of their facts."""
    case = status(provider.deployment, "c-1")[number]
    return next(copy for copy in case.copies if (copy.dataset, copy.role) == ("models", "primary"))


def test_all_that_was_withdrawn_is_in_sight_again_but_what_another_instruction_hides(provider: Provider) -> None:
    written(provider)
    provider.tell("data-deleted", "c-1", dataset="models", objects=["a.bin"])
    provider.tell("data-deleted", "c-1", key="mistake", dataset="models")
    provider.run()
    assert provider.visible("models") == []
    provider.tell("deletion-withdrawn", "c-1", withdraws={"source": SOURCE, "id": "mistake"})
    provider.run()
    assert provider.visible("models") == ["models/c-1/b.bin", "models/c-1/c.bin"]
    provider.pass_time(hours=25)
    provider.run()
    assert provider.visible("models") == ["models/c-1/b.bin", "models/c-1/c.bin"]
    assert primary(provider, 0).end_state == "erased-verified"


def test_a_part_that_was_withdrawn_stays_hidden_with_the_whole(provider: Provider) -> None:
    written(provider)
    provider.tell("data-deleted", "c-1", key="mistake", dataset="models", objects=["a.bin"])
    provider.tell("data-deleted", "c-1", dataset="models")
    provider.run()
    provider.tell("deletion-withdrawn", "c-1", withdraws={"source": SOURCE, "id": "mistake"})
    provider.run()
    assert provider.visible("models") == []
    provider.pass_time(hours=25)
    provider.run()
    assert primary(provider, 1).end_state == "erased-verified"
    assert primary(provider, 1).gone_count == 3


def test_two_cases_about_the_same_data_erase_it_once_and_both_say_so(provider: Provider) -> None:
    written(provider)
    for _ in range(2):
        provider.tell("data-deleted", "c-1", dataset="models")
    provider.run()
    provider.pass_time(hours=25)
    provider.run()
    lines = [primary(provider, number) for number in range(2)]
    assert {line.end_state for line in lines} == {"erased-verified", "not-found"}
    (second,) = (line for line in lines if line.end_state == "not-found")
    assert second.reason is not None
    assert second.reason.startswith("erased with case ")


def test_that_a_part_was_erased_before_is_no_reason_to_believe_that_the_whole_was(provider: Provider) -> None:
    written(provider)
    provider.tell("data-deleted", "c-1", dataset="models", objects=["a.bin"])
    provider.run()
    provider.pass_time(hours=25)
    provider.run()
    provider.tell("service-expired", "c-1", service="training")
    provider.run()
    provider.pass_time(days=17)

    def vanishes(moment: Moment) -> None:
        if (moment.step, moment.phase) == ("erase", "intent"):
            shutil.rmtree(provider.objects / ".retention-tombstones", ignore_errors=True)

    run_cycle(provider.deployment, RunHooks(observe=vanishes))
    assert primary(provider, 1).end_state == "failed"
    assert "nothing was found where 2 items had been seen" in (primary(provider, 1).reason or "")


def test_data_of_a_service_that_ended_is_looked_for_although_another_service_lives(provider: Provider) -> None:
    written(provider)
    provider.tell("service-activated", "c-1", service="inference")
    provider.tell("service-expired", "c-1", service="training")
    provider.run()
    provider.pass_time(days=17)
    provider.run()
    late = provider.objects / "models/c-1/late.bin"
    late.parent.mkdir(parents=True, exist_ok=True)
    late.write_bytes(b"a late writer's")
    assert len(verify_again(provider.deployment).reopened) == 1
    provider.run()
    assert provider.visible("models") == []
