"""The nouns of `retention.model.policy` from the file's form. The form is valid; nothing is checked again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from retention.model.fact import FactType
from retention.model.period import Period
from retention.model.policy import (
    Approval,
    BackupPlan,
    Dataset,
    KeepAtLeast,
    Limits,
    Location,
    Notice,
    Policy,
    Replica,
    Rule,
    Schedule,
    Service,
    TableRule,
    TransferRules,
)
from retention.model.transfer import Measure, MeasureKind
from retention.policy.canonical import canonical_document, hash_of
from retention.policy.document import (
    BackupForm,
    BufferForm,
    DatasetForm,
    Document,
    LocationForm,
    MeasureForm,
    RuleForm,
    ServiceForm,
    TransfersForm,
)
from retention.policy.work_calendar import load_calendar

_Word = TypeVar("_Word", bound=str)


def policy_of(document: Document, text: str | None = None) -> Policy:
    """The policy that `document` describes. Entries and lists of names are sorted, whatever their order in the file.

    Its hash is that of `text`, the canonical text it was read from, or of its canonical text as written now.
    """
    head = document.policy
    midnight = datetime.combine(head.effective, time.min, head.time_zone)
    policy = Policy(
        title=head.title,
        version=head.version,
        effective_at=midnight.astimezone(UTC),
        time_zone=head.time_zone,
        calendar=None if head.holidays is None else load_calendar(head.holidays),
        last_day_off_moves=head.last_day_off == "moves",
        home=head.home,
        services={name: _service(name, form) for name, form in sorted(document.services.items())},
        datasets={name: _dataset(name, form) for name, form in sorted(document.datasets.items())},
        rules={name: _rule(name, form) for name, form in sorted(document.rules.items())},
        backups={name: _backup(name, form) for name, form in sorted(document.backups.items())},
        transfers=None if document.transfers is None else _transfers(document.transfers, head.time_zone),
        limits=Limits(**dict(document.limits)),
        approval=Approval(**dict(document.approval)),
        notices=tuple(Notice(notice.before_buffer_ends, notice.to) for notice in document.notices),
        schedule=Schedule(**dict(document.schedule)),
        hash="",
    )
    return replace(policy, hash=hash_of(text if text is not None else canonical_document(policy)))


def _sorted(words: tuple[_Word, ...]) -> tuple[_Word, ...]:
    return tuple(sorted(words))


def _service(name: str, form: ServiceForm) -> Service:
    return Service(name, form.title, form.buffer.default, _buffers(form.buffer))


def _buffers(form: BufferForm) -> dict[FactType, Period]:
    buffers = {
        FactType.SERVICE_EXPIRED: form.service_expired,
        FactType.SERVICE_TERMINATED: form.service_terminated,
        FactType.SERVICE_RELEASED: form.service_released,
        FactType.ARREARS_STARTED: form.arrears_started,
        FactType.ACCOUNT_CLOSED: form.account_closed,
    }
    return {fact: period for fact, period in buffers.items() if period is not None}


def _dataset(name: str, form: DatasetForm) -> Dataset:
    keep = form.keep_at_least
    return Dataset(
        name=name,
        title=form.title,
        services=_sorted(form.services),
        personal_information=form.personal_information,
        primary=tuple(_location(place) for place in form.places),
        encrypted=form.encrypted,
        caches=tuple(_location(cache) for cache in form.caches),
        replicas=tuple(Replica(_location(each), each.territory, each.recipient) for each in form.replicas),
        backups=_sorted(form.backups),
        keep_at_least=None if keep is None else KeepAtLeast(keep.period, keep.starts, keep.basis),
        sensitive_information=form.sensitive_information,
        important_data=form.important_data,
    )


def _location(form: LocationForm) -> Location:
    tables = tuple(
        TableRule(name, table.customer, table.through, _sorted(table.sealed))
        for name, table in sorted((form.tables or {}).items())
    )
    return Location(form.store, form.prefix, form.keys, tables)


def _rule(name: str, form: RuleForm) -> Rule:
    return Rule(
        name=name,
        title=form.title,
        clause=form.clause,
        when=_sorted(form.when),
        cancelled_by=_sorted(form.cancelled_by),
        buffer=form.buffer,
        tombstone=form.tombstone,
        complete_within=form.complete_within,
        datasets=_sorted(form.datasets or ()),
    )


def _backup(name: str, form: BackupForm) -> BackupPlan:
    return BackupPlan(
        name=name,
        title=form.title,
        store=form.store,
        sets=form.sets,
        holds=_sorted(form.holds),
        mixed=form.mixed,
        delete_after=form.delete_after,
        objects=form.objects or "",
        anonymise=form.anonymise,
    )


def _transfers(form: TransfersForm, zone: ZoneInfo) -> TransferRules:
    return TransferRules(
        clause=form.clause,
        regions=dict(sorted(form.regions.items())),
        require=_sorted(form.require),
        legal_measures=_sorted(form.legal_measures),
        measures=tuple(_measure(name, measure, zone) for name, measure in sorted(form.measures.items())),
        is_ciio=form.ciio,
    )


def _measure(name: str, form: MeasureForm, zone: ZoneInfo) -> Measure:
    """The measure in instants: it begins with its first day and ends with its last, in the policy's zone."""
    return Measure(
        name=name,
        kind=MeasureKind(form.kind),
        number=form.number or "",
        datasets=frozenset(form.datasets),
        destinations=frozenset(form.destinations),
        recipients=frozenset(form.recipients),
        assessment=form.impact_assessment,
        valid_from=datetime.combine(form.starts, time.min, zone).astimezone(UTC),
        valid_until=datetime.combine(form.until + timedelta(days=1), time.min, zone).astimezone(UTC),
        ground=form.ground or "",
    )
