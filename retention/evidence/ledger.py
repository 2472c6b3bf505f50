"""The evidence ledger: an append-only Merkle log in one directory (`docs/formats/ledger.md`).

Publishing writes bundles and tiles first and the checkpoint last. Until the checkpoint is renamed into place nothing
has been published; afterwards everything has. So a crash leaves the old ledger or the new one, and recovery is to
publish the same entries again.

Source: C2SP tlog-tiles, tlog-checkpoint; RFC 9162, section 2.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from retention.evidence import merkle
from retention.evidence.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from retention.evidence.directory import LedgerDirectory
from retention.evidence.errors import (
    Damage,
    LedgerBehind,
    LedgerDamaged,
    LedgerForked,
    Malformed,
    NotInLedger,
)
from retention.evidence.note import LARGEST_NOTE, Signer, VerifierKey
from retention.evidence.proof import LogProof, ProvenEntry
from retention.evidence.signed_tree import SignedTree
from retention.evidence.tiles import (
    LARGEST_ENTRY,
    WIDTH,
    Edge,
    Tile,
    bundle_path,
    encode_bundle,
    full_tiles_between,
    leaf_hashes,
    tile_path,
)

CHECKPOINT = "checkpoint"


class Ledger:
    """The ledger in a directory, read with the log's verifier key. Only what is under its signature is given out.

    Every read looks at the files as they are now; a reader needs no lock and may run beside the writer. All methods
    raise LedgerDamaged (naming the file), and SignatureInvalid, WrongOrigin or Malformed for the checkpoint.
    """

    def __init__(self, directory: Path, key: VerifierKey) -> None:
        self.key = key
        self.files = LedgerDirectory(directory)

    @classmethod
    def create(cls, directory: Path, signer: Signer) -> Ledger:
        """A ledger with a signed checkpoint of size 0, durable on return; one that is there already is left as it is.

        LedgerDamaged when there are tiles and no checkpoint: that was a ledger, and a new one would hide its loss.
        """
        ledger = cls(directory, signer.verifier_key)
        with ledger.files.locked():
            if ledger.files.read(CHECKPOINT, LARGEST_NOTE) is None:
                if next(ledger.files.paths(), None) is not None:
                    message = "is missing, but the directory is not empty; it is not made anew"
                    raise LedgerDamaged(CHECKPOINT, Damage.MISSING, message)
                ledger._publish_checkpoint(Checkpoint(ledger.key.name, 0, merkle.EMPTY_ROOT), signer)
        ledger.checkpoint()
        return ledger

    # ------------------------------------------------------------------------------------------------ reading

    def checkpoint(self) -> Checkpoint:
        """The last published checkpoint, its signature and origin verified."""
        return open_checkpoint(self.signed_checkpoint(), self.key)

    def signed_checkpoint(self) -> bytes:
        """The signed note as it lies in the directory, not verified. Keep copies of it elsewhere."""
        note = self.files.read(CHECKPOINT, LARGEST_NOTE)
        if note is None:
            raise LedgerDamaged(CHECKPOINT, Damage.MISSING, "is missing")
        return note

    def entry(self, index: int) -> bytes:
        """The entry's bytes. NotInLedger when it is not published."""
        return next(self.entries(index, index + 1))

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The entries from `start` up to, not including, `end` (by default all that are published now), in order.

        One bundle of at most 256 is in memory at a time. NotInLedger when the range goes beyond the checkpoint.
        """
        tree = SignedTree(self.files, self.checkpoint())
        end = tree.size if end is None else end
        if not 0 <= start <= end <= tree.size:
            raise NotInLedger(f"the ledger has {tree.size} entries, not {start} to {end}")
        for number in range(start // WIDTH, -(-end // WIDTH)):
            first = number * WIDTH
            yield from _signed_bundle(tree, number)[max(start - first, 0) : end - first]

    def root_at(self, size: int) -> bytes:
        """The root that the ledger had when it had `size` entries. NotInLedger beyond the checkpoint."""
        return SignedTree(self.files, self.checkpoint()).root_at(size)

    def inclusion_proof(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        """The path of an entry in the tree of `size` (by default the published one). NotInLedger beyond it."""
        tree = SignedTree(self.files, self.checkpoint())
        size = tree.size if size is None else size
        if not 0 <= index < size <= tree.size:
            raise NotInLedger(f"the ledger has {tree.size} entries; no entry {index} in its first {size}")
        return merkle.inclusion_path(index, size, tree.subtree)

    def consistency_proof(self, first: int, second: int) -> tuple[bytes, ...]:
        """That the ledger of `second` entries begins with the ledger of `first`. NotInLedger beyond the checkpoint."""
        tree = SignedTree(self.files, self.checkpoint())
        if not 0 <= first <= second <= tree.size:
            raise NotInLedger(f"the ledger has {tree.size} entries, not {first} to {second}")
        return merkle.consistency_path(first, second, tree.subtree)

    def prove(self, indices: Sequence[int]) -> list[ProvenEntry]:
        """Each entry with its proof, all against one and the same checkpoint, the present one.

        NotInLedger, and nothing of it, when one of them is beyond the checkpoint.
        """
        note = self.signed_checkpoint()
        tree = SignedTree(self.files, open_checkpoint(note, self.key))
        for index in indices:
            if not 0 <= index < tree.size:
                raise NotInLedger(f"the ledger has {tree.size} entries; there is no entry {index}")
        return [_proven(tree, index, note) for index in indices]

    def check_extends(self, known: Checkpoint) -> Checkpoint:
        """The present checkpoint, when the ledger is the one that `known` was taken from, or its continuation.

        LedgerBehind when it is shorter than `known`; LedgerForked when it has another beginning.
        """
        now = self.checkpoint()
        if now.size < known.size:
            raise LedgerBehind(f"the ledger has {now.size} entries; it had {known.size} before")
        if SignedTree(self.files, now).root_at(known.size) != known.root:
            raise LedgerForked(f"the first {known.size} entries are not those of the known checkpoint")
        return now

    # ------------------------------------------------------------------------------------------------ publishing

    def append(self, entries: Sequence[bytes], expected_size: int, signer: Signer) -> Checkpoint:
        """Publish new entries behind exactly `expected_size` published ones; see `publish`.

        LedgerForked when the ledger is longer: somebody else has published meanwhile.
        """
        return self._publish(expected_size, entries, signer, overlap_allowed=False)

    def publish(self, start: int, entries: Sequence[bytes], signer: Signer) -> Checkpoint:
        """Make these the entries from index `start` on, signed and durable on return; the checkpoint that covers them.

        The caller numbers the entries and may offer again what is published already: a second call changes nothing.
        One writer at a time, among processes. LedgerForked when a published entry differs from the one offered, with
        its index; LedgerBehind when `start` is beyond the published size (the ledger was rolled back);
        Malformed for an entry longer than 65,535 bytes. After any of them nothing was written.
        """
        return self._publish(start, entries, signer, overlap_allowed=True)

    def _publish(self, start: int, entries: Sequence[bytes], signer: Signer, *, overlap_allowed: bool) -> Checkpoint:
        for number, entry in enumerate(entries):
            if len(entry) > LARGEST_ENTRY:
                raise Malformed(f"entry {start + number} has {len(entry)} bytes, more than {LARGEST_ENTRY}")
        if str(signer.verifier_key) != str(self.key):
            raise Malformed("the signer's key is not the ledger's key")
        with self.files.locked():
            before = self.checkpoint()
            if start > before.size:
                raise LedgerBehind(f"the ledger has {before.size} entries; entry {start} cannot follow")
            published = before.size - start
            if published and not overlap_allowed:
                raise LedgerForked(f"the ledger has {before.size} entries already, not {start}")
            self._check_same(start, entries[:published])
            if published >= len(entries):
                return before
            edge = self._write_entries(SignedTree(self.files, before), entries[published:])
            after = Checkpoint(self.key.name, edge.size, edge.root())
            self._publish_checkpoint(after, signer)
            self._remove_outgrown(before.size, after.size)
            return after

    def _check_same(self, start: int, offered: Sequence[bytes]) -> None:
        for number, entry in enumerate(self.entries(start, start + len(offered)) if offered else ()):
            if entry != offered[number]:
                raise LedgerForked(f"entry {start + number} is published with other bytes")

    def _write_entries(self, tree: SignedTree, entries: Sequence[bytes]) -> Edge:
        """Write bundles, full tiles, and the new partial ones; durable on return, and not published yet."""
        edge = tree.edge()
        already = set(edge.open_tiles())
        number, offset = divmod(tree.size, WIDTH)
        bundle = list(_signed_bundle(tree, number)) if offset else []
        remaining = iter(entries)
        while batch := list(islice(remaining, WIDTH - len(bundle))):
            bundle += batch
            self.files.write(bundle_path(number, len(bundle)), encode_bundle(bundle))
            for leaf in leaf_hashes(batch):
                for tile in edge.append(leaf):
                    self._write_tile(tile)
            number, bundle = number + 1, []
        for tile in edge.open_tiles():
            if tile not in already:
                self._write_tile(tile)
        self.files.sync()
        return edge

    def _write_tile(self, tile: Tile) -> None:
        self.files.write(tile.path, tile.encode())

    def _publish_checkpoint(self, checkpoint: Checkpoint, signer: Signer) -> None:
        self.files.write(CHECKPOINT, sign_checkpoint(checkpoint.size, checkpoint.root, signer))
        self.files.sync()

    def _remove_outgrown(self, before: int, after: int) -> None:
        """Remove partial tiles whose full tile is published now, and no others: the format asks to keep those."""
        for level, number in full_tiles_between(before, after):
            self.files.remove_partials(tile_path(level, number))
            if level == 0:
                self.files.remove_partials(bundle_path(number))
        self.files.sync()


def _signed_bundle(tree: SignedTree, number: int) -> list[bytes]:
    """The entries of a bundle, each of them the one that was signed."""
    entries = tree.stored.bundle(number)
    if leaf_hashes(entries) != tree.tile(0, number):
        path = bundle_path(number, tree.stored.bundle_width(number))
        raise LedgerDamaged(path, Damage.CHANGED, "the entries are not the ones that were signed")
    return entries


def _proven(tree: SignedTree, index: int, note: bytes) -> ProvenEntry:
    entry = _signed_bundle(tree, index // WIDTH)[index % WIDTH]
    return ProvenEntry(entry, LogProof(index, merkle.inclusion_path(index, tree.size, tree.subtree), note))
