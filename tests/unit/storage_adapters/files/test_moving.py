"""A move never replaces, whichever way it is made."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from storage_adapters.files.moving import move, move_by_link

Move = Callable[[int, int, str], None]
BOTH_WAYS = pytest.mark.parametrize(
    "way", [pytest.param(move, id="by a rename"), pytest.param(move_by_link, id="by a hard link")]
)


class Folders(NamedTuple):
    source: Path
    destination: Path
    source_fd: int
    destination_fd: int


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Folders]:
    source, destination = tmp_path / "source", tmp_path / "destination"
    opened = []
    for folder in (source, destination):
        folder.mkdir()
        opened.append(os.open(folder, os.O_RDONLY))
    yield Folders(source, destination, *opened)
    for descriptor in opened:
        os.close(descriptor)


@BOTH_WAYS
def test_a_file_is_at_its_new_place_alone(folders: Folders, way: Move) -> None:
    (folders.source / "a").write_bytes(b"1")
    way(folders.source_fd, folders.destination_fd, "a")
    assert (folders.destination / "a").read_bytes() == b"1"
    assert (folders.destination / "a").stat().st_nlink == 1
    assert not (folders.source / "a").exists()


@BOTH_WAYS
def test_a_link_is_moved_as_a_link(folders: Folders, way: Move) -> None:
    (folders.source / "a").symlink_to("/etc/passwd")
    way(folders.source_fd, folders.destination_fd, "a")
    assert (folders.destination / "a").readlink() == Path("/etc/passwd")


@BOTH_WAYS
def test_a_file_a_folder_or_a_broken_link_of_that_name_is_not_replaced(folders: Folders, way: Move) -> None:
    for name in ("file", "folder", "link"):
        (folders.source / name).write_bytes(b"old")
    (folders.destination / "file").write_bytes(b"new")
    (folders.destination / "folder").mkdir()
    (folders.destination / "link").symlink_to("nowhere")
    for name in ("file", "folder", "link"):
        with pytest.raises(FileExistsError):
            way(folders.source_fd, folders.destination_fd, name)
        assert (folders.source / name).read_bytes() == b"old"
    assert (folders.destination / "file").read_bytes() == b"new"


@BOTH_WAYS
def test_a_file_that_is_gone_is_not_found(folders: Folders, way: Move) -> None:
    with pytest.raises(FileNotFoundError):
        way(folders.source_fd, folders.destination_fd, "a")


def test_a_move_that_died_between_its_link_and_its_unlink_is_finished(folders: Folders) -> None:
    (folders.source / "a").write_bytes(b"1")
    os.link(folders.source / "a", folders.destination / "a")
    move_by_link(folders.source_fd, folders.destination_fd, "a")
    assert not (folders.source / "a").exists()
    assert (folders.destination / "a").stat().st_nlink == 1
