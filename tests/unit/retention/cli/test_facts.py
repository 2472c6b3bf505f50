"""`record`: facts come in whole, or those that are right."""

from __future__ import annotations

import json
from pathlib import Path

from tests.small_service import Facts, Service


def lines(*facts: object) -> str:
    return "\n".join(fact if isinstance(fact, str) else json.dumps(fact) for fact in facts)


def test_facts_are_counted_and_open_cases(service: Service, fact: Facts) -> None:
    told = service.record(
        fact("service-activated", "c-1", 100, service="training"), fact("service-expired", "c-1", 1, service="training")
    )
    assert told.out == "2 recorded, 1 cases opened\n"


def test_a_repeat_changes_nothing(service: Service, fact: Facts) -> None:
    once = fact("service-activated", "c-1", 100, service="training")
    service.record(once)
    before = service.done("status", "--json").out
    assert service.record(once).out == "0 recorded, 1 repeated\n"
    assert service.done("status", "--json").out == before


def test_with_one_wrong_fact_none_is_recorded_and_all_wrong_ones_are_named(service: Service, fact: Facts) -> None:
    good = fact("data-deleted", "c-1", 1)
    unknown = fact("service-activated", "c-2", 1, service="trainig")
    Path("facts.jsonl").write_text(lines(good, "{", unknown, '{"specversion": "1.0"}'), encoding="utf-8")
    result = service.run("record", "facts.jsonl")
    assert (result.code, result.out) == (1, "")
    assert {line.partition(": ")[0] for line in result.err.splitlines()} == {
        "facts.jsonl:2",
        "facts.jsonl:3",
        "facts.jsonl:4",
        "nothing was recorded",
        "mend these, or keep the others with --keep-good",
    }
    assert service.done("status").out == "No cases.\n"


def test_keep_good_records_the_others_names_the_wrong_ones_and_exits_with_1(service: Service, fact: Facts) -> None:
    good = fact("data-deleted", "c-1", 1)
    Path("facts.jsonl").write_text(lines(good, "", fact("data-deleted", "a/b", 1)), encoding="utf-8")
    result = service.run("record", "facts.jsonl", "--keep-good")
    assert (result.code, result.out) == (1, "1 recorded, 1 cases opened\n")
    assert result.err.startswith("facts.jsonl:3: the customer's name cannot be used")
    assert len(result.err.splitlines()) == 1
    told = service.run("record", "facts.jsonl", "--keep-good", "--json").json
    assert (told["repeated_count"], len(str(told["problems"])) > 2) == (1, True)


def test_a_contradiction_is_kept_and_told(service: Service, fact: Facts) -> None:
    service.record(fact("data-deleted", "c-1", 1))
    told = service.record(fact("hold-released", "c-1", 0.5, hold="h"))
    assert told.out == "1 recorded\n"
    assert told.err.startswith("warning: ")


def test_standard_input_is_read_where_no_file_is_named(service: Service, fact: Facts) -> None:
    event = json.dumps(fact("data-deleted", "客户-1", 1), ensure_ascii=False).encode()
    assert service.process("record", stdin=event).stdout == b"1 recorded, 1 cases opened\n"
    assert service.process("record", "-", stdin=b"\xef\xbb\xbf" + event).stdout == b"0 recorded, 1 repeated\n"


def test_what_is_not_utf_8_is_named_with_its_line(service: Service) -> None:
    Path("facts.jsonl").write_bytes(b"{}\n\n{\xff}")
    result = service.run("record", "facts.jsonl")
    assert (result.code, result.err) == (1, "facts.jsonl:3: not UTF-8; save it as UTF-8\n")


def test_an_empty_input_is_a_mistake(service: Service) -> None:
    Path("facts.jsonl").write_text(" \n", encoding="utf-8")
    assert service.run("record", "facts.jsonl").code == 1
