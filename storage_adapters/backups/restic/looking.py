"""What is in a snapshot: its files, their forms and beginnings.

A form is told by a file's first bytes, which restic does not list. They are read once for every state of a file (path,
size, times), so of a row of nightly snapshots only what changed is read again.
"""

from __future__ import annotations

import tarfile
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from storage_adapters.backups.contract import Form, SetFile
from storage_adapters.backups.forms import HEAD_LENGTH, recognise
from storage_adapters.backups.restic.program import Restic
from storage_adapters.backups.restic.snapshots import Node, Snapshot, nodes
from storage_adapters.errors import Refused

WORTH_A_START = 32 * 1024 * 1024
"""Bytes that restic reads in about the time that it takes to start."""
_TABLE_OF_CONTENTS = "toc.dat"


@dataclass(frozen=True, slots=True)
class Contents:
    """The regular files of a snapshot, by path, and their size together in bytes."""

    files: tuple[SetFile, ...]
    size: int


class Looking:
    """Looks into snapshots, and remembers what it saw: snapshots do not change. Thread-safe."""

    def __init__(self, store: str) -> None:
        self._store = store
        self._forms: dict[tuple[str, int, str, str], Form] = {}
        self._contents: dict[str, Contents] = {}  # by the tree's id, which is the same for every copy of a snapshot
        self._guard = threading.Lock()

    def contents(self, restic: Restic, snapshot: Snapshot) -> Contents:
        """The files of the snapshot. Raises NotFound where it is gone."""
        with self._guard:
            if (known := self._contents.get(snapshot.tree)) is not None:
                return known
        found = sorted(nodes(restic, snapshot), key=lambda node: node.path)
        self._learn(restic, snapshot, found)
        with self._guard:
            contents = Contents(_files(found, self._forms), sum(node.size for node in found))
            self._contents[snapshot.tree] = contents
        return contents

    def remember_only(self, present: Collection[Snapshot]) -> None:
        """Forget the contents of snapshots that are gone."""
        trees = {snapshot.tree for snapshot in present}
        with self._guard:
            self._contents = {tree: seen for tree, seen in self._contents.items() if tree in trees}

    def heads(
        self, restic: Restic, snapshot: Snapshot, files: Sequence[SetFile], length: int
    ) -> Iterator[tuple[SetFile, bytes]]:
        """The first `length` bytes of each of these files: in one pass over the snapshot where they are many and small."""
        wanted = {file.path: file for file in files}
        if len(wanted) * WORTH_A_START < sum(file.size for file in files):
            for file in files:
                yield file, self.head(restic, snapshot, file.path, length)
            return
        try:
            with (
                restic.stream("dump", snapshot.id, "/") as stream,
                tarfile.open(fileobj=stream, mode="r|") as archive,
            ):
                for member in archive:
                    file_of_name = wanted.pop(member.name.lstrip("/"), None)
                    if file_of_name is not None:
                        yield file_of_name, _first(archive, member, length)
        except tarfile.TarError as error:
            raise Refused(self._store, "restic wrote an archive that cannot be read") from error
        for path, file in wanted.items():  # names that a tar archive cannot hold as they are
            yield file, self.head(restic, snapshot, path, length)

    def head(self, restic: Restic, snapshot: Snapshot, path: str, length: int) -> bytes:
        """The first `length` bytes of one file."""
        with restic.stream("dump", snapshot.id, f"/{path}") as stream:
            return stream.read(length)

    def _learn(self, restic: Restic, snapshot: Snapshot, found: Sequence[Node]) -> None:
        with self._guard:
            new = {node.path: node for node in found if node.seen not in self._forms}
        unread = [SetFile(node.path, Form.PLAIN_FILE, node.size, node.written_at) for node in new.values() if node.size]
        learnt = {node.seen: Form.PLAIN_FILE for node in new.values() if not node.size}
        for file, head in self.heads(restic, snapshot, unread, HEAD_LENGTH) if unread else ():
            learnt[new[file.path].seen] = recognise(file.path, head)
        with self._guard:
            self._forms |= learnt


def _files(found: Sequence[Node], forms: dict[tuple[str, int, str, str], Form]) -> tuple[SetFile, ...]:
    """The files with their forms; what lies beside the toc.dat of a dump in a folder belongs to that dump."""
    dumps = {
        node.path.removesuffix(_TABLE_OF_CONTENTS)
        for node in found
        if node.path.rpartition("/")[2] == _TABLE_OF_CONTENTS and forms[node.seen] is Form.PG_DUMP_DIRECTORY
    }
    return tuple(
        SetFile(
            node.path,
            Form.PG_DUMP_DIRECTORY if _folder(node.path) in dumps else forms[node.seen],
            node.size,
            node.written_at,
        )
        for node in found
    )


def _folder(path: str) -> str:
    return path[: path.rfind("/") + 1]


def _first(archive: tarfile.TarFile, member: tarfile.TarInfo, length: int) -> bytes:
    content = archive.extractfile(member)
    return b"" if content is None else content.read(length)
