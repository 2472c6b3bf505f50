"""Policies that are read, and what a person reads about those that are not."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypedDict
from zoneinfo import ZoneInfo

import pytest
from ruamel.yaml import YAML

from retention.errors import InputError
from retention.model.fact import FactType
from retention.model.period import NO_PERIOD, Period, PeriodUnit
from retention.model.policy import (
    Encryption,
    KeepAtLeast,
    KeepFrom,
    Limits,
    Location,
    Notice,
    Policy,
    Schedule,
    TableRule,
)
from retention.policy.load import load_policy, parse_policy

Case = TypedDict("Case", {"name": str, "instead-of": str, "write": str, "problems": list[str]})

HERE = Path(__file__).parent
SAMPLE = Path(__file__).parents[4] / "policies.yaml"
VALID = (HERE / "valid_policy.yaml").read_text(encoding="utf-8")
BROKEN: list[Case] = YAML(typ="safe", pure=True).load((HERE / "broken_policies.yaml").read_text(encoding="utf-8"))
SAMPLE_STORES = {"objects": "s3", "app-database": "sql", "cache": "redis", "backups": "s3"}


def problems_of(text: str, stores: dict[str, str] | None = None) -> list[str]:
    """What is wrong with a policy, without the file's name; empty where it is valid."""
    try:
        parse_policy(text, "policies.yaml", stores)
    except InputError as error:
        return [problem.removeprefix("policies.yaml:") for problem in error.problems]
    return []


def days(amount: int) -> Period:
    return Period(amount, PeriodUnit.DAYS)


# ----------------------------------------------------------------------------------------------- the sample


@pytest.fixture
def sample() -> Policy:
    return load_policy(SAMPLE, SAMPLE_STORES)


def test_the_sample_counts_from_midnight_of_its_day_in_its_zone(sample: Policy) -> None:
    assert sample.effective_at == datetime(2026, 11, 7, 16, tzinfo=UTC)
    assert sample.time_zone == ZoneInfo("Asia/Shanghai")
    assert not sample.last_day_off_moves
    assert sample.calendar is not None
    assert sample.calendar.known_through == date(2026, 12, 31)


def test_the_sample_s_buffers_differ_by_what_happened(sample: Policy) -> None:
    inference = sample.services["model-inference"]
    assert inference.buffer_for(FactType.ARREARS_STARTED) == days(7)
    assert inference.buffer_for(FactType.SERVICE_EXPIRED) == days(15)


def test_the_sample_s_datasets_say_where_everything_lies(sample: Policy) -> None:
    training, logs = sample.datasets["training-data"], sample.datasets["inference-logs"]
    assert training.primary == (Location("objects", prefix="training/{customer}/"),)
    assert training.caches == (Location("cache", keys="features:{customer}:*"),)
    assert training.encrypted is Encryption.CUSTOMER
    tables = (TableRule("message", through="session"), TableRule("session", customer="tenant_id"))
    assert logs.primary == (Location("app-database", tables=tables),)


def test_no_is_a_word_and_means_stored_plain(sample: Policy) -> None:
    assert sample.datasets["access-logs"].encrypted is Encryption.NO


def test_the_sample_s_statutory_minimum_has_its_law(sample: Policy) -> None:
    expected = KeepAtLeast(Period(6, PeriodUnit.MONTHS), KeepFrom.WRITTEN, "《网络安全法》第二十三条第三项")
    assert sample.datasets["access-logs"].keep_at_least == expected


def test_a_closed_account_ends_services_too(sample: Policy) -> None:
    (rule,) = sample.rules_for(FactType.ACCOUNT_CLOSED)
    assert (rule.name, rule.buffer, rule.tombstone) == ("end-of-service", None, NO_PERIOD)


def test_the_sample_s_limits_notices_and_schedule_are_read(sample: Policy) -> None:
    assert sample.limits == Limits(50, 0.05, Period(1, PeriodUnit.HOURS))
    assert sample.notices == (Notice(days(7), "customer"), Notice(days(1), "customer"))
    assert sample.schedule == Schedule()
    assert sample.transfers is not None
    assert sample.transfers.regions["cn-hongkong"] == "HK"


