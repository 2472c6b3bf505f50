"""Text that some database cannot store is refused when it is read, and everything else is stored as it is."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from retention.catalog import facts as fact_rows
from retention.workflows.read_facts import read_facts
from retention.workflows.record_facts import record_facts

if TYPE_CHECKING:
    from tests.workflow.conftest import Provider

FIELDS = ["id", "source", "subject", "subscription", "ground", "hold", "authority", "document"]


def event(field: str, text: str) -> dict[str, Any]:
    """A fact with this text in this field."""
    about_a_hold = field not in ("subscription",)
    data: dict[str, Any] = {"hold": "h", "ground": "g", "authority": "a"} if about_a_hold else {"service": "training"}
    told: dict[str, Any] = {
        "specversion": "1.0",
        "id": "1",
        "source": "/holds",
        "type": "hold-placed" if about_a_hold else "service-expired",
        "subject": "c-1",
        "time": "2026-11-10T01:00:00Z",
        "data": data,
    }
    (told if field in told else data)[field] = text
    return told


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"], ids=["NUL", "half a character"])
def test_text_that_is_no_text_everywhere_is_refused_with_its_place(provider: Provider, field: str, text: str) -> None:
    read = read_facts(json.dumps(event(field, text)), "facts", provider.clock.now())
    assert read.facts == ()
    assert [place for place, _ in read.problems] == ["facts:1"]


@pytest.mark.parametrize(
    "time",
    ["1970-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-10T01:00:00", "now"],
    ids=["a clock never set", "before all time", "after all time", "no zone", "no time"],
)
def test_a_time_at_which_nothing_can_have_happened_is_refused_with_its_place(provider: Provider, time: str) -> None:
    read = read_facts(json.dumps(event("id", "1") | {"time": time}), "facts", provider.clock.now())
    assert read.facts == ()
    ((place, problem),) = read.problems
    assert place == "facts:1"
    assert problem.startswith("time: ")


@pytest.mark.parametrize("field", ["id", "ground"])
def test_any_other_text_is_stored_as_it_is(processes: Callable[[], Provider], field: str) -> None:
    provider = processes()
    text = "𠮷野家 '\"; DROP TABLE fact;-- \u202e\u200d é e\u0301 %s {0} \\"
    read = read_facts(json.dumps(event(field, text)), "facts", provider.clock.now())
    assert record_facts(provider.deployment, read.facts).new_count == 1
    assert record_facts(provider.deployment, read.facts).repeated_count == 1
    with provider.deployment.catalog.reading() as session:
        (fact,) = fact_rows.facts_of(session, "c-1")
    assert text in (fact.key.id, fact.hold.ground if fact.hold else "")


def test_a_file_whose_name_is_no_text_goes_like_any_other(provider: Provider) -> None:
    provider.tell("service-activated", "c-1", service="training")
    folder = provider.objects / "models" / "c-1"
    folder.mkdir(parents=True)
    (folder / os.fsdecode(b"caf\xe9.bin")).write_bytes(b"x")
    provider.tell("deletion-ordered", "c-1", ground="order", dataset="models")
    provider.run()
    assert provider.visible("models/c-1") == []
    assert provider.case("c-1").state == "certified"
