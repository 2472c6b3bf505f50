"""Proofs that an entry is in the ledger, as text that anyone's tools can check. Pure.

Source: C2SP tlog-proof (c2sp.org/tlog-proof@v1); RFC 9162, section 2.1.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from retention.evidence.checkpoint import Checkpoint, open_checkpoint, parse_decimal
from retention.evidence.errors import Malformed
from retention.evidence.merkle import HASH_SIZE, leaf_hash, verify_inclusion
from retention.evidence.note import LARGEST_NOTE, VerifierKey, decode_base64, encode_base64

PROOF_HEADER = "c2sp.org/tlog-proof@v1"
_LONGEST_PATH = 64  # hashes: a tree of 2^64 leaves


@dataclass(frozen=True, slots=True)
class ProvenEntry:
    """An entry's bytes and the proof that they are in the ledger."""

    entry: bytes
    proof: LogProof


@dataclass(frozen=True, slots=True)
class LogProof:
    """Entry `index` leads by `path` (leaf's sibling first) to the root of `checkpoint`, a signed note.

    extra: opaque bytes that nothing vouches for. Ours are None, or the entry itself, which the path vouches for.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def encode(self) -> str:
        """The proof as text."""
        lines = [PROOF_HEADER]
        if self.extra is not None:
            lines.append(f"extra {encode_base64(self.extra)}")
        lines.append(f"index {self.index}")
        lines += [encode_base64(step) for step in self.path]
        return "\n".join(lines) + "\n\n" + self.checkpoint.decode("utf-8")

    @classmethod
    def parse(cls, text: str) -> LogProof:
        """Malformed for anything that is no proof of this version. The checkpoint inside is not verified yet."""
        if len(text) > LARGEST_NOTE:
            raise Malformed(f"a proof of {len(text)} characters is longer than {LARGEST_NOTE}")
        head, blank, checkpoint = text.partition("\n\n")
        lines = head.split("\n")
        if lines.pop(0) != PROOF_HEADER or not blank:
            raise Malformed(
                f"a proof begins with the line {PROOF_HEADER!r} and has an empty line before its checkpoint"
            )
        extra = _value(lines.pop(0), "extra") if lines and lines[0].startswith("extra ") else None
        index = parse_decimal(_value(lines.pop(0) if lines else "", "index"), "proof index")
        if len(lines) > _LONGEST_PATH:
            raise Malformed(f"a proof of {len(lines)} hashes is longer than {_LONGEST_PATH}")
        path = tuple(decode_base64(line, "proof hash") for line in lines)
        if any(len(step) != HASH_SIZE for step in path):
            raise Malformed(f"a proof hash has {HASH_SIZE} bytes")
        return cls(index, path, checkpoint.encode(), None if extra is None else decode_base64(extra, "proof extra"))

    def verify(self, entry: bytes, key: VerifierKey) -> Checkpoint:
        """The checkpoint, when the key signed it for its own log and the entry is in it at `index`.

        Malformed, SignatureInvalid, WrongOrigin for the checkpoint; ProofInvalid when the entry does not lead to it.
        """
        checkpoint = open_checkpoint(self.checkpoint, key)
        verify_inclusion(leaf_hash(entry), self.index, checkpoint.size, self.path, checkpoint.root)
        return checkpoint


def _value(line: str, name: str) -> str:
    word, space, value = line.partition(" ")
    if word != name or not space:
        raise Malformed(f"a proof has a line '{name} …' here, not {line[:40]!r}")
    return value
