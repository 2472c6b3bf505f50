"""How trees are cut into tiles, and how tiles and bundles are named and written."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention.evidence import merkle, tiles
from retention.evidence.errors import Malformed

HASHES = [sha256(str(i).encode()).digest() for i in range(70_000)]


@pytest.mark.parametrize(
    ("level", "number", "width", "path"),
    [
        pytest.param(0, 0, 256, "tile/0/000", id="the first full tile"),
        pytest.param(0, 1234067, 256, "tile/0/x001/x234/067", id="the example of the specification"),
        pytest.param(1, 999, 17, "tile/1/999.p/17", id="a partial tile"),
        pytest.param(2, 1000, 1, "tile/2/x001/000.p/1", id="a partial tile with a long number"),
    ],
)
def test_tiles_are_named_as_the_format_says(level: int, number: int, width: int, path: str) -> None:
    assert tiles.tile_path(level, number, width) == path
    assert tiles.is_ledger_path(path)
    assert tiles.bundle_path(number, width) == path.replace(f"tile/{level}/", "tile/entries/")


@pytest.mark.parametrize(
    "path",
    ["tile/0/0", "tile/00/000", "tile/64/000", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/001/000", "tile/x/000"],
)
def test_other_names_are_no_tiles(path: str) -> None:
    assert not tiles.is_ledger_path(path)


def test_a_tree_of_70000_has_the_tiles_of_the_specifications_example() -> None:
    assert list(tiles.edge_tiles(70_000)) == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    full = list(tiles.full_tiles_between(0, 70_000))
    assert len([level for level, _ in full if level == 0]) == 273
    assert [at for at in full if at[0] > 0] == [(1, 0)]


def test_a_tree_of_256_has_one_full_tile_and_a_partial_one_above_it() -> None:
    assert list(tiles.edge_tiles(256)) == [(1, 0, 1)]
    assert list(tiles.full_tiles_between(255, 256)) == [(0, 0)]


@settings(deadline=None, max_examples=30)
@given(st.one_of(st.integers(0, 1_100), st.sampled_from([65_535, 65_536, 65_537, 66_000])), st.integers(1, 300))
def test_an_edge_rebuilt_from_its_open_tiles_grows_like_the_one_that_was_never_closed(size: int, more: int) -> None:
    whole = tiles.Edge()
    full = [tile for leaf in HASHES[:size] for tile in whole.append(leaf)]
    assert [(tile.level, tile.number) for tile in sorted(full, key=lambda t: (t.level, t.number))] == list(
        tiles.full_tiles_between(0, size)
    )
    assert [(t.level, t.number, len(t.hashes)) for t in whole.open_tiles()] == list(tiles.edge_tiles(size))
    rebuilt = tiles.Edge(size, whole.open_tiles())
    for leaf in HASHES[size : size + more]:
        assert rebuilt.append(leaf) == whole.append(leaf)
    assert rebuilt.root() == whole.root() == merkle.root(HASHES[: size + more])


def test_an_edge_is_not_built_from_the_tiles_of_another_tree() -> None:
    with pytest.raises(ValueError, match="not the open tiles"):
        tiles.Edge(2, [tiles.Tile(0, 0, (bytes(32),))])


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_a_bundle_gives_back_its_entries(entries: list[bytes]) -> None:
    assert tiles.decode_bundle(tiles.encode_bundle(entries)) == entries


def test_the_longest_entry_fits_and_one_byte_more_does_not() -> None:
    assert tiles.decode_bundle(tiles.encode_bundle([b"x" * 65_535])) == [b"x" * 65_535]
    with pytest.raises(Malformed, match="65536 bytes"):
        tiles.encode_bundle([b"x" * 65_536])


@pytest.mark.parametrize("data", [b"\x00", b"\x00\x02a", b"\x00\x01ab"], ids=["half a length", "cut short", "garbage"])
def test_a_bundle_that_does_not_end_with_an_entry_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed, match="no whole entry"):
        tiles.decode_bundle(data)


@pytest.mark.parametrize("length", [0, 31, 63, 65], ids=lambda n: f"{n} bytes")
def test_a_tile_of_another_length_than_its_width_is_refused(length: int) -> None:
    with pytest.raises(Malformed, match="64 bytes"):
        tiles.decode_tile(bytes(length), 2)
