"""What every keeper of the ledger's secrets does."""

from __future__ import annotations

from typing import Protocol

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from retention.keys.errors import ProviderRefused
from retention.keys.provider import LedgerKeys


class LedgerKeysBench(Protocol):
    """A fresh keeper without secrets."""

    def ledger_keys(self) -> LedgerKeys:
        """Another instance on the same secrets, as another process would have it."""
        ...


class LedgerKeysConformance:
    """Subclass it, and give it a fixture `bench`."""

    @pytest.fixture
    def ledger_keys(self, bench: LedgerKeysBench) -> LedgerKeys:
        return bench.ledger_keys()

    def test_before_they_are_created_there_are_none_and_none_are_made_by_asking(self, ledger_keys: LedgerKeys) -> None:
        for _ in range(2):
            with pytest.raises(ProviderRefused):
                ledger_keys.public_key()
            with pytest.raises(ProviderRefused):
                ledger_keys.commitment_key()
            with pytest.raises(ProviderRefused):
                ledger_keys.sign(b"message")

    def test_a_signature_is_verified_with_the_public_key_alone(self, ledger_keys: LedgerKeys) -> None:
        ledger_keys.create_ledger_keys()
        public_key, signature = ledger_keys.public_key(), ledger_keys.sign(b"message")
        assert (len(public_key), len(signature)) == (32, 64)
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, b"message")
        with pytest.raises(InvalidSignature):
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, b"another")

    def test_creating_them_again_changes_nothing(self, bench: LedgerKeysBench, ledger_keys: LedgerKeys) -> None:
        assert ledger_keys.create_ledger_keys() is True
        before = (ledger_keys.public_key(), ledger_keys.commitment_key())
        assert bench.ledger_keys().create_ledger_keys() is False
        assert (bench.ledger_keys().public_key(), bench.ledger_keys().commitment_key()) == before

    def test_the_commitment_key_is_32_bytes_and_no_other_secret(self, ledger_keys: LedgerKeys) -> None:
        ledger_keys.create_ledger_keys()
        assert len(ledger_keys.commitment_key()) == 32
        assert ledger_keys.commitment_key() != ledger_keys.public_key()
