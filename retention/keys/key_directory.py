"""A directory of small secret files: made whole or not at all, and destroyed so that nothing of them is left in it.

The directory is private (0700, owner, no symbolic link), so are its files (0600, regular). Whatever is otherwise is
refused, never repaired: somebody else may have read it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retention.keys.errors import KeysUnavailable, ProviderRefused

_FORMAT_FILE = "FORMAT"
_FORMAT = b"retention key directory 1\n"
_LOCK_FILE = "LOCK"
_PENDING = ".pending"
_MAX_LENGTH = 4096


def create_key_directory(path: Path) -> None:
    """The directory is there, private and marked as a key directory. A second call changes nothing.

    Raises ProviderRefused where something else is there, or files that this did not make.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError as wrong:
        raise ProviderRefused("the key directory's path is taken by something that is no directory") from wrong
    _sync_directory(path.parent)
    with KeyDirectory(path).marking() as folder:
        if folder.read(_FORMAT_FILE) is not None:
            return
        if set(folder.names()) - {_LOCK_FILE, _PENDING}:
            raise ProviderRefused("the directory is neither empty nor a key directory")
        folder.write(_FORMAT_FILE, _FORMAT)


class KeyDirectory:
    """Opens the directory anew for every use, so that a mount that went away is noticed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def reading(self) -> Iterator[KeyFolder]:
        """The folder, checked to be a key directory. Raises ProviderRefused, KeysUnavailable."""
        with self._opened() as folder:
            if folder.read(_FORMAT_FILE) != _FORMAT:
                raise ProviderRefused("the directory is no key directory: it may not be mounted")
            yield folder

    @contextmanager
    def changing(self) -> Iterator[KeyFolder]:
        """Likewise, with every other process and thread kept from changing it meanwhile."""
        with self.reading() as folder, folder.locked():
            yield folder

    @contextmanager
    def marking(self) -> Iterator[KeyFolder]:
        """Like `changing`, for a directory that is not marked as a key directory yet."""
        with self._opened() as folder, folder.locked():
            yield folder

    @contextmanager
    def _opened(self) -> Iterator[KeyFolder]:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError as wrong:
            raise ProviderRefused("the key directory is not there") from wrong
        except OSError as wrong:
            raise ProviderRefused(f"the key directory cannot be opened: {os.strerror(wrong.errno or 0)}") from wrong
        try:
            _check_private(os.fstat(descriptor), "the key directory")
            yield KeyFolder(descriptor)
        except OSError as wrong:
            raise KeysUnavailable(f"the key directory failed: {os.strerror(wrong.errno or 0)}") from wrong
        finally:
            os.close(descriptor)


class KeyFolder:
    """The opened directory. Names are plain file names. Only `KeyDirectory` makes it."""

    def __init__(self, descriptor: int) -> None:
        self._directory = descriptor

    def names(self) -> list[str]:
        """Every name in it, sorted."""
        with os.scandir(self._directory) as entries:
            return sorted(entry.name for entry in entries)

    def read(self, name: str, length: int | None = None) -> bytes | None:
        """The file's content, or None where it is not there.

        Raises ProviderRefused for a link, for anything that is no regular file, for a file that others may read, that
        another user owns, and with `length`, for one of another length.
        """
        try:
            descriptor = os.open(
                name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._directory
            )
        except FileNotFoundError:
            return None
        except OSError as wrong:
            raise ProviderRefused(f"{name} cannot be opened: {os.strerror(wrong.errno or 0)}") from wrong
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ProviderRefused(f"{name} is no regular file")
            _check_private(status, name)
            content = os.read(descriptor, _MAX_LENGTH)
        finally:
            os.close(descriptor)
        if length is not None and len(content) != length:
            raise ProviderRefused(f"{name} has not {length} bytes: it was damaged")
        return content

    def write(self, name: str, content: bytes) -> None:
        """The file is there with this content, durably; killed at any instant, it is there whole or not at all."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(_PENDING, flags, 0o600, dir_fd=self._directory), "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self.rename(_PENDING, name)

    def rename(self, name: str, new_name: str) -> None:
        """The file has the new name, durably."""
        os.rename(name, new_name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        os.fsync(self._directory)

    def overwrite(self, name: str) -> None:
        """The file's bytes are replaced, in place, by random ones, durably."""
        with os.fdopen(os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._directory), "r+b") as file:
            length = os.fstat(file.fileno()).st_size
            file.write(secrets.token_bytes(length))
            file.flush()
            os.fsync(file.fileno())

    def remove(self, name: str) -> None:
        """The name is gone, durably."""
        os.unlink(name, dir_fd=self._directory)
        os.fsync(self._directory)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes the directory until the end; the lock of a killed process is free at once."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(_LOCK_FILE, flags, 0o600, dir_fd=self._directory)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a process forked meanwhile would keep it past the close
            os.close(descriptor)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_private(status: os.stat_result, what: str) -> None:
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise ProviderRefused(f"{what} is open to other users; its keys may have been read")
    if status.st_uid != os.geteuid():
        raise ProviderRefused(f"{what} belongs to another user")
