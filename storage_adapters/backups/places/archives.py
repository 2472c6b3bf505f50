"""Tar archives, unpacked so that nothing in them leads out of their folder.

Stricter than the `data` filter of the standard library: names that climb are refused and not mended, nothing is written
through a link, and hard links become copies, so that erasing one customer's file leaves none of its bytes to another.
"""

from __future__ import annotations

import posixpath
import tarfile
from dataclasses import dataclass
from typing import IO, Protocol

from storage_adapters.backups.places.damage import Unfit

_PERMISSIONS = 0o755  # nobody but the owner writes; no set-user-id


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link of an archive; it is made when everything else is there."""

    path: str
    target: str


class Ground(Protocol):
    """Where an archive is unpacked: a private folder, and names within it."""

    def write(self, path: str, content: IO[bytes], size: int | None, written_at: float | None, mode: int) -> None:
        """A new file of this content is there."""
        ...

    def copy(self, path: str, original: str) -> None:
        """A new file with the content of another one is there."""
        ...

    def make_folder(self, path: str) -> None:
        """The folder is there."""
        ...


def unpack(archive: IO[bytes], staged: Ground, folder: str) -> list[Link]:
    """Everything in the archive is staged below `folder` ("" is the set itself), but for its links, which are returned.

    Raises Unfit for a damaged archive and for what may not be unpacked.
    """
    links = []
    try:
        with tarfile.open(fileobj=archive, mode="r|") as tar:
            for member in tar:
                path = _inside(folder, member.name)
                if member.isdir():
                    if path not in ("", folder):
                        staged.make_folder(path)
                elif member.issym():
                    links.append(_link(path, member.linkname))
                elif member.islnk():
                    staged.copy(path, _inside(folder, member.linkname))
                elif member.isreg() and (content := tar.extractfile(member)) is not None:
                    staged.write(path, content, member.size, member.mtime, 0o600 | member.mode & _PERMISSIONS)
                else:
                    raise Unfit("an archive holds a device")
            if tar.offset == 0:
                raise Unfit("the archive is empty or none")
    except tarfile.TarError as error:
        raise Unfit("the archive is damaged or cut off") from error
    while archive.read(1024 * 1024):  # to its end: only there does gzip say whether it is whole
        continue
    return links


def _inside(folder: str, name: str) -> str:
    """The name of a member within the set."""
    plain = name.removeprefix("./") if name != "." else ""
    return f"{folder}/{plain}" if folder and plain else plain or folder


def _link(path: str, target: str) -> Link:
    reached = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if posixpath.isabs(target) or reached == ".." or reached.startswith("../"):
        raise Unfit("an archive's link leads out of it")
    return Link(path, target)
