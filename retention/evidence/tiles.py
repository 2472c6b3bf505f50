"""How a Merkle tree is cut into tiles, and how tiles and entry bundles are named and written. Pure.

Tile n of level l holds up to 256 hashes, the i-th being MTH(D[(n·256+i)·256^l : (n·256+i+1)·256^l]): leaf hashes at
level 0, roots of *full* tiles of the level below above it.

Source: C2SP tlog-tiles (c2sp.org/tlog-tiles).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from retention.evidence.errors import Malformed
from retention.evidence.merkle import HASH_SIZE, CompactRange, complete_root, leaf_hash

WIDTH = 256
HEIGHT = 8
LARGEST_ENTRY = 65_535
"""Bytes: what a 16-bit length can say."""
LARGEST_BUNDLE = WIDTH * (2 + LARGEST_ENTRY)

_NAME = re.compile(r"tile/(?:entries|0|[1-5]?[0-9]|6[0-3])/(?:x[0-9]{3}/)*[0-9]{3}(?:\.p/([1-9][0-9]{0,2}))?")


@dataclass(frozen=True, slots=True)
class Tile:
    """The first `len(hashes)` hashes of tile `number` of `level`; full when there are 256, never empty."""

    level: int
    number: int
    hashes: tuple[bytes, ...]

    @property
    def path(self) -> str:
        """Where the tile lies in the ledger's directory."""
        return tile_path(self.level, self.number, len(self.hashes))

    def encode(self) -> bytes:
        """The tile's bytes: its hashes one after the other."""
        return b"".join(self.hashes)


class Edge:
    """The right edge of a tiled tree: the hashes that are not in a full tile yet. It grows by appending leaf hashes."""

    __slots__ = ("_rows", "size")

    def __init__(self, size: int = 0, open_tiles: Iterable[Tile] = ()) -> None:
        """The edge of a tree of `size` from its partial tiles. ValueError unless they are those of `edge_tiles`."""
        self.size = size
        self._rows: list[list[bytes]] = [[] for _ in range(tile_levels(size))]
        for tile in open_tiles:
            self._rows[tile.level] = list(tile.hashes)
        if [(level, len(row)) for level, row in enumerate(self._rows) if row] != [
            (level, width) for level, _, width in edge_tiles(size)
        ]:
            raise ValueError(f"these are not the open tiles of a tree of {size}")

    def append(self, leaf: bytes) -> list[Tile]:
        """Add one leaf hash; the tiles that became full by it, lowest level first."""
        full: list[Tile] = []
        carried: bytes | None = leaf
        level = 0
        while carried is not None:
            if level == len(self._rows):
                self._rows.append([])
            row = self._rows[level]
            row.append(carried)
            carried = None
            if len(row) == WIDTH:
                full.append(Tile(level, self.size >> HEIGHT * (level + 1), tuple(row)))
                carried = complete_root(row)
                row.clear()
            level += 1
        self.size += 1
        return full

    def open_tiles(self) -> list[Tile]:
        """The partial tiles, lowest level first; none for an empty tree."""
        return [
            Tile(level, self.size >> HEIGHT * (level + 1), tuple(row)) for level, row in enumerate(self._rows) if row
        ]

    def root(self) -> bytes:
        """The root of the whole tree."""
        tree = CompactRange()
        for level in range(len(self._rows) - 1, -1, -1):
            for subtree in self._rows[level]:
                tree.append(subtree, HEIGHT * level)
        return tree.root()


def tile_levels(size: int) -> int:
    """How many levels have a tile in a tree of `size`; none for an empty tree."""
    return (size.bit_length() + HEIGHT - 1) // HEIGHT


def edge_tiles(size: int) -> Iterator[tuple[int, int, int]]:
    """(level, number, width) of every partial tile of a tree of `size`, lowest level first."""
    for level in range(tile_levels(size)):
        width = (size >> HEIGHT * level) % WIDTH
        if width:
            yield level, size >> HEIGHT * (level + 1), width


def full_tiles_between(before: int, after: int) -> Iterator[tuple[int, int]]:
    """(level, number) of every tile that is full in a tree of `after` and was not in a tree of `before`."""
    for level in range(tile_levels(after)):
        shift = HEIGHT * (level + 1)
        for number in range(before >> shift, after >> shift):
            yield level, number


def tile_path(level: int, number: int, width: int = WIDTH) -> str:
    """`tile/<level>/<number>`, with `.p/<width>` where it is partial."""
    return f"tile/{level}/{_numbered(number, width)}"


def bundle_path(number: int, width: int = WIDTH) -> str:
    """`tile/entries/<number>`, with `.p/<width>` where it is partial."""
    return f"tile/entries/{_numbered(number, width)}"


def numbered_path(number: int) -> str:
    """A number as a path, in groups of three digits: 1234067 is `x001/x234/067`."""
    return _numbered(number, WIDTH)


def is_ledger_path(path: str) -> bool:
    """Whether a tile or bundle may have this name."""
    match = _NAME.fullmatch(path)
    return match is not None and (match[1] is None or int(match[1]) < WIDTH)


def decode_tile(data: bytes, width: int) -> tuple[bytes, ...]:
    """The first `width` hashes of a tile. Malformed for another length."""
    if len(data) != width * HASH_SIZE:
        raise Malformed(f"a tile of {width} hashes has {width * HASH_SIZE} bytes, not {len(data)}")
    return tuple(data[i : i + HASH_SIZE] for i in range(0, len(data), HASH_SIZE))


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """The entries, each after its length in two bytes, big-endian. Malformed for one above 65,535 bytes."""
    for entry in entries:
        if len(entry) > LARGEST_ENTRY:
            raise Malformed(f"an entry of {len(entry)} bytes is longer than {LARGEST_ENTRY}")
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def decode_bundle(data: bytes) -> list[bytes]:
    """All entries of a bundle. Malformed where it is cut short or has garbage behind the last whole entry."""
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        start = at + 2
        end = start + int.from_bytes(data[at:start])
        if start > len(data) or end > len(data):
            raise Malformed(f"after {len(entries)} entries {len(data) - at} bytes are left that are no whole entry")
        entries.append(data[start:end])
        at = end
    return entries


def leaf_hashes(entries: Iterable[bytes]) -> tuple[bytes, ...]:
    """The level-0 hashes of a bundle's entries."""
    return tuple(leaf_hash(entry) for entry in entries)


def _numbered(number: int, width: int) -> str:
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03d}")
    return "/".join(groups) + (f".p/{width}" if width < WIDTH else "")
