"""Copies between real buckets, folders and databases: all of it, nothing else, whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine

from storage_adapters.contract import KeyPattern, Objects, Prefix, Rows, TablePlace
from storage_adapters.copies import (
    Arrived,
    BucketTarget,
    CopySource,
    CopyTarget,
    FolderSource,
    FolderTarget,
    ObjectsSource,
    RowsSource,
)
from storage_adapters.copies.contract import BLOCK_SIZE
from storage_adapters.errors import NotFound, Refused, Unavailable
from tests.unit.storage_adapters.copies.benches import (
    LARGE,
    PART_SIZE,
    TARGET_PLACE,
    BucketBench,
    FolderBench,
    RowsBench,
    SourceBench,
    TargetBench,
    ToBucket,
    ToFolder,
    Withdrawn,
    bytes_of,
    folder_contents,
    may_go_on,
    run,
    settings,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ODD = {
    "a b/照片 1.jpg": b"\x00\xff",
    "a b.txt": b"",
    "a+b/c%2Fd&e=f": b"plus",
    "a": b"shortest",
    "é/~'(!)*": b"1",
    "a!/x": b"2",
    "sub/deep/er/file": b"3" * 1000,
}

SOURCES = (
    "objects with versions",
    "objects without versions",
    "files",
    "PostgreSQL rows",
    "MariaDB rows",
    "SQLite rows",
)


def make_source(kind: str, request: pytest.FixtureRequest) -> SourceBench:
    value: Callable[[str], str] = request.getfixturevalue
    match kind:
        case "objects with versions" | "objects without versions":
            bucket = request.getfixturevalue("new_s3_bucket")(versioned=kind == "objects with versions")
            return BucketBench(request.getfixturevalue("s3_client"), value("s3_endpoint"), bucket)
        case "files":
            return FolderBench(request.getfixturevalue("tmp_path") / "source")
        case "PostgreSQL rows":
            return RowsBench(value("postgres_database"))
        case "MariaDB rows":
            return RowsBench(value("mariadb_database"))
        case _:
            return RowsBench(f"sqlite:///{request.getfixturevalue('tmp_path') / 'rows.db'}")


@pytest.fixture(params=SOURCES)
def bench(request: pytest.FixtureRequest) -> Iterator[SourceBench]:
    made = make_source(request.param, request)
    yield made
    made.source.close()
    made.source.close()
    made.store.close()
    if isinstance(made, RowsBench):
        made.engine.dispose()


@pytest.fixture(params=SOURCES[:3])
def objects(request: pytest.FixtureRequest) -> Iterator[SourceBench]:
    """The sources whose pieces are single things."""
    made = make_source(request.param, request)
    yield made
    made.source.close()
    made.store.close()


@pytest.fixture(params=["to a bucket", "to a folder"])
def goal(request: pytest.FixtureRequest) -> Iterator[TargetBench]:
    made: TargetBench
    if request.param == "to a bucket":
        client, endpoint = request.getfixturevalue("s3_client"), request.getfixturevalue("s3_endpoint")
        made = ToBucket(client, endpoint, request.getfixturevalue("s3_bucket"))
    else:
        made = ToFolder(request.getfixturevalue("tmp_path") / "target")
    yield made
    made.target.close()
    made.target.close()


def copied(bench: SourceBench, goal: TargetBench, customer: str) -> list[Arrived]:
    arrived = []
    for piece in bench.source.pieces(bench.place(customer)):
        content = bench.source.read(bench.place(customer), piece)
        assert content is not None
        arrived.append(goal.target.put(TARGET_PLACE, piece.name, content, may_go_on))
    return arrived


# ------------------------------------------------------------------------------------------- what every pair keeps


def test_everything_arrives_byte_for_byte_and_nothing_of_the_neighbours(bench: SourceBench, goal: TargetBench) -> None:
    for customer in ("c-1", "c-10", "c-", "C-1"):
        bench.put(customer, ODD)
    expected = bench.expected("c-1")
    arrived = copied(bench, goal, "c-1")
    assert goal.found(TARGET_PLACE) == expected
    assert {each.name: (each.size, each.sha256) for each in arrived} == {
        name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in expected.items()
    }
    assert copied(bench, goal, "c-1") == arrived
    assert goal.found(TARGET_PLACE) == expected


def test_after_each_cursor_comes_exactly_the_rest(bench: SourceBench) -> None:
    bench.put("c-1", ODD)
    bench.put("c-2", {"a": b"x"})
    place = bench.place("c-1")
    pieces = list(bench.source.pieces(place))
    assert len(pieces) >= 4
    assert [each.name for each in pieces] == list(dict.fromkeys(each.name for each in pieces))
    assert list(bench.source.pieces(place)) == pieces
    for at, piece in enumerate(pieces):
        assert list(bench.source.pieces(place, piece.cursor)) == pieces[at + 1 :]


def test_what_is_gone_between_the_listing_and_the_reading_is_none(bench: SourceBench) -> None:
    bench.put("c-1", {"a": b"1", "b": b"2"})
    pieces = list(bench.source.pieces(bench.place("c-1")))
    bench.remove("c-1")
    assert [bench.source.read(bench.place("c-1"), piece) for piece in pieces] == [None] * len(pieces)
    assert list(bench.source.pieces(bench.place("c-1"), pieces[0].cursor)) == []
    assert list(bench.source.pieces(bench.place("c-1"))) == []


@pytest.mark.parametrize("bench", [kind for kind in SOURCES if kind != "objects without versions"], indirect=True)
def test_what_is_hidden_does_not_go(bench: SourceBench) -> None:
    bench.put("c-1", {"a": b"1", "b": b"2"})
    for _ in bench.store.tombstone(bench.part("c-1", "a")):
        continue
    expected = bench.expected("c-1")
    place = bench.place("c-1")
    pieces = list(bench.source.pieces(place))
    assert {piece.name: bytes_of(bench.source, place, piece) for piece in pieces} == expected
    for _ in bench.store.tombstone(place):
        continue
    assert list(bench.source.pieces(place)) == []
    assert [bench.source.read(place, piece) for piece in pieces] == [None] * len(pieces)


def test_a_place_or_a_piece_of_another_kind_is_an_error_of_the_caller(bench: SourceBench) -> None:
    bench.put("c-1", {"a": b"1"})
    [piece, *_] = bench.source.pieces(bench.place("c-1"))
    for place in (
        KeyPattern(("c-1", None)),
        Rows((), "c-1") if isinstance(bench.place("c-1"), Prefix) else Prefix("a/"),
    ):
        with pytest.raises(ValueError):
            bench.source.pieces(place)
        with pytest.raises(ValueError):
            bench.source.read(place, piece)


# ------------------------------------------------------------------------------------------------- single objects


def test_single_objects_go_by_their_full_names(objects: SourceBench) -> None:
    objects.put("c-1", {"a": b"1", "ab": b"2", "b/照": b"3"})
    place = Objects(("data/c-1/b/照", "data/c-1/a", "data/c-1/none", "data/c-1/a"))
    pieces = list(objects.source.pieces(place))
    assert [piece.name for piece in pieces] == ["data/c-1/a", "data/c-1/b/照"]
    assert [bytes_of(objects.source, place, piece) for piece in pieces] == [b"1", b"3"]
    assert list(objects.source.pieces(place, pieces[0].cursor)) == pieces[1:]
    with pytest.raises(ValueError, match="not of this place"):
        objects.source.read(Objects(("data/c-1/ab",)), pieces[0])


def test_a_large_object_goes_in_blocks_and_in_parts(objects: SourceBench, goal: TargetBench) -> None:
    objects.put("c-1", {"large": LARGE})
    place = objects.place("c-1")
    [piece] = objects.source.pieces(place)
    content = objects.source.read(place, piece)
    assert content is not None
    blocks = list(content)
    assert [len(block) for block in blocks] == [BLOCK_SIZE, len(LARGE) - BLOCK_SIZE]
    asked: list[int] = []
    arrived = goal.target.put(TARGET_PLACE, "large", iter(blocks), lambda: asked.append(1))
    assert arrived == Arrived("large", len(LARGE), hashlib.sha256(LARGE).hexdigest())
    assert goal.found(TARGET_PLACE) == {"large": LARGE}
    assert len(asked) == (4 if isinstance(goal, ToBucket) else 3)


def test_an_object_that_changes_while_it_is_read_is_never_a_mixture(objects: SourceBench, goal: TargetBench) -> None:
    objects.put("c-1", {"large": LARGE})
    place = objects.place("c-1")
    [piece] = objects.source.pieces(place)
    spoils: tuple[Callable[[], None], ...] = (
        lambda: objects.put("c-1", {"large": LARGE[::-1]}),
        lambda: objects.remove("c-1"),
    )
    for spoil in spoils:
        content = objects.source.read(place, piece)
        assert content is not None
        start = next(content)
        spoil()
        with pytest.raises(Unavailable, match="changed or"):
            goal.target.put(TARGET_PLACE, "large", iter([start, *content]), may_go_on)
        assert goal.everything() == []


def test_superseded_deleted_and_folder_marks_are_not_copied(
    s3_client: S3Client, s3_endpoint: str, s3_bucket: str
) -> None:
    bench = BucketBench(s3_client, s3_endpoint, s3_bucket)
    bench.put("c-1", {"a": b"old", "gone": b"x", "folder/": b"", "full/": b"content"})
    bench.put("c-1", {"a": b"new"})
    s3_client.delete_object(Bucket=s3_bucket, Key="data/c-1/gone")
    place = bench.place("c-1")
    found = {piece.name: bytes_of(bench.source, place, piece) for piece in bench.source.pieces(place)}
    assert found == {"a": b"new", "full/": b"content"}
    bench.source.close()
    bench.store.close()


def test_links_special_files_and_unfinished_copies_are_not_copied(tmp_path: Path) -> None:
    bench = FolderBench(tmp_path / "source")
    bench.put("c-1", {"a": b"1", "real/b": b"2", f".retention-copy-{'0' * 32}": b"half"})
    bench.put("c-2", {"secret": b"x"})
    (bench.root / "data/c-1/link").symlink_to("../c-2/secret")
    (bench.root / "data/c-1/linked").symlink_to("../c-2")
    (bench.root / "data/c-1/empty").mkdir()
    assert [piece.name for piece in bench.source.pieces(bench.place("c-1"))] == ["a", "real/b"]
    (bench.root / "data/c-3").symlink_to("c-2")
    with pytest.raises(Refused, match="link"):
        list(bench.source.pieces(Prefix("data/c-3/")))
    for climbing in ("data/../c-1/", ".retention-tombstones/1/"):
        with pytest.raises(Refused):
            list(bench.source.pieces(Prefix(climbing)))


# -------------------------------------------------------------------------------------------------------- targets


@pytest.mark.parametrize("blocks", [[b"small"], [LARGE[:PART_SIZE]] * 3, []], ids=["one part", "three parts", "empty"])
@pytest.mark.parametrize("stands_already", [False, True], ids=["a new name", "a name that is there"])
def test_a_stop_before_any_block_leaves_nothing(goal: TargetBench, blocks: list[bytes], stands_already: bool) -> None:
    before = {"deep/er/照片": b"before"} if stands_already else {}
    for name, content in before.items():
        goal.target.put(TARGET_PLACE, name, iter([content]), may_go_on)
    everything = goal.everything()
    calls, limit = 0, 0

    def stop_at_the_limit() -> None:
        nonlocal calls
        calls += 1
        if calls > limit:
            raise Withdrawn

    while True:
        try:
            goal.target.put(TARGET_PLACE, "deep/er/照片", iter(blocks), stop_at_the_limit)
            break
        except Withdrawn as withdrawn:
            notes = getattr(withdrawn, "__notes__", [])
        assert (goal.everything(), notes) == (everything, [])
        calls, limit = 0, limit + 1
    assert limit >= max(1, len(blocks))
    assert goal.found(TARGET_PLACE) == {"deep/er/照片": b"".join(blocks)}


def test_a_source_that_breaks_leaves_nothing(goal: TargetBench) -> None:
    def breaking() -> Iterator[bytes]:
        yield LARGE[:PART_SIZE]
        yield LARGE[:PART_SIZE]
        raise OSError("of the source")

    with pytest.raises(OSError, match="of the source"):
        goal.target.put(TARGET_PLACE, "a", breaking(), may_go_on)
    assert goal.everything() == []


BAD_NAMES = {
    "nothing": "",
    "an absolute name": "/etc/passwd",
    "a name that climbs": "a/../../c-2/b",
    "a dot": "a/./b",
    "an empty segment": "a//b",
    "a folder": "a/",
    "NUL": "a\0b",
    "no Unicode, or no file": "\ud800",
}


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES.keys())
def test_a_name_that_leads_out_is_refused(goal: TargetBench, name: str) -> None:
    with pytest.raises(Refused):
        goal.target.put(TARGET_PLACE, name, iter([b"x"]), may_go_on)
    assert goal.everything() == []


def test_reserved_and_too_long_names_are_refused(s3_endpoint: str, s3_bucket: str, tmp_path: Path) -> None:
    bucket, folder = BucketTarget("to", settings(s3_endpoint, s3_bucket)), FolderTarget("to", tmp_path)
    for name in (f".retention-tombstones/o-{'0' * 64}", "x" * 1020):
        with pytest.raises(Refused):
            bucket.put(Prefix("copies/"), name, iter([b"x"]), may_go_on)
    for name in ("x" * 300, f"{'x' * 300}/a", f".retention-copy-{'0' * 32}"):
        with pytest.raises(Refused):
            folder.put(Prefix("copies/"), name, iter([b"x"]), may_go_on)
    with pytest.raises(Refused):
        folder.put(Prefix(".retention-tombstones/"), "a", iter([b"x"]), may_go_on)
    bucket.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_target_follows_no_link_and_replaces_no_folder(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "copies/folder").mkdir(parents=True)
    outside.mkdir()
    (outside / "file").write_bytes(b"theirs")
    (root / "copies/linked").symlink_to(outside)
    (root / "copies/file-link").symlink_to(outside / "file")
    (root / "copies/file").write_bytes(b"a file")
    target = FolderTarget("to", root)
    for name in ("linked/file", "folder", "file/below"):
        with pytest.raises(Refused):
            target.put(Prefix("copies/"), name, iter([b"x"]), may_go_on)
    target.put(Prefix("copies/"), "file-link", iter([b"ours"]), may_go_on)
    assert folder_contents(outside) == {"file": b"theirs"}
    assert folder_contents(root / "copies") == {"file": b"a file", "file-link": b"ours"}


def test_a_folder_that_holds_something_else_than_was_put_is_noticed(tmp_path: Path) -> None:
    def meddle() -> None:
        for draft in tmp_path.rglob(".retention-copy-*"):
            draft.write_bytes(b"something else")

    with pytest.raises(Refused, match="does not hold what was put"):
        FolderTarget("to", tmp_path).put(TARGET_PLACE, "a", iter([b"content"]), meddle)


def test_a_folder_target_makes_nothing_outside_its_root(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    for climbing in ("../outside/", "copies/../../outside/", "//copies/"):
        with pytest.raises(Refused):
            FolderTarget("to", tmp_path / "root").put(Prefix(climbing), "a", iter([b"x"]), may_go_on)
    assert [path.name for path in tmp_path.rglob("*")] == ["root"]


def test_a_store_that_is_not_there_is_not_found(s3_endpoint: str, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'rows.db'}")
    run(engine, "CREATE TABLE other (id integer PRIMARY KEY)")
    engine.dispose()
    nowhere = settings(s3_endpoint, "no-such-bucket")
    sources: list[CopySource] = [ObjectsSource("from", nowhere), FolderSource("from", tmp_path / "none")]
    for source in sources:
        with pytest.raises(NotFound):
            list(source.pieces(Prefix("a/")))
    rows = RowsSource("from", f"sqlite:///{tmp_path / 'rows.db'}")
    with pytest.raises(NotFound):
        list(rows.pieces(Rows((TablePlace("gone", customer_column="id"),), "c-1")))
    targets: list[CopyTarget] = [BucketTarget("to", nowhere), FolderTarget("to", tmp_path / "none")]
    for target in targets:
        with pytest.raises(NotFound):
            target.put(TARGET_PLACE, "a", iter([b"x"]), may_go_on)
    ends: list[CopySource | CopyTarget] = [*sources, rows, *targets]
    for each in ends:
        each.close()