def test_the_sample_loads_well_under_a_second() -> None:
    started = time.perf_counter()
    load_policy(SAMPLE, SAMPLE_STORES)
    assert time.perf_counter() - started < 0.5


def test_what_is_left_out_is_careful() -> None:
    policy = parse_policy(VALID, "policies.yaml")
    assert policy.limits == Limits(50, 0.05, Period(1, PeriodUnit.HOURS))
    assert policy.approval.over_limit == 1
    assert policy.transfers is None


def test_entries_are_in_the_order_of_their_names_whatever_the_file_s() -> None:
    assert list(parse_policy(VALID, "policies.yaml").datasets) == ["messages", "models"]


# ------------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize("case", BROKEN, ids=[case["name"] for case in BROKEN])
def test_every_problem_is_named_at_its_place(case: Case) -> None:
    assert case["instead-of"] in VALID
    assert problems_of(VALID.replace(case["instead-of"], case["write"], 1)) == case["problems"]


def test_mistakes_in_different_parts_are_all_named_at_once_in_the_order_of_the_file() -> None:
    text = VALID.replace("Asia/Shanghai", "Mars/Olympus").replace("buffer: 15 days", "buffer: soon")
    text = text.replace("services: [inference]", "services: [interference]").replace("through: session", "through: x")
    assert [problem.split(": ")[0] for problem in problems_of(text)] == ["5:14", "12:13", "28:16", "34:30"]


def test_every_period_in_working_days_needs_a_calendar() -> None:
    text = VALID.replace("  holidays: CN\n", "").replace("buffer: 15 days", "buffer: 3 working days")
    text = text.replace("tombstone: none", "tombstone: 1 working day").replace(
        "period: 6 months", "period: 9 working days"
    )
    what = "the days off have to be known for this; add `holidays: CN` under `policy`"
    assert problems_of(text) == [f"11:13: {what}", f"35:29: {what}", f"44:16: {what}"]


def test_of_very_many_mistakes_the_first_thousand_are_named_and_soon() -> None:
    started = time.perf_counter()
    problems = problems_of("".join(f"key-{number}: 1\n" for number in range(5_000)))
    assert time.perf_counter() - started < 5
    assert len(problems) == 1001
    assert problems[-1].endswith("more problems from here on; mend those above first")


def test_a_reference_to_an_entry_with_mistakes_is_no_mistake() -> None:
    text = VALID.replace("    title: 训练\n", "")
    assert problems_of(text) == ["10:3: `title` is missing; add `title: 模型推理服务`"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "1:1: the file is empty; ", id="an empty file"),
        pytest.param("# nothing\n\n", "1:1: the file is empty; ", id="a file of comments"),
        pytest.param("---\n", "2:1: the file is empty; ", id="an empty document"),
        pytest.param("- a\n- b\n", "1:1: the file is no policy; ", id="a list"),
        pytest.param("just text", "1:1: the file is no policy; ", id="text"),
        pytest.param("policy:\n\ttitle: x\n", "2:1: a tab cannot stand here", id="a tab"),
        pytest.param("policy: a: b\n", "1:10: a `:` cannot stand here", id="a colon too many"),
        pytest.param(
            "policy:\n  title: x\n version: y\n", "3:2: the indentation does not fit", id="a wrong indentation"
        ),
        pytest.param("policy: [a, b\n", "2:1: ", id="a bracket that is not closed"),
        pytest.param('policy: "x\n', "2:1: this is no YAML", id="a quote that is not closed"),
        pytest.param("policy: *x\n", "1:9: `*` names an anchor", id="an alias without its anchor"),
        pytest.param("a: 1\n---\nb: 2\n", "2:1: a second document begins here", id="two documents"),
        pytest.param("a: \x00\n", "1:4: the character U+0000 cannot be read", id="a NUL"),
        pytest.param("a: \u202eb\n", "1:4: the character U+202E cannot be read", id="text that runs backwards"),
        pytest.param('a: "\\UFFFFFFFF"\n', "1:", id="an escape beyond all characters"),
        pytest.param("? [a]\n: b\n", "1:3: a key has to be a word", id="a list as a key"),
        pytest.param("a: " + "[" * 5000, "1:", id="five thousand brackets"),
        pytest.param("a: " + "{a: " * 100 + "}" * 100, "1:84: nested deeper than 20 levels", id="a deep nesting"),
        pytest.param("a: &a [*a]\n", "1:8: `*` names an anchor", id="an alias inside itself"),
    ],
)
def test_what_is_no_policy_at_all_is_named_alone(text: str, expected: str) -> None:
    (problem,) = problems_of(text)
    assert problem.startswith(expected)


