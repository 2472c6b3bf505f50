"""The proof that a certificate was issued: what it proves, by our check and by hand, and every way in which it does not."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retention.evidence.canonical import encode_json
from retention.evidence.errors import EvidenceError
from retention.evidence.issuance import carrying_entry, open_issuance
from retention.evidence.ledger import Ledger
from retention.evidence.note import SeedSigner, VerifierKey
from retention.evidence.proof import LogProof
from retention.evidence.verify import verify_files

Write = Callable[[dict[str, Any]], Path]


@pytest.fixture
def proof(example: Callable[[str, str], str]) -> str:
    """The proof of the worked example."""
    return example("certificate", "tlog-proof")


@pytest.fixture
def files(tmp_path: Path, example: Callable[[str, str], str], proof: str) -> tuple[Path, Path]:
    """The certificate of the worked example and its proof."""
    certificate, beside = tmp_path / "acme.json", tmp_path / "acme.tlog-proof"
    certificate.write_text(example("certificate", "certificate"), encoding="utf-8")
    beside.write_text(proof, encoding="utf-8")
    return certificate, beside


@pytest.fixture
def log(tmp_path: Path, example: Callable[[str, str], str], signer: SeedSigner) -> Ledger:
    """The ledger of the worked example, with the certificate issued."""
    ledger = Ledger.create(tmp_path / "log", signer)
    lines = [*example("ledger", "entries").encode().splitlines(), example("certificate", "entry").encode().rstrip()]
    ledger.publish(0, lines, signer)
    return ledger


@pytest.fixture
def proof_of(log: Ledger, signer: SeedSigner, tmp_path: Path, example: Callable[[str, str], str]) -> Write:
    """Writes the proof of the worked example's entry with these members changed, as the next entry of its ledger."""

    def write(changes: dict[str, Any]) -> Path:
        entry = json.loads(example("certificate", "entry"))
        body = entry["body"] | changes.pop("body", {})
        index = log.checkpoint().size
        log.publish(index, [encode_json(entry | changes | {"body": body})], signer)
        path = tmp_path / "other.tlog-proof"
        path.write_text(carrying_entry(log.prove([index])[0]).encode(), encoding="utf-8")
        return path

    return write


def found(paths: list[Path], key: VerifierKey) -> list[tuple[str, str, str]]:
    return [(each.path.name, each.finding.kind.value, each.finding.place) for each in verify_files(paths, key).findings]


def by_hand(example: Callable[[str, str], str], *paths: Path) -> subprocess.CompletedProcess[str]:
    """The program that the format's document shows: SHA-256 and the standard library, nothing of ours."""
    program = example("certificate", "check-by-hand")
    command = [sys.executable, "-I", "-c", program, *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# ---------------------------------------------------------------------------------------------------- what holds


def test_the_worked_example_is_the_proof_of_its_ledger(log: Ledger, proof: str, key: VerifierKey) -> None:
    assert carrying_entry(log.prove([6])[0]).encode() == proof
    issuance = open_issuance(proof.encode(), key)
    assert (issuance.index, issuance.checkpoint.size, issuance.body.final) == (6, 7, True)


def test_a_proof_is_checked_alone_with_its_certificate_and_with_the_ledger(
    files: tuple[Path, Path], log: Ledger, key: VerifierKey, tmp_path: Path
) -> None:
    certificate, beside = files
    for paths in ([beside], [certificate, beside], [beside, certificate, tmp_path / "log"]):
        checked = verify_files(paths, key)
        assert (checked.findings, checked.proof_count) == ((), 1)


def test_anyone_can_check_it_with_sha_256_and_nothing_of_ours(
    files: tuple[Path, Path], example: Callable[[str, str], str]
) -> None:
    told = by_hand(example, *files)
    assert told.stderr == ""
    assert told.stdout == (
        "statement 6d3ca4d7a6694b7f1871e5d4b7722d7042e094bdfad69bb210a47efede976733 is in evidence.example/retention, "
        "of 7 entries\n"
    )


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 11])
def test_the_check_by_hand_agrees_with_ours_in_trees_of_every_shape(
    files: tuple[Path, Path], example: Callable[[str, str], str], tmp_path: Path, signer: SeedSigner, size: int
) -> None:
    entry = example("certificate", "entry").encode().rstrip()
    ledger = Ledger.create(tmp_path / "shape", signer)
    ledger.publish(0, [entry] * size, signer)
    for index in {0, size // 2, size - 1}:
        files[1].write_text(carrying_entry(ledger.prove([index])[0]).encode(), encoding="utf-8")
        assert by_hand(example, *files).returncode == 0
        assert found(list(files), ledger.key) == []


# ---------------------------------------------------------------------------------------------- what does not hold


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({"body": {"statement": "00" * 32}}, "other-certificate", "which no certificate given with it states"),
        ({"at": "2026-11-25T00:00:00.000000Z"}, "unsupported-claim", "issued_at: states"),
        ({"case": "another"}, "unsupported-claim", "case: states k7m2p9q4r8s1t3v5, the entry says another"),
        ({"policy": "another"}, "unsupported-claim", "policy: states"),
        ({"body": {"final": False}}, "unsupported-claim", "final: states True, the entry says False"),
        ({"body": {"customer": "00" * 32}}, "unsupported-claim", "customer: states"),
    ],
    ids=[
        "another statement",
        "another time of issue",
        "another case",
        "another policy",
        "final although the ledger says interim",
        "another customer",
    ],
)
def test_a_proof_that_does_not_fit_the_certificate_given_with_it_is_found(
    files: tuple[Path, Path], key: VerifierKey, proof_of: Write, changes: dict[str, Any], kind: str, says: str
) -> None:
    other = proof_of(changes)
    assert found([other], key) == [], "alone it is a proof like any other"
    (finding,) = verify_files([files[0], other], key).findings
    assert (finding.path.name, finding.finding.kind, finding.finding.place) == ("other.tlog-proof", kind, "proof")
    assert says in finding.finding.message


