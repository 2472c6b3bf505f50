"""Entries and their canonical form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.evidence.bodies import Body, CaseDates, CopyRef, CopyVerified, EpochDestroyed, KeyShredded
from retention.evidence.canonical import JsonValue, decode_canonical, decode_json, encode_json
from retention.evidence.commitments import Commitment
from retention.evidence.entries import Entry, EntryType, decode_entry
from retention.evidence.errors import Malformed
from retention.evidence.instants import format_instant, parse_instant
from retention.model.copy import CopyRole, EndState

AT = datetime(2026, 11, 24, tzinfo=UTC)
SHANGHAI = timezone(timedelta(hours=8))

text = st.text(st.characters(codec="utf-8"), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)
entries = st.builds(
    Entry,
    st.sampled_from(EntryType),
    st.datetimes(timezones=st.just(UTC)),
    st.dictionaries(text, json_values, max_size=4),
    st.none() | st.just("k7m2p9q4r8s1t3v5"),
    st.none() | st.just("031a4e36"),
)


@given(entries)
def test_an_entry_is_read_back_as_it_was_written(entry: Entry) -> None:
    assert decode_entry(entry.encode()) == entry


def test_the_entries_of_the_worked_example_are_canonical(example: Callable[[str, str], str]) -> None:
    lines = example("ledger", "entries").encode().splitlines()
    assert len(lines) == 6
    for line in lines:
        assert decode_entry(line).encode() == line


def test_members_are_sorted_and_text_stays_readable() -> None:
    entry = Entry(EntryType.REFUSED, AT, {"理由": "保全", "a": [1, True, None]}, case="c1")
    assert entry.encode().decode() == (
        '{"at":"2026-11-24T00:00:00.000000Z","body":{"a":[1,true,null],"理由":"保全"},'
        '"case":"c1","format":1,"type":"refused"}'
    )


GOOD = '{"at":"2026-11-24T00:00:00.000000Z","body":{},"format":1,"type":"refused"}'


@pytest.mark.parametrize(
    ("written", "said"),
    [
        pytest.param(GOOD.replace(":{}", ": {}"), "not in canonical form", id="a space"),
        pytest.param(
            GOOD.replace('"format":1,', "").replace("{}", '{},"format":1', 1)[:-1] + ',"case":"x"}',
            "canonical",
            id="members in another order",
        ),
        pytest.param(GOOD.replace("refused", "refus\\u0065d"), "canonical", id="an escape that is not needed"),
        pytest.param(GOOD.replace("{}", '{"a":1.0}'), "fraction", id="a number written as a fraction"),
        pytest.param(GOOD.replace("{}", '{"a":1e3}'), "fraction", id="a number with an exponent"),
        pytest.param(GOOD.replace("{}", '{"a":NaN}'), "fraction", id="not a number"),
        pytest.param(GOOD.replace("{}", '{"a":9007199254740992}'), "2\\^53", id="an integer that is too large"),
        pytest.param(GOOD.replace("{}", '{"a":%s}' % ("9" * 5000)), "not JSON", id="an integer of 5,000 digits"),
        pytest.param(GOOD.replace("{}", '{"a":1,"a":1}'), "given twice", id="a key given twice"),
        pytest.param(GOOD.replace("{}", '{"a":"\\ud800"}'), "canonical JSON", id="half a surrogate pair"),
        pytest.param(GOOD.replace("{}", '{"\\ud800":1}'), "canonical JSON", id="half a surrogate pair in a key"),
        pytest.param(GOOD.replace("{}", '{"a":' + "[" * 40 + "]" * 40 + "}"), "deeper", id="nested forty deep"),
        pytest.param("[" * 60_000, "deeper|not JSON", id="nested 60,000 deep"),
        pytest.param(GOOD.replace("{}", "[]"), "body is an object", id="a body that is a list"),
        pytest.param(GOOD.replace('"body":{},', ""), "body is an object", id="no body"),
        pytest.param(GOOD.replace("refused", "deleted"), "no entry type 'deleted'", id="an unknown type"),
        pytest.param(GOOD.replace('"format":1', '"format":2'), "not of format 1", id="another format"),
        pytest.param(GOOD.replace('"format":1', '"format":true'), "not of format 1", id="true for the format"),
        pytest.param(GOOD.replace('"format"', '"extra":1,"format"'), "no member 'extra'", id="an unknown member"),
        pytest.param(GOOD.replace('"format"', '"case":null,"format"'), "case is text", id="null for a case"),
        pytest.param(GOOD.replace('"format"', '"case":"","format"'), "case is text", id="an empty case"),
        pytest.param(GOOD.replace(".000000Z", "Z"), "instant is written", id="an instant without microseconds"),
        pytest.param(GOOD.replace("00Z", "00+00:00"), "instant is written", id="an instant with an offset"),
        pytest.param(GOOD.replace("-11-24", "-11-31"), "no such instant", id="a day that does not exist"),
        pytest.param("", "not JSON", id="nothing"),
        pytest.param("[]", "not a JSON object", id="a list"),
        pytest.param(" " * 65_536, "65536 bytes", id="longer than 65,535 bytes"),
    ],
)
def test_what_is_no_entry_is_refused(written: str, said: str) -> None:
    assert decode_entry(GOOD.encode()).type is EntryType.REFUSED
    with pytest.raises(Malformed, match=said):
        decode_entry(written.encode())


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(Malformed, match="not JSON in UTF-8"):
        decode_json(b'{"a":"\xff"}')


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"a": "x" * 65_536}, id="too long"),
        pytest.param({"a": 2**53}, id="an integer that is too large"),
        pytest.param({"a": "\ud800"}, id="half a surrogate pair"),
    ],
)
def test_what_the_format_cannot_hold_is_not_written(body: dict[str, JsonValue]) -> None:
    with pytest.raises(Malformed):
        Entry(EntryType.REFUSED, AT, body).encode()


def test_a_fraction_is_not_written() -> None:
    with pytest.raises(Malformed, match="fraction"):
        encode_json([0.5])  # type: ignore[list-item]  # what a caller without a type checker might do


def test_canonical_json_sorts_keys_by_utf16_units() -> None:
    """Source: RFC 8785, section 3.2.3."""
    written = '{"\\r":1,"1":2,"\u0080":3,"ö":4,"€":5,"\U0001f600":6,"\ufb33":7}'.encode()
    assert encode_json({"€": 5, "\r": 1, "\ufb33": 7, "1": 2, "\U0001f600": 6, "\u0080": 3, "ö": 4}) == written
    assert decode_canonical(written)["€"] == 5


def test_instants_are_written_one_way_in_utc() -> None:
    assert format_instant(datetime(2026, 11, 24, 8, tzinfo=SHANGHAI)) == "2026-11-24T00:00:00.000000Z"
    assert format_instant(datetime(988, 1, 2, 3, 4, 5, 6, tzinfo=UTC)) == "0988-01-02T03:04:05.000006Z"
    with pytest.raises(Malformed, match="time zone"):
        format_instant(AT.replace(tzinfo=None))


@given(st.datetimes(timezones=st.just(SHANGHAI), min_value=datetime(2, 1, 1)))  # noqa: DTZ001 - bounds are naive
def test_an_instant_is_read_back_in_utc(at: datetime) -> None:
    read = parse_instant(format_instant(at))
    assert read == at
    assert read.utcoffset() == timedelta(0)


# ---------------------------------------------------------------------------------------------------- bodies

COMMITMENT = "ab" * 32
COPY: dict[str, JsonValue] = {"dataset": "logs", "store": "objects", "role": "primary", "partial": False, "number": 1}
VERIFIED: dict[str, JsonValue] = {
    "step": "verify",
    "customer": COMMITMENT,
    "copy": COPY,
    "end_state": "quarantined",
    "reason": "locked",
    "until": "2026-12-31T00:00:00.000000Z",
    "items": 3,
    "bytes": 10,
}


def test_bodies_are_read_back_as_they_were_written() -> None:
    body = CopyVerified.from_json(VERIFIED)
    assert body.to_json() == VERIFIED
    assert (body.copy_.role, body.end_state, body.until) == (
        CopyRole.PRIMARY,
        EndState.QUARANTINED,
        datetime(2026, 12, 31, tzinfo=UTC),
    )


def test_a_body_from_code_says_the_same_as_one_from_a_ledger() -> None:
    body = CopyVerified(
        customer=body_commitment(),
        copy=CopyRef(dataset="logs", store="objects", role=CopyRole.PRIMARY),
        end_state=EndState.QUARANTINED,
        reason="locked",
        until=datetime(2026, 12, 31, 8, tzinfo=SHANGHAI),
        items=3,
        bytes=10,
    )
    assert body.to_json() == VERIFIED
    assert decode_entry(Entry(EntryType.STEP_OUTCOME, AT, body.to_json()).encode()).body == VERIFIED


def body_commitment() -> Commitment:
    return CopyVerified.from_json(VERIFIED).customer


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"items": "3"}, "items", id="text for a count"),
        pytest.param({"items": True}, "items", id="true for a count"),
        pytest.param({"items": -1}, "items", id="a negative count"),
        pytest.param({"reason": None}, "null", id="null for an optional member"),
        pytest.param({"extra": 1}, "extra", id="an unknown member"),
        pytest.param({"customer": "acme-42"}, "customer", id="a customer's name for its commitment"),
        pytest.param({"copy": {**COPY, "subscription": "sub-1"}}, "subscription", id="a subscription's name"),
        pytest.param({"copy": {**COPY, "partial": 0}}, "partial", id="a number for true or false"),
        pytest.param({"end_state": "done"}, "end_state", id="an end state that does not exist"),
        pytest.param({"until": "2026-12-31"}, "until", id="a date for an instant"),
        pytest.param({"step": "erase"}, "step", id="another step"),
    ],
)
def test_a_body_that_is_not_exactly_one_is_refused(change: dict[str, JsonValue], said: str) -> None:
    with pytest.raises(Malformed, match=said):
        CopyVerified.from_json({**VERIFIED, **change})


def test_the_bodies_of_the_worked_example_are_read(example: Callable[[str, str], str]) -> None:
    models: dict[int, type[Body]] = {1: CaseDates, 2: KeyShredded, 3: CopyVerified, 4: CopyVerified, 5: EpochDestroyed}
    lines = example("ledger", "entries").encode().splitlines()
    for index, model in models.items():
        body = decode_entry(lines[index]).body
        assert model.from_json(body).to_json() == body
