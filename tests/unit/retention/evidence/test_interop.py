"""A second, tiny reader written from the specifications alone: only hashlib and Ed25519, nothing of the product."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from retention.evidence.ledger import Ledger
from retention.evidence.note import SeedSigner


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def mth(row: list[bytes]) -> bytes:
    if len(row) < 2:
        return row[0] if row else sha(b"")
    k = 1 << (len(row) - 1).bit_length() - 1
    return sha(b"\x01" + mth(row[:k]) + mth(row[k:]))


def numbered(n: int) -> str:
    groups = [n % 1000]
    while n := n // 1000:
        groups.append(n % 1000)
    return "/".join([f"x{group:03d}" for group in reversed(groups[1:])] + [f"{groups[0]:03d}"])


def check_log(directory: Path, vkey: str) -> list[bytes]:
    """All entries of a tlog-tiles log, after its checkpoint and every tile have been checked."""
    name, key_id, encoded = vkey.split("+", 2)
    material = base64.b64decode(encoded)
    assert sha(name.encode() + b"\n" + material)[:4].hex() == key_id
    text, _, signatures = (directory / "checkpoint").read_text(encoding="utf-8").rpartition("\n\n")
    line = next(line for line in signatures.splitlines() if line.startswith(f"— {name} "))
    signature = base64.b64decode(line.rpartition(" ")[2])
    assert signature[:4].hex() == key_id
    Ed25519PublicKey.from_public_bytes(material[1:]).verify(signature[4:], f"{text}\n".encode())
    origin, size_text, root = text.split("\n")
    assert origin == name
    size = int(size_text)

    entries: list[bytes] = []
    for number in range((size + 255) // 256):
        width = min(256, size - number * 256)
        data = (directory / f"tile/entries/{numbered(number)}{'' if width == 256 else f'.p/{width}'}").read_bytes()
        for _ in range(width):
            length = int.from_bytes(data[:2], "big")
            entries.append(data[2 : 2 + length])
            data = data[2 + length :]
        assert data == b""
    row = [sha(b"\x00" + entry) for entry in entries]
    assert mth(row) == base64.b64decode(root)
    level = 0
    while row:
        for number in range((len(row) + 255) // 256):
            hashes = row[number * 256 : number * 256 + 256]
            suffix = "" if len(hashes) == 256 else f".p/{len(hashes)}"
            assert (directory / f"tile/{level}/{numbered(number)}{suffix}").read_bytes() == b"".join(hashes)
        row = [mth(row[i : i + 256]) for i in range(0, len(row) - 255, 256)]
        level += 1
    return entries


@pytest.mark.parametrize(
    "parts",
    [[0], [1], [255], [256], [257], [100, 100, 100], [1] * 30, [70_000]],
    ids=lambda parts: "+".join(map(str, parts)) if len(parts) < 5 else f"{len(parts)} times 1",
)
def test_a_reader_of_our_own_files_needs_nothing_of_ours(tmp_path: Path, signer: SeedSigner, parts: list[int]) -> None:
    ledger = Ledger.create(tmp_path / "log", signer)
    wanted: list[bytes] = []
    for count in parts:
        new = [b"entry %d" % i for i in range(len(wanted), len(wanted) + count)]
        ledger.publish(len(wanted), new, signer)
        wanted += new
    assert check_log(tmp_path / "log", str(signer.verifier_key)) == wanted
