"""C2SP chunked-encryption: authenticated encryption of streams of any size, in constant memory.

    key ‖ base nonce ‖ commitment
        = HKDF-Expand(input key, "c2sp.org/chunked-encryption@v1+" ‖ aead ‖ 00 ‖ salt ‖ context)
    ciphertext = salt ‖ commitment ‖ AEAD(chunk 0) ‖ AEAD(chunk 1) ‖ …          nonce of chunk i = base nonce XOR i

Chunks hold 16 KiB, the last one less (perhaps nothing): so the end cannot be cut off, at a chunk's edge or elsewhere.

Source: c2sp.org/chunked-encryption.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from retention.errors import InputError
from retention.keys.errors import NotAuthentic

CHUNK_LENGTH = 16 * 1024
SALT_LENGTH = 24
COMMITMENT_LENGTH = 32
PREFIX_LENGTH = SALT_LENGTH + COMMITMENT_LENGTH
TAG_LENGTH = 16
NONCE_LENGTH = 12
MAX_CHUNK_COUNT = 2**38


class Aead(Protocol):
    """An AEAD under one key, with a 12-byte nonce and a 16-byte tag at the end of the ciphertext."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """The ciphertext, its tag at the end."""
        ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """The plaintext, after its tag was checked. Raises cryptography's InvalidTag."""
        ...


