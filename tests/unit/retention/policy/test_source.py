"""Reading YAML with places: whatever the bytes are, the answer is values or a refusal, and soon."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.errors import InputError
from retention.policy.source import Value, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("On", "On"),
        ("2026-11-08", "2026-11-08"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("15", 15),
        ("-7", -7),
        ("012", 12),
        ("6.10", 6.1),
        ("1e3", 1000.0),
        ("-.inf", -math.inf),
        ('"15"', "15"),
        ("'no'", "no"),
        ("9" * 50, "9" * 50),
    ],
)
def test_plain_values_are_what_yaml_1_2_says(text: str, value: Value) -> None:
    assert read_yaml(f"key: {text}\n", "f").value == {"key": value}


def test_every_value_and_key_knows_its_line_and_column() -> None:
    source = read_yaml("甲:\n  - {乙: 1,  丙: [x, y]}\n", "f")
    assert source.keys["甲", 0, "丙"] == (2, 13)
    assert source.values["甲", 0, "丙", 1] == (2, 20)


def test_the_first_of_two_equal_keys_counts_and_the_second_is_a_problem() -> None:
    source = read_yaml("a: 1\nb: 2\na: {c: 3}\n", "f")
    assert source.value == {"a": 1, "b": 2}
    assert [problem.at("f") for problem in source.problems] == [
        "f:3:1: `a` stands here a second time (first in line 1); keep one"
    ]


def test_a_tag_constructs_nothing() -> None:
    source = read_yaml("a: !!python/object/apply:os.system [id]\n", "f")
    assert source.value == {"a": ["id"]}
    assert len(source.problems) == 1


PIECES = ["a", "key", ": ", ":", "- ", "\n", "  ", "\t", "[", "]", "{", "}", ", ", '"', "'", "&x ", "*x", "!t "]
PIECES += ["|\n", ">-\n", "? ", "# c", "---\n", "...\n", "%YAML 1.1\n", "%TAG ! x\n", "<<", "\\U", "\\x0"]
PIECES += ["\0", "\r", "\x85", "\ufeff", "@", "`", "。"]


def problems_of(text: str) -> list[str]:
    try:
        return [problem.at("f") for problem in read_yaml(text, "f").problems]
    except InputError as error:
        return list(error.problems)


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=40).map("".join)))
def test_any_text_is_read_or_refused_at_a_place_inside_it(text: str) -> None:
    lines = len(text.splitlines()) + 1
    for problem in problems_of(text):
        name, line, column, _ = problem.split(":", 3)
        assert name == "f"
        assert 1 <= int(line) <= lines
        assert int(column) >= 1
