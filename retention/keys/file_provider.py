"""Epoch keys and ledger keys as files in one private directory. For a single machine; production wants an HSM or a KMS.

    FORMAT                 marks the directory, so that an empty mount point does not pass for it
    <epoch>.epoch          32 random bytes, the AES-256 key of the epoch
    <epoch>.doomed         an epoch key whose destruction began; it opens nothing
    <epoch>.destroyed      when it was destroyed; kept, so that a destruction repeated answers the first time
    ledger-signing.key     the Ed25519 seed                ledger-commitment.key     32 bytes
    LOCK  .pending         the lock of whoever changes the directory, and the file being written

Source: RFC 5649 (AES-KWP), RFC 8032 (Ed25519).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap_with_padding,
    aes_key_wrap_with_padding,
)

from retention.keys.errors import EpochGone, ProviderRefused
from retention.keys.key_directory import KeyDirectory, KeyFolder, create_key_directory
from retention.keys.provider import (
    Destruction,
    DestructionResult,
    ProviderCapabilities,
    checked_batch,
    checked_epoch_name,
)

_SECRET_LENGTH = 32
_EPOCH, _DOOMED, _DESTROYED = ".epoch", ".doomed", ".destroyed"
_SIGNING_KEY, _COMMITMENT_KEY = "ledger-signing.key", "ledger-commitment.key"

_CAPABILITIES = ProviderCapabilities(
    name="file",
    destruction_delay=timedelta(0),
    destruction_can_be_cancelled=False,
    keys_leave_provider=True,
    remembers_destroyed=True,
    limits=(
        "A destroyed key is overwritten in place and unlinked. On copy-on-write file systems (Btrfs, ZFS, APFS), with"
        " snapshots, and on flash storage the old blocks may survive underneath: put the directory on an encrypted"
        " volume without snapshots, or use an HSM or a KMS.",
        "The directory must be in no backup that is kept longer than an epoch, and never in the catalogue's: a copy of"
        " both opens everything that was shredded since.",
        "Lost, it takes every sealed byte with it: keep it on redundant storage.",
        "Epoch keys are read into this process's memory, and whoever is its user or root can read them.",
    ),
)


class FileKeyProvider:
    """`KeyProvider` and `LedgerKeys` in a directory that `FileKeyProvider.create` has made.

    Raises ProviderRefused at once where it is not there, not private, or not a key directory. `now` tells aware UTC.
    """

    def __init__(self, directory: Path, now: Callable[[], datetime]) -> None:
        self._directory = KeyDirectory(directory)
        self._now = now
        with self._directory.reading():
            pass  # nothing but its checks

    @classmethod
    def create(cls, directory: Path, now: Callable[[], datetime]) -> FileKeyProvider:
        """The directory exists, and the provider on it. For setting up: where keys are expected, open it instead."""
        create_key_directory(directory)
        return cls(directory, now)

    def capabilities(self) -> ProviderCapabilities:
        return _CAPABILITIES

    # ------------------------------------------------------------------------------------------------ epochs

    def create_epoch(self, epoch: str) -> bool:
        checked_epoch_name(epoch)
        with self._directory.changing() as folder:
            if _is_going_or_gone(folder, epoch):
                raise EpochGone(f"epoch {epoch} was destroyed and cannot be made again")
            if folder.read(epoch + _EPOCH, _SECRET_LENGTH) is not None:
                return False
            folder.write(epoch + _EPOCH, secrets.token_bytes(_SECRET_LENGTH))
            return True

    def wrap(self, epoch: str, payloads: Sequence[bytes]) -> list[bytes]:
        key = self._epoch_key(epoch)
        return [aes_key_wrap_with_padding(key, payload) for payload in checked_batch(payloads)]

    def unwrap(self, epoch: str, wrapped: Sequence[bytes]) -> list[bytes | None]:
        key = self._epoch_key(epoch)
        return [_unwrapped(key, each) for each in checked_batch(wrapped)]

    def destroy_epoch(self, epoch: str) -> Destruction:
        checked_epoch_name(epoch)
        with self._directory.changing() as folder:
            names = set(folder.names())
            for suffix in (_EPOCH, _DOOMED):  # both, where a restored directory brought a destroyed key back
                if epoch + suffix in names:
                    self._destroy(folder, epoch, epoch + suffix)
            at = folder.read(epoch + _DESTROYED)
        if at is None:
            return Destruction(epoch, DestructionResult.ABSENT, None)
        return Destruction(epoch, DestructionResult.DESTROYED, _instant(epoch, at))

    def epochs(self) -> tuple[str, ...]:
        with self._directory.reading() as folder:
            names = folder.names()
        there = {name.removesuffix(end) for name in names for end in (_EPOCH, _DOOMED) if name.endswith(end)}
        return tuple(sorted(there))

    def _destroy(self, folder: KeyFolder, epoch: str, name: str) -> None:
        """Killed between any two lines it is finished by the next call: the doomed file is what remembers it.

        The time is written when the bytes are overwritten, never before.
        """
        if name.endswith(_EPOCH):
            folder.rename(name, epoch + _DOOMED)
        folder.overwrite(epoch + _DOOMED)
        folder.write(epoch + _DESTROYED, self._now().astimezone(UTC).isoformat().encode("ascii"))
        folder.remove(epoch + _DOOMED)

    def _epoch_key(self, epoch: str) -> bytes:
        checked_epoch_name(epoch)
        with self._directory.reading() as folder:
            key = folder.read(epoch + _EPOCH, _SECRET_LENGTH)
            if key is None or _is_going_or_gone(folder, epoch):
                raise EpochGone(f"epoch {epoch} is not in this key directory")
            return key

    # ------------------------------------------------------------------------------------------- ledger keys

    def create_ledger_keys(self) -> bool:
        with self._directory.changing() as folder:
            missing = [name for name in (_SIGNING_KEY, _COMMITMENT_KEY) if folder.read(name, _SECRET_LENGTH) is None]
            for name in missing:
                folder.write(name, secrets.token_bytes(_SECRET_LENGTH))
        return bool(missing)

    def public_key(self) -> bytes:
        return self._signing_key().public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._signing_key().sign(message)

    def commitment_key(self) -> bytes:
        return self._ledger_secret(_COMMITMENT_KEY)

    def _signing_key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._ledger_secret(_SIGNING_KEY))

    def _ledger_secret(self, name: str) -> bytes:
        with self._directory.reading() as folder:
            secret = folder.read(name, _SECRET_LENGTH)
        if secret is None:
            raise ProviderRefused(f"{name} is not in the key directory: it was lost, or the ledger was never set up")
        return secret


def _is_going_or_gone(folder: KeyFolder, epoch: str) -> bool:
    return folder.read(epoch + _DOOMED) is not None or folder.read(epoch + _DESTROYED) is not None


def _unwrapped(key: bytes, wrapped: bytes) -> bytes | None:
    try:
        return aes_key_unwrap_with_padding(key, wrapped)
    except InvalidUnwrap:
        return None


def _instant(epoch: str, written: bytes) -> datetime:
    try:
        at = datetime.fromisoformat(written.decode("ascii"))
    except ValueError as wrong:
        raise ProviderRefused(f"{epoch}{_DESTROYED} holds no time: it was damaged") from wrong
    if at.tzinfo is None:
        raise ProviderRefused(f"{epoch}{_DESTROYED} holds no time: it was damaged")
    return at.astimezone(UTC)
