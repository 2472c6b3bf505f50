"""Every field of a statement, forged one after the other and signed by the right key: its entries contradict it, or the field
is one of those that are said to rest on the signature alone."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from retention.evidence.bodies import CopyRef
from retention.evidence.canonical import encode_json
from retention.evidence.certificate import issue_certificate
from retention.evidence.commitments import Commitments
from retention.evidence.entries import entry_from_json
from retention.evidence.errors import Malformed
from retention.evidence.ledger import Ledger
from retention.evidence.note import SeedSigner
from retention.evidence.statement import (
    METHODS,
    CopyClaim,
    EpochClaim,
    ExceptionClaim,
    KeyClaim,
    Sanitization,
    SetClaim,
    Statement,
    StrandClaim,
    exceptions_of,
    is_final,
)
from retention.evidence.support import Evidence, unsupported_claims
from retention.evidence.verify import verify_files
from retention.model.copy import CopyRole, EndState

BY_SIGNATURE_ALONE = frozenset(
    {
        "issued_at",  # no earlier than any cited entry; the proof beside the certificate says when
        "copies[].sanitization.tool",
        "copies[].sanitization.tool_version",
        "copies[].sanitization.verification_method",
        "copies[].sanitization.agent",
    }
)
ONLY_WITH_THE_LEDGER = frozenset({"keys"})  # that one is left out which no copy rests on; see below
CASE, POLICY = "k7m2p9q4r8s1t3v5", "ab" * 32
DUE, BY = "2026-11-23T16:00:00.000000Z", "2026-12-08T16:00:00.000000Z"
UNTIL, LATER = "2026-12-31T00:00:00.000000Z", "2027-01-02T00:00:00.000000Z"
Json = dict[str, Any]
Path_ = tuple[str | int, ...]


def at(minute: int) -> str:
    return f"2026-11-23T17:{minute:02}:00.000000Z"


class World:
    """A case of two datasets with copies of every role, two keys, two epochs, a backup of two sets; and its certificate."""

    def __init__(self, directory: Path, signer: SeedSigner, commitments: Commitments) -> None:
        self.signer, self.commitments = signer, commitments
        self.customer = commitments.of("customer", "acme-42")
        self.subscription = commitments.of("subscription", "sub-7")
        self.entries: list[Json] = []
        self.ledger = Ledger.create(directory, signer)
        self.opened = self.tell("case-opened", self.case())
        self.keys = [
            self.tell(
                "key-shredded", {"customer": self.customer, "dataset": dataset, "key": key, "epochs": epochs, **owner}
            )
            for dataset, key, epochs, owner in (
                ("models", "key-1", ["epoch-1", "epoch-2"], {"subscription": self.subscription}),
                ("logs", "key-2", ["epoch-2"], {}),
            )
        ]
        self.sets = [
            self.tell("backup-set", {"customer": self.customer, "copy": self.copies()[3], **end}) for end in self.ends()
        ]
        self.early = self.tell("step-outcome", self.outcome(0) | {"end_state": "failed", "reason": "2 items are left"})
        self.outcomes = [self.tell("step-outcome", self.outcome(number)) for number in range(5)]
        self.epochs = [self.tell("epoch-destroyed", {"epoch": name}, case=None) for name in ("epoch-1", "epoch-2")]
        self.ledger.publish(0, [encode_json(each) for each in self.entries], signer)

    def tell(self, kind: str, body: Json, case: str | None = CASE) -> int:
        about = {"case": case, "policy": POLICY} if case else {}
        self.entries.append({"format": 1, "type": kind, "at": at(len(self.entries)), "body": body, **about})
        return len(self.entries) - 1

    def refs(self, subscription: str) -> list[Json]:
        """The copies: each of models is one subscription's."""
        of_models = {"dataset": "models", "subscription": subscription, "partial": False, "number": 1}
        return [
            {**of_models, "store": "objects", "role": "primary"},
            {**of_models, "store": "singapore", "role": "replica", "number": 2},
            {**of_models, "store": "cache", "role": "cache", "partial": True},
            {**of_models, "store": "archive", "role": "backup", "backup": "nightly"},
            {"dataset": "logs", "store": "objects", "role": "primary", "partial": False, "number": 1},
        ]

    def copies(self) -> list[Json]:
        return self.refs(self.subscription)

    def case(self) -> Json:
        models, logs = self.copies()[:4], self.copies()[4:]
        dates = {"due_at": DUE, "complete_by": BY}
        strands = [{"dataset": "models", "subscription": self.subscription, **dates, "copies": models}]
        strands.append({"dataset": "logs", **dates, "copies": logs})
        about = {"customer": self.customer, "rule": "end-of-service", "clause": "6.11"}
        return {**about, "started_at": "2026-11-08T16:00:00.000000Z", "strands": strands}

    def ends(self) -> list[Json]:
        """How the sets of the backup ended."""
        refusal = "old place: no such file; quarantine: permission denied"
        return [
            {
                "set": "nightly/2026-11-20/",
                "id": "a" * 16,
                "end_state": "erased-verified",
                "reason": "deleted as a whole",
            },
            {
                "set": "nightly/2026-11-21/",
                "id": "b" * 16,
                "end_state": "quarantined",
                "reason": "mixed",
                "until": UNTIL,
            }
            | {"refusal": refusal},
        ]

    def results(self) -> list[Json]:
        """How the copies ended."""
        nothing = {"items": 0, "bytes": 0}
        return [
            {"end_state": "erased-verified", "items": 3, "bytes": 4096, "root": "6b" * 32},
            {"end_state": "not-found", **nothing, "reason": "two looks found nothing"},
            {"end_state": "erased-verified", "items": 1, "bytes": 10},
            {"end_state": "quarantined", **nothing, "reason": "backup sets: 2", "until": UNTIL},
            {"end_state": "shredded-verified", "items": 2, "bytes": 20, "reason": "2 items that the store locks"},
        ]

    def outcome(self, number: int) -> Json:
        sets = {"sets": 2} if number == 3 else {}
        about = {"step": "verify", "customer": self.customer, "copy": self.copies()[number]}
        return {**about, **self.results()[number], **sets}

    def statement(self) -> Json:
        claims = [
            {**ref, **result, "at": at(entry), "entries": [entry]}
            for ref, result, entry in zip(self.refs("sub-7"), self.results(), self.outcomes, strict=True)
        ]
        claims[0]["entries"] = [self.early, self.outcomes[0]]
        claims[3]["sets"] = [
            {**end, "at": at(entry), "entry": entry} for end, entry in zip(self.ends(), self.sets, strict=True)
        ]
        strands = [{"dataset": "models", "subscription": "sub-7"}, {"dataset": "logs"}]
        epochs = [{"epoch": f"epoch-{number}", "entry": entry} for number, entry in enumerate(self.epochs, 1)]
        gone = {"unrecoverable_at": at(self.epochs[1])}
        keys: list[Json] = [
            {"dataset": "models", "subscription": "sub-7", "key": "key-1", "epochs": epochs, **gone},
            {"dataset": "logs", "key": "key-2", "epochs": epochs[1:], **gone},
        ]
        statement = {
            "format": "retention-certificate/1",
            "ledger": self.ledger.key.name,
            "issued_at": at(40),
            "case": CASE,
            "customer": "acme-42",
            "rule": "end-of-service",
            "clause": "6.11",
            "policy": POLICY,
            "started_at": "2026-11-08T16:00:00.000000Z",
            "opened_entry": self.opened,
            "strands": [{**each, "due_at": DUE, "complete_by": BY, "entry": self.opened} for each in strands],
            "copies": claims,
            "keys": [
                {**key, "shredded_at": at(entry), "entry": entry} for key, entry in zip(keys, self.keys, strict=True)
            ],
            "exceptions": [],
            "final": False,
        }
        return repaired(statement)

    def findings(self, statement: Json) -> list[str]:
        """What is found when the statement is handed over, signed, with every entry that it cites and all names opened.

        Proofs and signatures are left out here, since they hold; `test_certificate.py` breaks them.
        """
        try:
            read = Statement.from_json(statement)
        except Malformed as error:
            return [str(error)]
        if read.ledger != self.ledger.key.name:
            return ["another ledger"]
        names = [("customer", read.customer), *(("subscription", name) for name in read.subscriptions())]
        openings = tuple(self.commitments.open(label, value) for label, value in names)
        entries = {index: entry_from_json(self.entries[index]) for index in read.cited()}
        return [str(each) for each in unsupported_claims(read, Evidence(entries, openings))]


