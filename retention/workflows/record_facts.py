"""Take in facts: keep each one once, and bring the customer's cases to what all facts now amount to.

Facts, holds, cases and their evidence change in one transaction per call, under the customers' locks: whoever passes a
point of no return has either seen the fact or comes before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from retention.catalog import cases as case_rows
from retention.catalog import facts as fact_rows
from retention.errors import InputError
from retention.evidence.canonical import JsonValue
from retention.evidence.entries import Entry, EntryType
from retention.lifecycle.cases import Derived, derive
from retention.lifecycle.places import locate, unplaceable_locations
from retention.lifecycle.states import REVOCABLE, StrandEvent, next_state
from retention.model.case import Case, Strand, StrandState
from retention.model.copy import CopyRole
from retention.model.fact import Fact, FactKey, FactType
from retention.model.particulars import Particulars, ToldFact
from retention.model.policy import Policy
from retention.model.record import StrandRecord
from retention.workflows.case_evidence import case_dates
from retention.workflows.case_history import history_of
from retention.workflows.deployment import Deployment
from retention.workflows.journal import Journal, Told


@dataclass(frozen=True, slots=True)
class Numbered:
    """A fact and where it stands in the input, such as `facts.jsonl:12`."""

    place: str
    fact: Fact


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of the facts. `warnings` name facts that were kept and need somebody's eye."""

    new_count: int
    repeated_count: int
    opened: tuple[str, ...]
    brought_back: tuple[str, ...]
    warnings: tuple[str, ...]


def find_problems(deployment: Deployment, facts: Sequence[Numbered]) -> dict[str, str]:
    """Why facts cannot be taken in, by place; empty where all can.

    Wrong are: an unknown service or dataset, a name that could reach another customer's data, another fact under an id that
    was used before, a time further in the future than the policy's clock-jump limit.
    """
    problems: dict[str, str] = {}
    now = deployment.clock.now()
    with deployment.catalog.reading() as session:
        policy = deployment.shelf.in_force(session, now)
        seen: dict[FactKey, str] = {}
        for item in facts:
            digest = fact_rows.digest_of(item.fact)
            known = seen.setdefault(item.fact.key, fact_rows.find_digest(session, item.fact.key) or digest)
            problem = _problem(item.fact, policy, now)
            if problem is None and known != digest:
                problem = f"the id {item.fact.key.id!r} of this source names another fact already; facts never change"
            if problem is not None:
                problems[item.place] = problem
    return problems


def _problem(fact: Fact, policy: Policy, now: datetime) -> str | None:
    if fact.at > now + tolerance(policy):
        return f"time {fact.at.isoformat()} lies in the future; a fact is something that happened"
    if fact.service is not None and fact.service not in policy.services:
        return f"service {fact.service!r} is not in the policy; it has {', '.join(sorted(policy.services))}"
    dataset = fact.part.dataset if fact.part else fact.hold.dataset if fact.hold else None
    if fact.consent is not None:
        dataset = fact.consent.dataset
        if fact.consent.destination == policy.home:
            return f"destination {policy.home} is home; nothing that stays there needs a consent"
    if dataset is not None and dataset not in policy.datasets:
        return f"dataset {dataset!r} is not in the policy; it has {', '.join(sorted(policy.datasets))}"
    unplaceable = unplaceable_locations(policy, fact.customer)
    if unplaceable:
        return f"the customer's name cannot be used: {unplaceable[0]}"
    return _part_problem(fact, policy)


def _part_problem(fact: Fact, policy: Policy) -> str | None:
    """Why the part that the fact names is nowhere, or could be somebody else's; None where all is well."""
    if fact.part is None or fact.part.dataset is None or fact.part.is_whole_dataset:
        return None
    copies = locate(policy, policy.datasets[fact.part.dataset], fact.customer, fact.subscription, fact.part)
    refused = [copy.refusal for copy in copies if copy.refusal is not None and copy.role is CopyRole.PRIMARY]
    return f"this part cannot be found: {refused[0]}" if refused else None


