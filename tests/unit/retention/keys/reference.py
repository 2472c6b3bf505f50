"""The sealed format a second time, from its paper and the primitives alone: it shares no line with the product."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VECTORS = Path(__file__).parents[3] / "vectors"
EncryptChunk = Callable[[bytes, bytes, bytes], bytes]  # key, nonce, plaintext -> ciphertext and tag


class ChunkedCase(TypedDict):
    name: str
    input_key: str
    salt: str
    context: str
    message_length: int
    message_sha256: str
    commitment: str
    ciphertext_length: int
    ciphertext_sha256: str
    ciphertext: str | None


class SealedCase(TypedDict):
    name: str
    algorithm: str
    customer_key: str
    key_id: str
    salt: str
    customer: str
    dataset: str
    object: str | None
    cell: list[str] | None
    row: list[list[str | int]] | None
    message_length: int
    context: str
    sealed_length: int
    sealed_sha256: str
    sealed: str | None


def hkdf_expand(digest: str, key: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 section 2.3."""
    output, block, counter = b"", b"", 1
    while len(output) < length:
        block = hmac.new(key, block + info + bytes([counter]), digest).digest()
        output, counter = output + block, counter + 1
    return output[:length]


def aes_gcm(key: bytes, nonce: bytes, plaintext: bytes) -> bytes:
    return AESGCM(key).encrypt(nonce, plaintext, None)


def sm4_gcm(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes = b"") -> bytes:
    """GCM (NIST SP 800-38D) built here from single SM4 blocks."""
    ecb = Cipher(algorithms.SM4(key), modes.ECB()).encryptor()
    subkey = int.from_bytes(ecb.update(bytes(16)), "big")
    counters = b"".join(nonce + (2 + i).to_bytes(4, "big") for i in range((len(plaintext) + 15) // 16))
    ciphertext = bytes(a ^ b for a, b in zip(plaintext, ecb.update(counters), strict=False))
    lengths = (8 * len(associated)).to_bytes(8, "big") + (8 * len(ciphertext)).to_bytes(8, "big")
    hashed = _ghash(subkey, _padded(associated) + _padded(ciphertext) + lengths)
    tag = hashed ^ int.from_bytes(ecb.update(nonce + (1).to_bytes(4, "big")), "big")
    return ciphertext + tag.to_bytes(16, "big")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 16)


def _ghash(subkey: int, data: bytes) -> int:
    state = 0
    for start in range(0, len(data), 16):
        state = _multiplied(state ^ int.from_bytes(data[start : start + 16], "big"), subkey)
    return state


def _multiplied(x: int, y: int) -> int:
    product = 0
    for bit in range(127, -1, -1):
        if x >> bit & 1:
            product ^= y
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return product


def lp(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def message_of(name: str, length: int) -> bytes:
    return hashlib.shake_128(f"message {name}".encode()).digest(length)


@dataclass(frozen=True)
class Reference:
    """What docs/formats/sealed.md says, done slowly."""

    def context(self, case: SealedCase) -> bytes:
        code = {"aes-256-gcm": 1, "sm4-gcm": 2}[case["algorithm"]]
        header = bytes.fromhex("f55345414c0a01") + bytes([code]) + bytes.fromhex(case["key_id"])
        bound = lp(case["customer"]) + lp(case["dataset"])
        if case["object"] is not None:
            return header + bound + b"\x01" + lp(case["object"])
        assert case["cell"] is not None
        assert case["row"] is not None
        table, column = case["cell"]
        bound += b"\x02" + lp(table) + lp(column) + len(case["row"]).to_bytes(2, "big")
        for name, value in sorted(case["row"]):
            bound += lp(str(name)) + lp(str(value))
        return header + bound

    def sealed(self, case: SealedCase) -> bytes:
        key, context, salt = bytes.fromhex(case["customer_key"]), self.context(case), bytes.fromhex(case["salt"])
        if case["algorithm"] == "sm4-gcm":
            key = hkdf_expand("sm3", key, b"retention/sealed@v1+SM4", 16)
            body = self.chunked("sm3", b"AEAD_SM4_GCM", sm4_gcm, key, salt, context, case)
        else:
            body = self.chunked("sha512", b"AEAD_AES_256_GCM", aes_gcm, key, salt, context, case)
        return context[:24] + body

    def chunked(
        self, digest: str, aead: bytes, encrypt: EncryptChunk, key: bytes, salt: bytes, context: bytes, case: SealedCase
    ) -> bytes:
        message = message_of(case["name"], case["message_length"])
        info = b"c2sp.org/chunked-encryption@v1+" + aead + b"\0" + salt + context
        derived = hkdf_expand(digest, key, info, len(key) + 44)
        cipher_key, base, commitment = derived[: len(key)], derived[len(key) : -32], derived[-32:]
        output = salt + commitment
        for number in range(len(message) // 16384 + 1):
            nonce = bytes(a ^ b for a, b in zip(base, number.to_bytes(12, "big"), strict=True))
            output += encrypt(cipher_key, nonce, message[16384 * number : 16384 * (number + 1)])
        return output


def chunked_cases() -> Iterator[ChunkedCase]:
    cases: list[ChunkedCase] = json.loads((VECTORS / "chunked-encryption.json").read_text("utf-8"))["cases"]
    yield from cases


def sealed_cases() -> Iterator[SealedCase]:
    cases: list[SealedCase] = json.loads((VECTORS / "sealed.json").read_text("utf-8"))["cases"]
    yield from cases