def repaired(statement: Json) -> Json:
    """The statement with everything that follows from its claims as it follows: what a careful forger would write."""
    for claim in statement["copies"]:
        method = METHODS.get(EndState(claim["end_state"]))
        before = claim.pop("sanitization", None) or {}
        if method is not None:
            fixed = {"tool": "retention", "tool_version": "1", "verification_method": "a look", "agent": "a daemon"}
            follows = {"asset": f"{claim['store']}/{claim['dataset']}", "method": str(method[0])}
            follows |= {"technique": str(method[1]), "verified_at": claim["at"]}
            claim["sanitization"] = {**fixed, **before, **follows}
    copies = tuple(CopyClaim.model_validate(claim) for claim in statement["copies"])
    keys = tuple(KeyClaim.model_validate(claim) for claim in statement["keys"])
    statement["exceptions"] = [each.to_json() for each in exceptions_of(copies)]
    statement["final"] = is_final(copies, keys)
    return statement


@pytest.fixture
def world(tmp_path: Path, signer: SeedSigner, commitments: Commitments) -> World:
    return World(tmp_path / "log", signer, commitments)


# ---------------------------------------------------------------------------------------------------- forging

MODELS: dict[str, type[BaseModel]] = {
    "": Statement,
    "strands[]": StrandClaim,
    "copies[]": CopyClaim,
    "copies[].sets[]": SetClaim,
    "copies[].sanitization": Sanitization,
    "keys[]": KeyClaim,
    "keys[].epochs[]": EpochClaim,
    "exceptions[]": ExceptionClaim,
}
CHOICES: dict[str, list[str]] = {
    "role": list(CopyRole),
    "end_state": list(EndState),
    "method": ["destroy"],
    "technique": ["deletion"],
}
ABSENT: dict[str, Any] = {  # what an optional field is given where it has no value
    "subscription": "sub-7",
    "reason": "all is well",
    "until": LATER,
    "root": "00" * 32,
    "refusal": "never tried",
    "backup": "nightly",
    "sets": [],
    "unrecoverable_at": LATER,
    "sanitization": None,
}


