"""Checking ledgers, certificates and saved checkpoints that are handed over together."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from retention.evidence.canonical import encode_json
from retention.evidence.ledger import Ledger
from retention.evidence.note import SeedSigner, VerifierKey
from retention.evidence.verify import Verification, verify_files


@pytest.fixture
def lines(example: Callable[[str, str], str]) -> list[bytes]:
    """The entries of the worked example."""
    return example("ledger", "entries").encode().splitlines()


@pytest.fixture
def log(tmp_path: Path, lines: list[bytes], signer: SeedSigner) -> Path:
    """The ledger of the worked example."""
    Ledger.create(tmp_path / "log", signer).publish(0, lines, signer)
    return tmp_path / "log"


@pytest.fixture
def certificate(tmp_path: Path, example: Callable[[str, str], str]) -> Path:
    """The certificate of the worked example."""
    path = tmp_path / "case.certificate.json"
    path.write_text(example("certificate", "certificate"), encoding="utf-8")
    return path


def found(verification: Verification) -> list[tuple[str, str, str]]:
    return [(each.path.name, each.finding.kind.value, each.finding.place) for each in verification.findings]


def test_what_is_whole_has_no_findings_and_is_counted(
    tmp_path: Path, log: Path, certificate: Path, key: VerifierKey
) -> None:
    saved = tmp_path / "saved-checkpoint"
    shutil.copy(log / "checkpoint", saved)
    assert verify_files([log, certificate, saved], key) == Verification((), 1, 6, 1, 1)
    assert verify_files([certificate], key) == Verification((), 0, 0, 1, 0)


def test_a_ledger_cut_off_behind_a_certificate_is_found(
    tmp_path: Path, lines: list[bytes], certificate: Path, key: VerifierKey, signer: SeedSigner
) -> None:
    Ledger.create(tmp_path / "short", signer).publish(0, lines[:4], signer)
    assert found(verify_files([tmp_path / "short"], key)) == []
    assert found(verify_files([tmp_path / "short", certificate], key)) == [("short", "rolled-back", "checkpoint")]


def test_a_fork_is_found_by_a_saved_checkpoint(
    tmp_path: Path, log: Path, lines: list[bytes], key: VerifierKey, signer: SeedSigner
) -> None:
    shutil.copy(log / "checkpoint", tmp_path / "saved")
    Ledger.create(tmp_path / "fork", signer).publish(0, [lines[0], *reversed(lines[1:]), lines[0]], signer)
    assert found(verify_files([tmp_path / "saved", tmp_path / "fork"], key)) == [("fork", "forked", "checkpoint")]


@pytest.mark.parametrize("entry_type", ["found-again", "case-changed"])
def test_a_certificate_whose_case_went_on_is_superseded(
    log: Path, lines: list[bytes], certificate: Path, key: VerifierKey, signer: SeedSigner, entry_type: str
) -> None:
    later = json.loads(lines[1]) | {"type": entry_type, "at": "2027-01-01T00:00:00.000000Z"}
    Ledger(log, key).publish(6, [encode_json(later)], signer)
    assert found(verify_files([certificate], key)) == []
    assert found(verify_files([log, certificate], key)) == [
        ("case.certificate.json", "superseded", "case k7m2p9q4r8s1t3v5")
    ]


def test_what_happens_to_another_case_or_is_no_change_of_dates_supersedes_nothing(
    log: Path, lines: list[bytes], certificate: Path, key: VerifierKey, signer: SeedSigner
) -> None:
    other = json.loads(lines[1]) | {"type": "found-again", "case": "another"}
    note = json.loads(lines[1]) | {"type": "case-changed", "body": {"note": "closed"}}
    Ledger(log, key).publish(6, [encode_json(other), encode_json(note)], signer)
    assert found(verify_files([log, certificate], key)) == []


def test_a_signed_entry_that_is_no_entry_is_found(log: Path, key: VerifierKey, signer: SeedSigner) -> None:
    Ledger(log, key).publish(6, [b'{"type": "refused"}'], signer)
    assert found(verify_files([log], key)) == [("log", "entry-malformed", "entry 6")]


def test_each_wrong_file_is_named(tmp_path: Path, log: Path, certificate: Path, key: VerifierKey) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "saved").write_bytes((log / "checkpoint").read_bytes().replace(b"\n6\n", b"\n7\n"))
    certificate.write_text(certificate.read_text(encoding="utf-8").replace("acme-42", "acme-43"), encoding="utf-8")
    (log / "tile/entries/000.p/6").unlink()
    paths = [tmp_path / name for name in ("nowhere", "text", "saved", certificate.name, "log")]
    by_file: dict[str, set[str]] = {}
    for name, kind, _ in found(verify_files(paths, key)):
        by_file.setdefault(name, set()).add(kind)
    assert by_file == {
        "nowhere": {"unreadable"},
        "text": {"malformed"},
        "saved": {"signature-invalid"},
        certificate.name: {"signature-invalid", "opening-invalid", "unsupported-claim"},
        "log": {"entries-missing"},
    }
    assert str(verify_files([tmp_path / "text"], key).findings[0]).endswith(
        "text: file: malformed: neither a certificate (JSON) nor a checkpoint (signed note)"
    )


def test_another_key_believes_nothing(log: Path, certificate: Path, key: VerifierKey) -> None:
    other = SeedSigner(key.name, bytes(32)).verifier_key
    verification = verify_files([log, certificate], other)
    assert verification.entry_count == 0
    assert {("log", "signature-invalid", "checkpoint")} < set(found(verification))
