"""Read facts: CloudEvents 1.0 in JSON, one event, an array, or one a line.

Source: CloudEvents 1.0.2, Required Attributes, Optional Attributes; JSON Event Format 1.0.2.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from retention.errors import InputError
from retention.model.fact import Agreement, Fact, FactKey, FactType, HoldTerms, Part, RowKey
from retention.model.period import Period, parse_period
from retention.model.transfer import Consent
from retention.workflows.record_facts import Numbered

MOST_BYTES = 256 * 1024 * 1024
MOST_LINE = 1024 * 1024
MOST_ITEMS = 10_000


def _without_controls(text: str) -> str:
    """Source: CloudEvents 1.0.2, Type System, String: no control characters."""
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError("holds a control character")
    return text


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("holds a NUL character, which not every database can store")
    return text


def _of_this_age(instant: datetime) -> datetime:
    """A clock that was never set says 1970, and what expired then would be due at once."""
    if not 2000 <= instant.year < 2200:
        raise ValueError("lies before 2000 or after 2199; a clock was not set")
    return instant


_Instant = Annotated[AwareDatetime, AfterValidator(_of_this_age)]
_Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_without_controls)]


def _says_something(text: str) -> str:
    """Source: PIPL art. 14, 39: a consent is informed and specific; "everything" informs of nothing."""
    if not text.strip() or text.strip().casefold() in _BLANKET:
        raise ValueError("says nothing in particular, and a consent is specific; name it")
    return text


_BLANKET = frozenset(
    {"*", "-", "all", "any", "anybody", "everything", "everyone", "various", "n/a", "全部", "所有", "任何", "一切"}
)
_Text = Annotated[str, Field(max_length=2_000), AfterValidator(_without_nul)]
_Specific = Annotated[_Text, AfterValidator(_says_something)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _FactRef(_Form):
    source: _Name
    id: _Name


class _Data(_Form):
    """Everything a fact's `data` can say; `_REQUIRED` and `_ALLOWED` tell what belongs to which type."""

    service: _Name | None = None
    subscription: _Name | None = None
    ground: _Text | None = None
    dataset: _Name | None = None
    prefix: Annotated[str, Field(min_length=2, max_length=1_000)] | None = None
    objects: (
        Annotated[list[Annotated[str, Field(min_length=1, max_length=1_024)]], Field(max_length=MOST_ITEMS)] | None
    ) = None
    table: _Name | None = None
    keys: Annotated[list[dict[_Name, str | int]], Field(max_length=MOST_ITEMS)] | None = None
    hold: _Name | None = None
    authority: _Text | None = None
    review_at: _Instant | None = Field(default=None, alias="review-at")
    buffer: Annotated[str, Field(max_length=40)] | None = None
    document: _Text | None = None
    withdraws: _FactRef | None = None
    consent: _Name | None = None
    purpose: _Specific | None = None
    recipient: _Specific | None = None
    contact: _Specific | None = None
    destination: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None
    method: _Specific | None = None
    categories: Annotated[list[_Specific], Field(min_length=1, max_length=100)] | None = None
    rights: _Specific | None = None
    given_at: _Instant | None = Field(default=None, alias="given-at")
    how_given: _Specific | None = Field(default=None, alias="how-given")
    separate: bool | None = None
    valid_from: _Instant | None = Field(default=None, alias="valid-from")
    valid_until: _Instant | None = Field(default=None, alias="valid-until")

    @field_validator("buffer")
    @classmethod
    def _means_something(cls, value: str | None) -> str | None:
        if value is not None:
            parse_period(value)
        return value

    @field_validator("prefix")
    @classmethod
    def _names_a_folder(cls, value: str | None) -> str | None:
        if value is not None and not value.endswith("/"):
            raise ValueError(f'a prefix ends with "/"; write "{value}/"')
        return value


