"""The form of `policies.yaml`: which keys there are and what kind of value each takes.

What values mean together (references, reach, places that meet) is checked in `retention.policy.checks`. The JSON Schema
for editors is generated from these models, descriptions included.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt

from retention.model.period import Period, PeriodUnit
from retention.model.policy import KeepFrom
from retention.policy.values import (
    CalendarName,
    Cancel,
    ClockPeriod,
    CronLine,
    DateText,
    FolderPath,
    Identifier,
    KeysPer,
    KeysTemplate,
    Line,
    Name,
    Names,
    PeriodText,
    PrefixTemplate,
    ServiceBuffer,
    SetsTemplate,
    Share,
    SomeNames,
    SomePeriod,
    Start,
    Territory,
    ZoneText,
    as_default,
    as_list,
    once,
    some,
)

_FILLED = Field(json_schema_extra={"minProperties": 1})
_FILLED_LIST = Field(json_schema_extra={"minItems": 1})


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
    buffer: Annotated[BufferForm, BeforeValidator(as_default, json_schema_input_type=PeriodText | BufferForm)] = Field(
        examples=["15 days"]
    )
    """How long the data is only stored after the service ended: a period, or periods by what happened."""


class TableForm(Form):
    """How a customer's rows of one table are found: by the column `customer`, or `through` another listed table."""

    customer: Identifier | None = None
    """The column that holds the customer."""
    through: Identifier | None = None
    """The listed table that this one points to by a foreign key."""
    sealed: Annotated[tuple[Identifier, ...], AfterValidator(once)] = ()
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
    tables: Annotated[dict[Identifier, TableForm], AfterValidator(some), _FILLED] | None = None
    """A database: every table that holds rows of this dataset."""


Locations = Annotated[
    tuple[LocationForm, ...],
    AfterValidator(some),
    BeforeValidator(as_list, json_schema_input_type=LocationForm | tuple[LocationForm, ...]),
]


class ReplicaForm(LocationForm):
    """A further lasting copy: a place like any other, and the territory in which it lies."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["prefix"]}, {"required": ["tables"]}]})

    territory: Territory = Field(examples=["SG"])
    """Where it lies; the store's region has to agree. Abroad, it goes when the consent to it is withdrawn."""
    recipient: Line | None = None
    """Who has it, as consents name them; without it, every consent to the territory is about it."""


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
    sensitive_information: StrictBool | None = None
    """Whether it holds sensitive personal information (PIPL, article 28); a transfer needs to know."""
    important_data: StrictBool | None = None
    """Whether it holds important data; a transfer needs to know."""
    places: Locations = Field(alias="in", examples=[{"store": "objects", "prefix": "logs/{customer}/"}])
    """Where it lies: one place, or a list of places."""
    encrypted: KeysPer = Field(examples=["customer"])
    """`customer`: one key per customer and dataset; `object`: one per object or row; `no`: stored plain."""
    caches: tuple[LocationForm, ...] = ()
    """Places that hold plain copies for speed."""
    replicas: tuple[ReplicaForm, ...] = ()
    """Further copies that last, at home or abroad; `retention transfer copy` brings data only to these."""
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
    when: Annotated[tuple[Start, ...], AfterValidator(once), AfterValidator(some), _FILLED_LIST] = Field(
        examples=[["service-expired"]]
    )
    """The facts that start a deletion."""
    cancelled_by: Annotated[tuple[Cancel, ...], AfterValidator(once)] = ()
    """The facts that take it back before the point of no return."""
    buffer: ServiceBuffer = Field(examples=["service"])
    """How long the data is only stored first: a period, `none`, or `service` for the buffer of the service."""
    tombstone: PeriodText = Field(examples=["24 hours"])
    """How long the deletion can still be undone after the data was hidden."""
    complete_within: SomePeriod = Field(examples=["15 days"])
    """By when everything has to be gone, counted from the end of the buffer and of a statutory minimum."""
    datasets: SomeNames | None = None
    """The only datasets it is for; without this key, all."""


