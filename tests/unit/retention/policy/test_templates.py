"""Templates that are taken can never mean two customers' data at once."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from retention.policy.templates import keys_may_overlap, keys_template, may_overlap, prefix_template, sets_template

names = st.text(alphabet="ab-1.", min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))
segments = st.lists(
    st.sampled_from(["a", "b", "{customer}", "a-", "-b", "{subscription}", "{date}"]), min_size=1, max_size=3
)
prefixes = st.lists(segments.map("".join), min_size=1, max_size=3).map(lambda parts: "/".join(parts) + "/")


def is_taken(template: str) -> bool:
    try:
        prefix_template(template)
    except ValueError:
        return False
    return True


@given(prefixes.filter(is_taken), names, names)
@settings(suppress_health_check=[HealthCheck.filter_too_much])  # most templates are refused, and rightly
def test_one_customer_s_prefix_never_reaches_another_s(template: str, one: str, other: str) -> None:
    assume(one != other)
    ours, theirs = (template.replace("{customer}", name).replace("{subscription}", "s") for name in (one, other))
    assert not theirs.startswith(ours)


@given(prefixes, prefixes, names, names, names)
def test_prefixes_that_are_apart_never_meet_whatever_the_names(first: str, second: str, a: str, b: str, c: str) -> None:
    assume(not may_overlap(first, second))
    for one in (a, b, c):
        for other in (a, b, c):
            ours = first.replace("{customer}", one).replace("{subscription}", b).replace("{date}", c)
            theirs = second.replace("{customer}", other).replace("{subscription}", c).replace("{date}", a)
            assert not ours.startswith(theirs)
            assert not theirs.startswith(ours)


@pytest.mark.parametrize(
    ("first", "second", "meet"),
    [
        pytest.param("a/{customer}/", "b/{customer}/", False, id="different folders"),
        pytest.param("a/{customer}/", "a/{customer}/", True, id="the same folder"),
        pytest.param("a/{customer}/x/", "a/{customer}/", True, id="a folder inside the other"),
        pytest.param("{customer}/a/", "{customer}/b/", False, id="different folders below the customer"),
        pytest.param("{customer}/", "logs/{customer}/", True, id="a customer who might be called logs"),
        pytest.param("t-{customer}/", "u-{customer}/", False, id="different beginnings of one folder's name"),
        pytest.param("t-{customer}/", "t-x-{customer}/", True, id="a customer who might be called x-c"),
        pytest.param("ab/{customer}/", "a/{customer}/", False, id="names that only begin alike"),
    ],
)
def test_places_meet_or_are_apart(first: str, second: str, meet: bool) -> None:
    assert may_overlap(first, second) is may_overlap(second, first) is meet


@pytest.mark.parametrize(
    ("first", "second", "meet"),
    [
        pytest.param("f:{customer}:*", "s:{customer}:*", False, id="different beginnings"),
        pytest.param("f:{customer}:*", "f:{customer}:x", True, id="a wildcard that covers the other"),
        pytest.param("f:{customer}:a:*", "f:{customer}:b:*", False, id="different parts before the wildcards"),
        pytest.param("f:{customer}", "f:{customer}:*", False, id="a key and what is below it"),
        pytest.param("f:{customer}:a*", "f:{customer}:b", False, id="a wildcard behind another beginning"),
    ],
)
def test_key_patterns_meet_or_are_apart(first: str, second: str, meet: bool) -> None:
    assert keys_may_overlap(first, second) is keys_may_overlap(second, first) is meet


@pytest.mark.parametrize(
    "template", ["f:{customer}:*", "{customer}", "{customer}/x", "f:{customer}:{subscription}:*", "f.{customer}.*"]
)
def test_key_patterns_that_tell_customers_apart_are_taken(template: str) -> None:
    assert keys_template(template) == template


@pytest.mark.parametrize(
    "template", ["f:{customer}x", "f:{customer}{subscription}", "{{customer}}:*", "f:{subscription}:{customer}"]
)
def test_key_patterns_that_do_not_are_refused(template: str) -> None:
    with pytest.raises(ValueError, match="; write"):
        keys_template(template)


@pytest.mark.parametrize("template", ["nightly/{date}/", "{customer}/{date}/", "full-{date}-a/"])
def test_sets_are_taken(template: str) -> None:
    assert sets_template(template) == template


@pytest.mark.parametrize("template", ["{customer}-{date}/", "nightly/{subscription}/{date}/", "nightly//{date}"])
def test_sets_that_could_be_somebody_else_s_are_refused(template: str) -> None:
    with pytest.raises(ValueError, match="; "):
        sets_template(template)
