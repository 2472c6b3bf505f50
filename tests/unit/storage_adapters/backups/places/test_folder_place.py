"""A folder to restore into: one rename, and nothing that leads out of it."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage_adapters.backups.contract import Form
from storage_adapters.backups.places import FolderPlace
from storage_adapters.backups.places.folder import FolderStaging
from storage_adapters.contract import Prefix
from storage_adapters.errors import Refused, Unavailable
from tests.unit.storage_adapters.backups.places.shelf import loaded_from

WRITTEN = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


class Killed(BaseException):
    """The process ends here."""


def member(
    name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname, info.mtime, info.mode = len(content), kind, target, 1_000_000_000, 0o4777
    return info, content


def tar_of(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def content_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("exists", [True, False], ids=["an empty folder", "an absent folder"])
def test_files_come_back_whole_without_what_was_erased_and_forgotten(exists: bool, tmp_path: Path) -> None:
    root = tmp_path / "root"
    if exists:
        root.mkdir(mode=0o750)
    place = FolderPlace("restored", root)
    source, name, files = loaded_from(Form.PLAIN_FILE, {"c-1/a": b"1", "c-2/照片": b"2", "d/e": b"3", "top": b"4"})
    with place.begin() as staging:
        staging.load(source, name, [replace(file, written_at=WRITTEN) for file in files])
        closed = tmp_path / ".retention-restore-root"
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        for _ in staging.store().erase(Prefix("c-1/")):
            continue
        assert staging.forget(lambda path: path.startswith("c-")) == 2
        assert not root.exists() or not any(root.iterdir())
        staging.release()
        staging.release()
    assert content_of(root) == {"c-2/照片": b"2"}
    assert (root / "c-2/照片").stat().st_mtime == WRITTEN.timestamp()
    assert sorted(each.name for each in root.iterdir()) == ["c-2"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["root"]
    if exists:
        assert stat.S_IMODE(root.stat().st_mode) == 0o750
    with pytest.raises(Refused, match="not an empty folder"), place.begin():
        pass


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
def test_an_archive_is_unpacked_beside_itself(packed: bool, tmp_path: Path) -> None:
    archive = tar_of(
        [
            member("./", kind=tarfile.DIRTYPE),
            member("./data", kind=tarfile.DIRTYPE),
            member("./data/a", b"one"),
            member("data/again", kind=tarfile.LNKTYPE, target="./data/a"),
            member("data/link", kind=tarfile.SYMTYPE, target="../data/a"),
        ]
    )
    with FolderPlace("restored", tmp_path / "root").begin() as staging:
        content = gzip.compress(archive) if packed else archive
        staging.load(*loaded_from(Form.TAR, {"night/a.tar": content}))
        staging.release()
    night = tmp_path / "root/night"
    assert content_of(night) == {"data/a": b"one", "data/again": b"one", "data/link": b"one"}
    assert (night / "data/a").stat().st_nlink == 1
    assert (night / "data/link").readlink() == Path("../data/a")
    assert stat.S_IMODE((night / "data/a").stat().st_mode) & 0o7022 == 0
    assert (night / "data/a").stat().st_mtime == 1_000_000_000


BAD_ARCHIVES = {
    "a name that climbs": tar_of([member("../a", b"x")]),
    "a name that climbs inside": tar_of([member("a/../../b", b"x")]),
    "an absolute name": tar_of([member("/tmp/a", b"x")]),
    "a link that leads out": tar_of([member("a", kind=tarfile.SYMTYPE, target="../../x")]),
    "a link to an absolute name": tar_of([member("a", kind=tarfile.SYMTYPE, target="/etc/passwd")]),
    "a hard link that leads out": tar_of([member("a", kind=tarfile.LNKTYPE, target="../../x")]),
    "a hard link to nothing": tar_of([member("a", kind=tarfile.LNKTYPE, target="b")]),
    "a file below a link": tar_of([member("a", kind=tarfile.SYMTYPE, target="."), member("a/b", b"x")]),
    "a device": tar_of([member("a", kind=tarfile.CHRTYPE)]),
    "a pipe": tar_of([member("a", kind=tarfile.FIFOTYPE)]),
    "a name that comes twice": tar_of([member("a", b"x"), member("a", b"y")]),
    "a cut archive": tar_of([member("a", b"x" * 4000)])[:2000],
    "a cut packed archive": gzip.compress(tar_of([member("a", os.urandom(4000))]))[:-6],
    "no archive": b"hello world" * 100,
    "nothing": b"",
}


@pytest.mark.parametrize("archive", BAD_ARCHIVES.values(), ids=BAD_ARCHIVES.keys())
def test_a_bad_archive_is_refused_and_nothing_is_left(archive: bytes, tmp_path: Path) -> None:
    with pytest.raises(Refused), FolderPlace("restored", tmp_path / "root").begin() as staging:
        staging.load(*loaded_from(Form.TAR, {"a.tar": archive}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["../a", "/a", "a//b", "a/./b", "a/../b", "", "a\0b", "\ud800"])
def test_a_name_that_leads_elsewhere_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(Refused), FolderPlace("restored", tmp_path / "root").begin() as staging:
        staging.load(*loaded_from(Form.PLAIN_FILE, {path: b"x"}))
    assert list(tmp_path.iterdir()) == []


def test_more_than_the_disk_can_take_is_not_begun(tmp_path: Path) -> None:
    source, name, files = loaded_from(Form.PLAIN_FILE, {"a": b"x"})
    with pytest.raises(Unavailable, match="no room"), FolderPlace("restored", tmp_path / "root").begin() as staging:
        staging.load(source, name, [replace(files[0], size=1 << 60)])


def test_a_dump_of_a_database_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="pg-dump-plain"), FolderPlace("restored", tmp_path / "root").begin() as staging:
        staging.load(*loaded_from(Form.PG_DUMP_PLAIN, {"a": b"x"}))


@pytest.mark.parametrize("step", ["load", "forget", "release"])
def test_what_a_killed_restore_left_is_gone_at_the_next(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / ".retention-restore-root/content"
    left.mkdir(parents=True)
    (left / "unclean").write_bytes(b"x")
    place = FolderPlace("restored", tmp_path / "root")

    def killed(*given: object) -> None:
        raise Killed

    def restore() -> None:
        with place.begin() as staging:
            assert not (left / "unclean").exists()
            staging.load(*loaded_from(Form.PLAIN_FILE, {"a": b"1"}))
            staging.forget(lambda path: True)
            staging.release()

    with monkeypatch.context() as patched:
        patched.setattr(FolderStaging, step, killed)
        with pytest.raises(Killed):
            restore()
    assert list(tmp_path.iterdir()) == []
    with place.begin() as staging:
        staging.load(*loaded_from(Form.PLAIN_FILE, {"a": b"1"}))
        staging.release()
    assert content_of(tmp_path / "root") == {"a": b"1"}


def test_one_restore_at_a_time(tmp_path: Path) -> None:
    place = FolderPlace("restored", tmp_path / "root")
    with place.begin() as staging:
        with pytest.raises(Refused, match="under way"), FolderPlace("restored", tmp_path / "root").begin():
            pass
        staging.load(*loaded_from(Form.PLAIN_FILE, {"a": b"1"}))
        staging.release()
    assert content_of(tmp_path / "root") == {"a": b"1"}


@pytest.mark.parametrize("kind", ["a file in it", "a file in its place"])
def test_a_folder_that_was_filled_meanwhile_keeps_what_it_has(kind: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    with FolderPlace("restored", root).begin() as staging:
        staging.load(*loaded_from(Form.PLAIN_FILE, {"a": b"1"}))
        if kind == "a file in it":
            root.mkdir()
            (root / "mine").write_bytes(b"2")
        else:
            root.write_bytes(b"2")
        with pytest.raises(Refused, match="no longer empty"):
            staging.release()
    assert (content_of(root) if root.is_dir() else root.read_bytes()) in ({"mine": b"2"}, b"2")


def test_a_link_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "root").symlink_to("elsewhere")
    with pytest.raises(Refused, match="not an empty folder"), FolderPlace("restored", tmp_path / "root").begin():
        pass
