"""Where one customer's data lies: never where another customer's could be, whatever their names are."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from retention.lifecycle.places import Unplaceable, locate, name_problem, place_of, unplaceable_locations
from retention.model.copy import CopyRole
from retention.model.fact import Part
from retention.model.period import NO_PERIOD
from retention.model.policy import BackupPlan, Dataset, Encryption, Location, TableRule
from storage_adapters.contract import KeyPattern, Objects, Place, Prefix, Rows
from tests.unit.retention.lifecycle.world import policy

WHOLE = Part("weights")


def folder(template: str) -> Location:
    return Location("objects", prefix=template)


def keys(template: str) -> Location:
    return Location("cache", keys=template)


DATABASE = Location(
    "database",
    tables=(TableRule("session", customer="tenant"), TableRule("message", through="session", sealed=("text",))),
)

# ------------------------------------------------------------------------------------------------------- ordinary names

PLACED: dict[str, tuple[Location, str | None, Place]] = {
    "a folder": (folder("weights/{customer}/"), None, Prefix("weights/c-1/")),
    "a folder with a name around the customer": (folder("weights/t-{customer}/v2/"), None, Prefix("weights/t-c-1/v2/")),
    "a folder of one subscription": (folder("n/{customer}/{subscription}/"), "s1", Prefix("n/c-1/s1/")),
    "the folder of all subscriptions": (folder("n/{customer}/{subscription}/"), None, Prefix("n/c-1/")),
    "the folder above all subscriptions": (folder("n/{customer}/s-{subscription}/x/"), None, Prefix("n/c-1/")),
    "a key pattern": (keys("f:{customer}:*"), None, KeyPattern(("f:", "c-1", ":", None))),
    "one key": (keys("f:{customer}"), None, KeyPattern(("f:", "c-1"))),
    "keys of one subscription": (
        keys("f:{customer}:{subscription}:*"),
        "s1",
        KeyPattern(("f:", "c-1", ":", "s1", ":", None)),
    ),
    "keys of all subscriptions": (keys("f:{customer}:{subscription}"), None, KeyPattern(("f:", "c-1", ":", None))),
}


@pytest.mark.parametrize(("where", "subscription", "expected"), PLACED.values(), ids=PLACED.keys())
def test_a_template_becomes_the_place(where: Location, subscription: str | None, expected: Place) -> None:
    assert place_of(where, "c-1", subscription, WHOLE) == expected


def test_tables_become_rows_of_the_customer() -> None:
    place = place_of(DATABASE, "c-1", None, WHOLE)
    assert isinstance(place, Rows)
    assert (place.customer, place.only_table, place.only) == ("c-1", None, ())
    assert [(t.name, t.customer_column, t.through, t.sealed_columns) for t in place.tables] == [
        ("session", "tenant", None, ()),
        ("message", None, "session", ("text",)),
    ]


def test_a_part_becomes_what_it_names_below_the_customer() -> None:
    where = folder("weights/{customer}/")
    assert place_of(where, "c-1", None, Part("weights", prefix="a/b/")) == Prefix("weights/c-1/a/b/")
    assert place_of(where, "c-1", None, Part("weights", objects=("a.bin", "b//c"))) == Objects(
        ("weights/c-1/a.bin", "weights/c-1/b//c")
    )
    rows = place_of(DATABASE, "c-1", None, Part("weights", table="message", keys=((("id", 7),),)))
    assert isinstance(rows, Rows)
    assert (rows.only_table, rows.only) == ("message", ({"id": 7},))


# ------------------------------------------------------------------------------------------------------- hostile names

FOLDER_NAMES = ["", ".", "..", "a/b", "/", "../c-2", "a\x00b", "a\nb", " a", "a ", "\u200bа", "\ud800", "x" * 201]


@pytest.mark.parametrize("name", FOLDER_NAMES, ids=ascii)
def test_a_name_that_could_leave_its_folder_is_refused(name: str) -> None:
    assert name_problem(name)
    with pytest.raises(Unplaceable):
        place_of(folder("weights/{customer}/"), name, None, WHOLE)
    with pytest.raises(Unplaceable):
        place_of(folder("weights/{customer}/{subscription}/"), "c-1", name, WHOLE)
    with pytest.raises(Unplaceable):
        place_of(keys("f:{customer}:*"), name, None, WHOLE)


ODD_NAMES = [
    "c*",
    "c?",
    "[a-z]",
    "c\\",
    "%2e%2e",
    "..c",
    "客户甲",
    "é",
    "e\u0301",
    "{customer}",
    "{subscription}",
    "a:b",
    "a b",
    "'; --",
]


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_an_odd_name_is_itself_and_nothing_else_in_a_folder(name: str) -> None:
    assert place_of(folder("w/{customer}/"), name, None, WHOLE) == Prefix(f"w/{name}/")
    assert place_of(folder("w/{customer}/{subscription}/"), name, "victim", WHOLE) == Prefix(f"w/{name}/victim/")
    assert place_of(folder("w/{customer}/{subscription}/"), "c-1", name, WHOLE) == Prefix(f"w/c-1/{name}/")


@pytest.mark.parametrize("name", ["a:b", ":", "c-1:c-2"])
def test_a_name_with_the_delimiter_that_would_end_it_is_refused_in_a_key(name: str) -> None:
    with pytest.raises(Unplaceable, match="contains ':'"):
        place_of(keys("f:{customer}:*"), name, None, WHOLE)
    with pytest.raises(Unplaceable, match="contains ':'"):
        place_of(keys("f:{customer}:{subscription}:*"), "c-1", name, WHOLE)
    assert place_of(keys("f:{customer}"), name, None, WHOLE) == KeyPattern(("f:", name))


@pytest.mark.parametrize("name", ["c*", "c?", "[a-z]", "^", "{customer}"])
def test_glob_characters_in_a_name_stay_literal_in_a_key(name: str) -> None:
    assert place_of(keys("f:{customer}:*"), name, None, WHOLE) == KeyPattern(("f:", name, ":", None))


def test_a_refusal_does_not_repeat_the_name() -> None:
    with pytest.raises(Unplaceable) as refusal:
        place_of(keys("f:{customer}:*"), "Müller:private", None, WHOLE)
    assert "Müller" not in str(refusal.value)


# ------------------------------------------------------------------------------------------------- hostile templates

UNSAFE: dict[str, Location] = {
    "a folder of everybody": folder("weights/"),
    "a folder without its slash": folder("weights/{customer}"),
    "the root": folder("/"),
    "no folder at all": folder(""),
    "a climbing folder": folder("../{customer}/"),
    "an empty segment": folder("weights//{customer}/"),
    "two names in one segment": folder("{customer}-{subscription}/"),
    "the subscription above the customer": folder("{subscription}/{customer}/"),
    "keys of everybody": keys("f:*"),
    "a key without a delimiter behind the customer": keys("f:{customer}*"),
    "a wildcard before the customer": keys("*:{customer}:*"),
    "an unnamed subscription before the customer": keys("f:{subscription}:{customer}:*"),
    "two names without a delimiter": keys("f:{customer}{subscription}"),
}


@pytest.mark.parametrize("where", UNSAFE.values(), ids=UNSAFE.keys())
def test_a_template_that_cannot_tell_customers_apart_is_refused(where: Location) -> None:
    with pytest.raises(Unplaceable):
        place_of(where, "c-1", None, WHOLE)


@pytest.mark.parametrize("subscription", ["s1", None])
def test_two_names_in_one_segment_are_refused_whatever_is_known(subscription: str | None) -> None:
    with pytest.raises(Unplaceable):
        place_of(folder("x/{customer}-{subscription}/"), "c-1", subscription, WHOLE)


PARTS: dict[str, tuple[Location, Part]] = {
    "an object that climbs": (folder("w/{customer}/"), Part("w", objects=("../c-2/a",))),
    "an object that climbs inside": (folder("w/{customer}/"), Part("w", objects=("ok", "a/../../c-2/a"))),
    "an object without a name": (folder("w/{customer}/"), Part("w", objects=("",))),
    "a prefix that climbs": (folder("w/{customer}/"), Part("w", prefix="../")),
    "a prefix that is empty": (folder("w/{customer}/"), Part("w", prefix="", objects=("a",))),
    "rows of no key, which must not mean all": (DATABASE, Part("w", table="session")),
    "rows of a table that is not listed": (DATABASE, Part("w", table="users", keys=((("id", 1),),))),
    "rows among objects": (folder("w/{customer}/"), Part("w", table="session", keys=((("id", 1),),))),
    "objects among rows": (DATABASE, Part("w", objects=("a",))),
    "a part of a cache": (keys("f:{customer}:*"), Part("w", objects=("a",))),
}


@pytest.mark.parametrize(("where", "part"), PARTS.values(), ids=PARTS.keys())
def test_a_part_that_is_not_there_or_not_the_customers_is_refused(where: Location, part: Part) -> None:
    with pytest.raises(Unplaceable):
        place_of(where, "c-1", None, part)


# ----------------------------------------------------------------------------------- nobody reaches anybody else's data

TEMPLATES = ["{customer}/", "w/{customer}/", "w-{customer}/", "w/{customer}.d/x/", "w/{customer}/{subscription}/"]
PATTERNS = [
    "f:{customer}",
    "f:{customer}:*",
    "{customer}:*",
    "f:{customer}:{subscription}",
    "{customer}|*|{subscription}|x",
]

hostile = st.text(st.sampled_from("c1-0:|*?[]\\.{}a é客/"), min_size=1, max_size=8)
names = st.one_of(hostile, st.text(min_size=1, max_size=8), st.sampled_from([*ODD_NAMES, "c-1", "c-10", "c-1:c-10"]))


def written(template: str, customer: str, subscription: str, tail: str) -> str:
    """A name under which an application could write this customer's data: what the template says, filled in."""
    filled = {"{customer}": customer, "{subscription}": subscription, "*": tail}
    text = re.sub(r"\{\w+\}|\*", lambda found: filled[found[0]], template)
    return text + tail if template.endswith("/") else text


