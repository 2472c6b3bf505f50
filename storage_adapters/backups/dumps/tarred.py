"""A tar archive, read and rewritten member by member; what stays is copied byte for byte, headers included.

Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from storage_adapters.backups.dumps.streams import PIECE, Reading, Source, is_gzipped, opened, packed
from storage_adapters.backups.dumps.trouble import Unfit
from storage_adapters.contract import Objects, Prefix

_BLOCK = 512
_TYPE_AT = 156
_SIZE = slice(124, 136)
_GLOBAL = b"g"
_LONGEST_HEADER = 16 << 20


@dataclass(slots=True)
class TarCounts:
    """What was found: members that go, and symbolic links that stay and point at one of them."""

    member_count: int = 0
    loose_link_count: int = 0


class Tar:
    """A tar archive, gzipped or not. Members are never unpacked, so that their names lead nowhere."""

    def __init__(self, source: Source, removals: Sequence[Prefix | Objects]) -> None:
        self._source = source
        self._prefixes = tuple(each.prefix for each in removals if isinstance(each, Prefix))
        self._names = frozenset(name for each in removals if isinstance(each, Objects) for name in each.names)

    def count(self) -> TarCounts:
        """What would go. All of the archive is read. Raises Unfit where it is cut off or damaged."""
        return self._pass(lambda data: None)

    def rewrite(self, target: BinaryIO) -> TarCounts:
        """Write the archive without the members that go."""
        with packed(target, is_gzip=is_gzipped(self._source)) as out:
            return self._pass(lambda data: out.write(data))

    def _pass(self, write: Callable[[bytes], object]) -> TarCounts:
        counts = TarCounts()
        gone_links: set[str] = set()
        with opened(self._source) as stream:
            forward = _Forward(stream)
            for member, header, end in _members(forward):
                goes = self._goes(member, gone_links)
                if goes:
                    counts.member_count += 1
                    header = b"".join(_global_headers(header))
                elif member.issym() and self._is_named(_link_target(member), is_folder=None):
                    counts.loose_link_count += 1
                write(header)
                forward.copy(end - forward.tell(), (lambda data: None) if goes else write)
            write(forward.taken())
            while rest := forward.read(PIECE):
                if rest.strip(b"\0"):
                    raise Unfit("something follows the end of the tar archive")
                write(forward.taken())
        return counts

    def _goes(self, member: tarfile.TarInfo, gone_links: set[str]) -> bool:
        if self._is_named(member.name, is_folder=member.isdir()):
            return True
        if member.islnk() and (
            self._is_named(member.linkname, is_folder=False) or _plain(member.linkname) in gone_links
        ):
            gone_links.add(_plain(member.name))  # another link may lead to this one
            return True
        return False

    def _is_named(self, name: str, *, is_folder: bool | None) -> bool:
        """Whether the name is one of those that go; written with `./` before it, or otherwise than plainly, too."""
        forms = {name, _plain(name)}
        if is_folder is not False:
            forms |= {f"{form}/" for form in forms if not form.endswith("/")}
        return any(form in self._names or form.startswith(self._prefixes) for form in forms)


class _Forward(io.RawIOBase):
    """A stream that is read once from its beginning, and remembers what was read since it was last asked."""

    def __init__(self, stream: Reading) -> None:
        self._stream = stream
        self._position = 0
        self._taken = bytearray()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._position += len(data)
        self._taken += data
        if len(self._taken) > _LONGEST_HEADER:
            raise Unfit(f"a header of the tar archive before byte {self._position} is too long")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or offset < self._position:
            raise Unfit(f"the tar archive is damaged at byte {self._position}")
        self.read(offset - self._position)
        return self._position

    def taken(self) -> bytes:
        """What was read since the last call."""
        data = bytes(self._taken)
        self._taken.clear()
        return data

    def give_back(self, data: bytes) -> None:
        """Remember these bytes again, before those that were read since."""
        self._taken[:0] = data

    def copy(self, length: int, write: Callable[[bytes], object]) -> None:
        """Hand on the next bytes. Raises Unfit where the archive ends before."""
        while length > 0:
            piece = self._stream.read(min(length, PIECE))
            if not piece:
                raise Unfit(f"the tar archive is cut off at byte {self._position}")
            self._position += len(piece)
            length -= len(piece)
            write(piece)


def _members(forward: _Forward) -> Iterator[tuple[tarfile.TarInfo, bytes, int]]:
    """Each member, all bytes before its content, and where its content ends. Raises Unfit at an end that is none."""
    try:
        archive = tarfile.TarFile(fileobj=forward, mode="r", encoding="utf-8", errors="surrogateescape")
        while (member := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # it would keep them all
            yield member, forward.taken(), archive.offset
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise Unfit(f"the tar archive is damaged at byte {forward.tell()}") from error
    end = forward.taken()
    second = forward.read(_BLOCK)
    if len(end) != _BLOCK or len(second) != _BLOCK or (end + second).strip(b"\0"):
        raise Unfit(f"the tar archive is cut off or damaged at byte {forward.tell()}")
    forward.give_back(end)


def _global_headers(header: bytes) -> Iterator[bytes]:
    """The parts of a member's header that are about every member after it."""
    at = 0
    while at + _BLOCK <= len(header):
        size = tarfile.nti(header[at:][_SIZE])  # type: ignore[attr-defined]  # octal, or binary where it is large
        end = at + _BLOCK + -(-size // _BLOCK) * _BLOCK
        kind = header[at + _TYPE_AT : at + _TYPE_AT + 1]
        if kind == _GLOBAL:
            yield header[at:end]
        if kind not in (_GLOBAL, b"x", b"X", b"L", b"K"):
            return
        at = end


def _link_target(member: tarfile.TarInfo) -> str:
    return posixpath.join(posixpath.dirname(member.name), member.linkname)


def _plain(name: str) -> str:
    return posixpath.normpath(name).lstrip("/")