class _Event(BaseModel):
    """The event; extension attributes (`traceparent` and the like) are allowed and say nothing to us.

    Source: CloudEvents 1.0.2, Naming Conventions, Type System, Extension Context Attributes.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[Annotated[str, Field(pattern=r"^[a-z0-9]{1,40}$")], str | int | bool]

    specversion: Literal["1.0"]
    id: _Name
    source: _Name
    type: _Name
    subject: _Name
    time: _Instant
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: _Text | None = None
    data: _Data = _Data()


_SERVICE = frozenset({"service", "subscription", "ground"})
_PART = frozenset({"dataset", "prefix", "objects", "table", "keys", "ground"})
_CONSENT = (
    "consent",
    "dataset",
    "purpose",
    "service",
    "recipient",
    "contact",
    "destination",
    "method",
    "categories",
    "rights",
    "given_at",
    "how_given",
    "separate",
    "document",
    "valid_from",
)
"""What a separate consent says. Source: PIPL art. 39; clause 6.12."""
_ALLOWED = {
    FactType.DATA_DELETED: _PART | {"service", "subscription"},
    FactType.DELETION_ORDERED: _PART | {"service", "subscription", "authority", "document"},
    FactType.DELETION_WITHDRAWN: frozenset({"withdraws", "ground"}),
    FactType.HOLD_PLACED: frozenset({"hold", "dataset", "ground", "authority", "review_at", "document"}),
    FactType.HOLD_RELEASED: frozenset({"hold", "ground", "authority", "document"}),
    FactType.AGREEMENT_MADE: frozenset({"service", "buffer", "document"}),
    FactType.CONSENT_GRANTED: frozenset({*_CONSENT, "valid_until"}),
    FactType.CONSENT_WITHDRAWN: frozenset({"consent", "ground"}),
}
_REQUIRED = {
    FactType.SERVICE_ACTIVATED: ("service",),
    FactType.SERVICE_EXPIRED: ("service",),
    FactType.SERVICE_TERMINATED: ("service",),
    FactType.SERVICE_RELEASED: ("service",),
    FactType.SERVICE_RENEWED: ("service",),
    FactType.DELETION_ORDERED: ("ground",),
    FactType.DELETION_WITHDRAWN: ("withdraws",),
    FactType.HOLD_PLACED: ("hold", "ground", "authority"),
    FactType.HOLD_RELEASED: ("hold",),
    FactType.AGREEMENT_MADE: ("buffer", "document"),
    FactType.CONSENT_GRANTED: _CONSENT,
    FactType.CONSENT_WITHDRAWN: ("consent",),
}
"""Every instruction and every hold needs its recorded ground (clause 6.9)."""


@dataclass(frozen=True, slots=True)
class ReadFacts:
    """The facts that could be read, and what is wrong with the others: (place, problem), in the input's order."""

    facts: tuple[Numbered, ...]
    problems: tuple[tuple[str, str], ...]


def read_facts(text: str, name: str, recorded_at: datetime) -> ReadFacts:
    """The facts in `text`; places are `name:line`. One JSON document (event or array) or JSON lines; empty lines pass.

    Raises InputError where the input is empty or too large to be facts.
    """
    if len(text) > MOST_BYTES:
        raise InputError(f"{name}: larger than {MOST_BYTES} characters; split it")
    if not text.strip():
        raise InputError(f"{name}: empty; write one CloudEvents JSON object a line")
    facts: list[Numbered] = []
    problems: list[tuple[str, str]] = []
    for place, document in _documents(text, name):
        if isinstance(document, str):
            problems.append((place, document))
            continue
        try:
            facts.append(Numbered(place, fact_of(document, recorded_at)))
        except InputError as error:
            problems += [(place, problem) for problem in error.problems]
    return ReadFacts(tuple(facts), tuple(problems))


def _documents(text: str, name: str) -> Iterator[tuple[str, object]]:
    """Each event with its place; a string instead of an event is what is wrong there."""
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        yield from _lines(text, name)
        return
    except RecursionError:
        yield name, "nested too deep to be an event"
        return
    if isinstance(whole, list):
        yield from ((f"{name}:[{i}]", _no_string(event)) for i, event in enumerate(whole))
    else:
        yield f"{name}:1", _no_string(whole)


