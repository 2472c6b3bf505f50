"""Certificates: what they prove, and every way in which one that does not hold is found."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retention.evidence.canonical import encode_json
from retention.evidence.certificate import (
    Certificate,
    CertificateInvalid,
    certificate_findings,
    issue_certificate,
    verify_certificate,
)
from retention.evidence.commitments import Commitments
from retention.evidence.entries import decode_entry
from retention.evidence.errors import NotInLedger
from retention.evidence.ledger import Ledger
from retention.evidence.note import SeedSigner, VerifierKey, sign_note
from retention.evidence.statement import Statement

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def file(example: Callable[[str, str], str]) -> bytes:
    """The certificate of the worked example."""
    return example("certificate", "certificate").encode()


@pytest.fixture
def example_ledger(tmp_path: Path, example: Callable[[str, str], str], signer: SeedSigner) -> Ledger:
    """The ledger of the worked example."""
    ledger = Ledger.create(tmp_path / "example", signer)
    ledger.publish(0, example("ledger", "entries").encode().splitlines(), signer)
    return ledger


def changed(file: bytes, change: Change) -> bytes:
    document = json.loads(file)
    change(document)
    return json.dumps(document).encode()


def resigned(file: bytes, change: Change, signer: SeedSigner) -> bytes:
    """The certificate with a changed statement that the key signed: only its entries can contradict it."""

    def change_and_sign(document: dict[str, Any]) -> None:
        change(document["statement"])
        statement = Statement.from_json(document["statement"])
        text = f"{signer.verifier_key.name}/certificate\nretention certificate v1\nsha256 {statement.hash()}\n"
        document["signature"] = sign_note(text, signer).decode()

    return changed(file, change_and_sign)


def found(file: bytes, key: VerifierKey) -> list[tuple[str, str]]:
    return [(finding.kind.value, finding.place) for finding in certificate_findings(file, key)]


# ---------------------------------------------------------------------------------------------------- what holds


def test_the_worked_example_holds(file: bytes, key: VerifierKey) -> None:
    statement = verify_certificate(file, key)
    assert (statement.customer, statement.case, statement.final) == ("acme-42", "k7m2p9q4r8s1t3v5", True)
    assert [claim.end_state.value for claim in statement.copies] == ["erased-verified", "shredded-verified"]


def test_the_worked_example_is_issued_again_from_its_ledger(
    file: bytes, example_ledger: Ledger, commitments: Commitments, signer: SeedSigner
) -> None:
    statement = Certificate.parse(file).statement
    issued = issue_certificate(statement, example_ledger, commitments, signer)
    assert json.loads(issued.encode()) == json.loads(file)
    assert Certificate.parse(issued.encode()) == issued


def test_it_stays_good_when_the_ledger_grows_and_is_issued_against_the_new_head(
    file: bytes, example_ledger: Ledger, commitments: Commitments, signer: SeedSigner
) -> None:
    example_ledger.publish(6, [b"{}"] * 300, signer)
    issued = issue_certificate(Certificate.parse(file).statement, example_ledger, commitments, signer)
    assert "\n306\n" in issued.checkpoint
    assert found(issued.encode(), example_ledger.key) == []
    assert found(file, example_ledger.key) == []


def test_a_certificate_with_exceptions_says_until_when_and_is_not_final(
    file: bytes, example_ledger: Ledger, commitments: Commitments, signer: SeedSigner
) -> None:
    statement = json.loads(file)["statement"]
    until, at = "2026-12-31T00:00:00.000000Z", "2026-11-24T00:05:00.000000Z"
    entry = json.loads(example_ledger.entry(4))
    entry["at"] = at
    entry["body"] |= {"end_state": "quarantined", "until": until}
    example_ledger.publish(6, [encode_json(entry)], signer)
    claim = statement["copies"][1]
    claim |= {"end_state": "quarantined", "until": until, "at": at, "entries": [4, 6]}
    del claim["sanitization"]
    statement["exceptions"] = [
        {
            "copy": "training-data/backup/archive/nightly",
            "end_state": "quarantined",
            "reason": claim["reason"],
            "since": at,
            "until": until,
        }
    ]
    statement["final"] = False
    issued = issue_certificate(Statement.from_json(statement), example_ledger, commitments, signer)
    assert found(issued.encode(), example_ledger.key) == []


def test_what_the_ledger_does_not_support_is_not_issued(
    file: bytes, example_ledger: Ledger, commitments: Commitments, signer: SeedSigner
) -> None:
    statement = json.loads(file)["statement"]
    statement["copies"][0]["items"] = 4
    with pytest.raises(CertificateInvalid, match="items: states 4, the entry says 3") as caught:
        issue_certificate(Statement.from_json(statement), example_ledger, commitments, signer)
    assert len(caught.value.findings) == 1
    statement["copies"][0]["entries"] = [99]
    with pytest.raises(NotInLedger):
        issue_certificate(Statement.from_json(statement), example_ledger, commitments, signer)


def test_a_subscription_is_opened_beside_the_customer(
    file: bytes, tmp_path: Path, example_ledger: Ledger, commitments: Commitments, signer: SeedSigner
) -> None:
    hidden = commitments.of("subscription", "sub-7")
    entries = [json.loads(entry) for entry in example_ledger.entries()]
    strand = entries[1]["body"]["strands"][0]
    for named in (strand, *strand["copies"], entries[2]["body"]):
        named["subscription"] = hidden
    for index in (3, 4):
        entries[index]["body"]["copy"]["subscription"] = hidden
    ledger = Ledger.create(tmp_path / "subscribed", signer)
    ledger.publish(0, [encode_json(entry) for entry in entries], signer)
    statement = json.loads(file)["statement"]
    for claim in (*statement["strands"], *statement["copies"], *statement["keys"]):
        claim["subscription"] = "sub-7"
    issued = issue_certificate(Statement.from_json(statement), ledger, commitments, signer).encode()
    assert found(issued, ledger.key) == []
    assert b"sub-7" not in b"".join(ledger.entries())
    without = changed(issued, lambda d: d["openings"].pop(1))
    assert ("opening-invalid", "subscription") in found(without, ledger.key)
    assert ("unsupported-claim", "strands.training-data") in found(without, ledger.key)


# ---------------------------------------------------------------------------------------------------- the file


def test_a_statement_changed_by_hand_is_not_the_signed_one(file: bytes, key: VerifierKey) -> None:
    forged = changed(file, lambda d: d["statement"]["copies"][0]["sanitization"].__setitem__("agent", "somebody"))
    assert found(forged, key) == [("signature-invalid", "signature")]


def test_a_certificate_signed_by_another_key_is_found(file: bytes, key: VerifierKey) -> None:
    forged = resigned(file, lambda s: None, SeedSigner(key.name, bytes(32)))
    assert found(forged, key) == [("signature-invalid", "signature")]


def test_a_certificate_of_another_log_is_found(file: bytes, key: VerifierKey, signer: SeedSigner) -> None:
    forged = resigned(file, lambda s: s.__setitem__("ledger", "other.example"), signer)
    assert found(forged, key) == [("wrong-origin", "statement.ledger")]


def test_a_checkpoint_cannot_stand_in_for_the_signature(file: bytes, key: VerifierKey) -> None:
    forged = changed(file, lambda d: d.__setitem__("signature", d["checkpoint"]))
    assert found(forged, key) == [("signature-invalid", "signature")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            lambda d: d["entries"][2]["entry"]["body"].__setitem__("items", 4),
            ("proof-invalid", "entries.3"),
            id="a changed entry",
        ),
        pytest.param(
            lambda d: d["entries"][2].__setitem__("entry", d["entries"][3]["entry"]),
            ("proof-invalid", "entries.3"),
            id="another entry of the ledger in its place",
        ),
        pytest.param(
            lambda d: d["entries"][2].__setitem__("proof", d["entries"][2]["proof"].replace("\n6\n", "\n7\n")),
            ("signature-invalid", "entries.3"),
            id="a proof against a forged checkpoint",
        ),
        pytest.param(
            lambda d: d["entries"][2]["entry"].__setitem__("type", "done"),
            ("malformed", "entries.3"),
            id="an entry of an unknown type",
        ),
        pytest.param(lambda d: d["entries"].pop(2), None, id="an entry left out"),
    ],
)
def test_an_entry_that_is_not_proven_supports_nothing(
    file: bytes, key: VerifierKey, change: Change, expected: tuple[str, str] | None
) -> None:
    wanted = [expected] if expected else []
    assert found(changed(file, change), key) == [*wanted, ("unsupported-claim", "copies.training-data/primary/objects")]


def test_a_checkpoint_that_the_proofs_are_not_against_is_found(
    file: bytes, key: VerifierKey, example_ledger: Ledger, signer: SeedSigner
) -> None:
    example_ledger.publish(6, [b"{}"], signer)
    newer = example_ledger.signed_checkpoint().decode()
    forged = changed(file, lambda d: d.__setitem__("checkpoint", newer))
    assert found(forged, key) == [("proof-invalid", f"entries.{i}") for i in range(1, 6)]
    assert ("malformed", "checkpoint") in found(changed(file, lambda d: d.__setitem__("checkpoint", "")), key)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda d: d.pop("openings"), "exactly the members", id="a missing member"),
        pytest.param(lambda d: d.__setitem__("more", 1), "exactly the members", id="an unknown member"),
        pytest.param(lambda d: d.__setitem__("format", "x"), "format", id="another format"),
        pytest.param(lambda d: d.__setitem__("statement", []), "statement: not an object", id="no statement"),
        pytest.param(lambda d: d["statement"].pop("rule"), "statement.rule", id="a claim left out"),
        pytest.param(lambda d: d["statement"].__setitem__("x", 1), "statement.x", id="an unknown claim"),
        pytest.param(lambda d: d["statement"].__setitem__("final", 1), "statement.final", id="a number for final"),
        pytest.param(lambda d: d.__setitem__("entries", {}), "entries: not a list", id="entries that are no list"),
        pytest.param(lambda d: d["entries"][0].pop("entry"), "has no entry", id="a proof without its entry"),
        pytest.param(lambda d: d["entries"][0].__setitem__("index", 9), "of entry 1", id="the proof of another index"),
        pytest.param(lambda d: d["entries"][0].__setitem__("proof", ""), "a proof begins", id="no proof"),
        pytest.param(lambda d: d["openings"][0].pop("value"), "value", id="an opening of nothing"),
        pytest.param(lambda d: d.__setitem__("signature", 1), "signature: not text", id="a number for the signature"),
    ],
)
def test_what_is_no_certificate_is_refused(file: bytes, key: VerifierKey, change: Change, said: str) -> None:
    (finding,) = certificate_findings(changed(file, change), key)
    assert (finding.kind, finding.place) == ("malformed", "certificate")
    assert said in finding.message


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"a":1,"a":1}', b"\xff"], ids=repr)
def test_what_is_no_json_object_is_refused(key: VerifierKey, data: bytes) -> None:
    assert found(data, key) == [("malformed", "certificate")]


# ---------------------------------------------------------------------------------------------------- the claims

PRIMARY, BACKUP, KEY = (
    "copies.training-data/primary/objects",
    "copies.training-data/backup/archive/nightly",
    "keys.key-7f3a",
)
ELSEWHERE = "copies.training-data/primary/elsewhere"
LATER = "2027-01-01T00:00:00.000000Z"


def put(*path: Any) -> Change:
    """A change that puts the last value at the place that the others name."""
    *walk, name, value = path

    def change(statement: dict[str, Any]) -> None:
        at: Any = statement
        for step in walk:
            at = at[step]
        at[name] = value

    return change


def all_of(*changes: Change) -> Change:
    def change(statement: dict[str, Any]) -> None:
        for each in changes:
            each(statement)

    return change


@pytest.mark.parametrize(
    ("change", "places"),
    [
        pytest.param(put("rule", "customer-deletion"), ["case"], id="another rule"),
        pytest.param(put("clause", "6.10"), ["case"], id="another clause"),
        pytest.param(put("started_at", LATER), ["case"], id="another starting time"),
        pytest.param(put("strands", 0, "due_at", LATER), ["strands.training-data"], id="another due date"),
        pytest.param(put("strands", 0, "complete_by", LATER), ["strands.training-data"], id="another last date"),
        pytest.param(
            put("strands", 0, "dataset", "access-logs"),
            ["strands.access-logs", "strands.training-data"],
            id="a strand that the case does not have",
        ),
        pytest.param(put("copies", 0, "items", 4), [PRIMARY], id="another count"),
        pytest.param(put("copies", 0, "bytes", 0), [PRIMARY], id="another size"),
        pytest.param(put("copies", 0, "root", "00" * 32), [PRIMARY], id="another root of the items"),
        pytest.param(put("copies", 0, "reason", "none"), [PRIMARY], id="a reason that the entry does not give"),
        pytest.param(put("copies", 0, "until", LATER), [PRIMARY], id="a date that the entry does not give"),
        pytest.param(
            all_of(put("copies", 0, "at", LATER), put("copies", 0, "sanitization", "verified_at", LATER)),
            [PRIMARY],
            id="another time of verification",
        ),
        pytest.param(
            put("copies", 0, "sanitization", "verified_at", LATER), [PRIMARY], id="another date in the NIST fields"
        ),
        pytest.param(put("copies", 0, "sanitization", "method", "destroy"), [PRIMARY], id="a stronger method"),
        pytest.param(put("copies", 0, "sanitization", "asset", "other"), [PRIMARY], id="another asset"),
        pytest.param(lambda s: s["copies"][0].pop("sanitization"), [PRIMARY], id="no NIST fields"),
        pytest.param(
            all_of(
                put("copies", 0, "end_state", "shredded-verified"),
                put("copies", 0, "sanitization", "method", "purge"),
                put("copies", 0, "sanitization", "technique", "cryptographic erase"),
            ),
            [PRIMARY],
            id="another end state",
        ),
        pytest.param(put("copies", 0, "entries", [4]), [PRIMARY] * 7, id="the entry of another copy"),
        pytest.param(
            put("copies", 0, "entries", [4, 3]), [PRIMARY], id="the entry of another copy beside the right one"
        ),
        pytest.param(put("copies", 0, "entries", [2]), [PRIMARY], id="an entry of another type"),
        pytest.param(
            put("copies", 0, "store", "elsewhere"), [ELSEWHERE, ELSEWHERE, PRIMARY], id="a store that it was not in"
        ),
        pytest.param(put("copies", 1, "partial", True), [f"{BACKUP} (part)", BACKUP], id="a part that was the whole"),
        pytest.param(lambda s: s["copies"].pop(1), [BACKUP], id="a copy of the case left out"),
        pytest.param(lambda s: s["copies"].append(copy.deepcopy(s["copies"][0])), ["copies"], id="a copy stated twice"),
        pytest.param(
            lambda s: s["strands"].append(copy.deepcopy(s["strands"][0])), ["strands"], id="a strand stated twice"
        ),
        pytest.param(put("keys", 0, "shredded_at", LATER), [KEY, KEY], id="another time of shredding"),
        pytest.param(put("keys", 0, "unrecoverable_at", LATER), [KEY], id="another time of being unrecoverable"),
        pytest.param(put("keys", 0, "key", "key-0"), ["keys.key-0"], id="another key"),
        pytest.param(put("keys", 0, "dataset", "access-logs"), [BACKUP, KEY], id="the key of another dataset"),
        pytest.param(put("keys", 0, "epochs", 0, "epoch", "epoch-0"), [KEY, KEY], id="another epoch"),
        pytest.param(
            lambda s: s["keys"][0]["epochs"][0].pop("entry"), [KEY], id="an epoch without proof of its destruction"
        ),
        pytest.param(lambda s: s.__setitem__("keys", []), [BACKUP], id="a shredded copy without a shredded key"),
        pytest.param(
            lambda s: s["keys"][0].pop("unrecoverable_at"),
            [KEY, "final"],
            id="a key that is not stated to be unrecoverable, in a final certificate",
        ),
        pytest.param(put("final", False), ["final"], id="not final although all is gone"),
        pytest.param(
            put("exceptions", [{"copy": "x", "end_state": "held", "reason": "", "since": LATER}]),
            ["exceptions"],
            id="an exception of a copy that is gone",
        ),
        pytest.param(put("issued_at", "2026-11-23T20:00:00.000000Z"), ["issued_at"], id="issued before an entry"),
        pytest.param(put("opened_entry", 2), ["case"], id="a case opened by another entry"),
    ],
)
def test_a_signed_statement_that_its_entries_do_not_support_is_found(
    file: bytes, key: VerifierKey, signer: SeedSigner, change: Change, places: list[str]
) -> None:
    forged = resigned(file, change, signer)
    assert [place for kind, place in found(forged, key) if kind == "unsupported-claim"] == places
    assert {kind for kind, _ in found(forged, key)} == {"unsupported-claim"}


def test_another_case_is_found_in_every_entry(file: bytes, key: VerifierKey, signer: SeedSigner) -> None:
    forged = resigned(file, put("case", "0000000000000000"), signer)
    findings = certificate_findings(forged, key)
    assert {f.index for f in findings} == {1, 2, 3, 4}
    assert all("of another case" in f.message for f in findings)


def test_another_policy_is_found_in_every_entry(file: bytes, key: VerifierKey, signer: SeedSigner) -> None:
    forged = resigned(file, put("policy", "another"), signer)
    findings = certificate_findings(forged, key)
    assert {f.index for f in findings} == {1, 2, 3, 4}
    assert all("policy" in f.message for f in findings)


@pytest.mark.parametrize(
    "opening_key",
    [
        pytest.param("00" * 32, id="a made-up opening key"),
        pytest.param(None, id="the right opening of another customer"),
    ],
)
def test_a_certificate_cannot_be_turned_to_another_customer(
    file: bytes, key: VerifierKey, signer: SeedSigner, commitments: Commitments, opening_key: str | None
) -> None:
    opening = commitments.open("customer", "acme-43")
    forged = changed(
        resigned(file, put("customer", "acme-43"), signer),
        lambda d: d["openings"][0].update(value="acme-43", opening_key=opening_key or opening.opening_key),
    )
    findings = certificate_findings(forged, key)
    assert ("opening-invalid", "openings.customer") in [(f.kind, f.place) for f in findings]
    assert {f.index for f in findings if "another customer" in f.message} == {1, 2, 3, 4}


def test_everything_wrong_is_named_at_once(file: bytes, key: VerifierKey) -> None:
    def change(document: dict[str, Any]) -> None:
        document["statement"]["rule"] = "x"
        document["statement"]["copies"][0]["items"] = 9
        document["openings"][0]["opening_key"] = "00" * 32

    assert len(set(found(changed(file, change), key))) >= 4
    with pytest.raises(CertificateInvalid) as caught:
        verify_certificate(changed(file, change), key)
    assert len(caught.value.findings) == len(found(changed(file, change), key))


def test_the_latest_epoch_says_when_a_key_became_unrecoverable(
    file: bytes, tmp_path: Path, example_ledger: Ledger, commitments: Commitments, signer: SeedSigner
) -> None:
    entries = [json.loads(entry) for entry in example_ledger.entries()]
    entries[2]["body"]["epochs"] = ["epoch-20261123", "epoch-20261124"]
    second = {**entries[5], "at": "2026-11-25T00:00:00.000000Z", "body": {"epoch": "epoch-20261124"}}
    ledger = Ledger.create(tmp_path / "two-epochs", signer)
    ledger.publish(0, [encode_json(entry) for entry in [*entries, second]], signer)
    statement = json.loads(file)["statement"]
    statement["issued_at"] = second["at"]
    statement["keys"][0]["epochs"].append({"epoch": "epoch-20261124", "entry": 6})
    with pytest.raises(CertificateInvalid, match="unrecoverable_at"):
        issue_certificate(Statement.from_json(statement), ledger, commitments, signer)
    statement["keys"][0]["unrecoverable_at"] = second["at"]
    assert issue_certificate(Statement.from_json(statement), ledger, commitments, signer).statement.final


def test_the_statement_reads_as_typed_nouns(file: bytes) -> None:
    statement = Certificate.parse(file).statement
    assert statement.keys[0].unrecoverable_at == datetime(2026, 11, 24, tzinfo=UTC)
    assert statement.issued_at - statement.started_at == timedelta(days=15, hours=8, minutes=10)
    assert statement.cited() == (1, 2, 3, 4, 5)
    assert decode_entry(encode_json(Certificate.parse(file).entries[0].entry)).case == statement.case


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_byte_is_found_unless_it_changes_nothing_that_is_said(
    file: bytes, key: VerifierKey, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(file) - 1), label="offset")
    new = data.draw(st.sampled_from([b"", b" ", b"0", b"a", b'"', b"{", b"\xff", b"1.5"]), label="instead")
    other = file[:at] + new + file[at + 1 :]
    if not certificate_findings(other, key):
        assert json.loads(other) == json.loads(file)
