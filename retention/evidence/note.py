"""Signed notes: text with Ed25519 signatures, and the keys that make and check them. Pure.

Source: C2SP signed-note (c2sp.org/signed-note), signature type 0x01; RFC 8032.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from retention.evidence.errors import Malformed, SignatureInvalid

LARGEST_NOTE = 1 << 20
"""Bytes. A checkpoint with sixteen post-quantum cosignatures is a tenth of this."""

_ED25519 = b"\x01"
_KEY_SIZE = 32
_DASH = "— "


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public side of a log's key. `name` is also the log's origin; `public_key` is 32 bytes (RFC 8032)."""

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        check_key_name(self.name)
        if len(self.public_key) != _KEY_SIZE:
            raise Malformed(f"an Ed25519 public key has {_KEY_SIZE} bytes, not {len(self.public_key)}")

    @property
    def key_id(self) -> bytes:
        """SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)[:4]."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public_key).digest()[:4]

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """The key written as `name+key id+base64(0x01 ‖ public key)`. Malformed when it is not."""
        parts = text.strip().split("+", 2)
        if len(parts) != 3:
            raise Malformed("a verifier key has three parts joined by '+': name, key id, key")
        name, key_id, encoded = parts
        material = decode_base64(encoded, "verifier key")
        if material[:1] != _ED25519:
            raise Malformed("the verifier key is not of type 0x01 (Ed25519)")
        key = cls(name, material[1:])
        if key.key_id.hex() != key_id:
            raise Malformed(f"the verifier key's id is {key.key_id.hex()}, but {key_id!r} is written")
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(_ED25519 + self.public_key)}"


class Signer(Protocol):
    """Signs with a key that may lie elsewhere (a file, a token, a service)."""

    @property
    def verifier_key(self) -> VerifierKey:
        """The public side of the key that signs."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature of the message."""
        ...


class SeedSigner:
    """Signs with the Ed25519 key of a 32-byte secret seed. Malformed for a seed of another length."""

    __slots__ = ("_private", "_verifier_key")

    def __init__(self, name: str, seed: bytes) -> None:
        if len(seed) != _KEY_SIZE:
            raise Malformed(f"an Ed25519 seed has {_KEY_SIZE} bytes, not {len(seed)}")
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._verifier_key = VerifierKey(name, self._private.public_key().public_bytes_raw())

    @property
    def verifier_key(self) -> VerifierKey:
        return self._verifier_key

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line, by whomever: `key_id` is 4 bytes."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note. Its text must be ignored until `verify` has returned it."""

    unverified_text: str
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Malformed when the bytes are no signed note: see the source's section "Format"."""
        text = _printable(data)
        body, blank, lines = text.rpartition("\n\n")
        if not blank or not lines:
            raise Malformed("a note ends with an empty line and signatures")
        if not lines.endswith("\n"):
            raise Malformed("the last signature line of a note has no newline")
        return cls(body + "\n", tuple(_parse_signature(line) for line in lines[:-1].split("\n")))

    def verify(self, key: VerifierKey) -> str:
        """The text, when the key signed it. Signatures of unknown keys are passed over.

        SignatureInvalid when none is by this key, or one that says it is does not verify.
        """
        by_key = [s for s in self.signatures if (s.name, s.key_id) == (key.name, key.key_id)]
        if not by_key:
            raise SignatureInvalid(f"no signature by {key.name}+{key.key_id.hex()}")
        public = Ed25519PublicKey.from_public_bytes(key.public_key)
        for signature in by_key:
            try:
                public.verify(signature.signature, self.unverified_text.encode())
            except InvalidSignature as error:
                raise SignatureInvalid(f"the signature by {key.name}+{key.key_id.hex()} is wrong") from error
        return self.unverified_text


def sign_note(text: str, signer: Signer) -> bytes:
    """The note of this text, signed. Malformed for text that does not end in a newline or has control characters."""
    if not text.endswith("\n"):
        raise Malformed("the text of a note ends with a newline")
    _printable(text.encode())
    key = signer.verifier_key
    signature = encode_base64(key.key_id + signer.sign(text.encode()))
    return f"{text}\n{_DASH}{key.name} {signature}\n".encode()


def check_key_name(name: str) -> None:
    """Malformed for a name that is empty or has spaces, control characters or a plus sign."""
    if not name or "+" in name or any(c.isspace() or c < " " for c in name):
        raise Malformed(f"a key name is not empty and has no spaces and no '+': {name!r}")


def encode_base64(data: bytes) -> str:
    """Standard base 64 with padding. Source: RFC 4648, section 4."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str, what: str) -> bytes:
    """The bytes; Malformed (naming `what`) for anything but the one right way to write them."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed(f"{what}: not base 64") from error
    if encode_base64(data) != text:
        raise Malformed(f"{what}: base 64 with stray bits")
    return data


def _parse_signature(line: str) -> NoteSignature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise Malformed("a signature line is a dash, a key name and a signature")
    check_key_name(name)
    signature = decode_base64(encoded, "signature")
    if len(signature) < 5:
        raise Malformed("a signature has a key id of four bytes and then the signature")
    return NoteSignature(name, signature[:4], signature[4:])


def _printable(data: bytes) -> str:
    if len(data) > LARGEST_NOTE:
        raise Malformed(f"a note of {len(data)} bytes is longer than {LARGEST_NOTE}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("a note is UTF-8") from error
    if any(c < " " and c != "\n" for c in text):
        raise Malformed("a note has no control characters but newlines")
    return text