def _lines(text: str, name: str) -> Iterator[tuple[str, object]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        place = f"{name}:{number}"
        if len(line) > MOST_LINE:
            yield place, f"a line of {len(line)} characters; an event has at most {MOST_LINE}"
            continue
        try:
            yield place, _no_string(json.loads(line))
        except (json.JSONDecodeError, RecursionError) as error:
            said = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep"
            yield place, f"no JSON: {said}; write one CloudEvents object a line"


def _no_string(value: object) -> object:
    return "an event is a JSON object" if not isinstance(value, dict) else value


def fact_of(document: object, recorded_at: datetime) -> Fact:
    """The fact that the CloudEvents object tells. Raises InputError with everything wrong in it."""
    try:
        event = _Event.model_validate(document)
    except ValidationError as error:
        raise InputError(
            [_said(e["loc"], e["msg"]) for e in error.errors(include_url=False, include_input=False)]
        ) from None
    kind = _type_of(event.type)
    problems = _misfits(kind, event.data)
    if problems:
        raise InputError(problems)
    return _fact(event, kind, recorded_at)


def _said(place: Sequence[int | str], message: str) -> str:
    where = ".".join(str(part) for part in place)
    return f"{where}: {message[0].lower()}{message[1:]}" if where else message


def _type_of(text: str) -> FactType:
    """The fact's type, whatever reverse-DNS prefix the provider gives its events."""
    try:
        return FactType(text.rpartition(".")[2])
    except ValueError:
        known = ", ".join(FactType)
        raise InputError(f"type: {text!r} is no fact; write one of {known}, with your own prefix if you like") from None


def _misfits(kind: FactType, data: _Data) -> list[str]:
    allowed = _ALLOWED.get(kind, _SERVICE)
    said = data.model_fields_set
    problems = [f"data.{_shown(f)}: does not belong to a {kind} fact" for f in sorted(said - allowed)]
    problems += [
        f"data.{_shown(f)}: is missing; a {kind} fact needs it" for f in _REQUIRED.get(kind, ()) if f not in said
    ]
    if data.subscription is not None and data.service is None:
        problems.append("data.service: is missing; a subscription is of one service")
    if kind in (FactType.DATA_DELETED, FactType.DELETION_ORDERED):
        problems += _part_problems(data)
    if kind is FactType.CONSENT_GRANTED:
        problems += _consent_problems(data)
    return problems


def _consent_problems(data: _Data) -> list[str]:
    problems = []
    if data.separate is False:
        problems.append(
            "data.separate: a consent that was given together with another is none for a transfer (PIPL, 39)"
        )
    if data.document is not None and re.fullmatch(r"[0-9a-f]{64}", data.document) is None:
        problems.append("data.document: is the SHA-256 of the signed document, 64 hex digits")
    if data.valid_from and data.valid_until and data.valid_until <= data.valid_from:
        problems.append("data.valid-until: is not after valid-from")
    return problems


def _part_problems(data: _Data) -> list[str]:
    problems = []
    given = [f for f in ("prefix", "objects", "table") if getattr(data, f) is not None]
    if len(given) > 1:
        problems.append(f"data.{given[1]}: give one of prefix, objects and table, not several")
    if given and data.dataset is None:
        problems.append(f"data.dataset: is missing; {given[0]} is a part of one dataset")
    if (data.table is None) != (data.keys is None):
        problems.append("data.table, data.keys: rows are named by both")
    if any(not key for key in data.keys or ()) or data.keys == [] or data.objects == []:
        problems.append("data: an empty list or key names nothing; leave it out for the whole dataset")
    return problems


def _shown(field: str) -> str:
    return field.replace("_", "-")


def _fact(event: _Event, kind: FactType, recorded_at: datetime) -> Fact:
    data = event.data
    return Fact(
        key=FactKey(event.source, event.id),
        type=kind,
        customer=event.subject,
        at=event.time.astimezone(UTC),
        recorded_at=recorded_at,
        service=data.service,
        subscription=data.subscription,
        part=_part(data) if kind in (FactType.DATA_DELETED, FactType.DELETION_ORDERED) else None,
        hold=_hold(data) if data.hold is not None else None,
        agreement=Agreement(_period(data), data.document or "") if kind is FactType.AGREEMENT_MADE else None,
        withdraws=FactKey(data.withdraws.source, data.withdraws.id) if data.withdraws else None,
        ground=data.ground or "",
        consent=_consent(event) if kind is FactType.CONSENT_GRANTED else None,
        withdrawn_consent=data.consent if kind is FactType.CONSENT_WITHDRAWN else None,
    )


def _consent(event: _Event) -> Consent:
    data = event.data
    assert data.given_at is not None  # `_misfits` has made sure of everything that is needed
    assert data.valid_from is not None
    return Consent(
        id=data.consent or "",
        customer=event.subject,
        dataset=data.dataset or "",
        purpose=data.purpose or "",
        service=data.service or "",
        recipient=data.recipient or "",
        contact=data.contact or "",
        destination=data.destination or "",
        method=data.method or "",
        categories=tuple(data.categories or ()),
        rights=data.rights or "",
        given_at=data.given_at.astimezone(UTC),
        how_given=data.how_given or "",
        is_separate=bool(data.separate),
        document=data.document or "",
        valid_from=data.valid_from.astimezone(UTC),
        valid_until=data.valid_until.astimezone(UTC) if data.valid_until else None,
    )


def _part(data: _Data) -> Part:
    return Part(
        dataset=data.dataset,
        prefix=data.prefix,
        objects=tuple(dict.fromkeys(data.objects or ())),
        table=data.table,
        keys=tuple(_row_key(key) for key in data.keys or ()),
    )


def _row_key(key: dict[str, str | int]) -> RowKey:
    return tuple(sorted(key.items()))


def _hold(data: _Data) -> HoldTerms:
    review_at = data.review_at.astimezone(UTC) if data.review_at else None
    return HoldTerms(data.hold or "", data.dataset, data.ground or "", data.authority or "", review_at)


def _period(data: _Data) -> Period:
    assert data.buffer is not None
    return parse_period(data.buffer)
