"""Fences: a set that stays where it lies, with a top entry whose mode lets nobody in.

What the mode was is written down before it is taken away, below `.retention-fences/` in the live folder. The note is
the quarantine: as long as it is there and means this very entry, `restored` takes the mode away again.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from storage_adapters.backups.folders.ground import (
    Ground,
    Spot,
    key_of,
    made_folders,
    read_note,
    set_mode,
    status_in,
    write_note,
)
from storage_adapters.backups.layouts import HIDDEN

_FOLDER = f"{HIDDEN}fences"
_PERMISSIONS = 0o777


@dataclass(frozen=True, slots=True)
class Fence:
    """What a fenced entry was. `mode` are its former permissions."""

    name: str
    mode: int
    device: int
    inode: int

    def means(self, status: os.stat_result | None) -> bool:
        """Whether this is the entry that was fenced, and not a newer one of the same name."""
        return status is not None and (self.device, self.inode) == (status.st_dev, status.st_ino)


class Fences:
    """The fences of one opened store."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def all(self) -> list[Fence]:
        """Every fence that stands, its mode taken away again where somebody was killed while it was lifted."""
        if not self._is_used():
            return []
        with self._notes() as here:
            leaves = [leaf for leaf in os.listdir(here) if not leaf.startswith(HIDDEN)]  # noqa: PTH208 - a descriptor
            noted = [fence for leaf in leaves if (fence := _read(here, leaf)) is not None]
        return [fence for fence in noted if self.of(self._ground.spot(fence.name), fence.name) is not None]

    def of(self, spot: Spot, name: str) -> Fence | None:
        """The fence of the set, in force again if it was not; None where the set is not fenced."""
        if not self._is_used():
            return None
        status = spot.status()
        with self._notes() as here:
            fence = _read(here, key_of(name))
        if fence is None or status is None or not fence.means(status):
            return None
        if status.st_mode & _PERMISSIONS:
            with self._held(name):
                _fence(spot)
        return fence

    def put(self, spot: Spot, name: str) -> None:
        """The set is fenced. Raises FileNotFoundError where it is not there, PermissionError where it is not ours."""
        if self.of(spot, name) is not None:
            return
        with spot.above() as here:
            status = os.stat(spot.leaf, dir_fd=here, follow_symlinks=False)
        mode = stat.S_IMODE(status.st_mode) & _PERMISSIONS or (0o700 if spot.is_folder else 0o600)
        fence = Fence(name, mode, status.st_dev, status.st_ino)
        with self._notes() as here:
            note = {"name": fence.name, "mode": fence.mode, "device": fence.device, "inode": fence.inode}
            write_note(here, key_of(name), json.dumps(note).encode())
        _fence(spot)

    def drop(self, name: str) -> None:
        """Nothing is known of a fence of this name any more; the mode of the entry is left as it is."""
        if not self._is_used():
            return
        with self._notes() as here:
            try:
                os.unlink(key_of(name), dir_fd=here)
            except FileNotFoundError:
                return
            os.fsync(here)

    @contextmanager
    def lifted(self, spot: Spot, name: str) -> Iterator[None]:
        """Inside the block the owner may read the set, and nobody else. One at a time, whichever process it is in.

        Does nothing for a set that is not fenced, and for root, who needs no permission.
        """
        if spot.generation or os.geteuid() == 0 or self.of(spot, name) is None:
            yield
            return
        with self._held(name), spot.above() as here:
            set_mode(here, spot.leaf, 0o700 if spot.is_folder else 0o400)
            try:
                yield
            finally:
                _fence(spot)

    def _is_used(self) -> bool:
        return status_in(self._ground.live_descriptor, _FOLDER) is not None

    @contextmanager
    def _notes(self) -> Iterator[int]:
        here = made_folders(self._ground.live_descriptor, (_FOLDER,))
        try:
            yield here
        finally:
            os.close(here)

    @contextmanager
    def _held(self, name: str) -> Iterator[None]:
        with self._notes() as here:
            held = os.open(key_of(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
        finally:
            os.close(held)


def _fence(spot: Spot) -> None:
    with spot.above() as here:
        set_mode(here, spot.leaf, 0)


def _read(here: int, leaf: str) -> Fence | None:
    note = read_note(here, leaf)
    if note is None:
        return None
    said = json.loads(note)
    return Fence(str(said["name"]), int(said["mode"]), int(said["device"]), int(said["inode"]))
