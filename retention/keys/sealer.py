"""Sealing and opening under the customer's own keys: the way in for whoever has content and its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from retention.keys.keyring import Keyring
from retention.keys.sealed import (
    Algorithm,
    Binding,
    SealedHeader,
    open_pieces,
    read_all,
    seal_pieces,
    write_all,
)


class Sealer:
    """Seals with one algorithm, opens both. Thread-safe.

    `own_key` (the policy's `encrypted: object`) seals under a key of the object or row alone, otherwise under the
    dataset's. Opening needs no such word: the header names the key.

    A long stream asks for its key again before every piece that it releases. So it ends with KeyRefused or KeyGone
    within the keyring's bound after a restriction or shred, in the middle of the content; throw the target away then.
    """

    def __init__(self, keyring: Keyring, algorithm: Algorithm = Algorithm.AES_256_GCM) -> None:
        self._keyring = keyring
        self._algorithm = algorithm

    def seal(self, binding: Binding, source: BinaryIO, target: BinaryIO, *, own_key: bool = False) -> int:
        """Seals all of `source` into `target`; returns the bytes written. Raises like `Keyring.key_for_sealing`."""
        return write_all(self.seal_pieces(binding, read_all(source), own_key=own_key), target)

    def open(self, binding: Binding, source: BinaryIO, target: BinaryIO) -> int:
        """Opens all of `source` into `target`; returns the bytes written. Raises like `open_pieces`."""
        return write_all(self.open_pieces(binding, read_all(source)), target)

    def seal_value(self, binding: Binding, value: bytes, *, own_key: bool = False) -> bytes:
        """The sealed form of a column value. Raises like `Keyring.key_for_sealing`."""
        return b"".join(self.seal_pieces(binding, (value,), own_key=own_key))

    def open_value(self, binding: Binding, sealed: bytes) -> bytes:
        """The value, whole. Raises like `open_pieces`; nothing is released then."""
        return b"".join(self.open_pieces(binding, (sealed,)))

    def seal_pieces(self, binding: Binding, pieces: Iterable[bytes], *, own_key: bool = False) -> Iterator[bytes]:
        """The sealed form, piece by piece, in constant memory. Raises InputError, KeyRefused, KeyGone."""
        key = self._keyring.key_for_sealing(binding.scope if own_key else binding.scope.whole)
        sealed = seal_pieces(key.key, key.key_id, binding, pieces, self._algorithm)
        return _while_allowed(sealed, lambda: self._keyring.key_for_opening(key.key_id, binding.scope))

    def open_pieces(self, binding: Binding, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The message, piece by piece, each authentic. Raises NotSealed, NotAuthentic, KeyGone, KeyRefused."""
        key_ids: list[str] = []

        def key_for(header: SealedHeader) -> bytes:
            key_ids.append(header.key_id)
            return self._keyring.key_for_opening(header.key_id, binding.scope).key

        opened = open_pieces(key_for, binding, pieces)
        return _while_allowed(opened, lambda: self._keyring.key_for_opening(key_ids[0], binding.scope))


def _while_allowed(pieces: Iterable[bytes], look_again: Callable[[], object]) -> Iterator[bytes]:
    """The pieces, each after `look_again` has not raised."""
    for piece in pieces:
        look_again()
        yield piece
