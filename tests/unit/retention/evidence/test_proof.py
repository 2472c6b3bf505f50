"""Proofs as text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from retention.evidence.errors import Malformed, ProofInvalid, SignatureInvalid
from retention.evidence.ledger import Ledger
from retention.evidence.note import SeedSigner, VerifierKey
from retention.evidence.proof import LogProof


def test_the_worked_example_proves_its_entry(example: Callable[[str, str], str], key: VerifierKey) -> None:
    text = example("ledger", "tlog-proof")
    entry = example("ledger", "entries").encode().splitlines()[3]
    proof = LogProof.parse(text)
    assert proof.encode() == text
    assert (proof.index, proof.verify(entry, key).size) == (3, 6)
    with pytest.raises(ProofInvalid):
        proof.verify(entry + b" ", key)
    with pytest.raises(ProofInvalid):
        replace(proof, index=2).verify(entry, key)
    with pytest.raises(SignatureInvalid):
        proof.verify(entry, SeedSigner("other.example", bytes(32)).verifier_key)


def test_a_proof_in_a_ledger_of_one_has_no_hashes(ledger: Ledger, signer: SeedSigner) -> None:
    ledger.publish(0, [b"only"], signer)
    (proven,) = ledger.prove([0])
    text = proven.proof.encode()
    assert text.startswith(f"c2sp.org/tlog-proof@v1\nindex 0\n\n{ledger.key.name}\n1\n")
    assert LogProof.parse(text).verify(b"only", ledger.key).size == 1


def test_extra_data_is_carried_and_vouched_for_by_nothing(ledger: Ledger, signer: SeedSigner) -> None:
    ledger.publish(0, [b"one", b"two"], signer)
    for extra in (b"", b"anything"):
        proof = replace(ledger.prove([1])[0].proof, extra=extra)
        assert proof.encode().split("\n")[1].startswith("extra ")
        assert LogProof.parse(proof.encode()) == proof
        assert proof.verify(b"two", ledger.key).size == 2


HASH = "A" * 43 + "="
NOTE = "origin\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(f"c2sp.org/tlog-proof@v2\nindex 0\n\n{NOTE}", id="another version"),
        pytest.param(f"c2sp.org/tlog-proof@v1\n\n{NOTE}", id="no index"),
        pytest.param(f"c2sp.org/tlog-proof@v1\nindex 01\n\n{NOTE}", id="a leading zero"),
        pytest.param(f"c2sp.org/tlog-proof@v1\nindex -1\n\n{NOTE}", id="a negative index"),
        pytest.param(f"c2sp.org/tlog-proof@v1\nindex  1\n\n{NOTE}", id="two spaces"),
        pytest.param("c2sp.org/tlog-proof@v1\nindex 1\n", id="no empty line"),
        pytest.param(f"c2sp.org/tlog-proof@v1\nindex 1\nextra AA==\n\n{NOTE}", id="extra data behind the index"),
        pytest.param(f"c2sp.org/tlog-proof@v1\nextra ?\nindex 1\n\n{NOTE}", id="extra data that is not base 64"),
        pytest.param(f"c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\n{NOTE}", id="a short hash"),
        pytest.param(f"c2sp.org/tlog-proof@v1\nindex 1\n{HASH[:-2]}B=\n\n{NOTE}", id="stray bits"),
        pytest.param("c2sp.org/tlog-proof@v1\nindex 1\n" + f"{HASH}\n" * 65 + f"\n{NOTE}", id="65 hashes"),
        pytest.param("c2sp.org/tlog-proof@v1\nindex 1\n\n" + "x" * (1 << 20), id="longer than a mebibyte"),
    ],
)
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        LogProof.parse(text)
