"""Checkpoints: the signed head of the ledger. Pure.

Source: C2SP tlog-checkpoint (c2sp.org/tlog-checkpoint).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from retention.evidence.errors import Malformed, WrongOrigin
from retention.evidence.merkle import EMPTY_ROOT, HASH_SIZE
from retention.evidence.note import Note, Signer, VerifierKey, decode_base64, encode_base64, sign_note

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How long the ledger is and which root it has. `extensions` are opaque lines after the root; ours has none."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The note text: origin, size in decimal, root in base 64, one a line."""
        return "\n".join((self.origin, str(self.size), encode_base64(self.root), *self.extensions)) + "\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """The checkpoint of a note's text. Malformed when it is not one."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines):
        raise Malformed("a checkpoint has an origin, a size and a root, one a line, and no empty line")
    origin, size, root_text, *extensions = lines
    root = decode_base64(root_text, "checkpoint root")
    if len(root) != HASH_SIZE:
        raise Malformed(f"a checkpoint root has {HASH_SIZE} bytes, not {len(root)}")
    checkpoint = Checkpoint(origin, parse_decimal(size, "checkpoint size"), root, tuple(extensions))
    if checkpoint.size == 0 and root != EMPTY_ROOT:
        raise Malformed("a checkpoint of size 0 has the root of the empty tree")
    return checkpoint


def open_checkpoint(note: bytes, key: VerifierKey) -> Checkpoint:
    """The checkpoint that the key signed for its own log.

    Malformed, SignatureInvalid; WrongOrigin when the first line is not the key's name.
    """
    checkpoint = parse_checkpoint(Note.parse(note).verify(key))
    if checkpoint.origin != key.name:
        raise WrongOrigin(f"the checkpoint is of {checkpoint.origin!r}, not of {key.name!r}")
    return checkpoint


def sign_checkpoint(size: int, root: bytes, signer: Signer) -> bytes:
    """The signed note of the checkpoint of the signer's log."""
    return sign_note(Checkpoint(signer.verifier_key.name, size, root).text(), signer)


def parse_decimal(text: str, what: str) -> int:
    """A number from 0 to below 10^19, without signs or leading zeroes. Malformed, naming `what`, for anything else."""
    if not _DECIMAL.fullmatch(text):
        raise Malformed(f"{what}: not a decimal number without leading zeroes")
    return int(text)
