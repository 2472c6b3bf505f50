"""The folder of a report while it is made: beside the one that is asked for, whose name it takes when it is whole."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retention.errors import InputError, NotInOrder

_LONGEST_NAME = 200
"""Bytes of a folder's name, so that its draft has a name too."""


def check_folder(folder: Path) -> None:
    """Return where a report can take this place: it is new or empty, and can be replaced. Raises InputError."""
    if folder.name in ("", "..") or len(os.fsencode(folder.name)) > _LONGEST_NAME:
        raise InputError(f"--out {folder}: give the folder a name of its own, of at most {_LONGEST_NAME} bytes")
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"--out {folder}: is no folder")
    if os.path.ismount(folder):
        raise InputError(f"--out {folder}: is a mount point, which nothing can be put in the place of; name one in it")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"--out {folder}: the folder is not empty; a report is never written over")


@contextmanager
def draft_of(folder: Path) -> Iterator[Path]:
    """A private folder beside `folder`, which takes its name when the block ends, durable, and is gone when it raises.

    What killed calls left of drafts of this folder is removed first; those of living processes stay. Raises NotInOrder where
    the name cannot be taken: the draft then stays, whole, under the name that the message says.
    """
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft, handle = _begun(folder)
    try:
        try:
            yield draft
            _sync(draft)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        _take_name(draft, folder)
        _sync_one(folder.parent)
    finally:
        if handle is not None:
            os.close(handle)


def _begun(folder: Path) -> tuple[Path, int | None]:
    """A new draft, and the handle by which others see that somebody is at work on it; None where folders have no locks."""
    draft = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    parent = _lock(folder.parent, fcntl.LOCK_EX)  # so that nobody takes a draft without its lock for a left one
    try:
        _remove_left(folder)
        draft.mkdir(mode=0o700)
        return draft, _lock(draft, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        if parent is not None:
            os.close(parent)


def _remove_left(folder: Path) -> None:
    """Drafts of the folder that no living process holds are gone."""
    name = re.compile(rf"\.{re.escape(folder.name)}\.[0-9a-f]{{8}}")
    for left in [path for path in folder.parent.iterdir() if name.fullmatch(path.name)]:
        handle = _lock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if handle is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(handle)


def _lock(folder: Path, how: int) -> int | None:
    """The folder's lock, freed by closing it or by the end of the process; None where it is held, or cannot be had."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, how)
    except OSError:
        os.close(handle)
        return None
    return handle


def _take_name(draft: Path, folder: Path) -> None:
    """The ledger tells of the report already: where somebody took the name meanwhile, the report is kept beside it."""
    try:
        draft.rename(folder)
    except OSError as error:
        kept = folder.with_name(draft.name.removeprefix("."))  # a name that is not taken for that of a left draft
        draft.rename(kept)
        reason = error.strerror or "the name cannot be taken"
        raise NotInOrder(f"--out {folder}: {reason}; the report was issued, and lies whole in {kept}") from error


def _sync(folder: Path) -> None:
    for within, _, names in os.walk(folder):
        for name in names:
            _sync_one(Path(within) / name)
        _sync_one(Path(within))


def _sync_one(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