def test_of_two_certificates_each_proof_finds_its_own(
    files: tuple[Path, Path], key: VerifierKey, proof_of: Write
) -> None:
    stranger = proof_of({"body": {"statement": "00" * 32}})
    assert found([*files, files[0], stranger], key) == [("other.tlog-proof", "other-certificate", "proof")]


def test_the_proof_of_a_certificate_that_was_changed_afterwards_does_not_fit(
    files: tuple[Path, Path], key: VerifierKey, example: Callable[[str, str], str]
) -> None:
    text = files[0].read_text(encoding="utf-8")
    files[0].write_text(text.replace('"items": 3', '"items": 4', 1), encoding="utf-8")
    assert ("acme.tlog-proof", "other-certificate", "proof") in found(list(files), key)
    assert by_hand(example, *files).stderr == "the entry is of another statement\n"


@pytest.mark.parametrize(
    ("extra", "kind"),
    [
        pytest.param(None, "malformed", id="no entry"),
        pytest.param(b"{}", "proof-invalid", id="another entry"),
        pytest.param(b"\xff", "proof-invalid", id="what is no entry"),
    ],
)
def test_a_proof_that_carries_something_else_is_found(
    files: tuple[Path, Path], proof: str, key: VerifierKey, extra: bytes | None, kind: str
) -> None:
    files[1].write_text(replace(LogProof.parse(proof), extra=extra).encode(), encoding="utf-8")
    assert found([files[1]], key) == [("acme.tlog-proof", kind, "proof")]


def test_the_proof_of_another_kind_of_entry_is_found(log: Ledger, files: tuple[Path, Path]) -> None:
    files[1].write_text(carrying_entry(log.prove([3])[0]).encode(), encoding="utf-8")
    assert found([files[1]], log.key) == [("acme.tlog-proof", "malformed", "proof")]


def test_a_proof_by_another_key_or_of_another_log_is_found(files: tuple[Path, Path], key: VerifierKey) -> None:
    other = SeedSigner(key.name, bytes(32)).verifier_key
    assert found([files[1]], other) == [("acme.tlog-proof", "signature-invalid", "proof")]


def test_a_ledger_that_was_cut_off_behind_the_certificate_is_found_by_its_proof(
    files: tuple[Path, Path], key: VerifierKey, tmp_path: Path, example: Callable[[str, str], str], signer: SeedSigner
) -> None:
    short = Ledger.create(tmp_path / "short", signer)
    short.publish(0, example("ledger", "entries").encode().splitlines(), signer)
    assert found([files[0], tmp_path / "short"], key) == []
    assert found([*files, tmp_path / "short"], key) == [("short", "rolled-back", "checkpoint")]


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_byte_is_found(proof: str, key: VerifierKey, data: st.DataObject) -> None:
    whole = proof.encode()
    place = data.draw(st.integers(0, len(whole) - 1), label="offset")
    new = data.draw(st.sampled_from([b"", b" ", b"0", b"A", b"\n", b"=", b"\xff"]), label="instead")
    other = whole[:place] + new + whole[place + 1 :]
    if other == whole:
        return
    try:
        opened = open_issuance(other, key)
    except EvidenceError:
        return
    # only a signature line of somebody unknown may differ: notes are passed over that no known key signed
    assert opened == open_issuance(whole, key)
    assert other.partition(b"\n\n")[0] == whole.partition(b"\n\n")[0]


def test_the_entry_stands_in_the_file_as_it_was_hashed(proof: str, example: Callable[[str, str], str]) -> None:
    line = proof.split("\n")[1]
    assert base64.b64decode(line.removeprefix("extra ")) == example("certificate", "entry").encode().rstrip()
