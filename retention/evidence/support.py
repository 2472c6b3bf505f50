"""Which entries support which claim of a statement. Pure. The table is in `docs/formats/certificate.md`.

An entry supports a claim when it is of the right type, of the same case, customer and policy, and says the same. Every
check yields a finding for what differs and goes on, so that everything wrong is named at once.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from retention.evidence.bodies import Body, CaseDates, CopyRef, CopyVerified, EpochDestroyed, KeyShredded, SetEnded
from retention.evidence.canonical import JsonValue, encode_json
from retention.evidence.commitments import CUSTOMER, SUBSCRIPTION, Commitment, Opening, commitment_of
from retention.evidence.entries import Entry, EntryType
from retention.evidence.errors import Malformed
from retention.evidence.findings import Finding, FindingKind
from retention.evidence.statement import (
    METHODS,
    CopyClaim,
    KeyClaim,
    Statement,
    StrandClaim,
    copy_label,
    exceptions_of,
    is_final,
)
from retention.model.copy import EndState, worst_of

AnyBody = TypeVar("AnyBody", bound=Body)
Findings = Generator[Finding, None, None]

_CASE_TYPES = (EntryType.CASE_OPENED, EntryType.CASE_CHANGED)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The proven entries by index, and the openings of names. Entries whose proof failed are not in it."""

    entries: Mapping[int, Entry]
    openings: tuple[Opening, ...]


def unsupported_claims(statement: Statement, evidence: Evidence) -> list[Finding]:
    """A finding for every claim that its entries do not support; none when all of them do."""
    check = _Check(statement, evidence)
    return [
        *check.names(),
        *check.case(),
        *(finding for strand in statement.strands for finding in check.strand(strand)),
        *(finding for copy in statement.copies for finding in check.copy(copy)),
        *(finding for key in statement.keys for finding in check.key(key)),
        *check.completeness(),
        *check.conclusions(),
    ]


