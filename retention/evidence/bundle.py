"""A report's bundle: its files, a manifest with their hashes, and the proof that the ledger knows the manifest.

The manifest's SHA-256 stands in the entry `report-issued`, so that one signature, that of the ledger, is over everything.
Format: `docs/formats/report-bundle.md`. Source: RFC 8785; C2SP tlog-proof, tlog-checkpoint; RFC 9162, section 2.1.4.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from retention.evidence import merkle
from retention.evidence.bodies import Body, CountField, Hex, Name
from retention.evidence.canonical import decode_canonical, encode_json
from retention.evidence.checkpoint import Checkpoint, open_checkpoint
from retention.evidence.errors import Malformed
from retention.evidence.instants import Instant
from retention.evidence.ledger import CHECKPOINT, Ledger
from retention.evidence.note import decode_base64, encode_base64
from retention.evidence.tiles import (
    WIDTH,
    Edge,
    Tile,
    bundle_path,
    edge_tiles,
    encode_bundle,
    full_tiles_between,
    leaf_hashes,
    tile_path,
)

MANIFEST = "manifest.json"
ENTRY = "report-issued.json"
PROOF = "report-issued.tlog-proof"
CONSISTENCY = "consistency.json"
LEDGER = "ledger"
POLICIES = "policies"
REPORT = "report.json"
UNLISTED = (MANIFEST, ENTRY, PROOF, CONSISTENCY, CHECKPOINT)
"""Files that the manifest does not list, because they are made of it or vouch for it."""
LARGEST_MANIFEST = 4 << 20
"""Bytes."""
LARGEST_COPY = 64 << 20
"""Bytes of a ledger that a bundle takes along; a larger one is checked where it lies."""

_CHUNK = 1 << 20
_PATH = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}(/[A-Za-z0-9][A-Za-z0-9._-]{0,127}){0,4}$"

Hash = Annotated[str, Field(max_length=64)]


class FileRecord(Body):
    """One file of the bundle: its path within it, its length in bytes, and its SHA-256."""

    name: str = Field(pattern=_PATH)
    size: CountField
    sha256: Hex


class TreeHead(Body):
    """How many entries a ledger had, and its root then, in base64."""

    size: CountField
    root: Hash

    @property
    def root_bytes(self) -> bytes:
        """The root. Malformed where it is no base64."""
        return decode_base64(self.root, "root")


class Manifest(Body):
    """What a bundle is about, and every file but those that vouch for the manifest itself.

    from_at, until_at: the period, the second not included; first, last: the ledger at its ends. ledger_copied: whether it
    is in the bundle; ledger_bytes: of how many bytes. policies: hashes of the versions in force in the period.
    """

    format: Literal["retention-report-bundle/1"] = "retention-report-bundle/1"
    origin: Name
    number: Name
    first_day: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    last_day: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    zone: Name
    from_at: Instant
    until_at: Instant
    made_at: Instant
    first: TreeHead
    last: TreeHead
    identified: bool = Field(strict=True)
    ledger_copied: bool = Field(strict=True)
    ledger_bytes: CountField
    policies: tuple[Hex, ...]
    files: tuple[FileRecord, ...] = Field(max_length=1_000)

    def encode(self) -> bytes:
        """The file's bytes, canonical."""
        return encode_json(self.to_json())

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """Malformed, naming the member, for anything that `encode` would not have written."""
        return cls.from_json(decode_canonical(data))


class Consistency(Body):
    """That the ledger only grew: from the beginning of the period to its end, and from there to the checkpoint."""

    format: Literal["retention-consistency/1"] = "retention-consistency/1"
    first: TreeHead
    last: TreeHead
    checkpoint: TreeHead
    first_to_last: tuple[Hash, ...] = Field(max_length=128)
    last_to_checkpoint: tuple[Hash, ...] = Field(max_length=128)

    def verify(self) -> None:
        """Return when both proofs hold, else raise ProofInvalid; Malformed for what is no base64."""
        for first, second, path in (
            (self.first, self.last, self.first_to_last),
            (self.last, self.checkpoint, self.last_to_checkpoint),
        ):
            steps = [decode_base64(step, "proof hash") for step in path]
            merkle.verify_consistency(first.size, first.root_bytes, second.size, second.root_bytes, steps)


