"""What is inside a wrapped key: the customer key, and a digest that binds it to its row.

Without it, whoever can write to the key table could put one customer's wrapped key into another's row, and a shred
would miss it.

Source: `docs/formats/sealed.md`, The wrapped key.
"""

from __future__ import annotations

import hashlib
import hmac

from retention.keys.sealed import KEY_LENGTH, length_prefixed, text_bytes
from retention.model.key import KeyScope

_LABEL = b"retention/wrapped-key@v1\0"


def payload_of(key: bytes, key_id: str, scope: KeyScope) -> bytes:
    """The 64 bytes that the provider wraps. Raises InputError for a scope that cannot be bound."""
    return key + _binding(key_id, scope)


def key_inside(payload: bytes, key_id: str, scope: KeyScope) -> bytes | None:
    """The 32-byte customer key, or None where the payload is not that of this key id and scope."""
    key, binding = payload[:KEY_LENGTH], payload[KEY_LENGTH:]
    return key if hmac.compare_digest(binding, _binding(key_id, scope)) else None


def _binding(key_id: str, scope: KeyScope) -> bytes:
    item = b"\0" if scope.item is None else b"\1" + length_prefixed(text_bytes(scope.item))
    named = length_prefixed(text_bytes(scope.customer)) + length_prefixed(text_bytes(scope.dataset))
    return hashlib.sha256(_LABEL + bytes.fromhex(key_id) + named + item).digest()
