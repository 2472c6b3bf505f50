"""The sealed format: a header, and then C2SP chunked-encryption, bound to the customer, dataset and place.

Source: `docs/formats/sealed.md`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import BinaryIO

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from retention.errors import InputError
from retention.keys import chunked
from retention.keys.errors import NotSealed
from retention.model.fact import RowKey
from retention.model.key import KeyScope

MAGIC = b"\xf5SEAL\n"
VERSION = 1
KEY_ID_LENGTH = 16
HEADER_LENGTH = len(MAGIC) + 2 + KEY_ID_LENGTH
PROOF_LENGTH = HEADER_LENGTH + chunked.PREFIX_LENGTH
"""So many first bytes prove that content was sealed with a key (`was_sealed_with`): for ranged reads."""
KEY_LENGTH = 32
READ_LENGTH = 256 * 1024


class Algorithm(StrEnum):
    """How content is sealed; the policy may ask for the national algorithms."""

    AES_256_GCM = "aes-256-gcm"
    SM4_GCM = "sm4-gcm"


_CODES = {Algorithm.AES_256_GCM: 1, Algorithm.SM4_GCM: 2}
_ALGORITHMS = {code: algorithm for algorithm, code in _CODES.items()}


@dataclass(frozen=True, slots=True)
class SealedHeader:
    """What the first 24 bytes say. `key_id` is 32 lower-case hex digits."""

    algorithm: Algorithm
    key_id: str

    def to_bytes(self) -> bytes:
        """The header as written, HEADER_LENGTH bytes. Raises ValueError where the key id has another form."""
        key_id = bytes.fromhex(self.key_id)
        if len(key_id) != KEY_ID_LENGTH or key_id.hex() != self.key_id:
            raise ValueError("a key id is 32 lower-case hex digits")
        return MAGIC + bytes((VERSION, _CODES[self.algorithm])) + key_id


@dataclass(frozen=True, slots=True)
class ObjectSubject:
    """An object or file, by its full name as the store lists it."""

    name: str


@dataclass(frozen=True, slots=True)
class CellSubject:
    """The value of one column in one row. `row` is the row's primary key."""

    table: str
    column: str
    row: RowKey


@dataclass(frozen=True, slots=True)
class Binding:
    """What sealed content is bound to; it opens nowhere else. Nothing in it may be empty."""

    customer: str
    dataset: str
    subject: ObjectSubject | CellSubject

    @property
    def scope(self) -> KeyScope:
        """The scope of the object's or row's own key (`encrypted: object`); `.whole` is the dataset's."""
        match self.subject:
            case ObjectSubject(name):
                return KeyScope.of_object(self.customer, self.dataset, name)
            case CellSubject(table, _, row):
                return KeyScope.of_row(self.customer, self.dataset, table, row)

    def to_bytes(self) -> bytes:
        """The unambiguous form that goes into the context. Raises InputError for what is empty, too long or no text."""
        return _prefixed(self.customer) + _prefixed(self.dataset) + _subject_bytes(self.subject)


KeyFor = Callable[[SealedHeader], bytes]
"""Finds the 32-byte customer key that a header names, or raises `KeyGone`, `KeyRefused`."""


def read_header(first: bytes) -> SealedHeader | None:
    """The header at the beginning of `first` (HEADER_LENGTH bytes are enough), or None where it is not one of ours.

    It shows what content claims to be; `was_sealed_with` proves it.
    """
    if len(first) < HEADER_LENGTH or not first.startswith(MAGIC) or first[len(MAGIC)] != VERSION:
        return None
    algorithm = _ALGORITHMS.get(first[len(MAGIC) + 1])
    if algorithm is None:
        return None
    return SealedHeader(algorithm, first[HEADER_LENGTH - KEY_ID_LENGTH : HEADER_LENGTH].hex())


def was_sealed_with(key: bytes, binding: Binding, first: bytes) -> bool:
    """Whether content that begins with `first` (PROOF_LENGTH bytes are enough) was sealed with this key for this place.

    Says nothing about the rest of the content: only opening it does.
    """
    header = read_header(first)
    if header is None:
        return False
    suite, input_key = _suite_and_key(header.algorithm, key)
    context = header.to_bytes() + binding.to_bytes()
    return chunked.commits_to(suite, input_key, context, first[HEADER_LENGTH:PROOF_LENGTH])


def sealed_length(message_length: int) -> int:
    """Bytes that a message of so many bytes takes when it is sealed."""
    return HEADER_LENGTH + chunked.ciphertext_length(message_length)


def seal_pieces(
    key: bytes, key_id: str, binding: Binding, pieces: Iterable[bytes], algorithm: Algorithm = Algorithm.AES_256_GCM
) -> Iterator[bytes]:
    """The sealed form of a message, piece by piece, in constant memory. Each call draws a new salt.

    Raises InputError for a binding that cannot be bound, ValueError for a key or key id of the wrong length.
    """
    header = SealedHeader(algorithm, key_id).to_bytes()
    suite, input_key = _suite_and_key(algorithm, key)
    salt = secrets.token_bytes(chunked.SALT_LENGTH)
    return chain((header,), chunked.encrypt(suite, input_key, header + binding.to_bytes(), pieces, salt=salt))


