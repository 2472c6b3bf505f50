"""What the directory store does beside the contract: modes, times, folders, permissions, what vanishes meanwhile."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage_adapters.contract import ItemKind, ItemResult, Keep, Objects, Prefix
from storage_adapters.errors import NotFound, Refused
from storage_adapters.files import TOMBSTONES, FileStore

PLACE = Prefix("data/c-1/")
NOBODY = 65_534


@pytest.fixture
def root() -> Iterator[Path]:
    """A root with the folder of c-1, empty, where every user can come (which pytest's own folders do not allow)."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        (root / "data" / "c-1").mkdir(parents=True)
        yield root


@pytest.fixture
def store(root: Path) -> FileStore:
    return FileStore("files", root)


def write(root: Path, name: str, content: bytes = b"1") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def surveyed(store: FileStore) -> list[str]:
    return [item.name for page in store.survey(PLACE) for item in page]


@contextmanager
def without_privileges(*owned: Path) -> Iterator[None]:
    """The process runs as nobody, who owns these paths, where it ran as root; permissions bind nobody else."""
    if os.geteuid() != 0:
        yield
        return
    for path in owned:
        os.chown(path, NOBODY, NOBODY)
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def test_a_file_comes_back_with_its_content_time_mode_and_attributes(root: Path, store: FileStore) -> None:
    path = write(root, "data/c-1/deep/a", b"content")
    path.chmod(0o640)
    os.utime(path, ns=(1_111_111_111_111_111_111, 1_222_222_222_222_222_222))
    os.setxattr(path, "user.origin", b"elsewhere")
    before = path.stat()
    list(store.tombstone(PLACE))
    assert not path.exists()
    list(store.bring_back(PLACE))
    after = path.stat()
    assert path.read_bytes() == b"content"
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (before.st_ino, before.st_mode, before.st_mtime_ns)
    assert os.getxattr(path, "user.origin") == b"elsewhere"


def test_a_folder_comes_back_with_its_mode_and_attributes(root: Path, store: FileStore) -> None:
    write(root, "data/c-1/deep/a")
    (root / "data/c-1/empty").mkdir()
    for folder, mode in (("deep", 0o2750), ("empty", 0o1700), (".", 0o711)):
        (root / "data/c-1" / folder).chmod(mode)
        os.setxattr(root / "data/c-1" / folder, "user.origin", folder.encode())
    list(store.tombstone(PLACE))
    assert not (root / "data/c-1").exists()
    list(store.bring_back(PLACE))
    for folder, mode in (("deep", 0o2750), ("empty", 0o1700), (".", 0o711)):
        assert (root / "data/c-1" / folder).stat().st_mode & 0o7777 == mode
        assert os.getxattr(root / "data/c-1" / folder, "user.origin") == folder.encode()
    assert not (root / TOMBSTONES).exists()


def test_what_is_hidden_lies_where_only_the_owner_may_enter(root: Path, store: FileStore) -> None:
    write(root, "data/c-1/a")
    (root / "data").chmod(0o777)
    list(store.tombstone(PLACE))
    assert (root / TOMBSTONES).stat().st_mode & 0o777 == 0o700
    assert (root / TOMBSTONES / "1/data/c-1/a").read_bytes() == b"1"


def test_an_empty_folder_is_an_item_because_its_name_may_be_data(root: Path, store: FileStore) -> None:
    assert surveyed(store) == ["data/c-1/"]
    (root / "data/c-1/Jane Doe").mkdir()
    assert surveyed(store) == ["data/c-1/Jane Doe/"]
    assert [item.name for page in store.remains(PLACE) for item in page] == ["data/c-1/Jane Doe/"]
    [[hidden]] = store.tombstone(PLACE)
    assert hidden.result is ItemResult.DONE
    assert not (root / "data/c-1").exists()
    assert surveyed(store) == [f"{TOMBSTONES}/1/data/c-1/Jane Doe/"]
    list(store.bring_back(PLACE))
    assert surveyed(store) == ["data/c-1/Jane Doe/"]
    assert list(store.heads(surveyed(store), 4)) == [("data/c-1/Jane Doe/", b"")]
    [[gone]] = store.erase(PLACE)
    assert (gone.result, gone.item.name) == (ItemResult.DONE, "data/c-1/Jane Doe/")
    assert (root / "data").exists()
    assert not (root / "data/c-1").exists()


def test_an_empty_folder_is_erased_alone_by_its_name(root: Path, store: FileStore) -> None:
    (root / "data/c-1/one").mkdir()
    (root / "data/c-1/two").mkdir()
    write(root, "data/c-1/full/a")
    place = Objects(("data/c-1/one/", "data/c-1/full/", "data/c-1/full", "data/c-1/two"))
    assert [item.name for page in store.survey(place) for item in page] == ["data/c-1/one/"]
    assert [item.name for page in store.remains(place) for item in page] == ["data/c-1/one/"]
    list(store.erase(place))
    assert sorted(path.name for path in (root / "data/c-1").iterdir()) == ["full", "two"]


def test_erasing_one_object_leaves_the_folder_it_lay_in(root: Path, store: FileStore) -> None:
    write(root, "data/c-1/deep/a")
    list(store.tombstone(Objects(("data/c-1/deep/a",))))
    list(store.erase(Objects(("data/c-1/deep/a",))))
    assert (root / "data/c-1/deep").is_dir()
    assert not (root / TOMBSTONES).exists()


def test_a_file_and_a_folder_that_took_each_others_names_come_apart_again(root: Path, store: FileStore) -> None:
    write(root, "data/c-1/x", b"a file")
    list(store.tombstone(PLACE))
    write(root, "data/c-1/x/y", b"in a folder")
    list(store.tombstone(PLACE))
    outcomes = {o.item.name: o.result for batch in store.bring_back(PLACE) for o in batch}
    assert (root / "data/c-1/x/y").read_bytes() == b"in a folder"
    assert outcomes == {
        f"{TOMBSTONES}/2/data/c-1/x/y": ItemResult.DONE,
        f"{TOMBSTONES}/1/data/c-1/x": ItemResult.REFUSED,
    }
    list(store.erase(PLACE))
    assert not (root / TOMBSTONES).exists()


def test_a_folder_whose_name_a_new_file_has_taken_stays_hidden(root: Path, store: FileStore) -> None:
    (root / "data/c-1/x").mkdir()
    write(root, "data/c-1/y/z")
    list(store.tombstone(PLACE))
    write(root, "data/c-1/x", b"new")
    write(root, "data/c-1/y", b"new")
    outcomes = {o.item.name: o.result for batch in store.bring_back(PLACE) for o in batch}
    assert set(outcomes.values()) == {ItemResult.REFUSED}
    assert (root / "data/c-1/x").read_bytes() == (root / "data/c-1/y").read_bytes() == b"new"
    assert f"{TOMBSTONES}/1/data/c-1/y/z" in surveyed(store)


def test_a_file_that_vanishes_between_the_listing_and_its_batch_is_absent(root: Path, store: FileStore) -> None:
    for number in range(1_002):
        write(root, f"data/c-1/{number:04d}")
    batches = store.erase(PLACE)
    next(batches)
    (root / "data/c-1/1000").unlink()
    assert [outcome.result for outcome in next(batches)] == [ItemResult.ABSENT, ItemResult.DONE]


def test_a_folder_that_vanishes_between_the_listing_and_its_batch_is_absent(root: Path, store: FileStore) -> None:
    for number in range(1_000):
        write(root, f"data/c-1/{number:04d}")
    path = write(root, "data/c-1/deep/a")
    batches = store.tombstone(PLACE)
    next(batches)
    path.unlink()
    path.parent.rmdir()
    assert [outcome.result for outcome in next(batches)] == [ItemResult.ABSENT]


def test_a_file_written_after_the_listing_is_left_to_the_next_call(root: Path, store: FileStore) -> None:
    for number in range(1_001):
        write(root, f"data/c-1/{number:04d}")
    batches = store.erase(PLACE)
    next(batches)
    write(root, "data/c-1/late")
    list(batches)
    assert surveyed(store) == ["data/c-1/late"]


def test_a_file_that_may_not_be_removed_is_refused_and_stays(root: Path, store: FileStore) -> None:
    path = write(root, "data/c-1/deep/a")
    path.parent.chmod(0o500)
    with without_privileges(path, path.parent, root / "data/c-1", root / "data", root):
        [[hidden]] = store.tombstone(PLACE)
        [[erased]] = store.erase(PLACE)
    path.parent.chmod(0o700)
    assert (hidden.result, hidden.reason) == (ItemResult.REFUSED, "EACCES")
    assert (erased.result, erased.reason) == (ItemResult.REFUSED, "EACCES")
    assert path.exists()


def test_a_folder_that_may_not_be_read_is_refused_and_not_called_empty(root: Path, store: FileStore) -> None:
    path = write(root, "data/c-1/deep/a")
    path.parent.chmod(0)
    with without_privileges(root / "data/c-1", root):
        for look in (store.survey, store.remains, store.erase):
            with pytest.raises(Refused, match="EACCES"):
                list(look(PLACE))
    path.parent.chmod(0o700)


def test_a_folder_owned_by_another_is_not_hidden_where_it_could_not_come_back_the_same(
    root: Path, store: FileStore
) -> None:
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: only root can give a folder to another owner")
    path = write(root, "data/c-1/deep/a")
    path.parent.chmod(0o777)
    with without_privileges(root):
        outcomes = [outcome for batch in store.tombstone(PLACE) for outcome in batch]
    assert [(outcome.result, outcome.reason) for outcome in outcomes] == [(ItemResult.REFUSED, "EPERM")]
    assert path.exists()


def test_a_root_that_is_missing_or_a_file_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for root in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(NotFound):
            FileStore("files", root).capabilities()


def test_a_root_that_is_a_link_is_the_folder_it_leads_to(root: Path, tmp_path: Path) -> None:
    write(root, "data/c-1/a")
    (tmp_path / "linked").symlink_to(root)
    assert surveyed(FileStore("files", tmp_path / "linked")) == ["data/c-1/a"]


def test_keep_goes_by_the_time_of_modification_also_of_what_is_hidden(root: Path, store: FileStore) -> None:
    for name in ("old", "young"):
        write(root, f"data/c-1/{name}")
    os.utime(root / "data/c-1/old", (1_000, 1_000))
    [[old, young]] = store.survey(PLACE)
    assert old.written_at is not None
    assert young.written_at is not None
    assert old.written_at.timestamp() == 1_000
    list(store.tombstone(PLACE))
    [outcomes] = store.erase(PLACE, Keep(young.written_at))
    assert [outcome.result for outcome in outcomes] == [ItemResult.DONE, ItemResult.KEPT]
    list(store.bring_back(PLACE))
    assert surveyed(store) == ["data/c-1/young"]


def test_a_file_from_after_any_calendar_has_no_time_and_is_kept() -> None:
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir():
        pytest.skip("NOT TESTED: no file system here that stores such times")
    with tempfile.TemporaryDirectory(dir=shared_memory) as folder:
        path = write(Path(folder), "data/c-1/a")
        os.utime(path, (0, 10**15))
        assert path.stat().st_mtime == 10**15
        store = FileStore("files", Path(folder))
        [[outcome]] = store.erase(PLACE, Keep(datetime.max.replace(tzinfo=UTC)))
    assert (outcome.result, outcome.item.written_at) == (ItemResult.KEPT, None)


def test_junk_among_the_generations_is_left_alone(root: Path, store: FileStore) -> None:
    write(root, "data/c-1/a")
    for name in ("007", "0", "x", "１"):
        (root / TOMBSTONES / name).mkdir(parents=True, exist_ok=True)
    list(store.tombstone(PLACE))
    assert surveyed(store) == [f"{TOMBSTONES}/1/data/c-1/a"]
    [[item]] = store.survey(PLACE)
    assert item.kind is ItemKind.TOMBSTONE
    list(store.erase(PLACE))
    assert list(store.remains(PLACE)) == []
    assert sorted(path.name for path in (root / TOMBSTONES).iterdir()) == ["0", "007", "x", "１"]