class _Check:
    """One statement against its evidence."""

    def __init__(self, statement: Statement, evidence: Evidence) -> None:
        self.statement = statement
        self.evidence = evidence
        self.commitments: dict[tuple[str, str], Commitment] = {}

    def names(self) -> Findings:
        """Customer and subscriptions are opened, and the openings open commitments of the entries."""
        recorded = frozenset(text for entry in self.evidence.entries.values() for text in _texts(entry.body))
        for opening in self.evidence.openings:
            place = f"openings.{opening.label}"
            try:
                commitment = commitment_of(opening)
            except Malformed as error:
                yield Finding(FindingKind.MALFORMED, place, str(error))
                continue
            if commitment not in recorded:
                message = "opens no commitment that is in the entries"
                yield Finding(FindingKind.OPENING_INVALID, place, message)
            self.commitments[opening.label, opening.value] = commitment
        names = [(CUSTOMER, self.statement.customer)]
        names += [(SUBSCRIPTION, name) for name in self.statement.subscriptions()]
        for label, value in names:
            if (label, value) not in self.commitments:
                yield Finding(FindingKind.OPENING_INVALID, label, f"this {label} is not opened")

    def case(self) -> Findings:
        """Customer, rule, clause, policy and starting time are those of the case-opened entry."""
        claimed = self.statement
        body = yield from self._body("case", claimed.opened_entry, (EntryType.CASE_OPENED,), CaseDates)
        if body is None:
            return
        pairs = {
            "rule": (claimed.rule, body.rule),
            "clause": (claimed.clause, body.clause),
            "started_at": (claimed.started_at, body.started_at),
            "policy": (claimed.policy, self.evidence.entries[claimed.opened_entry].policy),
        }
        yield from _compare("case", claimed.opened_entry, pairs)
        yield from self._same_customer("case", claimed.opened_entry, body.customer)

    def strand(self, claimed: StrandClaim) -> Findings:
        """The dates are those that the cited entry gives for this dataset."""
        place = f"strands.{claimed.dataset}"
        body = yield from self._body(place, claimed.entry, _CASE_TYPES, CaseDates)
        if body is None:
            return
        yield from self._same_customer(place, claimed.entry, body.customer)
        which = (claimed.dataset, self._subscription(claimed.subscription))
        recorded = [strand for strand in body.strands if (strand.dataset, strand.subscription) == which]
        if not recorded:
            yield _unsupported(place, claimed.entry, "the entry gives no dates for it")
        for strand in recorded:
            pairs = {
                "due_at": (claimed.due_at, strand.due_at),
                "complete_by": (claimed.complete_by, strand.complete_by),
            }
            yield from _compare(place, claimed.entry, pairs)

    def copy(self, claimed: CopyClaim) -> Findings:
        """Its end state is that of the last cited entry, and all cited entries are about this copy."""
        place = f"copies.{claimed.label}"
        ref = self._ref(claimed)
        *others, last = claimed.entries
        for index in others:
            entry = yield from self._entry(place, index, (EntryType.STEP_OUTCOME,))
            if entry is not None and entry.body.get("copy") != ref.to_json():
                yield _unsupported(place, index, "the entry is about another copy")
            if entry is not None:
                yield from self._same_customer(place, index, entry.body.get("customer"))
        body = yield from self._body(place, last, (EntryType.STEP_OUTCOME,), CopyVerified)
        if body is not None:
            yield from self._same_customer(place, last, body.customer)
            at = self.evidence.entries[last].at
            pairs: dict[str, tuple[object, object]] = {"copy": (ref, body.copy_), "at": (claimed.at, at)}
            for name in ("end_state", "reason", "until", "items", "bytes_", "root"):
                pairs[name.rstrip("_")] = (getattr(claimed, name), getattr(body, name))
            yield from _compare(place, last, pairs)
            yield from self._sets(place, claimed, last, body.sets)
        yield from self._sanitization(place, claimed)

    def _sets(self, place: str, claimed: CopyClaim, last: int, count: int | None) -> Findings:
        """Each set ended as its entry says, none is left out, and the copy is as good as its worst set."""
        sets = claimed.sets
        stated = None if sets is None else len(sets)
        yield from _compare(place, last, {"sets": (stated, count)})
        if sets is None:
            return
        if len({each.id for each in sets}) != len(sets):
            yield _unsupported(place, last, "a backup set is stated twice")
        if claimed.end_state is not worst_of(each.end_state for each in sets):
            yield _unsupported(place, last, "end_state: is not that of the worst of its backup sets")
        ref = self._ref(claimed)
        for each in sets:
            body = yield from self._body(f"{place}.{each.set_}", each.entry, (EntryType.BACKUP_SET,), SetEnded)
            if body is None:
                continue
            yield from self._same_customer(place, each.entry, body.customer)
            pairs: dict[str, tuple[object, object]] = {
                "copy": (ref, body.copy_),
                "at": (each.at, self.evidence.entries[each.entry].at),
            }
            for name in ("set_", "id", "end_state", "reason", "until", "refusal"):
                pairs[name.rstrip("_")] = (getattr(each, name), getattr(body, name))
            yield from _compare(f"{place}.{each.set_}", each.entry, pairs)

    def _sanitization(self, place: str, claimed: CopyClaim) -> Findings:
        """The method is the one that the end state amounts to; cryptographic erase has a shredded key behind it."""
        last = claimed.entries[-1]
        method = METHODS.get(claimed.end_state)
        stated = claimed.sanitization
        if method is None or stated is None:
            if method is not None or stated is not None:
                wanted = "has none" if method is None else "needs one"
                yield _unsupported(place, last, f"sanitization: the end state {claimed.end_state} {wanted}")
            return
        pairs: dict[str, tuple[object, object]] = {
            "sanitization.asset": (stated.asset, f"{claimed.store}/{claimed.dataset}"),
            "sanitization.method": (stated.method, method[0]),
            "sanitization.technique": (stated.technique, method[1]),
            "sanitization.verified_at": (stated.verified_at, claimed.at),
        }
        yield from _compare(place, last, pairs)
        if claimed.end_state is EndState.SHREDDED_VERIFIED and claimed.dataset not in {
            key.dataset for key in self.statement.keys
        }:
            yield _unsupported(place, last, "end_state: no key of this dataset is stated to be shredded")

    def key(self, claimed: KeyClaim) -> Findings:
        """It was shredded when its entry says, and unrecoverable since the last of its epochs was destroyed."""
        place = f"keys.{claimed.key}"
        body = yield from self._body(place, claimed.entry, (EntryType.KEY_SHREDDED,), KeyShredded)
        if body is None:
            return
        yield from self._same_customer(place, claimed.entry, body.customer)
        pairs: dict[str, tuple[object, object]] = {
            "dataset": (claimed.dataset, body.dataset),
            "subscription": (self._subscription(claimed.subscription), body.subscription),
            "key": (claimed.key, body.key),
            "epochs": (tuple(epoch.epoch for epoch in claimed.epochs), body.epochs),
            "shredded_at": (claimed.shredded_at, self.evidence.entries[claimed.entry].at),
        }
        yield from _compare(place, claimed.entry, pairs)
        yield from self._epochs(place, claimed)

    def _epochs(self, place: str, claimed: KeyClaim) -> Findings:
        latest = claimed.shredded_at
        is_destroyed = True
        for epoch in claimed.epochs:
            if epoch.entry is None:
                is_destroyed = False
                continue
            body = yield from self._body(place, epoch.entry, (EntryType.EPOCH_DESTROYED,), EpochDestroyed)
            if body is None:
                continue
            yield from _compare(place, epoch.entry, {"epoch": (epoch.epoch, body.epoch)})
            latest = max(latest, self.evidence.entries[epoch.entry].at)
        recorded = latest if is_destroyed else None
        yield from _compare(place, claimed.entry, {"unrecoverable_at": (claimed.unrecoverable_at, recorded)})

    def completeness(self) -> Findings:
        """Nothing that the latest cited entry of the case names is left out, and nothing is stated twice."""
        statement = self.statement
        refs = [encode_json(self._ref(copy).to_json()) for copy in statement.copies]
        if len(set(refs)) != len(refs):
            yield Finding(FindingKind.UNSUPPORTED_CLAIM, "copies", "a copy is stated twice")
        strands = [(strand.dataset, self._subscription(strand.subscription)) for strand in statement.strands]
        if len(set(strands)) != len(strands):
            yield Finding(FindingKind.UNSUPPORTED_CLAIM, "strands", "a strand is stated twice")
        index = max(statement.opened_entry, *(strand.entry for strand in statement.strands))
        entry = self.evidence.entries.get(index)
        if entry is None or entry.type not in _CASE_TYPES:
            return  # told already, by the claim that cites it
        try:
            body = CaseDates.from_json(entry.body)
        except Malformed:
            return  # told already
        for strand in body.strands:
            if (strand.dataset, strand.subscription) not in strands:
                yield _unsupported(f"strands.{strand.dataset}", index, "the case has it, and it is not stated")
            for copy in strand.copies:
                if encode_json(copy.to_json()) not in refs:
                    place = f"copies.{copy_label(copy)}"
                    yield _unsupported(place, index, "the case has this copy, and it is not stated")

    def conclusions(self) -> Findings:
        """What follows from the claims is stated as it follows; no entry is later than the statement."""
        statement = self.statement
        if statement.exceptions != exceptions_of(statement.copies):
            message = "are not those of the copies that are not gone"
            yield Finding(FindingKind.UNSUPPORTED_CLAIM, "exceptions", message)
        if statement.final != is_final(statement.copies, statement.keys):
            message = f"states {statement.final}, which does not follow from its copies and keys"
            yield Finding(FindingKind.UNSUPPORTED_CLAIM, "final", message)
        for index in statement.cited():
            entry = self.evidence.entries.get(index)
            if entry is not None and entry.at > statement.issued_at:
                yield _unsupported("issued_at", index, "the entry is of a later time")

    # ------------------------------------------------------------------------------------------------ one entry

    def _entry(self, place: str, index: int, types: tuple[EntryType, ...]) -> Generator[Finding, None, Entry | None]:
        """The cited entry, when it is proven, of one of these types, and of this case and policy."""
        entry = self.evidence.entries.get(index)
        if entry is None:
            yield _unsupported(place, index, "the entry is not in the certificate, or not proven")
            return None
        if entry.type not in types:
            yield _unsupported(place, index, f"the entry is a {entry.type}, not a {' or '.join(types)}")
            return None
        if entry.type is not EntryType.EPOCH_DESTROYED:  # an epoch belongs to no case
            if entry.case != self.statement.case:
                yield _unsupported(place, index, "the entry is of another case")
            if entry.policy not in (None, self.statement.policy):
                yield _unsupported(place, index, "the entry is of another policy")
        return entry

    def _body(
        self, place: str, index: int, types: tuple[EntryType, ...], model: type[AnyBody]
    ) -> Generator[Finding, None, AnyBody | None]:
        entry = yield from self._entry(place, index, types)
        if entry is None:
            return None
        try:
            return model.from_json(entry.body)
        except Malformed as error:
            yield _unsupported(place, index, f"the entry does not record this: {error}")
            return None

    def _same_customer(self, place: str, index: int, recorded: JsonValue) -> Findings:
        if recorded != self.commitments.get((CUSTOMER, self.statement.customer)):
            yield _unsupported(place, index, "the entry is about another customer")

    def _subscription(self, name: str | None) -> Commitment | None:
        """The opened commitment; where it is not opened, which `names` tells, one that equals nothing."""
        if name is None:
            return None
        return self.commitments.get((SUBSCRIPTION, name), Commitment("0" * 64))

    def _ref(self, claimed: CopyClaim) -> CopyRef:
        return CopyRef(
            dataset=claimed.dataset,
            store=claimed.store,
            role=claimed.role,
            subscription=self._subscription(claimed.subscription),
            backup=claimed.backup,
            partial=claimed.partial,
            number=claimed.number,
        )


def _compare(place: str, index: int, pairs: Mapping[str, tuple[object, object]]) -> Findings:
    for name, (claimed, recorded) in pairs.items():
        if claimed != recorded:
            yield _unsupported(place, index, f"{name}: states {_shown(claimed)}, the entry says {_shown(recorded)}")


def _unsupported(place: str, index: int, message: str) -> Finding:
    return Finding(FindingKind.UNSUPPORTED_CLAIM, place, f"{message} (entry {index})", index)


def _shown(value: object) -> str:
    if isinstance(value, Body):
        return encode_json(value.to_json()).decode("utf-8")
    return "nothing" if value is None else str(value)


def _texts(value: JsonValue) -> Iterable[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list):
        for member in value:
            yield from _texts(member)