def reaches(place: Place, name: str) -> bool:
    """The reference: what a store would touch, by the contract's words alone."""
    match place:
        case Prefix(prefix):
            return name.startswith(prefix)
        case KeyPattern(parts):
            return _matches(list(parts), name)
        case _:
            raise AssertionError(place)


def _matches(parts: list[str | None], text: str) -> bool:
    if not parts:
        return not text
    head, rest = parts[0], parts[1:]
    if head is None:
        return any(_matches(rest, text[i:]) for i in range(len(text) + 1))
    return text.startswith(head) and _matches(rest, text[len(head) :])


@given(st.sampled_from([*TEMPLATES, *PATTERNS]), names, names, names, st.none() | names, hostile)
def test_no_customer_reaches_anything_of_another(
    template: str, mine: str, theirs: str, theirs_too: str, subscription: str | None, tail: str
) -> None:
    assume(mine != theirs)
    where = folder(template) if template.endswith("/") else keys(template)
    try:
        place = place_of(where, mine, subscription, WHOLE)
        place_of(where, theirs, theirs_too, WHOLE)  # only names that are allowed have data
    except Unplaceable:
        return
    assert not reaches(place, written(template, theirs, theirs_too, tail))


@given(st.sampled_from([*TEMPLATES, *PATTERNS]), names, names, hostile)
def test_every_customer_reaches_all_of_their_own(template: str, mine: str, subscription: str, tail: str) -> None:
    where = folder(template) if template.endswith("/") else keys(template)
    try:
        one = place_of(where, mine, subscription, WHOLE)
        every = place_of(where, mine, None, WHOLE)
    except Unplaceable:
        return
    name = written(template, mine, subscription, tail)
    assert reaches(one, name)
    assert reaches(every, name)


