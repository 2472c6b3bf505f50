"""Why this date: what started a deletion, how its dates were counted, what stops it, and what would happen next.

Pure: everything is told by facts, policies, progress and an instant. `retention.lifecycle.sentences` has the words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from retention.lifecycle.cases import Derived
from retention.lifecycle.precedence import Next, Progress, next_steps
from retention.lifecycle.sentences import SENTENCES, Language, Reason, Value, say
from retention.lifecycle.states import OPEN
from retention.model.case import Case, Count, CountedBy, Strand, StrandState
from retention.model.copy import CopyRole
from retention.model.fact import Fact, FactKey
from retention.model.hold import Hold
from retention.model.period import NO_PERIOD
from retention.model.plan import Block, BlockKind, StepKind
from retention.model.policy import Encryption, Policy


@dataclass(frozen=True, slots=True)
class Sentence:
    """One statement: a stable code, and the values that it is about, by the placeholder of each."""

    reason: Reason
    values: tuple[tuple[str, Value], ...] = ()

    def text(self, language: Language) -> str:
        """The statement in this language."""
        return (
            SENTENCES[self.reason].in_(language).format(**{name: say(value, language) for name, value in self.values})
        )


@dataclass(frozen=True, slots=True)
class Passage:
    """What is said about one dataset (or one subscription's part of it) in one case, in the order to be read.

    Where nothing has started, case is None; where everything is meant, dataset is None.
    """

    case: str | None
    dataset: str | None
    subscription: str | None
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything there is to say about a customer's data, or one dataset of it. Never empty."""

    passages: tuple[Passage, ...]

    def lines(self, language: Language) -> tuple[str, ...]:
        """Every sentence in this language, a heading before each passage."""
        found: list[str] = []
        for passage in self.passages:
            parts = [part for part in (passage.case, passage.dataset, passage.subscription) if part]
            found += [f"[{' / '.join(parts)}]"] if parts else []
            found += [sentence.text(language) for sentence in passage.sentences]
        return tuple(found)


def explain(
    derived: Derived,
    facts: Iterable[Fact],
    versions: Sequence[Policy],
    progress: Mapping[str, Progress],
    now: datetime,
    dataset: str | None = None,
) -> Explanation:
    """Why the customer's data (or one dataset of it) goes when it goes, or stays.

    `derived` is what `derive` made of the customer's `facts` under the policy `versions` (not empty). `progress` is by
    strand id; a strand that is not in it has just begun. `now` is aware; instants are told in the zone of the policy
    that counts for the case.
    """
    reader = _Reader(derived, {fact.key: fact for fact in facts}, {v.hash: v for v in versions}, progress, now)
    passages = [
        passage
        for case in derived.cases
        for passage in reader.case(case)
        if dataset is None or passage.dataset in (None, dataset)
    ]
    return Explanation(tuple(passages) or (reader.nothing(dataset, versions),))


@dataclass(frozen=True, slots=True)
class _Reader:
    derived: Derived
    facts: Mapping[FactKey, Fact]
    policies: Mapping[str, Policy]
    progress: Mapping[str, Progress]
    now: datetime

    def nothing(self, dataset: str | None, versions: Sequence[Policy]) -> Passage:
        policy = max(versions, key=lambda version: version.effective_at)
        known = policy.datasets.get(dataset) if dataset is not None else None
        services = known.services if known is not None else tuple(policy.services)
        lives = [_say(Reason.LIVES, subscription=str(key)) for key in self.derived.live if key.service in services]
        named = [_named(known.name, policy)] if known is not None else []
        return Passage(None, dataset, None, (*named, _say(Reason.NOTHING_STARTED), *lives))

    def case(self, case: Case) -> Iterator[Passage]:
        """One passage per dataset of the case; each can be read alone."""
        policy = self.policies[case.policy_hash]
        opening = tuple(self._opening(case, policy))
        for strand in case.strands:
            said = (_named(strand.dataset, policy), *opening, *self._strand(strand, policy))
            yield Passage(case.id, strand.dataset, strand.subscription, said)
        for dataset, needed_by in case.left:
            left = _say(Reason.LEFT, dataset=dataset, subscription=needed_by)
            yield Passage(case.id, dataset, None, (_named(dataset, policy), *opening, left))
        for dataset, key in case.undone:
            fact = self.facts[key]
            at = fact.at.astimezone(policy.time_zone)
            undone = _say(Reason.UNDONE, dataset=dataset, at=at, fact=fact.type, key=str(key))
            yield Passage(case.id, dataset, None, (_named(dataset, policy), *opening, undone))

    def _opening(self, case: Case, policy: Policy) -> Iterator[Sentence]:
        fact, rule = self.facts[case.starting_fact], policy.rules[case.rule]
        at = case.started_at.astimezone(policy.time_zone)
        yield _say(Reason.STARTED, at=at, fact=case.fact_type, key=str(case.starting_fact))
        if fact.service is not None:
            named = f"{fact.service}/{fact.subscription}" if fact.subscription else fact.service
            yield _say(Reason.STARTED_FOR, service=named)
        if case.ground:
            yield _say(Reason.GROUND, ground=case.ground)
        yield _say(Reason.RULE, rule=rule.name, title=rule.title, clause=case.clause)
        effective = policy.effective_at.astimezone(policy.time_zone)
        yield _say(Reason.FROZEN, version=policy.version, effective=effective)

    def _strand(self, strand: Strand, policy: Policy) -> Iterator[Sentence]:
        zone = policy.time_zone
        progress = self.progress.get(strand.id, Progress(StrandState.BUFFER, 0))
        holds = tuple(hold for hold in self.derived.holds if hold.covers(strand.dataset))
        if not strand.part.is_whole_dataset:
            yield _say(Reason.PART_ONLY)
        if strand.copies and all(copy.role is CopyRole.REPLICA for copy in strand.copies):
            yield _say(Reason.ABROAD_ONLY, territory=", ".join(sorted({c.territory or "-" for c in strand.copies})))
        if strand.not_from is not None:
            yield _say(Reason.NOT_FROM, at=strand.not_from.astimezone(zone))
        yield from _dates(strand, zone)
        yield from _unplaceable(strand)
        yield _precedence(strand, holds, zone)
        yield _say(Reason.STANDS, state=progress.state)
        yield from _Outlook(strand, zone, self.now).sentences(progress, holds)


def _say(reason: Reason, **values: Value) -> Sentence:
    return Sentence(reason, tuple(values.items()))


def _named(dataset: str, policy: Policy) -> Sentence:
    return _say(Reason.DATASET, dataset=dataset, title=policy.datasets[dataset].title)


# ---------------------------------------------------------------------------------------------- how dates were counted


def _dates(strand: Strand, zone: ZoneInfo) -> Iterator[Sentence]:
    yield from _buffer(strand.due, zone)
    if strand.keep is not None:
        yield _say(Reason.KEEP_FROM_START, period=strand.keep.period, basis=strand.keep.basis)
        yield from _counted(strand.keep, zone)
    if strand.keep_written is not None:
        yield _say(Reason.KEEP_FROM_WRITTEN, period=strand.keep_written, basis=strand.keep_basis or "")
    window = strand.no_return
    if window.period.is_none:
        yield _say(Reason.NO_UNDO_WINDOW, basis=window.basis)
    else:
        yield _say(Reason.UNDO_WINDOW, period=window.period, basis=window.basis, at=window.at.astimezone(zone))
    if strand.shreds_key:
        yield _say(Reason.DESTROYS_KEYS)
    else:
        yield _say(Reason.WITHOUT_KEYS if strand.encrypted is Encryption.NO else Reason.KEEPS_KEYS)
    end = strand.complete_by
    yield _say(
        Reason.COMPLETE_BY,
        at=end.at.astimezone(zone),
        start=end.from_at.astimezone(zone),
        period=end.period,
        basis=end.basis,
    )


_BUFFERS: Mapping[CountedBy, Reason] = {
    CountedBy.RULE: Reason.BUFFER_OF_RULE,
    CountedBy.SERVICE: Reason.BUFFER_OF_SERVICE,
    CountedBy.AGREEMENT: Reason.BUFFER_AGREED,
    CountedBy.LAW: Reason.BUFFER_OF_RULE,
}


def _buffer(due: Count, zone: ZoneInfo) -> Iterator[Sentence]:
    if due.period.is_none:
        yield _say(Reason.NO_BUFFER, basis=due.basis, at=due.at.astimezone(zone))
        return
    yield _say(_BUFFERS[due.by], period=due.period, basis=due.basis)
    yield from _counted(due, zone)


def _counted(count: Count, zone: ZoneInfo) -> Iterator[Sentence]:
    start, at = count.from_at.astimezone(zone), count.at.astimezone(zone)
    if count.last_day is None:
        yield _say(Reason.COUNTED_IN_HOURS, start=start, at=at)
        return
    if count.moved_from is not None:
        yield _say(Reason.LAST_DAY_MOVED, moved_from=count.moved_from, last_day=count.last_day)
    yield _say(Reason.COUNTED_IN_DAYS, first_day=start.date(), last_day=count.last_day, at=at)


def _unplaceable(strand: Strand) -> Iterator[Sentence]:
    for copy in strand.copies:
        if copy.refusal is not None:
            yield _say(Reason.UNPLACEABLE, copy=copy.label, why=copy.refusal)


# ------------------------------------------------------------------------------------------ what stops it, what is next


def _precedence(strand: Strand, holds: Sequence[Hold], zone: ZoneInfo) -> Sentence:
    keep: Value = strand.keep.at.astimezone(zone) if strand.keep else strand.keep_written or NO_PERIOD
    return _say(
        Reason.PRECEDENCE,
        hold=", ".join(hold.id for hold in holds) or NO_PERIOD,
        keep=keep,
        buffer=NO_PERIOD if strand.due.period.is_none else strand.due.at.astimezone(zone),
        deletion=strand.erasable_at.astimezone(zone),
    )


_BLOCKS: Mapping[BlockKind, Reason] = {
    BlockKind.HELD: Reason.HELD,
    BlockKind.KEPT_BY_LAW: Reason.KEPT_BY_LAW,
    BlockKind.IN_BUFFER: Reason.IN_BUFFER,
    BlockKind.IN_UNDO_WINDOW: Reason.IN_UNDO_WINDOW,
    BlockKind.NOT_APPROVED: Reason.NOT_APPROVED,
    BlockKind.WAITING_FOR_KEYS: Reason.WAITING_FOR_KEYS,
    BlockKind.WAITING_FOR_COPIES: Reason.WAITING_FOR_COPIES,
}


@dataclass(frozen=True, slots=True)
class _Outlook:
    """What runs would do from now on, block by block, as `next_steps` says it."""

    strand: Strand
    zone: ZoneInfo
    now: datetime

    def sentences(self, progress: Progress, holds: tuple[Hold, ...]) -> Iterator[Sentence]:
        following = next_steps(self.strand, progress, holds, self.now)
        if not following.steps and following.block is None:
            yield _say(Reason.DONE)
            return
        if following.steps:
            yield _say(Reason.NEXT_RUN, steps=following.steps)
        if self._is_overdue(progress, following):
            yield _say(Reason.OVERDUE, at=self.strand.complete_by.at.astimezone(self.zone))
        while (block := following.block) is not None:
            progress = _after(progress, following.steps)
            yield from self._blocked(block, holds)
            if block.kind is BlockKind.HELD:
                holds = ()
                following = next_steps(self.strand, progress, holds, self.now)
                yield from self._steps(Reason.ONCE_RELEASED, following)
            elif block.until is not None:
                following = next_steps(self.strand, progress, holds, block.until)
                yield from self._steps(Reason.FROM_THEN, following, at=block.until.astimezone(self.zone))
            else:
                return

    def _is_overdue(self, progress: Progress, following: Next) -> bool:
        excused = following.block is not None and following.block.kind in (BlockKind.HELD, BlockKind.KEPT_BY_LAW)
        return progress.state in OPEN and not excused and self.now > self.strand.complete_by.at

    def _steps(self, reason: Reason, following: Next, **values: Value) -> Iterator[Sentence]:
        if following.steps:
            yield _say(reason, **values, steps=following.steps)

    def _blocked(self, block: Block, holds: Sequence[Hold]) -> Iterator[Sentence]:
        if block.kind is BlockKind.HELD:
            for hold in holds:
                yield from self._held(hold)
        elif block.until is None:
            yield _say(_BLOCKS[block.kind])
        else:
            basis: dict[str, Value] = {"basis": block.reason} if block.kind is BlockKind.KEPT_BY_LAW else {}
            yield _say(_BLOCKS[block.kind], at=block.until.astimezone(self.zone), **basis)

    def _held(self, hold: Hold) -> Iterator[Sentence]:
        at = hold.placed_at.astimezone(self.zone)
        yield _say(Reason.HELD, hold=hold.id, at=at, ground=hold.ground or "—", authority=hold.authority or "—")
        if hold.review_at is not None:
            yield _say(Reason.HOLD_REVIEW, at=hold.review_at.astimezone(self.zone))


def _after(progress: Progress, steps: Sequence[StepKind]) -> Progress:
    """How far the strand would be when these steps, which end before the point of no return, were taken."""
    return replace(
        progress,
        state=StrandState.TOMBSTONED if StepKind.TOMBSTONE in steps else progress.state,
        is_restricted=progress.is_restricted or StepKind.RESTRICT in steps,
        is_cleared=progress.is_cleared or StepKind.CLEAR_CACHES in steps,
    )
