"""The form of `policies.yaml`: which keys there are and what kind of value each takes.

What values mean together (references, reach, places that meet) is checked in `retention.policy.checks`. The JSON Schema
for editors is generated from these models, descriptions included.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictBool,
    StrictInt,
    WithJsonSchema,
)

from retention.model.fact import FactType
from retention.model.period import Period, PeriodUnit, parse_period
from retention.model.policy import Encryption, KeepFrom
from retention.policy.cron import parse_cron
from retention.policy.facts import CANCELS, STARTING
from retention.policy.problems import did_you_mean, quoted
from retention.policy.templates import keys_template, prefix_template, sets_template
from retention.policy.work_calendar import calendar_names

_NAME = r"^[a-z][a-z0-9-]{0,63}$"
_PERIOD = r"^(none|[0-9]{1,6} +(hours?|days?|working days?|months?|years?)|P[0-9]{1,6}[YMWD]|PT[0-9]{1,6}H)$"
_PERCENT = re.compile(r"(?P<number>[0-9]{1,3}(\.[0-9]{1,3})?) ?%")
_T = TypeVar("_T")


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


def _once(values: tuple[_T, ...]) -> tuple[_T, ...]:
    seen: set[_T] = set()
    for value in values:
        if value in seen:
            raise ValueError(f"names {value} twice; write each once")
        seen.add(value)
    return values


def _as_list(value: object) -> object:
    return [value] if isinstance(value, dict) else value


def _as_default(value: object) -> object:
    return value if isinstance(value, dict) else {"default": value}


def _word(text: object) -> object:
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
SetsTemplate = Annotated[str, AfterValidator(sets_template), _string(r"\{date\}.*/$", "nightly/{date}/")]
Names = Annotated[tuple[Name, ...], AfterValidator(_once)]
SomeNames = Annotated[tuple[Name, ...], Field(min_length=1), AfterValidator(_once)]
Start = Annotated[FactType, WithJsonSchema({"type": "string", "enum": sorted(STARTING)})]
Cancel = Annotated[FactType, WithJsonSchema({"type": "string", "enum": sorted(CANCELS)})]
Identifier = Annotated[str, Field(min_length=1, max_length=128)]


def _kebab(name: str) -> str:
    return name.replace("_", "-")


class Form(BaseModel):
    """A mapping of the file: unknown keys are mistakes, keys are written with hyphens."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=_kebab, use_attribute_docstrings=True)


class PolicyForm(Form):
    """What the policy is and how its dates are counted."""

    title: Line = Field(examples=["数据留存与删除策略"])
    """What people call this policy."""
    version: Line = Field(examples=["2026-11-01"])
    """Names this version; in quotes."""
    effective: DateText = Field(examples=["2026-11-08"])
    """The day from whose 00:00 the version counts. Facts before it keep the version they began under."""
    time_zone: ZoneText = Field(examples=["Asia/Shanghai"])
    """The zone in which days begin and end."""
    holidays: CalendarName | None = None
    """The calendar of days off, for working days and for last days that move."""
    last_day_off: Literal["moves", "stays"] = "stays"
    """Whether a last day without work gives way to the next day with work (Civil Code, article 203)."""
    home: Territory = Field(examples=["CN"])
    """The territory in which the data is to stay (clause 6.12), as a code of ISO 3166-1."""


class BufferForm(Form):
    """A service's buffer, where it differs by what happened."""

    default: PeriodText = Field(examples=["15 days"])
    """For every fact that is not named here."""
    service_expired: PeriodText | None = None
    """When the term ran out."""
    service_terminated: PeriodText | None = None
    """When the service ended early."""
    service_released: PeriodText | None = None
    """When the customer released the service."""
    arrears_started: PeriodText | None = None
    """When the customer fell into arrears."""
    account_closed: PeriodText | None = None
    """When the customer closed the account."""


class ServiceForm(Form):
    """What a customer can order."""

    title: Line = Field(examples=["模型推理服务"])
    """What people call the service."""
    buffer: Annotated[BufferForm, BeforeValidator(_as_default, json_schema_input_type=PeriodText | BufferForm)] = Field(
        examples=["15 days"]
    )
    """How long the data is only stored after the service ended: a period, or periods by what happened."""


