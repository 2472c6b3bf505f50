"""The attributes by which a file system keeps a file from being removed, read without opening it.

Source: Linux statx(2), STATX_ATTR_IMMUTABLE and STATX_ATTR_APPEND; chattr(1).
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache

from storage_adapters.backups.contract import Lock

_AT_SYMLINK_NOFOLLOW = 0x100
_STRUCT_SIZE = 256
_ATTRIBUTES = slice(8, 16)
_LOCKS = ((0x10, Lock("immutable")), (0x20, Lock("append-only")))


def lock_on(folder: int, leaf: str) -> Lock | None:
    """What keeps the entry `leaf` of the folder (a descriptor) from being removed; None also where nobody can tell."""
    call = _statx()
    if call is None:
        return None
    answer = ctypes.create_string_buffer(_STRUCT_SIZE)
    if call(folder, os.fsencode(leaf), _AT_SYMLINK_NOFOLLOW, 0, answer) != 0:
        return None  # gone meanwhile, or a kernel without the call: the removal itself will be told
    attributes = int.from_bytes(answer.raw[_ATTRIBUTES], sys.byteorder)
    return next((lock for bit, lock in _LOCKS if attributes & bit), None)


@cache
def _statx() -> ctypes._NamedFuncPointer | None:
    return getattr(ctypes.CDLL(None, use_errno=True), "statx", None)