def tolerance(policy: Policy) -> timedelta:
    """How far clocks may differ before it means something: the policy's clock-jump limit."""
    return timedelta(hours=policy.limits.clock_jump.amount)  # the policy file allows hours only


def record_facts(deployment: Deployment, facts: Sequence[Numbered]) -> Recorded:
    """The facts are durable, each once, and every case, hold and date follows from them. A repeat changes nothing.

    All are taken in or none is: raises InputError naming every wrong one with its place.
    """
    problems = find_problems(deployment, facts)
    if problems:
        raise InputError([f"{place}: {problem}" for place, problem in problems.items()])
    now = deployment.clock.now()
    by_customer: dict[str, list[Fact]] = {}
    for item in facts:
        by_customer.setdefault(item.fact.customer, []).append(item.fact)
    tally = Tally()
    with deployment.catalog.transaction() as session:
        versions = deployment.shelf.versions(session)
        for customer in sorted(by_customer):  # one order of locks for everybody, and all of them before the ledger's
            fact_rows.lock_customer(session, customer, now)
        for customer in sorted(by_customer):
            put_facts(deployment.journal, session, customer, by_customer[customer], versions, now, tally)
    deployment.journal.publish()
    return tally.result()


class Tally:
    """What recording came to so far."""

    def __init__(self) -> None:
        self.new_count = self.repeated_count = 0
        self.opened: list[str] = []
        self.brought_back: list[str] = []
        self.warnings: list[str] = []

    def result(self) -> Recorded:
        """What it came to, for whoever told the facts."""
        return Recorded(
            self.new_count,
            self.repeated_count,
            tuple(self.opened),
            tuple(self.brought_back),
            tuple(dict.fromkeys(self.warnings)),
        )


def put_facts(
    journal: Journal,
    session: Session,
    customer: str,
    facts: Sequence[Fact],
    versions: Sequence[Policy],
    now: datetime,
    tally: Tally,
) -> None:
    """The customer's facts, cases and entries are as after these facts. The caller holds the customer's lock.

    The same catalogue, facts, versions and `now` write the same entries: a replay rests on it.
    """
    new = [fact for fact in facts if _is_new(session, fact)]
    tally.new_count += len(new)
    tally.repeated_count += len(facts) - len(new)
    if new:
        following = range(len(new) - 1, -1, -1)
        told = [Particulars(fact=ToldFact(f, rest, len(versions))) for f, rest in zip(new, following, strict=True)]
        journal.write(session, *(Told(_fact_entry(journal, f, now), t) for f, t in zip(new, told, strict=True)))
        reconcile(journal, session, customer, versions, now, tally)


def _is_new(session: Session, fact: Fact) -> bool:
    """Record the fact unless it is there already; True when it was not."""
    if fact_rows.find_digest(session, fact.key) is not None:
        return False
    fact_rows.add_fact(session, fact)
    return True


def reconcile(
    journal: Journal,
    session: Session,
    customer: str,
    versions: Sequence[Policy],
    now: datetime,
    tally: Tally | None = None,
) -> None:
    """The customer's stored cases, holds and flags are what all their facts amount to, and the ledger tells it.

    The caller holds the customer's lock. What is past its point of no return stays as it is.
    """
    tally = tally or Tally()
    existing = case_rows.cases(session, customer=customer)
    derived = derive(fact_rows.facts_of(session, customer), versions, history_of(existing))
    known_flags = set(fact_rows.flags(session, customer))
    fact_rows.put_derived(
        session,
        customer,
        derived.holds,
        [(key.service, key.id) for key in derived.live],
        [(flag.fact, flag.what) for flag in derived.flags],
    )
    journal.write(session, *_flag_entries(journal, customer, derived, dict(known_flags), now, tally))
    records = {record.strand.id: record for case in existing for record in case.strands}
    for case in derived.cases:
        _put_case(journal, session, case, records, now, tally)
    wanted = {strand.id for case in derived.cases for strand in case.strands}
    by_id = {case.id: case for case in derived.cases}
    for record in records.values():
        if record.strand.id not in wanted and record.state in REVOCABLE:
            journal.write(session, _bring_back(journal, session, record, by_id.get(record.strand.case), now))
            tally.brought_back.append(record.strand.id)