class TableForm(Form):
    """How a customer's rows of one table are found: by the column `customer`, or `through` another listed table."""

    customer: Identifier | None = None
    """The column that holds the customer."""
    through: Identifier | None = None
    """The listed table that this one points to by a foreign key."""
    sealed: Annotated[tuple[Identifier, ...], AfterValidator(_once)] = ()
    """Columns whose values the application seals."""


class LocationForm(Form):
    """Where data lies: a store, and in it exactly one of `prefix`, `keys` and `tables`."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["prefix"]}, {"required": ["keys"]}, {"required": ["tables"]}]}
    )

    store: Name = Field(examples=["objects"])
    """A store of retention.toml."""
    prefix: PrefixTemplate | None = None
    """Objects or files: the folder of one customer, with `{customer}` and perhaps `{subscription}`."""
    keys: KeysTemplate | None = None
    """A cache: the pattern of one customer's keys; `*` stands for anything."""
    tables: Annotated[dict[Identifier, TableForm], Field(min_length=1)] | None = None
    """A database: every table that holds rows of this dataset."""


Locations = Annotated[
    tuple[LocationForm, ...],
    Field(min_length=1),
    BeforeValidator(_as_list, json_schema_input_type=LocationForm | tuple[LocationForm, ...]),
]


class KeepForm(Form):
    """A minimum that the law sets; while it runs the data is only stored (PIPL, article 47(2))."""

    period: SomePeriod = Field(examples=["6 months"])
    """How long at least."""
    starts: KeepFrom = Field(alias="from", examples=["written"])
    """`written`: from each object's own date; `start`: from the fact that started the deletion."""
    basis: Line = Field(examples=["《网络安全法》第二十三条第三项"])
    """The law and its article."""


class DatasetForm(Form):
    """A kind of customer data that is kept for one purpose under one rule."""

    title: Line = Field(examples=["访问日志"])
    """What people call it."""
    services: SomeNames = Field(examples=[["model-training"]])
    """The services that need it; it goes when the last of them has ended."""
    personal_information: StrictBool = Field(examples=[True])
    """Whether it holds personal information."""
    places: Locations = Field(alias="in", examples=[{"store": "objects", "prefix": "logs/{customer}/"}])
    """Where it lies: one place, or a list of places."""
    encrypted: Annotated[Encryption, BeforeValidator(_word)] = Field(examples=["customer"])
    """`customer`: one key per customer and dataset; `object`: one per object or row; `no`: stored plain."""
    caches: tuple[LocationForm, ...] = ()
    """Places that hold plain copies for speed."""
    backups: Names = ()
    """The backups that include it."""
    keep_at_least: KeepForm | None = None
    """A statutory minimum, where there is one."""


class RuleForm(Form):
    """Which facts start a deletion, what happens then, and the clause behind it."""

    title: Line = Field(examples=["服务到期、提前终止或欠费"])
    """What people call the rule."""
    clause: Line = Field(examples=["6.11"])
    """The clause or law behind it; in quotes."""
    when: Annotated[tuple[Start, ...], Field(min_length=1), AfterValidator(_once)] = Field(
        examples=[["service-expired"]]
    )
    """The facts that start a deletion."""
    cancelled_by: Annotated[tuple[Cancel, ...], AfterValidator(_once)] = ()
    """The facts that take it back before the point of no return."""
    buffer: ServiceBuffer = Field(examples=["service"])
    """How long the data is only stored first: a period, `none`, or `service` for the buffer of the service."""
    tombstone: PeriodText = Field(examples=["24 hours"])
    """How long the deletion can still be undone after the data was hidden."""
    complete_within: SomePeriod = Field(examples=["15 days"])
    """By when everything has to be gone, counted from the end of the buffer."""
    datasets: SomeNames | None = None
    """The only datasets it is for; without this key, all."""