@given(st.sampled_from(["w/{customer}/{subscription}/", "f:{customer}:{subscription}"]), names, names, names, hostile)
def test_no_subscription_reaches_anything_of_another(
    template: str, customer: str, mine: str, theirs: str, tail: str
) -> None:
    assume(mine != theirs)
    where = folder(template) if template.endswith("/") else keys(template)
    try:
        place = place_of(where, customer, mine, WHOLE)
        place_of(where, customer, theirs, WHOLE)
    except Unplaceable:
        return
    assert not reaches(place, written(template, customer, theirs, tail))


# ------------------------------------------------------------------------------------------------------------- copies


def test_every_copy_is_listed_with_its_role_and_number() -> None:
    both = (folder("a/{customer}/"), folder("b/{customer}/"))
    dataset = Dataset("d", "", ("training",), True, both, Encryption.NO, (keys("f:{customer}:*"),), ("nightly",))
    copies = locate(policy(), dataset, "c-1")
    assert [copy.label for copy in copies] == [
        "d/primary/objects",
        "d/primary/objects/2",
        "d/cache/cache",
        "d/backup/backups@nightly",
    ]


def test_a_part_is_looked_for_where_such_parts_are() -> None:
    dataset = Dataset("d", "", ("training",), True, (folder("a/{customer}/"), DATABASE), Encryption.NO)
    (copy,) = locate(policy(), dataset, "c-1", None, Part("d", objects=("x",)))
    assert (copy.store, copy.place, copy.partial) == ("objects", Objects(("a/c-1/x",)), True)