def _put_case(
    journal: Journal,
    session: Session,
    case: Case,
    records: dict[str, StrandRecord],
    now: datetime,
    tally: Tally,
) -> None:
    is_new = case_rows.put_case(session, case, now)
    changed = False
    for strand in case.strands:
        record = records.get(strand.id)
        if record is None:
            case_rows.add_strand(session, case.customer, strand)
            changed = True
        elif record.state is StrandState.BROUGHT_BACK:
            _start_again(session, record, strand, now)
            changed = True
        elif record.strand != strand:
            case_rows.redefine_strand(session, record, strand)
            changed = True
    if is_new:
        tally.opened.append(case.id)
    if is_new or changed:
        kind = EntryType.CASE_OPENED if is_new else EntryType.CASE_CHANGED
        entry = Entry(kind, now, case_dates(journal, case).to_json(), case=case.id, policy=case.policy_hash)
        (position,) = journal.write(session, entry)
        case_rows.put_dates_entry(session, case.id, position)


def _start_again(session: Session, record: StrandRecord, strand: Strand, now: datetime) -> None:
    state = next_state(record.state, StrandEvent.STARTED_AGAIN)
    case_rows.move_strand(
        session, record, state, now, clear=("restricted_at", "cleared_at", "tombstoned_at", "settled_at")
    )
    case_rows.redefine_strand(session, case_rows.strand(session, record.strand.id), strand)


def _bring_back(journal: Journal, session: Session, record: StrandRecord, case: Case | None, now: datetime) -> Entry:
    case_rows.move_strand(session, record, next_state(record.state, StrandEvent.CANCELLED), now)
    body: dict[str, JsonValue] = {
        "customer": journal.customer(record.customer),
        "dataset": record.strand.dataset,
        "event": str(StrandEvent.CANCELLED),
    }
    if case is not None and case.cancelled_by is not None:
        body["fact"] = journal.commitments.of("fact", str(case.cancelled_by))
    return Entry(EntryType.CASE_CHANGED, now, body, case=record.strand.case, policy=case.policy_hash if case else None)


def _fact_entry(journal: Journal, fact: Fact, now: datetime) -> Entry:
    kinds = {
        FactType.HOLD_PLACED: EntryType.HOLD_PLACED,
        FactType.HOLD_RELEASED: EntryType.HOLD_RELEASED,
        FactType.CONSENT_GRANTED: EntryType.CONSENT_GRANTED,
        FactType.CONSENT_WITHDRAWN: EntryType.CONSENT_WITHDRAWN,
    }
    body: dict[str, JsonValue] = {
        "customer": journal.customer(fact.customer),
        "fact": journal.commitments.of("fact", str(fact.key)),
        "type": str(fact.type),
        "happened_at": fact.at.isoformat().replace("+00:00", "Z"),
        "content": journal.commitments.of("content", fact_rows.digest_of(fact)),
    }
    if fact.service is not None:
        body["service"] = fact.service
    consent = fact.consent.id if fact.consent else fact.withdrawn_consent
    if consent is not None:
        body["consent"] = journal.commitments.of("consent", consent)
    if fact.consent is not None:
        body |= {"dataset": fact.consent.dataset, "destination": fact.consent.destination}
    return Entry(kinds.get(fact.type, EntryType.FACT_RECORDED), now, body)


def _flag_entries(
    journal: Journal, customer: str, derived: Derived, known: dict[FactKey, str], now: datetime, tally: Tally
) -> list[Entry]:
    entries = []
    for flag in derived.flags:
        if flag.what in known.get(flag.fact, ""):
            continue
        tally.warnings.append(f"{flag.fact}: {flag.what}")
        body: dict[str, JsonValue] = {
            "customer": journal.customer(customer),
            "fact": journal.commitments.of("fact", str(flag.fact)),
        }
        entries.append(Entry(EntryType.FACT_CONTRADICTS, now, body))
    return entries
