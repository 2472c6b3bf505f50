"""`explain`: why a date is what it is, in two languages."""

from __future__ import annotations

import pytest

from tests.small_service import Facts, Service


@pytest.fixture
def in_buffer(service: Service, fact: Facts) -> Service:
    """c-1's service has expired yesterday."""
    service.record(
        fact("service-activated", "c-1", 100, service="training"), fact("service-expired", "c-1", 1, service="training")
    )
    return service


def test_an_explanation_names_fact_clause_counting_and_what_is_next(in_buffer: Service) -> None:
    said = in_buffer.done("explain", "c-1", "models").out
    assert all(word in said for word in ("service expired", "6.11", "15 days", "training", "buffer"))


def test_it_reads_in_chinese_too(in_buffer: Service) -> None:
    said = in_buffer.done("explain", "c-1", "models", "--lang", "zh").out
    assert all(word in said for word in ("6.11", "15", "模型"))
    assert said != in_buffer.done("explain", "c-1", "models").out


def test_one_dataset_is_explained_alone(in_buffer: Service) -> None:
    assert "logs" in in_buffer.done("explain", "c-1").out
    assert "logs" not in in_buffer.done("explain", "c-1", "models").out


def test_programs_get_codes_and_times_in_utc(in_buffer: Service) -> None:
    passage = in_buffer.done("explain", "c-1", "models", "--json").json["passages"][0]
    values = {sentence["reason"]: sentence["values"] for sentence in passage["sentences"]}
    assert values["complete-by"]["at"].endswith("T16:00:00Z")  # 24:00 in Shanghai


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("c-2",), id="a customer of whom nothing was told"),
        pytest.param(("c-1", "model"), id="a dataset that there is none"),
        pytest.param(("c-1", "--lang", "de"), id="a language that is not spoken"),
    ],
)
def test_what_cannot_be_explained_is_a_mistake(in_buffer: Service, arguments: tuple[str, ...]) -> None:
    result = in_buffer.run("explain", *arguments)
    assert (result.code, result.out, len(result.err.splitlines())) == (1, "", 1)


def test_a_deletion_that_is_done_is_explained_too(service: Service, fact: Facts) -> None:
    service.put("models/c-1/a.bin")
    service.record(fact("data-deleted", "c-1", 1))
    service.done("run", "--once")
    assert "6.10" in service.done("explain", "c-1", "models").out
