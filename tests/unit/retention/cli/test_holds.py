"""`hold`: an order that stops deletion, and its release."""

from __future__ import annotations

import pytest

from tests.small_service import Facts, Service

ORDER = ("--ground", "证据保全", "--authority", "朝阳区法院")


@pytest.fixture
def due(service: Service, fact: Facts) -> Service:
    """All of c-1's data is to be deleted now."""
    service.put("models/c-1/a.bin", "logs/c-1/x.log")
    service.record(fact("data-deleted", "c-1", 1))
    return service


def test_a_hold_stops_the_deletion_and_its_release_resumes_it(due: Service) -> None:
    due.done("hold", "place", "c-1", *ORDER, "--name", "h-1")
    due.done("run", "--once")
    assert len(due.objects()) == 2
    assert "held" in due.done("status", "c-1").out
    due.done("hold", "release", "c-1", "h-1", *ORDER)
    due.done("run", "--once")
    assert due.objects() == []


def test_a_hold_on_a_dataset_stops_that_one_only(due: Service) -> None:
    due.done("hold", "place", "c-1", *ORDER, "--dataset", "logs")
    due.done("run", "--once")
    assert due.objects() == ["logs/c-1/x.log"]


def test_holds_are_listed_with_ground_authority_and_review(due: Service) -> None:
    due.done("hold", "place", "c-1", *ORDER, "--name", "h-1", "--review-at", "2030-01-01")
    (row,) = (line for line in due.done("hold", "list").out.splitlines() if "h-1" in line)
    assert all(word in row for word in ("c-1", "stands", "2030-01-01 00:00 +08:00", "证据保全", "朝阳区法院"))
    due.done("hold", "release", "c-1", "h-1", *ORDER)
    (hold,) = due.done("hold", "list", "c-1", "--json").json["holds"]
    assert hold["released_at"] is not None
    assert due.done("hold", "list", "c-2").out == "No holds.\n"


def test_a_hold_without_a_name_gets_one_that_releases_it(due: Service) -> None:
    name = due.done("hold", "place", "c-1", *ORDER, "--json").json["hold"]
    assert str(name).startswith("hold-")
    due.done("hold", "release", "c-1", str(name), *ORDER)


def test_a_hold_that_does_not_stand_cannot_be_released(due: Service) -> None:
    due.done("hold", "place", "c-1", *ORDER, "--name", "h-1")
    result = due.run("hold", "release", "c-1", "h-2", *ORDER)
    assert (result.code, result.err) == (1, "hold 'h-2' cannot be released: standing: h-1\n")


@pytest.mark.parametrize("missing", ["--ground", "--authority"])
def test_a_hold_needs_its_ground_and_its_authority(due: Service, missing: str) -> None:
    at = ORDER.index(missing)
    assert due.run("hold", "place", "c-1", *ORDER[:at], *ORDER[at + 2 :]).code == 2


def test_a_hold_on_a_dataset_that_there_is_none_is_a_mistake(due: Service) -> None:
    result = due.run("hold", "place", "c-1", *ORDER, "--dataset", "log")
    assert result.code == 1
    assert "dataset 'log' is not in the policy" in result.err
