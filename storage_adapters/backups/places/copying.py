"""Bytes from a stream into a file of this machine, never more than its disk can take."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

from storage_adapters.errors import Unavailable

_CHUNK = 1024 * 1024
RESERVE = 64 * 1024 * 1024
"""How many bytes a restore leaves free on the disk on which it stages."""


def check_room(store: str, folder: int | Path, size: int) -> None:
    """Raises Unavailable where the file system has no room for this many bytes more."""
    system = os.statvfs(folder)
    if size + RESERVE > system.f_bavail * system.f_frsize:
        raise Unavailable(store, "the disk has no room for what is to be restored")


def copy_into(store: str, content: IO[bytes], file: IO[bytes], size: int | None = None) -> int:
    """How many bytes were copied: all of the content. Raises Unavailable where the disk has no room for them.

    size: how many they should be, where that is known; room for them is looked for before the first.
    """
    if size is not None:
        check_room(store, file.fileno(), size)
    copied = 0
    while chunk := content.read(_CHUNK):
        if size is None or copied + len(chunk) > size:
            check_room(store, file.fileno(), len(chunk))
        file.write(chunk)
        copied += len(chunk)
    return copied
