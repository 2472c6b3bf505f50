"""What an entry leaves out, written down and sealed for its one place in the ledger. Pure.

    key    = HKDF-SHA-256(ledger key, salt: none, info: "retention particulars 1" ‖ 0x00 ‖ origin, 32 bytes)
    sealed = nonce (12 random bytes) ‖ AES-256-GCM(key, nonce, text, "retention particulars 1" ‖ 0x00 ‖ position ‖ leaf)

`position` is the entry's, 8 bytes big-endian, and `leaf` the 32-byte hash of the entry (RFC 9162, section 2.1.1). So a record
that was changed, or put in another's place, or belongs to an entry of another ledger, does not open.

Source: RFC 5869 (HKDF); NIST SP 800-38D (GCM); `docs/formats/particulars.md`.
"""

from __future__ import annotations

import dataclasses
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import TypeAdapter, ValidationError

from retention.evidence.errors import Malformed, ParticularsDamaged
from retention.evidence.merkle import leaf_hash
from retention.model.particulars import Particulars

NONCE_SIZE = 12
_DOMAIN = b"retention particulars 1\x00"
_KEY_SIZE = 32
_PARTICULARS = TypeAdapter(Particulars)


def encode_particulars(particulars: Particulars) -> bytes:
    """The particulars as JSON in UTF-8: an object with the members that are set, `{}` for none."""
    members = {field.name for field in dataclasses.fields(particulars)}
    said = {name for name in members if getattr(particulars, name) is not None}
    return _PARTICULARS.dump_json(particulars, include=said)


def decode_particulars(text: bytes) -> Particulars:
    """The particulars that were written so. Malformed for anything else, without quoting it."""
    try:
        return _PARTICULARS.validate_json(text, strict=False)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise Malformed(f"particulars: {'.'.join(map(str, first['loc']))}: {first['type']}") from None


def particulars_key(ledger_key: bytes, origin: str) -> bytes:
    """The 32-byte key of this ledger's particulars, from the secret key of its commitments."""
    info = _DOMAIN + origin.encode()
    return HKDF(algorithm=SHA256(), length=_KEY_SIZE, salt=None, info=info).derive(ledger_key)


def seal_record(key: bytes, position: int, entry: bytes, text: bytes, nonce: bytes | None = None) -> bytes:
    """The text, sealed for the entry at this position. `nonce` is for test vectors; without one it is random."""
    nonce = os.urandom(NONCE_SIZE) if nonce is None else nonce
    return nonce + AESGCM(key).encrypt(nonce, text, _bound_to(position, entry))


def open_record(key: bytes, position: int, entry: bytes, sealed: bytes) -> bytes:
    """The text. ParticularsDamaged where it was changed, or sealed for another position, entry or ledger."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], _bound_to(position, entry))
    except (InvalidTag, ValueError) as error:  # ValueError: cut short, there is not even a nonce
        raise ParticularsDamaged(position, "were changed, or belong to another entry") from error


def _bound_to(position: int, entry: bytes) -> bytes:
    return _DOMAIN + position.to_bytes(8) + leaf_hash(entry)
