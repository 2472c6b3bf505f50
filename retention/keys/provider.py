"""The contract between the product and whatever keeps the epoch keys: a directory, Vault, AWS KMS, an HSM.

Rules for every provider, checked by `retention.keys.conformance`:

1. The caller names an epoch before it exists, so that every call can be repeated after a crash. A name is 1 to 64 of
   a-z, 0-9 and `-`, begins with a letter, and is never used for a second epoch.
2. Wrapping is batch-first: up to BATCH_SIZE payloads of 64 bytes in one call, answered in their order.
3. After `destroy_epoch` has answered, the epoch neither wraps nor unwraps, in any process, even where its destruction
   only becomes effective later.
4. An epoch that is not there is never made silently: `wrap` and `unwrap` raise EpochGone.
5. Foreign exceptions never leave a provider. Where a call may or may not have acted it raises KeysUnavailable:
   repeating it settles it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

BATCH_SIZE = 1_000
"""The most payloads that one call wraps or unwraps."""

EPOCH_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")


class DestructionResult(StrEnum):
    """What a provider answers when an epoch is to be destroyed."""

    DESTROYED = "destroyed"  # the key is nowhere any more, as far as the provider's capability sheet goes
    SCHEDULED = "scheduled"  # it opens nothing from now on, and is destroyed at `effective_at`
    ABSENT = "absent"  # the provider does not know it: destroyed earlier and forgotten, or never made


@dataclass(frozen=True, slots=True)
class Destruction:
    """What became of an epoch key. `effective_at`, aware UTC, is when it was or will be destroyed; None if ABSENT."""

    epoch: str
    result: DestructionResult
    effective_at: datetime | None

    def __post_init__(self) -> None:
        if (self.result is DestructionResult.ABSENT) != (self.effective_at is None):
            raise ValueError("a destruction has a time, unless the epoch is absent")


@dataclass(frozen=True, slots=True)
class ProviderCapabilities:
    """The capability sheet: what a certificate may claim, and what an operator has to know.

    destruction_delay: the least time between ordering a destruction and its effect; zero where it is immediate.
    destruction_can_be_cancelled: within that time somebody can bring the key back.
    keys_leave_provider: epoch keys enter this process's memory.
    remembers_destroyed: `destroy_epoch` repeated answers DESTROYED with the first time, not ABSENT.
    limits: one sentence each.
    """

    name: str
    destruction_delay: timedelta
    destruction_can_be_cancelled: bool
    keys_leave_provider: bool
    remembers_destroyed: bool
    limits: tuple[str, ...]


class KeyProvider(Protocol):
    """Keeps epoch keys. Safe to use from many threads and processes at once.

    Every method raises ValueError for a name that is no epoch name, ProviderRefused where the provider must not be used
    as it is (permissions, damage), KeysUnavailable where it could not be reached.
    """

    def capabilities(self) -> ProviderCapabilities:
        """The capability sheet, read from the provider itself where it depends on settings."""
        ...

    def create_epoch(self, epoch: str) -> bool:
        """The epoch key exists, durably; True where this call made it, False where it was there.

        Raises EpochGone where the provider remembers that an epoch of this name was destroyed.
        """
        ...

    def wrap(self, epoch: str, payloads: Sequence[bytes]) -> list[bytes]:
        """Each payload under the epoch key. Empty for none. Raises EpochGone; ValueError above BATCH_SIZE."""
        ...

    def unwrap(self, epoch: str, wrapped: Sequence[bytes]) -> list[bytes | None]:
        """Each payload, or None in its place where it was damaged or wrapped under another epoch.

        Raises EpochGone (also for no payloads at all); ValueError above BATCH_SIZE.
        """
        ...

    def destroy_epoch(self, epoch: str) -> Destruction:
        """The epoch key opens nothing from now on. Repeated: the same answer, or ABSENT where it is not remembered."""
        ...

    def epochs(self) -> tuple[str, ...]:
        """The epochs whose keys are there, sorted; also those whose destruction is scheduled or was interrupted."""
        ...


class LedgerKeys(Protocol):
    """Keeps the long-lived secrets of the evidence ledger. The signing key need never leave it.

    Reading them before they were created raises ProviderRefused: a lost directory must not pass for a new ledger.
    """

    def create_ledger_keys(self) -> bool:
        """Both secrets exist, durably; True where this call made one. Only for setting up a new ledger."""
        ...

    def public_key(self) -> bytes:
        """The Ed25519 public key, 32 bytes. Source: RFC 8032."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature of the message, 64 bytes. Source: RFC 8032."""
        ...

    def commitment_key(self) -> bytes:
        """The 32-byte key of the commitments that stand for customers and names in the ledger."""
        ...


def checked_epoch_name(epoch: str) -> str:
    """The name, as it is. Raises ValueError where it is no epoch name."""
    if not EPOCH_NAME.fullmatch(epoch):
        raise ValueError("an epoch name is 1 to 64 of a-z, 0-9 and '-', and begins with a letter")
    return epoch


def checked_batch(items: Sequence[bytes]) -> Sequence[bytes]:
    """The items, as they are. Raises ValueError above BATCH_SIZE."""
    if len(items) > BATCH_SIZE:
        raise ValueError(f"one call takes at most {BATCH_SIZE} payloads")
    return items
