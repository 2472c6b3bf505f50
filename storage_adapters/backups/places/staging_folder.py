"""A private folder in which files are staged: nobody else may enter it, and its lock keeps a second restore out."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from storage_adapters.backups.contract import Form, SetFile, SetReader
from storage_adapters.backups.places.archives import Link, unpack
from storage_adapters.backups.places.copying import copy_into
from storage_adapters.backups.places.damage import Unfit
from storage_adapters.backups.places.streams import unpacked
from storage_adapters.errors import Refused, Unavailable
from storage_adapters.files import FileStore

_ATTEMPTS = 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_MODE = 0o666  # what the process's mask leaves of it


@contextmanager
def locked_folder(store: str, folder: Path) -> Iterator[Path]:
    """The folder, mode 0700 and empty, for this process alone; it is gone after the block.

    What a killed process left in it is removed. Raises Refused where another process or block has it.
    """
    descriptor = _lock(store, folder)
    try:
        with file_errors(store):
            for each in folder.iterdir():
                _remove(each)
        yield folder
    finally:
        try:
            with file_errors(store):
                _remove(folder)
        finally:
            os.close(descriptor)


@contextmanager
def file_errors(store: str) -> Iterator[None]:
    """OSErrors leave the block as the place's own, without a name."""
    try:
        yield
    except OSError as error:
        code = errno.errorcode.get(error.errno or 0, "an error")
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR):
            raise Refused(store, f"the file system says {code}") from error
        raise Unavailable(store, f"the file system says {code}") from error


def _lock(store: str, folder: Path) -> int:
    """A descriptor of the folder that holds its lock."""
    with file_errors(store):
        for _ in range(_ATTEMPTS):
            folder.mkdir(mode=0o700, exist_ok=True)
            try:
                descriptor = os.open(folder, _FOLDER)
            except FileNotFoundError:
                continue  # somebody who ends a restore has just removed it
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.fchmod(descriptor, 0o700)
                if os.path.samestat(os.fstat(descriptor), folder.stat(follow_symlinks=False)):
                    return descriptor
            except BlockingIOError as error:
                os.close(descriptor)
                raise Refused(store, "another restore into this place is under way") from error
            except FileNotFoundError:
                os.close(descriptor)
                continue  # removed between the two: lock the next one
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
    raise Unavailable(store, "the staging folder is made and removed again and again")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class StagedFiles:
    """The files of a set below `content`, a folder that exists. Not thread-safe; the store that it gives is."""

    def __init__(self, store: str, content: Path) -> None:
        self._store = store
        self.content = content

    def load(self, source: SetReader, name: str, files: Sequence[SetFile]) -> None:
        """Plain files are copied, with their time of writing; archives are unpacked into the folder in which they lie.

        Raises Refused for a dump of a database, a damaged archive, a name or a link that leads out of the set, a device,
        and a name that comes twice; Unavailable where the disk has no room.
        """
        links: list[Link] = []
        try:
            for file in files:
                if file.form not in (Form.PLAIN_FILE, Form.TAR):
                    raise Refused(self._store, f"a {file.form} cannot be restored into files")
                with file_errors(self._store), source.open(name, file.path) as stream:
                    if file.form is Form.TAR:
                        folder = file.path.rpartition("/")[0]
                        with unpacked(stream) as archive:
                            links += unpack(archive, self, folder)
                    elif not file.path.endswith("/") or file.size:  # else the mark of an empty folder of a bucket
                        written_at = None if file.written_at is None else file.written_at.timestamp()
                        self.write(file.path, stream, file.size, written_at)
            with file_errors(self._store):
                for link in links:
                    self._link(link)
        except Unfit as unfit:
            raise Refused(self._store, str(unfit)) from unfit

    def store(self) -> FileStore:
        """What is staged, as a store."""
        return FileStore(self._store, self.content)

    def forget(self, is_known: Callable[[str], bool]) -> int:
        """Remove every file and link for whose path within the set this is False, and empty folders; how many files."""
        count = 0
        with file_errors(self._store):
            for folder, folders, leaves in os.walk(self.content, topdown=False, onerror=_raise):
                here = Path(folder)
                linked = [each for each in folders if (here / each).is_symlink()]
                for leaf in (*leaves, *linked):
                    if not is_known((here / leaf).relative_to(self.content).as_posix()):
                        (here / leaf).unlink()
                        count += 1
                if here != self.content and not any(here.iterdir()):
                    here.rmdir()
        return count

    def write(
        self, path: str, content: IO[bytes], size: int | None, written_at: float | None, mode: int = _FILE_MODE
    ) -> None:
        """A new file of this content is staged. Raises Unfit for a bad name or one that is there already."""
        *above, leaf = _parts(path)
        with self._folder(above) as here:
            try:
                descriptor = os.open(leaf, _NEW_FILE, mode, dir_fd=here)
            except FileExistsError:
                raise Unfit("a name comes twice in the set") from None
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
                copy_into(self._store, content, file, size)
                file.flush()
                if written_at is not None:
                    os.utime(descriptor, (written_at, written_at))
                os.fsync(descriptor)

    def copy(self, path: str, original: str) -> None:
        """A new file with the content of a staged one. Raises Unfit where that is not there."""
        *above, leaf = _parts(original)
        with self._folder(above, makes=False) as here:
            try:
                descriptor = os.open(leaf, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            except OSError:
                raise Unfit("an archive's hard link leads nowhere") from None
        with open(descriptor, "rb") as content:  # noqa: PTH123 - a descriptor
            status = os.fstat(descriptor)
            self.write(path, content, status.st_size, status.st_mtime, stat.S_IMODE(status.st_mode))

    def make_folder(self, path: str) -> None:
        """The folder is staged; it may be there already."""
        with self._folder(_parts(path)):
            return

    def _link(self, link: Link) -> None:
        *above, leaf = _parts(link.path)
        with self._folder(above) as here:
            try:
                os.symlink(link.target, leaf, dir_fd=here)
            except FileExistsError:
                raise Unfit("a name comes twice in the set") from None

    @contextmanager
    def _folder(self, parts: Sequence[str], *, makes: bool = True) -> Iterator[int]:
        """A descriptor of this folder; no link is followed on the way."""
        here = os.open(self.content, _FOLDER)
        try:
            for part in parts:
                try:
                    if makes:
                        _make(part, here)
                    deeper = os.open(part, _FOLDER, dir_fd=here)
                except OSError as error:
                    if error.errno in (errno.ENOTDIR, errno.ELOOP, errno.ENOENT):
                        raise Unfit("a file or a link stands where the set has a folder") from error
                    raise
                os.close(here)
                here = deeper
            yield here
        finally:
            os.close(here)


def _make(name: str, folder: int) -> None:
    try:
        os.mkdir(name, dir_fd=folder)
    except FileExistsError:
        return


def _parts(path: str) -> list[str]:
    """The segments of a name within the set. Raises Unfit for one that leads out of it or that no folder can hold."""
    parts = path.removesuffix("/").split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise Unfit("a name is absolute, climbs or has an empty part")
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise Unfit("a name cannot be stored") from None
    return parts


def _raise(error: OSError) -> None:
    raise error
