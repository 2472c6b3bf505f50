"""A rename that never replaces anything, whoever writes at the same moment."""

from __future__ import annotations

import ctypes
import errno
import os

RENAME_NOREPLACE = 1
_NOT_SUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})


def move(source: int, destination: int, leaf: str) -> None:
    """The entry `leaf` of the folder `source` (a descriptor) is in the folder `destination`, under the same name.

    Atomic. A link is moved as a link. Raises FileExistsError where the destination has such a name, FileNotFoundError
    where the source has not, or either folder has been removed; otherwise OSError as the system says. Where the
    file system has no such rename, `move_by_link` does it.
    Source: Linux renameat2(2), RENAME_NOREPLACE.
    """
    code = _rename_without_replacing(source, destination, leaf)
    if code == 0:
        return
    if code not in _NOT_SUPPORTED:
        raise OSError(code, os.strerror(code), leaf)
    move_by_link(source, destination, leaf)


def move_by_link(source: int, destination: int, leaf: str) -> None:
    """As `move`, by a hard link and an unlink, for file systems that cannot refuse to replace in a rename.

    A crash between the two leaves both names; a second call then finishes.
    """
    try:
        os.link(leaf, leaf, src_dir_fd=source, dst_dir_fd=destination, follow_symlinks=False)
    except FileExistsError:
        if not _is_same(source, destination, leaf):
            raise
    os.unlink(leaf, dir_fd=source)


def _rename_without_replacing(source: int, destination: int, leaf: str) -> int:
    """0, or the error number; ENOSYS where the C library has no such call."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return errno.ENOSYS
    encoded = os.fsencode(leaf)
    if rename(source, encoded, destination, encoded, ctypes.c_uint(RENAME_NOREPLACE)) == 0:
        return 0
    return ctypes.get_errno()


def _is_same(source: int, destination: int, leaf: str) -> bool:
    one = os.stat(leaf, dir_fd=source, follow_symlinks=False)
    other = os.stat(leaf, dir_fd=destination, follow_symlinks=False)
    return os.path.samestat(one, other)
