"""Laws of the lifecycle over random lives of a customer, told late, twice and out of order.

The daemon of these tests is the smallest that could be: it derives, takes the steps it is given, and remembers what passed
its point of no return. What it must never do is checked by rules of thumb written down here a second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from retention.lifecycle.cases import Derived, History, derive
from retention.lifecycle.precedence import Progress, next_steps
from retention.lifecycle.states import OPEN, REVOCABLE
from retention.model.case import Strand, StrandState
from retention.model.copy import Copy, CopyRole
from retention.model.fact import Agreement, Fact, FactKey, FactType, HoldTerms, Part
from retention.model.fact_roles import ENDINGS, INSTRUCTIONS
from retention.model.period import Period, PeriodUnit
from retention.model.plan import StepKind
from retention.model.policy import Policy
from retention.model.transfer import Consent
from storage_adapters.contract import Prefix
from tests.unit.retention.lifecycle.world import CUSTOMER, SHANGHAI, instant, policy

POLICY = policy()
START = instant("2026-02-01")
SERVICES = ["training", "inference", "notebook", "billing"]
T = FactType
S = StrandState

# -------------------------------------------------------------------------------------------------------- random lives


@st.composite
def lives(draw: st.DrawFn, most: int = 9) -> list[Fact]:
    """Facts of one customer over four months, each told up to forty days late."""
    return [_fact(draw, number) for number in range(draw(st.integers(1, most)))]


def _fact(draw: st.DrawFn, number: int) -> Fact:
    kind = draw(st.sampled_from(FactType))
    at = START + timedelta(hours=6 * draw(st.integers(0, 4 * 120)))
    delay = draw(st.sampled_from([0, 0, 0, 1, 3, 20, 40]))
    service = draw(st.sampled_from([None, *SERVICES]))
    if kind is T.SERVICE_ACTIVATED and service is None:
        service = "training"
    named = service == "notebook" or (service == "training" and draw(st.booleans()))
    bare = Fact(
        FactKey("crm", f"f{number}"),
        kind,
        CUSTOMER,
        at,
        at + timedelta(days=delay),
        service,
        draw(st.sampled_from([None, "s1", "s2"])) if named else None,
    )
    match kind:
        case T.DATA_DELETED | T.DELETION_ORDERED:
            dataset = draw(st.sampled_from([None, *POLICY.datasets]))
            return replace(bare, part=Part(dataset) if dataset else None)
        case T.HOLD_PLACED:
            terms = HoldTerms(f"h{number % 3}", draw(st.sampled_from([None, "weights", "metrics"])))
            return replace(bare, hold=terms)
        case T.HOLD_RELEASED:
            return replace(bare, hold=HoldTerms(f"h{draw(st.integers(0, 2))}"))
        case T.AGREEMENT_MADE:
            return replace(bare, agreement=Agreement(Period(draw(st.integers(1, 40)), PeriodUnit.DAYS)))
        case T.DELETION_WITHDRAWN:
            return replace(bare, withdraws=FactKey("crm", f"f{draw(st.integers(0, 8))}"))
        case _:
            return bare


# ------------------------------------------------------------------------------------------------- a very small daemon


@dataclass(slots=True)
class Daemon:
    """Carries out what it is told to, and remembers."""

    policy: Policy = POLICY
    facts: list[Fact] = field(default_factory=list)
    rows: dict[str, tuple[StrandState, Strand]] = field(default_factory=dict)
    frozen: dict[FactKey, str] = field(default_factory=dict)
    passed: dict[str, datetime] = field(default_factory=dict)
    passed_facts: dict[FactKey, datetime] = field(default_factory=dict)

    def hear(self, facts: Iterable[Fact]) -> Derived:
        """Take in facts: strands begin, come back, begin again."""
        self.facts += facts
        kept = {name: self.rows[name][1] for name in self.passed}
        derived = derive(self.facts, [self.policy], History(self.frozen, self.passed, self.passed_facts, kept))
        wanted = {strand.id: strand for case in derived.cases for strand in case.strands}
        assert set(self.passed) <= set(wanted), "what passed is always there"
        assert all(wanted[name].copies == strand.copies for name, strand in kept.items()), "and as it was"
        for name, (state, strand) in self.rows.items():
            if name not in wanted and state in REVOCABLE:
                self.rows[name] = (S.BROUGHT_BACK, strand)
        for name, strand in wanted.items():
            state = self.rows[name][0] if name in self.rows else S.BUFFER
            self.rows[name] = (S.BUFFER if state is S.BROUGHT_BACK else state, strand)
        self.frozen.update({case.starting_fact: case.policy_hash for case in derived.cases})
        return derived

    def run(self, derived: Derived, now: datetime) -> Iterator[Strand]:
        """Do what can be done now; yields every strand that passes its point of no return."""
        fact_of = {strand.id: case.starting_fact for case in derived.cases for strand in case.strands}
        for name, (state, strand) in list(self.rows.items()):
            if state not in OPEN:
                continue
            while (
                steps := next_steps(strand, Progress(state, 1, True, True), derived.holds, now).steps
            ) and state in OPEN:
                if name not in self.passed and {StepKind.SHRED, StepKind.ERASE} & set(steps):
                    yield strand
                    self.passed[name] = now
                    self.passed_facts.setdefault(fact_of[name], now)
                state = _after(state, steps)
                if state in REVOCABLE:
                    break
            self.rows[name] = (state, strand)


def _after(state: StrandState, steps: Sequence[StepKind]) -> StrandState:
    if StepKind.CERTIFY in steps:
        return S.CERTIFIED
    if StepKind.VERIFY in steps:
        return S.VERIFIED
    return S.TOMBSTONED if StepKind.TOMBSTONE in steps else state


# ----------------------------------------------------------------------------- what must never be, said a second time

TAKES_BACK = {
    T.ARREARS_CLEARED: {T.ARREARS_STARTED},
    T.SERVICE_RENEWED: {T.SERVICE_EXPIRED, T.SERVICE_TERMINATED, T.ARREARS_STARTED},
    T.SERVICE_ACTIVATED: set(ENDINGS),
}


def surely_lives(service: str, facts: Sequence[Fact]) -> bool:
    """Whether nobody could doubt that the customer has this service: told so, and every end after it was taken back."""
    withdrawn = {fact.withdraws for fact in facts}
    ends: set[tuple[FactType, str | None]] = set()
    known = False
    for fact in sorted(facts, key=lambda each: (each.at, each.type in TAKES_BACK)):
        if fact.service not in (None, service) or fact.key in withdrawn:
            continue
        if fact.type in ENDINGS:
            ends.add((fact.type, fact.subscription))
        elif fact.type in TAKES_BACK:
            known = known or fact.service is not None
            ends = {
                (kind, who)
                for kind, who in ends
                if kind not in TAKES_BACK[fact.type] or fact.subscription not in (None, who)
            }
    return known and not ends


def held(dataset: str, facts: Iterable[Fact]) -> bool:
    """Whether some order stands that nobody has released since."""
    told = [fact for fact in facts if fact.hold is not None]
    return any(
        fact.type is T.HOLD_PLACED
        and fact.hold is not None
        and fact.hold.dataset in (None, dataset)
        and not any(
            other.type is T.HOLD_RELEASED
            and other.hold is not None
            and other.hold.hold == fact.hold.hold
            and other.at > fact.at
            for other in told
        )
        for fact in told
    )


def soonest(fact: Fact, dataset: str, facts: Iterable[Fact]) -> datetime:
    """Before this nobody may delete: by hand-counted days, in Shanghai."""
    days: list[int] = []
    agreed = [f.agreement.buffer.amount for f in facts if f.agreement is not None]
    if fact.type in ENDINGS - {T.SERVICE_RELEASED}:
        days.append(min([7 if fact.type is T.ARREARS_STARTED else 15, *agreed]))
    if dataset == "invoices":
        days.append(181)
    midnight = fact.at.astimezone(SHANGHAI).replace(hour=0, minute=0)
    over = max([fact.at, *(midnight + timedelta(days=n + 1) for n in days)])
    return over + timedelta(hours=24) if fact.type in (T.DATA_DELETED, T.SERVICE_RELEASED) else over


def check(strand: Strand, fact: Fact, daemon: Daemon, now: datetime) -> None:
    """No point of no return too early, under a hold, after payment or withdrawal."""
    facts = daemon.facts
    assert now >= soonest(fact, strand.dataset, facts), "deleted before its time"
    assert not held(strand.dataset, facts), "deleted under a hold"
    assert fact.key not in {each.withdraws for each in facts}, "deleted although it was withdrawn"
    if fact.type is T.CONSENT_WITHDRAWN:
        check_withdrawal(strand, fact, facts)
    if fact.type in ENDINGS:
        for service in POLICY.datasets[strand.dataset].services:
            assert not surely_lives(service, facts), "deleted although the customer has it"


def live_to_the_end(facts: Sequence[Fact], runs: Iterable[datetime], policy: Policy = POLICY) -> tuple[Daemon, Derived]:
    """The whole life: every fact when it is told, a run at every given instant, and runs long after everything."""
    daemon = Daemon(policy)
    derived = daemon.hear([])
    waiting = sorted(facts, key=lambda fact: fact.recorded_at)
    by_key = {fact.key: fact for fact in facts}
    for now in sorted({*runs, *(fact.recorded_at for fact in facts)}):
        while waiting and waiting[0].recorded_at <= now:
            derived = daemon.hear([waiting.pop(0)])
        start_of = {strand.id: by_key[case.starting_fact] for case in derived.cases for strand in case.strands}
        for strand in daemon.run(derived, now):
            check(strand, start_of[strand.id], daemon, now)
    return daemon, derived


def released(facts: Iterable[Fact], at: datetime) -> list[Fact]:
    """The release of every hold there could be."""
    names = {fact.hold.hold for fact in facts if fact.hold is not None}
    return [
        Fact(FactKey("court", name), T.HOLD_RELEASED, CUSTOMER, at, at, hold=HoldTerms(name)) for name in sorted(names)
    ]


instants = st.integers(0, 4 * 200).map(lambda quarter: START + timedelta(hours=6 * quarter, minutes=7))

# ---------------------------------------------------------------------------------------------------------------- laws


@given(lives(), st.data())
def test_the_order_and_number_of_tellings_changes_nothing(facts: list[Fact], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(facts), max_size=4))
    later = [replace(fact, recorded_at=fact.recorded_at + timedelta(days=9)) for fact in again]
    arrival = data.draw(st.permutations([*facts, *later]))
    assert derive(arrival, [POLICY]) == derive(facts, [POLICY])


@settings(max_examples=200, deadline=None)
@given(lives(), st.lists(instants, max_size=12))
def test_nothing_goes_too_early_under_a_hold_or_after_payment(facts: list[Fact], runs: list[datetime]) -> None:
    live_to_the_end(facts, runs)


@settings(max_examples=200, deadline=None)
@given(lives(), st.lists(instants, max_size=6))
def test_in_the_end_everything_that_nobody_needs_is_gone(facts: list[Fact], runs: list[datetime]) -> None:
    end = START + timedelta(days=400)
    daemon, derived = live_to_the_end(
        [*facts, *released(facts, end)], [*runs, end, *(end + timedelta(days=n) for n in (1, 2, 900))]
    )
    assert {state for state, _ in daemon.rows.values()} <= {S.CERTIFIED, S.BROUGHT_BACK}
    needed = {key.service for key in derived.live}
    for case in derived.cases:
        for dataset, _ in case.left:
            if case.fact_type in ENDINGS and not needed & set(POLICY.datasets[dataset].services):
                assert any(_took(daemon, name, dataset, case.started_at) for name in daemon.passed), (
                    f"{dataset} was forgotten"
                )


def _took(daemon: Daemon, name: str, dataset: str, written_until: datetime) -> bool:
    strand = daemon.rows[name][1]
    spares = strand.not_from is not None and strand.not_from < written_until
    return strand.dataset == dataset and daemon.passed[name] >= written_until and not spares


@given(lives(), st.sampled_from([None, "weights", "metrics"]), instants)
def test_a_hold_makes_nothing_earlier(facts: list[Fact], dataset: str | None, at: datetime) -> None:
    hold = Fact(FactKey("court", "1"), T.HOLD_PLACED, CUSTOMER, at, at, hold=HoldTerms("court", dataset))
    over = [replace(hold, key=FactKey("court", "2"), type=T.HOLD_RELEASED, at=at + timedelta(days=30))]
    before = _dates(derive(facts, [POLICY]))
    for more in ([hold], [hold, *over]):
        after = _dates(derive([*facts, *more], [POLICY]))
        assert after.keys() == before.keys()
        assert all(new >= old for name in before for new, old in zip(after[name], before[name], strict=True))


@given(lives(), instants, st.integers(1, 60))
def test_an_agreement_made_after_an_end_makes_nothing_of_it_earlier(facts: list[Fact], at: datetime, days: int) -> None:
    agreement = Fact(
        FactKey("sales", "1"), T.AGREEMENT_MADE, CUSTOMER, at, at, agreement=Agreement(Period(days, PeriodUnit.DAYS))
    )
    before = {s.id: s for case in derive(facts, [POLICY]).cases if case.started_at <= at for s in case.strands}
    after = {s.id: s for case in derive([*facts, agreement], [POLICY]).cases for s in case.strands}
    assert all(after[name].due.at >= before[name].due.at for name in before.keys() & after.keys())


@given(lives())
def test_an_instruction_is_never_left_unless_it_names_less_than_the_data(facts: list[Fact]) -> None:
    for case in derive(
        [replace(f, service=None, subscription=None) if f.type in INSTRUCTIONS else f for f in facts], [POLICY]
    ).cases:
        assert case.fact_type not in INSTRUCTIONS or not case.left


def _dates(derived: Derived) -> dict[str, tuple[datetime, ...]]:
    return {
        strand.id: (strand.due.at, strand.no_return.at, strand.complete_by.at, strand.erasable_at)
        for case in derived.cases
        for strand in case.strands
    }


# ---------------------------------------------------------------------------------------------------- what lies abroad

CACHES = 'caches: [{store: cache, keys: "weights:{customer}:*"}],'
REPLICAS = """
     replicas: [{store: sg, prefix: "lion/{customer}/", territory: SG, recipient: Lion},
                {store: sg, prefix: "shared/{customer}/", territory: SG},
                {store: de, prefix: "weights/{customer}/", territory: DE},
                {store: home, prefix: "weights/{customer}/", territory: CN}],"""
WITHDRAWAL = """rules:
  withdrawal:
    {title: 撤回, clause: "6.12", when: [consent-withdrawn], buffer: none, tombstone: none, complete-within: 15 days}"""
ABROAD = policy(**{CACHES: CACHES + REPLICAS, "rules:": WITHDRAWAL})
PLACES = {"sg/lion/c-1/": ("SG", "Lion"), "sg/shared/c-1/": ("SG", None), "de/weights/c-1/": ("DE", None)}
"""Every replica abroad: its territory, and whose it is alone."""


@st.composite
def lives_abroad(draw: st.DrawFn, most: int = 3) -> list[Fact]:
    """Ordinary facts of one customer, and consents to transfers that are given, run out, and are withdrawn."""
    facts = draw(lives(most))
    names = [f"K-{number}" for number in range(draw(st.integers(1, most)))]
    facts += [_granted(draw, name) for name in names]
    for number, name in enumerate(draw(st.lists(st.sampled_from([*names, *names, "K-never"]), max_size=most + 1))):
        facts.append(replace(_told(draw, T.CONSENT_WITHDRAWN, f"w{number}", 120), withdrawn_consent=name))
    return facts


def _told(draw: st.DrawFn, kind: FactType, name: str, days: int) -> Fact:
    at = START + timedelta(days=draw(st.integers(0, days)))
    return Fact(FactKey("crm", name), kind, CUSTOMER, at, at + timedelta(days=draw(st.sampled_from([0, 0, 1, 20, 40]))))


def _granted(draw: st.DrawFn, name: str) -> Fact:
    fact = _told(draw, T.CONSENT_GRANTED, name, 40)
    days = draw(st.sampled_from([None, None, 5, 50]))
    consent = Consent(
        id=name,
        customer=CUSTOMER,
        dataset=draw(st.sampled_from([*["weights"] * 4, "metrics"])),
        purpose=draw(st.sampled_from(["support", "training"])),
        service="training",
        recipient=draw(st.sampled_from(["Lion", "Tiger"])),
        contact="privacy@lion.example",
        destination=draw(st.sampled_from(["SG", "SG", "SG", "DE"])),
        method="API",
        categories=("weights",),
        rights="privacy@lion.example",
        given_at=fact.at,
        how_given="signed",
        is_separate=True,
        document="ab" * 32,
        valid_from=fact.at,
        valid_until=fact.at + timedelta(days=days) if days else None,
    )
    return replace(fact, consent=consent)


def may_lie_at(consent: Consent, place: str) -> bool:
    """Whether the consent is about what lies at this replica of the weights."""
    territory, recipient = PLACES[place]
    return consent.dataset == "weights" and consent.destination == territory and recipient in (None, consent.recipient)


def consents_told(facts: Iterable[Fact]) -> dict[str, tuple[Consent, datetime]]:
    """The consents by id, and when each was told of."""
    return {fact.consent.id: (fact.consent, fact.recorded_at) for fact in facts if fact.consent is not None}


def first_withdrawn(facts: Iterable[Fact]) -> dict[str, datetime]:
    """When the withdrawal of each consent was first told of."""
    told: dict[str, datetime] = {}
    for fact in facts:
        if (name := fact.withdrawn_consent) is not None:
            told[name] = min(told.get(name, fact.recorded_at), fact.recorded_at)
    return told


def place_name(copy: Copy) -> str:
    assert isinstance(copy.place, Prefix)
    return f"{copy.store}/{copy.place.prefix}"


def check_withdrawal(strand: Strand, fact: Fact, facts: Sequence[Fact]) -> None:
    """Only what lies abroad under the withdrawn consent goes, and under no other one that stands."""
    consents, withdrawn = consents_told(facts), first_withdrawn(facts)
    consent, _ = consents[fact.withdrawn_consent or ""]
    assert {copy.role for copy in strand.copies} == {CopyRole.REPLICA}, "what lies at home stays"
    assert not strand.shreds_key, "keys close what lies at home too"
    assert {copy.territory for copy in strand.copies} == {consent.destination}, "another territory is not touched"
    for place in map(place_name, strand.copies):
        assert may_lie_at(consent, place), f"{place} is not what {consent.id} is about"
        standing = [
            each.id
            for each, _ in consents.values()
            if each.id not in withdrawn
            and may_lie_at(each, place)
            and (each.valid_until is None or each.valid_until > fact.at)
        ]
        assert not standing, f"what lies at {place} may lie there under {standing}"


@given(lives_abroad(), st.data())
def test_consents_told_late_twice_or_in_another_order_amount_to_the_same(
    facts: list[Fact], data: st.DataObject
) -> None:
    late = [replace(fact, recorded_at=fact.recorded_at + timedelta(days=data.draw(_DELAYS))) for fact in facts]
    again = [replace(fact, recorded_at=fact.recorded_at + timedelta(days=9)) for fact in late[::2]]
    arrival = data.draw(st.permutations([*late, *again]))
    assert derive(arrival, [ABROAD]) == derive(facts, [ABROAD])


_DELAYS = st.sampled_from([0, 0, 1, 30])


@settings(max_examples=200, deadline=None)
@given(lives_abroad())
def test_a_withdrawal_touches_only_what_lies_abroad_under_no_other_consent(facts: list[Fact]) -> None:
    by_key = {fact.key: fact for fact in facts}
    for case in derive(facts, [ABROAD]).cases:
        for strand in case.strands if case.fact_type is T.CONSENT_WITHDRAWN else ():
            check_withdrawal(strand, by_key[case.starting_fact], facts)


@settings(max_examples=200, deadline=None)
@given(lives_abroad(), st.lists(instants, max_size=8))
def test_after_the_last_withdrawal_everything_that_consents_let_abroad_goes_and_stays_told(
    facts: list[Fact], runs: list[datetime]
) -> None:
    end = START + timedelta(days=400)
    consents = consents_told(facts)
    last = [
        Fact(FactKey("end", name), T.CONSENT_WITHDRAWN, CUSTOMER, end, end, withdrawn_consent=name)
        for name in sorted(consents.keys() - first_withdrawn(facts).keys())
    ]
    facts = [*facts, *last, *released(facts, end)]
    daemon, _ = live_to_the_end(facts, [*runs, end, *(end + timedelta(days=n) for n in (1, 900))], ABROAD)
    withdrawn = first_withdrawn(facts)
    for place in PLACES:
        over = [  # a consent that we are told of after its withdrawal lets nothing go
            withdrawn[name]
            for name, (each, told) in consents.items()
            if may_lie_at(each, place) and told < withdrawn[name]
        ]
        went = [
            passed
            for name, passed in daemon.passed.items()
            if any(c.role is CopyRole.REPLICA and place_name(c) == place for c in daemon.rows[name][1].copies)
        ]
        assert not over or max(went, default=START) >= max(over), f"{place} was forgotten"
