"""Transfers abroad under clause 6.12: what was allowed and denied, on which consents and measures, and persons counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from retention.catalog import report_queries
from retention.catalog import transfers as transfer_rows
from retention.catalog.transfers import DecidedTransfer
from retention.errors import InputError
from retention.evidence.entries import EntryType
from retention.lifecycle.consents import consents_of
from retention.model.fact import Fact
from retention.model.transfer import Consent, Verdict
from retention.reports.document import CellKind, Column, Figure, Row, Section, Text
from retention.transfers.law import Thresholds, thresholds_at
from retention.workflows.report_sections.moved import moved_tables
from retention.workflows.report_sections.sources import ENTRIES, Sources, cited, table_of
from retention.workflows.report_sections.spool import Spool
from retention.workflows.report_sections.words import DATASET, below, count, instant

_DESTINATION = Column("destination", Text("目的地", "Destination"))
_RECIPIENT = Column("recipient", Text("接收方", "Recipient"))
VERDICTS = {
    Verdict.ALLOW: Text("允许", str(Verdict.ALLOW)),
    Verdict.NEEDS_INFORMATION: Text("信息不足，未允许", str(Verdict.NEEDS_INFORMATION)),
    Verdict.DENY: Text("不允许", str(Verdict.DENY)),
}
"""The English is the word that the ledger has."""
_COUNTED_NOTE = Text(
    "人数自报告期末当年1月1日（上海时间）起累计，以制作报告时为准；只说人数而未逐一指明的，逐次相加，只多不少。",
    "Persons are counted since 1 January (Shanghai time) of the year in which the period ends, as of when the report was "
    "made; where only numbers were said they add up: never too few.",
)


@dataclass(slots=True)
class Transfers:
    """Rows of the decisions, and how many there were by territory, dataset and verdict."""

    decisions: Spool
    groups: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    consents: set[tuple[str, str]] = field(default_factory=set)


def gather(sources: Sources) -> Transfers:
    """Every decision of the period, read once, a page at a time."""
    found = Transfers(sources.scratch.spool())
    for decided in report_queries.decisions(sources.session, sources.period.start_at, sources.period.until):
        verdict = decided.decision.verdict
        found.verdicts[verdict] += 1
        group = found.groups.setdefault((decided.request.destination or "", decided.request.dataset), Counter())
        group[str(verdict)] += 1
        group["used"] += decided.id in sources.events.used
        if decided.decision.consent is not None:
            found.consents.add((decided.request.customer, decided.decision.consent))
        found.decisions.put(_decision_row(sources, decided), 0 if verdict is Verdict.ALLOW else 1)
    return found


def transfers(sources: Sources, found: Transfers) -> Section:
    """Decisions and how many, what went, consents, measures, and persons against each threshold."""
    summary = (
        _DESTINATION,
        DATASET,
        count("allowed", "允许", "Allowed"),
        count("needs_information", "信息不足", "Incomplete"),
        count("denied", "不允许", "Denied"),
        count("used", "期内首用", "First used"),
    )
    return Section(
        Text("出境", "Transfers abroad"),
        (
            table_of("transfers", Text("按目的地与数据集", "By destination and dataset"), summary, _summary(found)),
            table_of("decisions", Text("决定", "Decisions"), _decision_columns(sources), found.decisions),
            *moved_tables(sources),
            table_of(
                "consents", Text("单独同意", "Separate consents"), _consent_columns(sources), _consents(sources, found)
            ),
            table_of("measures", Text("法律措施", "Legal measures"), _MEASURES, _measures(sources)),
            table_of(
                "thresholds",
                Text("累计人数与阈值", "Persons and thresholds"),
                _THRESHOLDS,
                _thresholds(sources),
                _COUNTED_NOTE,
            ),
        ),
    )


def figures(found: Transfers) -> Iterator[Figure]:
    """The figures of the summary."""
    for verdict in (Verdict.ALLOW, Verdict.DENY):
        words = VERDICTS[verdict]
        title = Text(f"出境决定：{words.zh}", f"Decisions on transfers: {words.en}")
        yield Figure(title, found.verdicts[verdict], "decisions")


# ----------------------------------------------------------------------------------------------------- decisions


def _summary(found: Transfers) -> Iterator[Row]:
    for (destination, dataset), counts in sorted(found.groups.items()):
        yield (destination, dataset, *(counts[str(verdict)] for verdict in VERDICTS), counts["used"])


def _decision_columns(sources: Sources) -> tuple[Column, ...]:
    return (
        Column("decision", Text("决定编号", "Decision")),
        *below(instant("decided_at", "时间", "Time")),
        *sources.names.columns()[:1],
        *below(*sources.names.columns()[1:], DATASET),
        Column("source", Text("来源地", "From"), is_summary=False),
        _DESTINATION,
        *below(_RECIPIENT),
        Column("purpose", Text("目的", "Purpose"), is_summary=False),
        Column("verdict", Text("结论", "Verdict")),
        *below(Column("grounds", Text("依据", "Grounds"), weight=3)),
        Column("measure", Text("法律措施", "Legal measure")),
        count("persons", "人数", "Persons"),
        count("sensitive_persons", "敏感信息人数", "Persons, sensitive", is_summary=False),
        instant("first_used_at", "首次使用", "First used", is_summary=False),
        ENTRIES,
    )


def _decision_row(sources: Sources, decided: DecidedTransfer) -> Row:
    request, decision = decided.request, decided.decision
    used = sources.events.used.get(decided.id)
    return (
        decided.id,
        decision.decided_at,
        *sources.names.cells(request.customer),
        request.dataset,
        request.source,
        request.destination,
        request.recipient,
        request.purpose,
        VERDICTS[decision.verdict],
        ", ".join(ground.code for ground in decision.grounds),
        decision.measure,
        request.persons,
        request.sensitive_persons,
        decided.used_at,
        cited(decided.entry, used[0] if used else None),
    )


# ------------------------------------------------------------------------------------------ consents and measures


def _consent_columns(sources: Sources) -> tuple[Column, ...]:
    return (
        *sources.names.columns(),
        *below(Column("consent", Text("同意（代号）", "Consent (pseudonym)"))),
        DATASET,
        _DESTINATION,
        *below(_RECIPIENT),
        Column("purpose", Text("目的", "Purpose"), is_summary=False),
        instant("given_at", "给出", "Given"),
        *below(instant("valid_until", "有效至", "Valid until")),
        instant("withdrawn_at", "撤回", "Withdrawn"),
        Column("separate", Text("单独", "Separate"), CellKind.FLAG, is_summary=False),
        ENTRIES,
    )


def _consents(sources: Sources, found: Transfers) -> Iterator[Row]:
    """The consents that were granted or withdrawn in the period, and those on which a decision of it rests."""
    facts = transfer_rows.consent_facts(sources.session)
    granted = {(fact.customer, fact.consent.id): fact for fact in facts if fact.consent is not None}
    withdrawn = {(f.customer, f.withdrawn_consent): f for f in facts if f.withdrawn_consent is not None}
    wanted = {
        key
        for told in (granted, withdrawn)
        for key, fact in told.items()
        if sources.period.start_at <= fact.at < sources.period.until and key in granted
    } | (found.consents & granted.keys())
    _look_up(sources, [granted[key] for key in wanted], EntryType.CONSENT_GRANTED)
    _look_up(sources, [withdrawn[key] for key in wanted if key in withdrawn], EntryType.CONSENT_WITHDRAWN)
    for key in sorted(wanted):
        yield _consent_row(sources, granted[key], withdrawn.get(key))


def _look_up(sources: Sources, facts: Iterable[Fact], kind: EntryType) -> None:
    told = list(facts)
    since = min((fact.recorded_at for fact in told), default=None)
    sources.events.look_up(sources.journal.ledger, [(kind, _commitment(sources, fact)) for fact in told], since)


def _consent_row(sources: Sources, granted: Fact, withdrawn: Fact | None) -> Row:
    (consent,) = consents_of([fact for fact in (granted, withdrawn) if fact is not None])
    entries = [sources.events.entry_of(EntryType.CONSENT_GRANTED, _commitment(sources, granted))]
    if withdrawn is not None:
        entries.append(sources.events.entry_of(EntryType.CONSENT_WITHDRAWN, _commitment(sources, withdrawn)))
    return (
        *sources.names.cells(consent.customer),
        _pseudonym(sources, consent),
        consent.dataset,
        consent.destination,
        consent.recipient,
        consent.purpose,
        consent.given_at,
        consent.valid_until,
        consent.withdrawn_at,
        consent.is_separate,
        cited(*entries),
    )


def _pseudonym(sources: Sources, consent: Consent) -> str:
    return sources.journal.commitments.of("consent", consent.id)[:12]


def _commitment(sources: Sources, fact: Fact) -> str:
    return sources.journal.commitments.of("fact", str(fact.key))


_MEASURES = (
    Column("measure", Text("措施", "Measure")),
    *below(Column("kind", Text("种类", "Kind"))),
    Column("number", Text("编号", "Number")),
    Column("datasets", Text("数据集", "Datasets")),
    *below(Column("destinations", Text("目的地", "Destinations"))),
    Column("recipients", Text("接收方", "Recipients"), is_summary=False),
    Column("assessment", Text("影响评估", "Impact assessment")),
    instant("valid_from", "有效自", "Valid from", is_summary=False),
    instant("valid_until", "有效至", "Valid until"),
    *below(Column("policy", Text("策略版本", "Policy version"), weight=1)),
    ENTRIES,
)


def _measures(sources: Sources) -> Iterator[Row]:
    for policy in sources.policies:
        entry = cited(sources.events.policies.get(policy.hash))
        for measure in policy.transfers.measures if policy.transfers else ():
            yield (
                measure.name,
                str(measure.kind),
                measure.number,
                ", ".join(sorted(measure.datasets)),
                ", ".join(sorted(measure.destinations)),
                ", ".join(sorted(measure.recipients)),
                measure.assessment,
                measure.valid_from,
                measure.valid_until,
                policy.version,
                entry,
            )


# ------------------------------------------------------------------------------------------------------- persons

_THRESHOLDS = (
    Column("threshold", Text("阈值", "Threshold"), weight=4),
    Column("basis", Text("依据", "Basis"), weight=2),
    count("limit", "人数上限（不含）", "Below"),
    count("counted", "已计人数", "Counted"),
    Column("share", Text("占比", "Share"), CellKind.SHARE, 1),
    Column("reached", Text("已达到", "Reached"), CellKind.FLAG, 1),
)


def _thresholds(sources: Sources) -> Iterator[Row]:
    at = sources.period.last_at
    try:
        law = thresholds_at(at)
    except InputError:  # no version was in force yet, so nothing is counted against it
        return
    year = at.astimezone(law.zone).year
    counted = transfer_rows.person_count(sources.session, year)
    for words, basis, limit, is_sensitive in _limits(law):
        number = counted.sensitive_persons if is_sensitive else counted.persons
        yield (words, basis, limit, number, min(1.0, number / limit), number >= limit)


def _limits(law: Thresholds) -> Iterator[tuple[Text, str, int, bool]]:
    exempt, contract = (
        Text("免予三种措施", "exempt from the three measures"),
        Text("标准合同或认证", "contract or certification"),
    )
    for words, basis, persons, sensitive in (
        (exempt, law.exempt_basis, law.exempt_below, law.exempt_sensitive_below),
        (contract, law.contract_basis, law.contract_below, law.contract_sensitive_below),
    ):
        yield words, basis, persons, False
        yield Text(f"{words.zh}（敏感个人信息）", f"{words.en} (sensitive information)"), basis, sensitive, True