class Sm4Gcm:
    """AEAD_SM4_GCM under a 16-byte key. Source: RFC 8998."""

    def __init__(self, key: bytes) -> None:
        self._cipher = algorithms.SM4(key)

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        encryptor = Cipher(self._cipher, modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(associated_data or b"")
        return encryptor.update(data) + encryptor.finalize() + encryptor.tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        tag = data[-TAG_LENGTH:]
        decryptor = Cipher(self._cipher, modes.GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(associated_data or b"")
        return decryptor.update(data[:-TAG_LENGTH]) + decryptor.finalize()  # finalize checks the tag, or raises


@dataclass(frozen=True, slots=True)
class Suite:
    """One instantiation: the AEAD with its name in the key derivation, and the hash of HKDF-Expand."""

    aead_name: str
    aead: Callable[[bytes], Aead]
    key_length: int
    hash: Callable[[], hashes.HashAlgorithm]


COBBLESTONE_256 = Suite("AEAD_AES_256_GCM", AESGCM, 32, hashes.SHA512)
SM4_SM3 = Suite("AEAD_SM4_GCM", Sm4Gcm, 16, hashes.SM3)


def encrypt(
    suite: Suite, input_key: bytes, context: bytes, message: Iterable[bytes], *, salt: bytes
) -> Iterator[bytes]:
    """The ciphertext of `message`, piece by piece; how the message is cut into pieces makes no difference.

    salt: 24 bytes that never repeat under one input key: draw them at random. Raises ValueError where the input key or
    the salt has the wrong length, InputError beyond 2^38 chunks.
    """
    message_keys = _derive(suite, input_key, salt, context)
    return _encrypt_chunks(message_keys, salt, Blocks(message))


def decrypt(suite: Suite, input_key: bytes, context: bytes, ciphertext: Iterable[bytes]) -> Iterator[bytes]:
    """The message, chunk by chunk, each released only after its tag was checked.

    Raises NotAuthentic where the key or context is another, or a byte was changed, added, moved or cut off. What was
    released by then is an authentic beginning of the message, which the caller throws away.
    """
    return decrypt_rest(suite, input_key, context, Blocks(ciphertext))


def decrypt_rest(suite: Suite, input_key: bytes, context: bytes, blocks: Blocks) -> Iterator[bytes]:
    """Likewise, of what is left in `blocks` after a header was taken from it."""
    aead, base_nonce = _open_prefix(suite, input_key, context, blocks.take(PREFIX_LENGTH))
    for number, block in enumerate(blocks.cut(CHUNK_LENGTH + TAG_LENGTH)):
        if len(block) < TAG_LENGTH:
            raise NotAuthentic("the sealed content is cut off")
        try:
            chunk = aead.decrypt(nonce(base_nonce, number), block, None)
        except InvalidTag as wrong:
            raise NotAuthentic(f"the sealed content was changed or cut off: chunk {number} is not authentic") from wrong
        yield chunk


def commits_to(suite: Suite, input_key: bytes, context: bytes, prefix: bytes) -> bool:
    """Whether the first 56 bytes of a ciphertext were made with this key and context. Says nothing about its chunks."""
    try:
        _open_prefix(suite, input_key, context, prefix)
    except NotAuthentic:
        return False
    return True


def ciphertext_length(message_length: int) -> int:
    """Bytes of ciphertext for so many bytes of message."""
    return PREFIX_LENGTH + message_length + TAG_LENGTH * (message_length // CHUNK_LENGTH + 1)


def nonce(base_nonce: bytes, number: int) -> bytes:
    """The nonce of chunk `number`. Raises InputError from 2^38 on: such a message must not exist."""
    if number >= MAX_CHUNK_COUNT:
        raise InputError("a sealed message is at most 2^38 chunks (4 PiB) long")
    return (int.from_bytes(base_nonce) ^ number).to_bytes(NONCE_LENGTH)


class Blocks:
    """Cuts a stream of pieces anew. Holds one piece and one block at a time."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")

    def take(self, length: int) -> bytes:
        """The next `length` bytes; fewer only where the stream ends."""
        parts: list[memoryview] = []
        missing = length
        while missing:
            if not self._rest:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._rest = memoryview(piece)
                continue
            part = self._rest[:missing]
            parts.append(part)
            self._rest = self._rest[missing:]
            missing -= len(part)
        return b"".join(parts)

    def cut(self, length: int) -> Iterator[bytes]:
        """All that is left in blocks of `length` bytes, and always one shorter last block, empty if need be."""
        while True:
            block = self.take(length)
            yield block
            if len(block) < length:
                return


@dataclass(frozen=True, slots=True)
class _MessageKeys:
    aead: Aead
    base_nonce: bytes
    commitment: bytes


def _derive(suite: Suite, input_key: bytes, salt: bytes, context: bytes) -> _MessageKeys:
    if len(input_key) != suite.key_length or len(salt) != SALT_LENGTH:
        raise ValueError(f"{suite.aead_name} takes a key of {suite.key_length} bytes and a salt of {SALT_LENGTH}")
    label = b"c2sp.org/chunked-encryption@v1+" + suite.aead_name.encode("ascii") + b"\0"
    length = suite.key_length + NONCE_LENGTH + COMMITMENT_LENGTH
    output = HKDFExpand(suite.hash(), length, label + salt + context).derive(input_key)
    key, rest = output[: suite.key_length], output[suite.key_length :]
    return _MessageKeys(suite.aead(key), rest[:NONCE_LENGTH], rest[NONCE_LENGTH:])


def _encrypt_chunks(keys: _MessageKeys, salt: bytes, blocks: Blocks) -> Iterator[bytes]:
    yield salt + keys.commitment
    for number, chunk in enumerate(blocks.cut(CHUNK_LENGTH)):
        yield keys.aead.encrypt(nonce(keys.base_nonce, number), chunk, None)


def _open_prefix(suite: Suite, input_key: bytes, context: bytes, prefix: bytes) -> tuple[Aead, bytes]:
    if len(prefix) < PREFIX_LENGTH:
        raise NotAuthentic("the sealed content is cut off")
    keys = _derive(suite, input_key, prefix[:SALT_LENGTH], context)
    if not hmac.compare_digest(keys.commitment, prefix[SALT_LENGTH:PREFIX_LENGTH]):
        raise NotAuthentic("the content was sealed with another key or for another place, or its header was changed")
    return keys.aead, keys.base_nonce