def test_aliases_that_multiply_are_stopped_before_they_grow() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    started = time.perf_counter()
    (problem,) = problems_of("\n".join(lines))
    assert "more than 50000 values, aliases counted" in problem
    assert time.perf_counter() - started < 1


def test_an_alias_may_save_some_typing() -> None:
    text = VALID.replace("title: 训练\n    buffer: 15 days", "title: 训练\n    buffer: &usual 15 days")
    text = text.replace("{default: 15 days, arrears", "{default: *usual, arrears")
    assert parse_policy(text, "p").hash == parse_policy(VALID, "p").hash


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"a" * (50 << 20), ":1:1: is larger than 1 MiB", id="a file of 50 MB"),
        pytest.param("policy:\n  标题: ".encode() + b"\xff", ":2:7: is not UTF-8 here", id="a byte that is no UTF-8"),
        pytest.param("policy: x".encode("utf-16"), ":1:1: is not UTF-8 here", id="a file in UTF-16"),
    ],
)
def test_a_file_that_cannot_be_a_policy_is_refused_unread(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "policies.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_policy(path)
    assert [problem.removeprefix(str(path))[: len(expected)] for problem in caught.value.problems] == [expected]


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"policies\.yaml:1:1: cannot be read: No such file"):
        load_policy(tmp_path / "policies.yaml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r":1:1: cannot be read: Is a directory"):
        load_policy(tmp_path)


def test_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "policies.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + VALID.encode())
    assert load_policy(path).hash == parse_policy(VALID, "p").hash


def test_windows_line_ends_do_not_matter() -> None:
    assert parse_policy(VALID.replace("\n", "\r\n"), "p").hash == parse_policy(VALID, "p").hash


def test_a_mistake_that_holds_control_characters_is_shown_without_them() -> None:
    (problem,) = problems_of(VALID.replace("encrypted: no", 'encrypted: "\\e[31mred"'))[-1:]
    assert "\x1b" not in problem


# --------------------------------------------------------------------------------------------------- stores


STORES = {"objects": "files", "database": "sql", "cache": "memory", "backups": "s3"}


def test_every_store_that_fits_is_taken() -> None:
    assert problems_of(VALID, STORES) == []


def test_a_store_that_is_not_configured_is_named() -> None:
    stores = {name: kind for name, kind in STORES.items() if name != "cache"}
    assert problems_of(VALID, stores) == [
        '24:22: there is no store "cache" in the settings; write one of backups, database, objects'
    ]


def test_a_store_whose_name_is_misspelt_gets_the_right_one_suggested() -> None:
    assert problems_of(VALID.replace("store: database", "store: databse"), STORES) == [
        '31:16: there is no store "databse" in the settings; did you mean `database`?'
    ]


@pytest.mark.parametrize(
    ("store", "kind", "expected"),
    [
        ("objects", "sql", "22:17: the store objects is of kind sql and has no `prefix`; write backups"),
        ("database", "s3", "31:16: the store database is of kind s3 and has no `tables`; there is none to choose from"),
        ("cache", "files", "24:22: the store cache is of kind files and has no `keys`; there is none to choose from"),
        ("backups", "redis", "51:12: the store backups is of kind redis and has no `sets`; write objects"),
    ],
    ids=["objects in SQL", "tables in S3", "keys in files", "backups in Redis"],
)
def test_a_store_of_the_wrong_kind_is_named(store: str, kind: str, expected: str) -> None:
    assert problems_of(VALID, {**STORES, store: kind}) == [expected]
