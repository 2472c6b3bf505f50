"""The kinds of value that stand in `policies.yaml`: how each is written, and what to write instead of a wrong one.

Each is a pydantic type: its validator's message is what the person reads, its schema is what an editor checks.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from retention.model.fact import FactType
from retention.model.fact_roles import CANCELS, STARTING
from retention.model.period import Period, PeriodUnit, parse_period
from retention.model.policy import Encryption
from retention.policy.cron import parse_cron
from retention.policy.problems import did_you_mean, quoted
from retention.policy.templates import folder_path, keys_template, prefix_template, sets_template
from retention.policy.work_calendar import calendar_names

_NAME = r"^[a-z][a-z0-9-]{0,63}$"
_PERIOD = r"^(none|[0-9]{1,6} +(hours?|days?|working days?|months?|years?)|P[0-9]{1,6}[YMWD]|PT[0-9]{1,6}H)$"
_PERCENT = re.compile(r"(?P<number>[0-9]{1,3}(\.[0-9]{1,3})?) ?%")
_T = TypeVar("_T")
_C = TypeVar("_C", bound=Collection[object])


def _name(text: str) -> str:
    if re.fullmatch(_NAME, text) is None:
        raise ValueError(f"{quoted(text)} is no name; write up to 64 of a-z, 0-9 and `-`, beginning with a letter")
    return text


def _line(text: str) -> str:
    if not text.strip() or len(text) > 300 or not text.isprintable():
        raise ValueError("needs one line of text of at most 300 characters; write it on one line")
    return text


def _period(value: object) -> Period:
    if not isinstance(value, str) or len(value) > 40:
        raise ValueError(
            f'{quoted(value)} is no period; write "15 days", "10 working days", "6 months", "24 hours" or "none"'
        )
    return parse_period(value)


def _some_period(period: Period) -> Period:
    if period.is_none:
        raise ValueError('"none" is no answer here; write how long, for example "15 days"')
    return period


def _clock_period(period: Period) -> Period:
    if period.unit not in (PeriodUnit.HOURS, PeriodUnit.DAYS):
        raise ValueError(f'"{period}" is no length of clock time; write it in hours or days, for example "1 hour"')
    return _some_period(period)


def _service_buffer(value: object) -> Period | None:
    return None if value == "service" else _period(value)


def _share(value: object) -> float:
    found = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or Decimal(found["number"]) > 100:
        raise ValueError(f'{quoted(value)} is no share; write a percentage from "0 %" to "100 %", for example "5 %"')
    return float(Decimal(found["number"]) / 100)


def _date(value: object) -> date:
    try:
        if not isinstance(value, str) or len(value) != len("2026-11-08"):
            raise ValueError
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{quoted(value)} is no date; write year-month-day, for example 2026-11-08") from None


def _zone(value: object) -> ZoneInfo:
    try:
        if not isinstance(value, str) or ("/" not in value and value != "UTC"):
            raise ValueError
        return ZoneInfo(value)
    except (ValueError, KeyError, OSError):  # malformed, not found, a folder
        raise ValueError(
            f"{quoted(value)} is no time zone; write a name of the tz database, for example Asia/Shanghai"
        ) from None


def _territory(code: str) -> str:
    if code not in _territories():
        raise ValueError(f"{quoted(code)} is no territory; write its code of two letters (ISO 3166-1), for example CN")
    return code


@cache
def _territories() -> frozenset[str]:
    table = files("tzdata.zoneinfo").joinpath("iso3166.tab").read_text(encoding="utf-8")
    return frozenset(line[:2] for line in table.splitlines() if not line.startswith("#"))


def _calendar(name: str) -> str:
    if name not in calendar_names():
        raise ValueError(f"there is no holiday calendar {quoted(name)}; {did_you_mean(name, calendar_names())}")
    return name


def _cron(text: str) -> str:
    parse_cron(text)
    return text


def once(values: tuple[_T, ...]) -> tuple[_T, ...]:
    """`values`, of which none stands there twice. Raises ValueError otherwise."""
    seen: set[_T] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"names {value} twice; write each once")
        seen.add(value)
    return values


def some(values: _C) -> _C:
    """`values`, of which there is at least one. Raises ValueError otherwise."""
    if not values:
        raise ValueError("is empty; name at least one")
    return values


def as_list(value: object) -> object:
    """A list of one, where its only entry stands for it."""
    return value if isinstance(value, list) else [value]


def as_default(value: object) -> object:
    """The mapping that a value without one stands for."""
    return value if isinstance(value, dict) else {"default": value}


def _keys_per(text: object) -> object:
    if isinstance(text, bool):
        raise ValueError(f"{quoted(str(text).lower())} is not known here; write `no`, `customer` or `object`")
    if text == "yes":
        raise ValueError(
            "`yes` does not say how fine the keys are; write `customer` (one key per customer) or `object`"
        )
    return text


def _string(pattern: str | None = None, example: str | None = None) -> WithJsonSchema:
    schema: dict[str, object] = {"type": "string"}
    if pattern:
        schema["pattern"] = pattern
    if example:
        schema["examples"] = [example]
    return WithJsonSchema(schema)


Name = Annotated[str, AfterValidator(_name), _string(_NAME)]
Line = Annotated[str, AfterValidator(_line)]
PeriodText = Annotated[Period, BeforeValidator(_period), PlainSerializer(str), _string(_PERIOD, "15 days")]
SomePeriod = Annotated[PeriodText, AfterValidator(_some_period)]
ClockPeriod = Annotated[PeriodText, AfterValidator(_clock_period)]
ServiceBuffer = Annotated[
    Period | None, BeforeValidator(_service_buffer), _string(_PERIOD.replace("none", "none|service"), "service")
]
Share = Annotated[float, BeforeValidator(_share), _string(r"^[0-9]{1,3}(\.[0-9]{1,3})? ?%$", "5 %")]
DateText = Annotated[date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]
ZoneText = Annotated[ZoneInfo, BeforeValidator(_zone), _string(None, "Asia/Shanghai")]
Territory = Annotated[str, AfterValidator(_territory), _string("^[A-Z]{2}$", "CN")]
CalendarName = Annotated[str, AfterValidator(_calendar), _string(None, "CN")]
CronLine = Annotated[str, AfterValidator(_cron), _string(None, "0 3 * * *")]
PrefixTemplate = Annotated[str, AfterValidator(prefix_template), _string(r"\{customer\}/.*$", "training/{customer}/")]
KeysTemplate = Annotated[str, AfterValidator(keys_template), _string(r"\{customer\}", "features:{customer}:*")]
SetsTemplate = Annotated[str, AfterValidator(sets_template), _string(r"\{date\}", "nightly/{date}/")]
FolderPath = Annotated[str, AfterValidator(folder_path), _string("/$", "objects/")]
Names = Annotated[tuple[Name, ...], AfterValidator(once)]
SomeNames = Annotated[Names, AfterValidator(some), Field(json_schema_extra={"minItems": 1})]
Start = Annotated[FactType, WithJsonSchema({"type": "string", "enum": sorted(STARTING)})]
Cancel = Annotated[FactType, WithJsonSchema({"type": "string", "enum": sorted(CANCELS)})]
Identifier = Annotated[str, Field(min_length=1, max_length=128)]
KeysPer = Annotated[Encryption, BeforeValidator(_keys_per)]