class BackupForm(Form):
    """A series of backup sets."""

    title: Line = Field(examples=["每日备份"])
    """What people call it."""
    store: Name = Field(examples=["backups"])
    """A store of retention.toml."""
    sets: SetsTemplate = Field(examples=["nightly/{date}/"])
    """The folder of one set, with `{date}`, and with `{customer}` where each set is one customer's."""
    holds: SomeNames = Field(examples=[["training-data"]])
    """The datasets in it."""
    mixed: StrictBool = Field(examples=[True])
    """Whether one set holds many customers."""
    delete_after: SomePeriod = Field(examples=["30 days"])
    """Its own rotation."""


class Requirement(StrEnum):
    NECESSITY = "necessity"
    SEPARATE_CONSENT = "separate-consent"
    LEGAL_MEASURE = "legal-measure"


class LegalMeasure(StrEnum):
    SECURITY_ASSESSMENT = "security-assessment"
    STANDARD_CONTRACT = "standard-contract"
    CERTIFICATION = "certification"
    EXEMPTION = "exemption"


class TransfersForm(Form):
    """What has to be there before data may leave home."""

    clause: Line = Field(examples=["6.12"])
    """The clause behind it; in quotes."""
    regions: dict[Name, Territory] = {}
    """In which territory each storage region lies."""
    require: Annotated[tuple[Requirement, ...], AfterValidator(_once)] = ()
    """What has to be there, all of it (clause 6.12)."""
    legal_measures: Annotated[tuple[LegalMeasure, ...], AfterValidator(_once)] = ()
    """The measures of PIPL, article 38, that count."""


class LimitsForm(Form):
    """Above these a run stops before its first change and asks."""

    customers_per_run: Annotated[StrictInt, Field(ge=0, le=1_000_000)] = 50
    """The most customers that one run may delete; 50 if not given."""
    share_of_customers: Share = 0.05
    """The largest share of all customers that one run may delete; 5 % if not given."""
    clock_jump: ClockPeriod = Period(1, PeriodUnit.HOURS)
    """The most that the clock may have moved against the machine's ticks; 1 hour if not given."""


class ApprovalForm(Form):
    """How many officers beside the author have to approve."""

    policy_change: Annotated[StrictInt, Field(ge=0, le=10)] = 0
    """A new policy version."""
    over_limit: Annotated[StrictInt, Field(ge=1, le=10)] = 1
    """A run above a limit."""


class NoticeForm(Form):
    """Tell somebody before a buffer ends."""

    before_buffer_ends: SomePeriod = Field(examples=["7 days"])
    """How long before."""
    to: Name = Field(examples=["customer"])
    """Whom: `customer`, or the name of a recipient."""


class ScheduleForm(Form):
    """When the daemon works: cron lines of five fields, in the policy's time zone."""

    deletions: CronLine = "*/10 * * * *"
    """Carrying out what is due."""
    backups: CronLine = "0 3 * * *"
    """Looking through the backups."""
    verification: CronLine = "30 3 * * *"
    """Looking again at what was deleted."""
    report: CronLine = "0 6 1 * *"
    """Writing the report."""


class Document(Form):
    """What is kept, for how long, and what happens then."""

    policy: PolicyForm
    """What the policy is and how its dates are counted."""
    services: Annotated[dict[Name, ServiceForm], Field(min_length=1)]
    """What customers can order, by name."""
    datasets: Annotated[dict[Name, DatasetForm], Field(min_length=1)]
    """The kinds of customer data, by name."""
    rules: Annotated[dict[Name, RuleForm], Field(min_length=1)]
    """What starts a deletion and what happens then, by name."""
    backups: dict[Name, BackupForm] = {}
    """The series of backup sets, by name."""
    transfers: TransfersForm | None = None
    """What has to be there before data may leave home."""
    limits: LimitsForm = LimitsForm()
    """Above these a run stops before its first change and asks."""
    approval: ApprovalForm = ApprovalForm()
    """How many officers beside the author have to approve."""
    notices: tuple[NoticeForm, ...] = ()
    """Whom to tell before a buffer ends, and when."""
    schedule: ScheduleForm = ScheduleForm()
    """When the daemon works."""