def open_file(path: Path) -> BufferedReader:
    """The file, open for reading. Malformed where a link or anything but a regular file lies there; OSError as it comes.

    Nothing that lies in a file's place keeps the reader waiting.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise Malformed("not a regular file") from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Malformed("not a regular file")
    return os.fdopen(handle, "rb")


def difference(path: Path, record: FileRecord) -> str | None:
    """How the file is another than the record says, None where it is not. Its length is compared before it is read.

    Raises as `open_file`.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size != record.size:
            return f"has {size} bytes, not {record.size}"
        is_same = hashlib.file_digest(file, "sha256").hexdigest() == record.sha256
    return None if is_same else "has another SHA-256 than the manifest says"


def hash_file(path: Path) -> FileRecord:
    """Length and SHA-256 of a file of any size, under its bare name. Raises as `open_file`."""
    digest, size = hashlib.sha256(), 0
    with open_file(path) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return FileRecord(name=path.name, size=size, sha256=digest.hexdigest())


def list_files(folder: Path) -> tuple[FileRecord, ...]:
    """Every file below the folder, by path. Malformed for one whose name has no place in a bundle, or that is no file."""
    found = []
    for path in sorted(paths_in(folder)):
        full = folder / path
        if full.is_symlink() or not full.is_file():
            raise Malformed(f"{path} is no file")
        record = hash_file(full)
        found.append(FileRecord(name=path, size=record.size, sha256=record.sha256))
    return tuple(found)


def paths_in(folder: Path) -> Iterator[str]:
    """The path of everything below the folder that is no directory, in no order."""
    for within, subfolders, names in os.walk(folder, followlinks=False):
        links = [name for name in subfolders if (Path(within) / name).is_symlink()]
        for name in (*names, *links):
            yield (Path(within) / name).relative_to(folder).as_posix()


def write_vouchers(folder: Path, ledger: Ledger, position: int, manifest: Manifest) -> None:
    """The entry at `position`, which tells of the manifest, stands in the folder with its proof, checkpoint and consistency.

    With `manifest.ledger_copied`, the whole ledger up to that checkpoint too. NotInLedger where the entry is not published.
    """
    (proven,) = ledger.prove([position])
    note = proven.proof.checkpoint
    head = open_checkpoint(note, ledger.key)
    (folder / ENTRY).write_bytes(proven.entry)
    (folder / PROOF).write_text(proven.proof.encode(), encoding="utf-8", newline="")
    (folder / CHECKPOINT).write_bytes(note)
    consistency = Consistency(
        first=manifest.first,
        last=manifest.last,
        checkpoint=TreeHead(size=head.size, root=encode_base64(head.root)),
        first_to_last=_encoded(ledger.consistency_proof(manifest.first.size, manifest.last.size)),
        last_to_checkpoint=_encoded(ledger.consistency_proof(manifest.last.size, head.size)),
    )
    (folder / CONSISTENCY).write_bytes(encode_json(consistency.to_json()))
    if manifest.ledger_copied:
        _copy_ledger(ledger, note, head, folder / LEDGER)


def ledger_paths(size: int) -> Iterator[str]:
    """The files that a ledger of `size` entries is made of, and no others: a copy has exactly these."""
    yield CHECKPOINT
    for level, number in full_tiles_between(0, size):
        yield tile_path(level, number)
    for level, number, width in edge_tiles(size):
        yield tile_path(level, number, width)
    for number in range(-(-size // WIDTH)):
        yield bundle_path(number, min(WIDTH, size - number * WIDTH))


def ledger_bytes(ledger: Ledger) -> int:
    """How many bytes the ledger's files have now."""
    return sum((ledger.files.root / path).stat().st_size for path in ledger.files.paths())


def _encoded(path: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(encode_base64(step) for step in path)


def _copy_ledger(ledger: Ledger, note: bytes, head: Checkpoint, target: Path) -> None:
    """The ledger as of the checkpoint, whatever has been published since; made from entries that lead to its root."""
    edge = Edge()
    entries = ledger.entries(0, head.size)
    for number in range(-(-head.size // WIDTH)):
        bundle = list(islice(entries, WIDTH))
        _write(target / bundle_path(number, len(bundle)), encode_bundle(bundle))
        for leaf in leaf_hashes(bundle):
            for tile in edge.append(leaf):
                _write_tile(target, tile)
    for tile in edge.open_tiles():
        _write_tile(target, tile)
    _write(target / CHECKPOINT, note)


def _write_tile(target: Path, tile: Tile) -> None:
    _write(target / tile.path, tile.encode())


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