def nodes(value: Json, path: Path_ = ()) -> Iterator[tuple[Path_, Json]]:
    """Every object of the statement."""
    yield path, value
    for name, member in value.items():
        if isinstance(member, dict):
            yield from nodes(member, (*path, name))
        elif isinstance(member, list):
            for index, each in enumerate(member):
                if isinstance(each, dict):
                    yield from nodes(each, (*path, name, index))


def pattern(path: Path_) -> str:
    """`copies[].sets[].until` of a path with numbers."""
    return "".join("[]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def others(name: str, value: Any, entry_count: int) -> Iterator[Any]:
    """Values that a forger might put in its place."""
    match value:
        case bool():
            yield not value
        case int():
            yield from tuple(range(entry_count)) if name.endswith("entry") else (value + 1, 0)
        case str():
            is_instant = re.fullmatch(r"\d{4}-.*Z", value)
            usual = [LATER, "2026-11-01T00:00:00.000000Z"] if is_instant else [value + "x"]
            yield from CHOICES.get(name, usual)
            if re.fullmatch(r"[0-9a-f]{16,64}", value):
                yield "0" * len(value)
        case list() if name == "entries":
            yield from ([index] for index in range(entry_count))
            yield from ([index, *value] for index in range(entry_count))
        case list():
            yield from (value[:index] + value[index + 1 :] for index in range(len(value)))
            yield from ([*value, copy.deepcopy(each)] for each in value)
            yield value[::-1]
            yield []


def forgeries(statement: Json, entry_count: int) -> Iterator[tuple[str, Json]]:
    """Each field with each other value, taken away, and put where it is not; as it is, and with its consequences repaired."""
    for path, node in list(nodes(statement)):
        model = MODELS[pattern(path)]
        for field_name, field in model.model_fields.items():
            name = field.alias or field_name
            values = list(others(name, node[name], entry_count)) if name in node else [ABSENT.get(name)]
            for value in [*values, None]:
                forged = copy.deepcopy(statement)
                there: Any = forged
                for step in path:
                    there = there[step]
                there.pop(name, None)
                if value is not None:
                    there[name] = value
                yield pattern((*path, name)), forged
                if name not in ("exceptions", "final"):
                    yield from _repaired(pattern((*path, name)), forged)


def _repaired(name: str, forged: Json) -> Iterator[tuple[str, Json]]:
    try:
        yield name, repaired(copy.deepcopy(forged))
    except (ValueError, KeyError, TypeError):
        return  # it has no consequences: it is no statement


def same_claims(one: Json, other: Json) -> bool:
    """Whether they state the same; in which order a certificate lists things is nothing that it states."""

    def ordered(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: ordered(member) for name, member in value.items()}
        if isinstance(value, list):
            return sorted((ordered(each) for each in value), key=lambda each: json.dumps(each, sort_keys=True))
        return value

    return bool(ordered(one) == ordered(other))


def test_the_true_statement_holds(world: World) -> None:
    assert world.findings(world.statement()) == []


def test_every_forged_field_is_found_or_said_to_rest_on_the_signature_alone(world: World) -> None:
    true = world.statement()
    tried: set[str] = set()
    missed: dict[str, Json] = {}
    for name, forged in forgeries(true, len(world.entries)):
        tried.add(name)
        if not same_claims(forged, true) and not world.findings(forged):
            missed.setdefault(name, forged)
    every = {
        f"{place}.{field.alias or name}".removeprefix(".")
        for place, m in MODELS.items()
        for name, field in m.model_fields.items()
    }
    assert tried == every, "a field that this test does not forge"
    told = missed.pop("copies[].entries")
    assert set(missed) == BY_SIGNATURE_ALONE | ONLY_WITH_THE_LEDGER
    assert all(
        each["entries"][-1] == old["entries"][-1] for each, old in zip(told["copies"], true["copies"], strict=True)
    ), "only the entries before the one that says the end state may be more or fewer"


def test_a_copy_is_named_in_the_statement_by_all_that_names_it_in_the_ledger() -> None:
    assert set(CopyRef.model_fields) <= set(CopyClaim.model_fields)


# ---------------------------------------------------------------------------------- what only the ledger tells

Forge = Callable[[World], Json]


def without_keys(world: World) -> Json:
    """The keys of models, which no copy needs to be called shredded, are left out."""
    statement = world.statement()
    del statement["keys"][0]
    return repaired(statement)


def with_the_first_outcome(world: World) -> Json:
    statement = world.statement()
    statement["copies"][0] |= {"entries": [world.early], "end_state": "failed", "reason": "2 items are left"}
    statement["copies"][0]["at"] = at(world.early)
    return repaired(statement)


@pytest.mark.parametrize(
    ("forge", "place"),
    [
        pytest.param(without_keys, "keys.key-1", id="a destroyed key is not stated"),
        pytest.param(
            with_the_first_outcome, "copies.models/primary/objects/sub-7", id="an outcome that a later one replaced"
        ),
    ],
)
def test_what_a_certificate_passes_over_is_found_with_the_ledger(
    world: World, tmp_path: Path, forge: Forge, place: str
) -> None:
    found = verified_with_ledger(world, forge(world), tmp_path)
    assert (found[0][1], {name for name, _ in found}) == ("unsupported-claim", {place})
    assert verified_with_ledger(world, world.statement(), tmp_path) == []


@pytest.mark.parametrize(
    ("kind", "place"),
    [("case-changed", "strands"), ("backup-set", "copies.models/backup/archive/nightly/sub-7.nightly/2026-11-21/")],
)
def test_an_entry_that_a_later_one_replaced_before_the_certificate_is_found_with_the_ledger(
    tmp_path: Path, signer: SeedSigner, commitments: Commitments, kind: str, place: str
) -> None:
    class Replaced(World):
        def tell(self, told: str, body: Json, case: str | None = CASE) -> int:
            if told == "epoch-destroyed" and body["epoch"] == "epoch-1":
                newer = self.case() if kind == "case-changed" else {**self.entries[self.sets[1]]["body"], "reason": "x"}
                super().tell(kind, newer)
            return super().tell(told, body, case)

    world = Replaced(tmp_path / "log", signer, commitments)
    assert world.findings(world.statement()) == [], "the certificate alone does not tell"
    assert verified_with_ledger(world, world.statement(), tmp_path) == [(place, "unsupported-claim")]


def verified_with_ledger(world: World, statement: Json, folder: Path) -> list[tuple[str, str]]:
    issued = issue_certificate(Statement.from_json(statement), world.ledger, world.commitments, world.signer)
    path = folder / "certificate.json"
    path.write_bytes(issued.encode())
    assert verify_files([path], world.ledger.key).findings == ()
    found = verify_files([path, folder / "log"], world.ledger.key).findings
    return [(each.finding.place, each.finding.kind.value) for each in found]
