"""Restic repositories for tests: real ones whose password is checked in milliseconds, and restic itself to look inside.

restic makes its keys so dear that every start takes half a second of computing. Here a key with a cheap derivation is
written beside, in restic's own format, and the dear one removed.

Source: restic, "Design", sections "Keys, Encryption and MAC" and "Repository Format".
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.poly1305 import Poly1305

from storage_adapters.backups.restic import Repository

HOST = "host-1"
EVENING = "2026-11-10 22:15:30.5"


def restic_or_skip() -> str:
    """Where the program is; the test is skipped, and says so, where it is not."""
    found = shutil.which("restic")
    if found is None:
        pytest.skip("SERVICE MISSING: restic")
    return found


@dataclass(frozen=True)
class TestRepository:
    """A repository in a folder, and the program with its password."""

    __test__ = False

    folder: Path
    password: str

    @property
    def settings(self) -> Repository:
        return Repository(str(self.folder), self.password)

    def restic(self, *arguments: str, folder: Path | None = None, check: bool = True) -> str:
        environ = {
            "PATH": os.environ["PATH"],
            "RESTIC_REPOSITORY": str(self.folder),
            "RESTIC_PASSWORD": self.password,
            "TZ": "UTC",
        }
        command = [restic_or_skip(), "--no-cache", "--quiet", *arguments]
        return subprocess.run(command, env=environ, cwd=folder, check=check, capture_output=True, text=True).stdout

    def back_up(self, folder: Path, *tags: str, at: str = EVENING) -> str:
        """Back up what lies in the folder, by paths from there on; the id of the snapshot."""
        before = {entry["id"] for entry in self.snapshots()}
        self.restic("backup", f"--host={HOST}", f"--time={at}", *(f"--tag={tag}" for tag in tags), ".", folder=folder)
        [found] = {entry["id"] for entry in self.snapshots()} - before
        return str(found)

    def snapshots(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads(self.restic("--no-lock", "snapshots", "--json"))
        return listed

    def read(self, snapshot: str, path: str) -> str:
        return self.restic("dump", snapshot, path)

    def data_size(self) -> int:
        """The bytes of all packs: what was pruned is not in them."""
        return sum(file.stat().st_size for file in (self.folder / "data").rglob("*") if file.is_file())


def new_repository(folder: Path, password: str) -> TestRepository:
    """A fresh repository, opened by this password in no time."""
    made = TestRepository(folder, password)
    made.restic("init")
    master = json.loads(made.restic("cat", "masterkey"))
    write_key(folder, password, master)
    return made


def write_key(folder: Path, password: str, master: dict[str, Any]) -> None:
    """Make this password the only one that opens the repository."""
    salt, nonce = os.urandom(64), os.urandom(16)
    derived = Scrypt(salt=salt, length=64, n=2, r=1, p=1).derive(password.encode())
    encryption, mac_k, mac_r = derived[:32], derived[32:48], derived[48:]
    cipher = Cipher(algorithms.AES(encryption), modes.CTR(nonce)).encryptor()
    sealed = cipher.update(json.dumps(master).encode()) + cipher.finalize()
    block = Cipher(algorithms.AES(mac_k), modes.ECB()).encryptor()  # one block: Poly1305-AES
    mac = Poly1305.generate_tag(mac_r + block.update(nonce) + block.finalize(), sealed)
    assert len(b64decode(master["encrypt"])) == 32
    key = {
        "created": "2026-11-01T00:00:00Z",
        "username": "test",
        "hostname": "test",
        "kdf": "scrypt",
        "N": 2,
        "r": 1,
        "p": 1,
        "salt": b64encode(salt).decode(),
        "data": b64encode(nonce + sealed + mac).decode(),
    }
    content = json.dumps(key).encode()
    for old in (folder / "keys").iterdir():
        old.unlink()
    (folder / "keys" / hashlib.sha256(content).hexdigest()).write_bytes(content)
