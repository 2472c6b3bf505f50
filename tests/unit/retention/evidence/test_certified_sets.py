"""The sets of a backup in a certificate: each as its entry says, none left out, and the copy as good as the worst."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retention.evidence.canonical import encode_json
from retention.evidence.certificate import CertificateInvalid, certificate_findings, issue_certificate
from retention.evidence.commitments import Commitments
from retention.evidence.ledger import Ledger
from retention.evidence.note import SeedSigner
from retention.evidence.statement import Statement

Change = Callable[[dict[str, Any]], object]
AT, UNTIL = "2026-11-24T00:05:00.000000Z", "2026-12-31T00:00:00.000000Z"
REFUSAL = "old place: no such file; quarantine: permission denied"
ENDS: tuple[dict[str, str], ...] = (
    {"set": "nightly/2026-11-20/", "id": "a" * 16, "end_state": "erased-verified", "reason": "deleted as a whole"},
    {
        "set": "nightly/2026-11-21/",
        "id": "b" * 16,
        "end_state": "quarantined",
        "reason": "mixed",
        "until": UNTIL,
        "refusal": REFUSAL,
    },
)


@pytest.fixture
def world(tmp_path: Path, example: Callable[[str, str], str], signer: SeedSigner) -> tuple[Ledger, dict[str, Any]]:
    """The worked example's ledger with a backup of two sets, and the statement that tells it."""
    ledger = Ledger.create(tmp_path / "example", signer)
    ledger.publish(0, example("ledger", "entries").encode().splitlines(), signer)
    outcome = json.loads(ledger.entry(4))
    outcome["at"] = AT
    about = {"customer": outcome["body"]["customer"], "copy": outcome["body"]["copy"]}
    sets = [{**outcome, "type": "backup-set", "body": {**about, **end}} for end in ENDS]
    outcome["body"] |= {
        "end_state": "quarantined",
        "until": UNTIL,
        "sets": 2,
        "items": 0,
        "bytes": 0,
        "reason": "waits",
    }
    ledger.publish(6, [encode_json(entry) for entry in (*sets, outcome)], signer)
    statement: dict[str, Any] = json.loads(example("certificate", "certificate"))["statement"]
    claim = statement["copies"][1]
    claim |= {
        "end_state": "quarantined",
        "until": UNTIL,
        "at": AT,
        "entries": [8],
        "items": 0,
        "bytes": 0,
        "reason": "waits",
    }
    claim["sets"] = [{**end, "at": AT, "entry": 6 + number} for number, end in enumerate(ENDS)]
    del claim["sanitization"]
    statement["exceptions"] = [
        {
            "copy": "training-data/backup/archive/nightly",
            "end_state": "quarantined",
            "reason": "waits",
            "since": AT,
            "until": UNTIL,
        }
    ]
    statement["final"] = False
    return ledger, statement


def test_every_set_is_stated_with_its_entry(
    world: tuple[Ledger, dict[str, Any]], commitments: Commitments, signer: SeedSigner
) -> None:
    ledger, statement = world
    issued = issue_certificate(Statement.from_json(statement), ledger, commitments, signer)
    assert certificate_findings(issued.encode(), ledger.key) == ()


def _set(number: int, member: str, value: str) -> Change:
    return lambda claim: claim["sets"][number].__setitem__(member, value)


def _better(claim: dict[str, Any]) -> None:
    claim["sets"][1] |= {"end_state": "erased-verified"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda claim: claim["sets"].pop(), "sets: states 1, the entry says 2"),
        (lambda claim: claim.pop("sets"), "sets: states nothing, the entry says 2"),
        (lambda claim: claim["sets"].__setitem__(1, dict(claim["sets"][0])), "a backup set is stated twice"),
        (_better, "is not that of the worst of its backup sets"),
        (_set(1, "until", AT), "until: states"),
        (_set(1, "refusal", "never tried"), "refusal: states never tried"),
        (_set(0, "set", "nightly/2026-11-22/"), "set: states nightly/2026-11-22/"),
        (_set(0, "reason", "gone"), "reason: states gone"),
        (lambda claim: claim["sets"][0].__setitem__("entry", 4), "the entry is a step-outcome, not a backup-set"),
    ],
    ids=[
        "a set left out",
        "all sets left out",
        "one set twice",
        "a set that is better than it was",
        "another date",
        "a refusal that was none",
        "another set",
        "another reason",
        "the entry of something else",
    ],
)
def test_a_set_that_its_entries_do_not_support_is_found(
    world: tuple[Ledger, dict[str, Any]], commitments: Commitments, signer: SeedSigner, change: Change, says: str
) -> None:
    ledger, statement = world
    change(statement["copies"][1])
    with pytest.raises(CertificateInvalid) as caught:
        issue_certificate(Statement.from_json(statement), ledger, commitments, signer)
    assert any(says in finding.message for finding in caught.value.findings), caught.value.findings