class BackupForm(Form):
    """A series of backup sets."""

    title: Line = Field(examples=["每日备份"])
    """What people call it."""
    store: Name = Field(examples=["backups"])
    """A store of retention.toml."""
    sets: SetsTemplate = Field(examples=["nightly/{date}/"])
    """The name of one set, with `{date}`, and with `{customer}` where each set is one customer's; a folder ends with `/`."""
    holds: SomeNames = Field(examples=[["training-data"]])
    """The datasets in it."""
    mixed: StrictBool = Field(examples=[True])
    """Whether one set holds many customers."""
    delete_after: SomePeriod = Field(examples=["30 days"])
    """Its own rotation."""
    objects: FolderPath | None = Field(default=None, examples=["objects/"])
    """The folder in a set below which objects have the names they have in their own store; without it, the set itself."""
    anonymise: StrictBool = False
    """Whether a set that cannot be deleted yet is rewritten without the customers that are deleted; `false` if not given."""


class Requirement(StrEnum):
    """What a transfer needs (clause 6.12)."""

    NECESSITY = "necessity"
    SEPARATE_CONSENT = "separate-consent"
    LEGAL_MEASURE = "legal-measure"


class LegalMeasure(StrEnum):
    """The ways that law knows for a transfer (PIPL art. 38)."""

    SECURITY_ASSESSMENT = "security-assessment"
    STANDARD_CONTRACT = "standard-contract"
    CERTIFICATION = "certification"
    EXEMPTION = "exemption"


class MeasureForm(Form):
    """A legal measure that the provider has taken."""

    kind: LegalMeasure = Field(examples=["standard-contract"])
    """Which of the ways that law knows."""
    number: Line | None = None
    """The authority's or the filing's number; an exemption has none."""
    datasets: SomeNames = Field(examples=[["training-data"]])
    """The datasets that it covers."""
    destinations: Annotated[tuple[Territory, ...], AfterValidator(once), AfterValidator(some), _FILLED_LIST] = Field(
        examples=[["SG"]]
    )
    """The territories that it covers."""
    recipients: Annotated[tuple[Line, ...], AfterValidator(once), AfterValidator(some), _FILLED_LIST] = Field(
        examples=[["Lion Pte"]]
    )
    """The recipients that it covers, named as consents name them."""
    impact_assessment: Line = Field(examples=["PIA-2026-07"])
    """The reference of the impact assessment (PIPL, article 55)."""
    starts: DateText = Field(alias="from", examples=["2026-01-01"])
    """Its first day."""
    until: DateText = Field(examples=["2027-12-31"])
    """Its last day, which counts whole."""
    ground: Line | None = None
    """Of an exemption: the article, and why it applies."""


class TransfersForm(Form):
    """What has to be there before data may leave home."""

    clause: Line = Field(examples=["6.12"])
    """The clause behind it; in quotes."""
    regions: dict[Name, Territory] = {}
    """In which territory each storage region lies."""
    require: Annotated[tuple[Requirement, ...], AfterValidator(once)] = ()
    """What has to be there, all of it (clause 6.12)."""
    legal_measures: Annotated[tuple[LegalMeasure, ...], AfterValidator(once)] = ()
    """The measures of PIPL, article 38, that count."""
    ciio: StrictBool | None = None
    """Whether the provider is a critical information infrastructure operator; what is not said is not allowed."""
    measures: dict[Name, MeasureForm] = {}
    """The register of the provider's legal measures, by name."""


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
    drills: CronLine | None = None
    """Rehearsing a restore of the newest backup set of every series; never, if not given."""


class Document(Form):
    """What is kept, for how long, and what happens then."""

    policy: PolicyForm
    """What the policy is and how its dates are counted."""
    services: Annotated[dict[Name, ServiceForm], AfterValidator(some), _FILLED]
    """What customers can order, by name."""
    datasets: Annotated[dict[Name, DatasetForm], AfterValidator(some), _FILLED]
    """The kinds of customer data, by name."""
    rules: Annotated[dict[Name, RuleForm], AfterValidator(some), _FILLED]
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
