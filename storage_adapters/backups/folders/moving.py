"""Moving a set into quarantine: by a rename, or by a copy that is read back before the original goes.

A copy is made below `.retention-moving-…` in the quarantine folder. Its journal is written when the copy has been read
back, and names the original by device and inode; from then on only removing the original is left to do, and whoever
comes next does it. Without the journal the original is whole and the copy counts for nothing.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from storage_adapters.backups.folders.ground import (
    Ground,
    Spot,
    entries_below,
    folders_below,
    key_of,
    made_folders,
    read_note,
    remove_entry,
    status_in,
    write_note,
)
from storage_adapters.backups.layouts import HIDDEN
from storage_adapters.errors import Unavailable
from storage_adapters.files.moving import move
from storage_adapters.files.tree import Tree

CHUNK = 1024 * 1024
_JOURNAL = "journal"
_COPY = "copy"


class Changing(Exception):
    """The set was written to while it was copied."""


def into_quarantine(store: str, ground: Ground, name: str) -> None:
    """The live copy of the set lies in quarantine and nowhere else. Raises OSError and Unavailable; nothing is lost."""
    quarantine = ground.quarantine_descriptor
    assert quarantine is not None
    source = ground.spot(name)
    target = _free_spot(ground, name)
    above = made_folders(quarantine, (str(target.generation), *target.parts[:-1]))
    try:
        with source.above() as here:
            move(here, above, source.leaf)
            os.fsync(above)
            os.fsync(here)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copied_over(store, ground, source, target, name)
    finally:
        os.close(above)
    ground.clear_above(source)


def finish(ground: Ground, name: str) -> None:
    """A move that was killed after its copy was read back is finished. Does nothing where there was none."""
    quarantine = ground.quarantine_descriptor
    if quarantine is None or status_in(quarantine, _folder_of(name)) is None:
        return
    with _work(quarantine, name) as work:
        note = read_note(work, _JOURNAL)
        if note is None:
            return
        said = json.loads(note)
        source = ground.spot(name)
        target = ground.spot(name, int(said["generation"]))
        if status_in(work, _COPY) is not None and target.status() is None:
            _placed(quarantine, work, target)
        status = source.status() if target.status() is not None else None
        if status is not None and [status.st_dev, status.st_ino] == said["original"]:
            source.remove()
            ground.clear_above(source)
    remove_entry(quarantine, _folder_of(name))


def forget(ground: Ground, name: str) -> None:
    """Nothing is left of a copy of this set that was never finished."""
    if ground.quarantine_descriptor is not None:
        remove_entry(ground.quarantine_descriptor, _folder_of(name))


def _free_spot(ground: Ground, name: str) -> Spot:
    number = 1
    while ground.spot(name, number).status() is not None:
        number += 1
    return ground.spot(name, number)


def _copied_over(store: str, ground: Ground, source: Spot, target: Spot, name: str) -> None:
    quarantine = ground.quarantine_descriptor
    assert quarantine is not None
    forget(ground, name)
    original = source.status()
    if original is None:
        raise FileNotFoundError(errno.ENOENT, "the set is gone")
    try:
        with _work(quarantine, name) as work:
            _copy(source, work)
            journal = {"generation": target.generation, "original": [original.st_dev, original.st_ino]}
            write_note(work, _JOURNAL, json.dumps(journal).encode())
    except Changing as error:
        forget(ground, name)
        raise Unavailable(store, "the set is being written to: it is moved when nobody writes") from error
    except OSError:
        forget(ground, name)
        raise
    finish(ground, name)


def _placed(quarantine: int, work: int, target: Spot) -> None:
    above = made_folders(quarantine, (str(target.generation), *target.parts[:-1]))
    try:
        os.rename(_COPY, target.leaf, src_dir_fd=work, dst_dir_fd=above)
        os.fsync(above)
    finally:
        os.close(above)


def _folder_of(name: str) -> str:
    return f"{HIDDEN}moving-{key_of(name)}"


@contextmanager
def _work(quarantine: int, name: str) -> Iterator[int]:
    here = made_folders(quarantine, (_folder_of(name),))
    try:
        yield here
    finally:
        os.close(here)


def _copy(source: Spot, work: int) -> None:
    """`copy` in the work folder is the set, durable and read back, with the modes and times of the original."""
    if not source.is_folder:
        with source.above() as here:
            copy_entry(here, source.leaf, work, _COPY)
        os.fsync(work)
        return
    os.mkdir(_COPY, 0o700, dir_fd=work)
    depth = len(source.parts)
    folders = list(folders_below(source.tree, source.parts))
    before = _signs(source)
    for parts, _ in folders:
        os.close(made_folders(work, (_COPY, *parts[depth:])))
    for parts, _ in entries_below(source.tree, source.parts, hidden=True):
        with source.tree.folder(parts[:-1]) as here:
            there = made_folders(work, (_COPY, *parts[depth:-1]))
            try:
                copy_entry(here, parts[-1], there, parts[-1])
            finally:
                os.close(there)
    if _signs(source) != before:
        raise Changing
    tops = source.status()
    for parts, status in [*reversed(folders), *([(source.parts, tops)] if tops is not None else [])]:
        _alike(work, (_COPY, *parts[depth:]), status)


def _signs(source: Spot) -> list[tuple[object, ...]]:
    found = entries_below(source.tree, source.parts, hidden=True)
    return [(parts, status.st_ino, status.st_size, status.st_mtime_ns) for parts, status in found]


def _alike(work: int, parts: tuple[str, ...], status: os.stat_result) -> None:
    with Tree(work).folder(parts) as made:
        os.fsync(made)
        _owned_alike(made, status)
        os.fchmod(made, stat.S_IMODE(status.st_mode))
        os.utime(made, ns=(status.st_atime_ns, status.st_mtime_ns))


def _owned_alike(descriptor: int, status: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.fchown(descriptor, status.st_uid, status.st_gid)


def copy_entry(here: int, leaf: str, there: int, new_leaf: str) -> None:
    """A file or link is copied, durably, with its mode and times, and read back.

    Raises Changing where the original is being written to, OSError with EINVAL for what is neither file nor link.
    """
    status = os.stat(leaf, dir_fd=here, follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(leaf, dir_fd=here), new_leaf, dir_fd=there)
        times = (status.st_atime_ns, status.st_mtime_ns)
        os.utime(new_leaf, ns=times, dir_fd=there, follow_symlinks=False)
        return
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "neither a file nor a link")
    opened = os.open(leaf, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        made = os.open(new_leaf, flags, 0o600, dir_fd=there)
        try:
            digest = _poured(opened, made)
            os.fsync(made)
            after = os.fstat(opened)
            is_same = (after.st_size, after.st_mtime_ns) == (status.st_size, status.st_mtime_ns)
            if not is_same or _digest(made) != digest:
                raise Changing
            _owned_alike(made, status)
            os.fchmod(made, stat.S_IMODE(status.st_mode))
            os.utime(made, ns=(status.st_atime_ns, status.st_mtime_ns))
        finally:
            os.close(made)
    finally:
        os.close(opened)


def _poured(opened: int, made: int) -> bytes:
    digest = hashlib.sha256()
    while chunk := os.read(opened, CHUNK):
        digest.update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(made, view) :]
    return digest.digest()


def _digest(made: int) -> bytes:
    os.posix_fadvise(made, 0, 0, os.POSIX_FADV_DONTNEED)  # so that the disk is read, not the memory
    os.lseek(made, 0, os.SEEK_SET)
    digest = hashlib.sha256()
    while chunk := os.read(made, CHUNK):
        digest.update(chunk)
    return digest.digest()
