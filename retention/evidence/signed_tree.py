"""Reading a tiled tree so that every hash given out leads to the signed root. Pure but for the reader it is given.

The partial tiles at the right edge make the root, so they are right when it is the signed one. Every other tile is
full, and right when its root is the hash that its parent holds for it. Nothing else is given out.

Source: C2SP tlog-tiles; RFC 9162, section 2.1.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from retention.evidence import merkle
from retention.evidence.checkpoint import Checkpoint
from retention.evidence.errors import Damage, LedgerDamaged, Malformed, NotInLedger
from retention.evidence.merkle import HASH_SIZE, complete_root
from retention.evidence.tiles import (
    HEIGHT,
    LARGEST_BUNDLE,
    WIDTH,
    Edge,
    Tile,
    bundle_path,
    decode_bundle,
    decode_tile,
    edge_tiles,
    tile_path,
)

_KEPT_TILES = 64  # of 8 KiB each


class FileReader(Protocol):
    """Where tiles come from."""

    def read(self, path: str, limit: int) -> bytes | None:
        """The whole file, None when there is none; LedgerDamaged when it is longer than `limit`."""
        ...


class StoredTree:
    """The tiles and bundles of a ledger of `size` entries as they lie there: nothing of it is believed yet.

    LedgerDamaged, naming the file, for one that is missing, too short, or too long.
    """

    def __init__(self, files: FileReader, size: int) -> None:
        self._files = files
        self.size = size

    def edge(self) -> Edge:
        """The right edge, from the partial tiles."""
        tiles = [Tile(level, number, self.tile(level, number, width)) for level, number, width in edge_tiles(self.size)]
        return Edge(self.size, tiles)

    def bundle_count(self) -> int:
        """How many bundles there are, the last one perhaps partial."""
        return -(-self.size // WIDTH)

    def bundle_width(self, number: int) -> int:
        """How many entries bundle `number` has: 256 but for the last; 0 behind it."""
        return max(0, min(WIDTH, self.size - number * WIDTH))

    def bundle(self, number: int) -> list[bytes]:
        """The entries of a bundle as they lie there; from a partial file also those that should not be in it."""
        width = self.bundle_width(number)
        stored = self._read({bundle_path(number, w): w for w in (width, WIDTH)}, LARGEST_BUNDLE)
        try:
            entries = decode_bundle(stored.data)
        except Malformed as error:
            raise LedgerDamaged(stored.path, Damage.MALFORMED, str(error)) from error
        return entries[:width] if stored.width > width else entries

    def tile(self, level: int, number: int, width: int) -> tuple[bytes, ...]:
        """The first `width` hashes of a tile as they lie there."""
        stored = self._read({tile_path(level, number, w): w for w in (width, WIDTH)}, WIDTH * HASH_SIZE)
        try:
            return decode_tile(stored.data, stored.width)[:width]
        except Malformed as error:
            raise LedgerDamaged(stored.path, Damage.MALFORMED, str(error)) from error

    def _read(self, widths: dict[str, int], limit: int) -> _Stored:
        """The first of these files that is there: a partial one gives way to the full one as the ledger grows."""
        for path, width in widths.items():
            data = self._files.read(path, limit)
            if data is not None:
                return _Stored(path, width, data)
        raise LedgerDamaged(next(iter(widths)), Damage.MISSING, f"is missing; a ledger of {self.size} entries has it")


class SignedTree:
    """The tree of one checkpoint. LedgerDamaged, naming the file, where a tile is missing or leads to another root."""

    def __init__(self, files: FileReader, checkpoint: Checkpoint, edge: Edge | None = None) -> None:
        """edge: its right edge, where the caller knows it; otherwise the partial tiles are read."""
        self.stored = StoredTree(files, checkpoint.size)
        self.size = checkpoint.size
        self._kept: OrderedDict[tuple[int, int], tuple[bytes, ...]] = OrderedDict()
        edge = edge or self.stored.edge()
        self._open = {(tile.level, tile.number): tile.hashes for tile in edge.open_tiles()}
        if edge.root() != checkpoint.root:
            message = f"the tiles at the right edge do not make the signed root of size {self.size}"
            raise LedgerDamaged("checkpoint", Damage.NO_ROOT, message)

    def edge(self) -> Edge:
        """The right edge, to append to."""
        return Edge(self.size, [Tile(level, number, hashes) for (level, number), hashes in self._open.items()])

    def tile(self, level: int, number: int) -> tuple[bytes, ...]:
        """The hashes of a tile, all of them leading to the signed root."""
        at = (level, number)
        if at in self._open:
            return self._open[at]
        if at in self._kept:
            self._kept.move_to_end(at)
            return self._kept[at]
        expected = self.tile_root(level, number)
        hashes = self.stored.tile(level, number, WIDTH)
        if complete_root(hashes) != expected:
            raise LedgerDamaged(tile_path(level, number), Damage.CHANGED, "does not lead to the signed root")
        self._kept[at] = hashes
        if len(self._kept) > _KEPT_TILES:
            self._kept.popitem(last=False)
        return hashes

    def tile_root(self, level: int, number: int) -> bytes:
        """What the root of a full tile has to be: the hash that its parent holds for it."""
        if (number + 1) << HEIGHT * (level + 1) > self.size:
            raise NotInLedger(f"no full tile {level}/{number} in a tree of {self.size}")
        return self.tile(level + 1, number // WIDTH)[number % WIDTH]

    def subtree(self, height: int, number: int) -> bytes:
        """The hash of a complete subtree; what proofs are made of (`merkle.Subtree`)."""
        level, within = divmod(height, HEIGHT)
        start = number << within
        if (start + (1 << within)) << HEIGHT * level > self.size:
            raise NotInLedger(f"no subtree {number} of height {height} in a tree of {self.size}")
        tile, first = divmod(start, WIDTH)
        return complete_root(self.tile(level, tile)[first : first + (1 << within)])

    def root_at(self, size: int) -> bytes:
        """The root that the ledger had when it was this long. NotInLedger when it never was yet."""
        if not 0 <= size <= self.size:
            raise NotInLedger(f"the ledger has {self.size} entries, not {size}")
        return merkle.range_root(0, size, self.subtree)


@dataclass(frozen=True, slots=True)
class _Stored:
    path: str
    width: int
    data: bytes