def open_pieces(key_for: KeyFor, binding: Binding, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The message, piece by piece, each authentic. `key_for` is asked once, after the header was read.

    Raises NotSealed, NotAuthentic (see `chunked.decrypt` for what was released by then), and what `key_for` raises.
    """
    blocks = chunked.Blocks(pieces)
    first = blocks.take(HEADER_LENGTH)
    header = read_header(first)
    if header is None:
        raise NotSealed(_why_not_sealed(first))
    suite, input_key = _suite_and_key(header.algorithm, key_for(header))
    yield from chunked.decrypt_rest(suite, input_key, first + binding.to_bytes(), blocks)


def seal(
    key: bytes,
    key_id: str,
    binding: Binding,
    source: BinaryIO,
    target: BinaryIO,
    algorithm: Algorithm = Algorithm.AES_256_GCM,
) -> int:
    """Seals all of `source` into `target`; returns the bytes written. Neither is flushed, synced or closed."""
    return write_all(seal_pieces(key, key_id, binding, read_all(source), algorithm), target)


def open_sealed(key_for: KeyFor, binding: Binding, source: BinaryIO, target: BinaryIO) -> int:
    """Opens all of `source` into `target`; returns the bytes written. After an error, throw the target away."""
    return write_all(open_pieces(key_for, binding, read_all(source)), target)


def seal_value(
    key: bytes, key_id: str, binding: Binding, value: bytes, algorithm: Algorithm = Algorithm.AES_256_GCM
) -> bytes:
    """The sealed form of a column value: 96 bytes longer, and 16 more for every full 16 KiB."""
    return b"".join(seal_pieces(key, key_id, binding, (value,), algorithm))


def open_value(key_for: KeyFor, binding: Binding, sealed: bytes) -> bytes:
    """The value, whole. Raises like `open_pieces`; nothing is released then."""
    return b"".join(open_pieces(key_for, binding, (sealed,)))


def read_all(source: BinaryIO) -> Iterator[bytes]:
    """Everything that `source` still has, in pieces of at most READ_LENGTH bytes."""
    while piece := source.read(READ_LENGTH):
        yield piece


def write_all(pieces: Iterable[bytes], target: BinaryIO) -> int:
    """Writes every piece, whole; returns how many bytes. Raises OSError where the target takes no more."""
    count = 0
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            written = target.write(rest)
            if not written:
                raise BlockingIOError("the target takes no more bytes")
            rest = rest[written:]  # an unbuffered file may take less than it is given
        count += len(piece)
    return count


def length_prefixed(data: bytes) -> bytes:
    """`data` behind its length in two bytes. Raises InputError above 65,535 bytes."""
    if len(data) > 0xFFFF:
        raise InputError("a name that content is bound to is longer than 65,535 bytes")
    return len(data).to_bytes(2) + data


def text_bytes(text: str) -> bytes:
    """UTF-8 as it stands, without normalisation. Raises InputError for lone surrogates."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as wrong:
        raise InputError("a name that content is bound to is not valid text") from wrong


def _prefixed(text: str) -> bytes:
    if not text:
        raise InputError("a name that content is bound to is empty")
    return length_prefixed(text_bytes(text))


def _subject_bytes(subject: ObjectSubject | CellSubject) -> bytes:
    match subject:
        case ObjectSubject(name):
            return b"\x01" + _prefixed(name)
        case CellSubject(table, column, row):
            if not row or len(row) > 0xFFFF:
                raise InputError("a row is bound by its primary key")
            pairs = b"".join(_prefixed(name) + length_prefixed(text_bytes(str(value))) for name, value in sorted(row))
            return b"\x02" + _prefixed(table) + _prefixed(column) + len(row).to_bytes(2) + pairs


def _suite_and_key(algorithm: Algorithm, key: bytes) -> tuple[chunked.Suite, bytes]:
    if len(key) != KEY_LENGTH:
        raise ValueError("a customer key has 32 bytes")
    match algorithm:
        case Algorithm.AES_256_GCM:
            return chunked.COBBLESTONE_256, key
        case Algorithm.SM4_GCM:
            derived = HKDFExpand(hashes.SM3(), chunked.SM4_SM3.key_length, b"retention/sealed@v1+SM4").derive(key)
            return chunked.SM4_SM3, derived


def _why_not_sealed(first: bytes) -> str:
    if len(first) < HEADER_LENGTH or not first.startswith(MAGIC):
        return "the content is not sealed: it does not begin with the header of the sealed format"
    return (
        f"the content is sealed in version {first[len(MAGIC)]}, algorithm {first[len(MAGIC) + 1]}, "
        "which this program does not know"
    )
