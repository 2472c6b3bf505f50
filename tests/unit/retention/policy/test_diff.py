"""What a new policy version changes, as a data officer reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from retention.policy.diff import Change, Effect, compare
from retention.policy.load import parse_policy

VALID = (Path(__file__).parent / "valid_policy.yaml").read_text(encoding="utf-8")


def changes(old: str, new: str) -> tuple[Change, ...]:
    assert old in VALID
    return compare(parse_policy(VALID, "old"), parse_policy(VALID.replace(old, new, 1), "new"))


def test_a_policy_does_not_differ_from_itself() -> None:
    policy = parse_policy(VALID, "p")
    assert compare(policy, policy) == ()


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("buffer: 15 days", "buffer: 7 days", "services.training buffer.default: 15 days → 7 days (shortens)"),
        ("buffer: 15 days", "buffer: 1 month", "services.training buffer.default: 15 days → 1 month (lengthens)"),
        ("buffer: 15 days", "buffer: none", "services.training buffer.default: 15 days → none (shortens)"),
        (
            "period: 6 months",
            "period: 180 days",
            "datasets.messages keep-at-least.period: 6 months → 180 days (changes)",
        ),
        ("tombstone: none", "tombstone: 24 hours", "rules.ending tombstone: none → 24 hours (lengthens)"),
        ("buffer: service", "buffer: 15 days", "rules.ending buffer: service → 15 days (changes)"),
        (", arrears-started: 7 days", "", "services.inference buffer.arrears-started: 7 days → 15 days (lengthens)"),
        ("[service-expired, arrears-started]", "[service-expired]", "rules.ending when: removes arrears-started"),
        ("[service-renewed]", "[service-renewed, arrears-cleared]", "rules.ending cancelled-by: adds arrears-cleared"),
        (
            "delete-after: 30 days",
            "delete-after: 90 days",
            "backups.nightly delete-after: 30 days → 90 days (lengthens)",
        ),
        ("  holidays: CN\n", "  holidays: CN\n  last-day-off: moves\n", "policy last-day-off: stays → moves (changes)"),
    ],
    ids=[
        "a shorter buffer",
        "a buffer that is longer in every month",
        "no buffer any more",
        "half a year that may be longer or shorter",
        "an undo window",
        "a rule with a buffer of its own",
        "an exception that is gone falls back to the default",
        "a fact that starts nothing any more",
        "one more fact that takes back",
        "a longer rotation",
        "another way of counting",
    ],
)
def test_a_change_that_moves_dates_is_said_in_one_line(old: str, new: str, line: str) -> None:
    (change,) = changes(old, new)
    assert str(change) == line
    assert change.moves_dates


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("title: 训练", "title: 培训", "services.training title: 训练 → 培训 (changes)"),
        ("\nbackups:", "\nlimits: {customers-per-run: 5}\nbackups:", "limits customers-per-run: 50 → 5 (changes)"),
        (
            "\nbackups:",
            "\nnotices: [{before-buffer-ends: 7 days, to: x}]\nbackups:",
            'notices: adds {"before-buffer-ends": "7 days", "to": "x"}',
        ),
        ("encrypted: customer", "encrypted: object", "datasets.models encrypted: customer → object (changes)"),
    ],
    ids=["a title", "a limit", "a notice", "finer keys"],
)
def test_a_change_that_moves_no_date_is_said_too(old: str, new: str, line: str) -> None:
    (change,) = changes(old, new)
    assert str(change) == line
    assert not change.moves_dates


def test_a_place_that_moves_is_one_removed_and_one_added() -> None:
    removed, added = changes('prefix: "models/{customer}/"', 'prefix: "m/{customer}/"')
    assert (removed.effect, added.effect) == (Effect.REMOVES, Effect.ADDS)
    assert added.after == '{"prefix": "m/{customer}/", "store": "objects"}'


def test_a_new_entry_is_one_change_with_its_title() -> None:
    (change,) = changes("datasets:\n", "  third:\n    title: 第三\n    buffer: none\n\ndatasets:\n")
    assert change == Change("services.third", "", None, "第三", Effect.ADDS, moves_dates=True)
    assert str(change) == "services.third: adds 第三"


def test_a_rule_without_datasets_means_all_of_them_on_both_sides() -> None:
    assert changes("    buffer: service", "    datasets: [models, messages]\n    buffer: service") == ()


def test_a_minimum_that_is_dropped_is_removed_key_by_key() -> None:
    found = changes("    keep-at-least: {period: 6 months, from: start, basis: 法}\n", "")
    assert {change.what for change in found} == {"keep-at-least.period", "keep-at-least.from", "keep-at-least.basis"}
    assert all(change.effect is Effect.REMOVES and change.moves_dates for change in found)