def test_a_part_that_no_copy_has_is_refused_and_not_forgotten() -> None:
    dataset = Dataset("d", "", ("training",), True, (folder("a/{customer}/"), DATABASE), Encryption.NO)
    copies = locate(policy(), dataset, "c-1", None, Part("d", table="sesion", keys=((("id", 1),),)))
    assert [(copy.place, copy.refusal) for copy in copies] == [
        (None, "there are no rows here, only objects"),
        (None, "the table is not among those of the dataset"),
    ]


def test_caches_are_cleared_of_the_whole_customer_where_only_a_part_goes() -> None:
    copies = locate(policy(), policy().datasets["weights"], "c-1", None, Part("weights", objects=("x",)))
    cache = next(copy for copy in copies if copy.role is CopyRole.CACHE)
    assert (cache.place, cache.partial) == (KeyPattern(("weights:", "c-1", ":", None)), True)


@pytest.mark.parametrize("sets", ["b/{customer}/{date}/", "b/{date}/", "b/{date}/{customer}/"])
def test_a_backup_has_no_place_because_its_sets_are_closed_one_by_one(sets: str) -> None:
    world = policy()
    plan = BackupPlan("own", "", "backups", sets, ("d",), "{customer}" not in sets, NO_PERIOD)
    dataset = Dataset("d", "", ("training",), True, (folder("a/{customer}/"),), Encryption.NO, backups=("own",))
    changed = type(world)(**{**{name: getattr(world, name) for name in world.__slots__}, "backups": {"own": plan}})
    copy = locate(changed, dataset, "c-1", None, Part("d"))[-1]
    assert (copy.role, copy.backup, copy.place, copy.refusal) == (CopyRole.BACKUP, "own", None, None)


def test_a_customer_that_cannot_be_told_apart_is_named_with_every_reason() -> None:
    assert unplaceable_locations(policy(), "c-1") == ()
    reasons = unplaceable_locations(policy(), "c:1")
    assert [reason.partition(":")[0] for reason in reasons] == ["in notebooks/cache/cache", "in weights/cache/cache"]
