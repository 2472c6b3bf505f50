"""An S3 bucket, or a prefix of one, as a place to restore into."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from storage_adapters.backups.contract import Content
from storage_adapters.backups.places.staging_folder import StagedFiles, file_errors, locked_folder
from storage_adapters.errors import Refused
from storage_adapters.s3 import S3Settings
from storage_adapters.s3.answers import objects, versions
from storage_adapters.s3.refusals import NOT_OFFERED, Declined
from storage_adapters.s3.uploading import MOST_PARTS, PART_SIZE, upload
from storage_adapters.s3.wire import Request, Wire

_BLOCK = 1024 * 1024


class BucketPlace:
    """A bucket in which nothing lies below `prefix`, no old version either, under the contract of `RestorePlace`.

    Files are staged in a private folder of this machine, in `scratch`; an object has the name `prefix` + its path in the
    set. A bucket has no rename: the release puts one object after another. Killed half way, it has given out only what
    was cleaned and verified before, but not all of it; the bucket is not empty then, and has to be emptied by hand before
    the set is restored again. One restore at a time on one machine.
    """

    takes = Content.FILES

    def __init__(self, name: str, settings: S3Settings, prefix: str = "", *, scratch: Path) -> None:
        """Connects to nothing yet. Raises ValueError where the prefix does not end with `/`."""
        if prefix and not prefix.endswith("/"):
            raise ValueError("a prefix names a folder and ends with '/'")
        self._name = name
        self._settings = settings
        self._prefix = prefix
        self._scratch = scratch.absolute()

    @property
    def name(self) -> str:
        """The configured name."""
        return self._name

    @contextmanager
    def begin(self) -> Iterator[BucketStaging]:
        """Begin a restore; leaving the block removes what is staged.

        Raises Refused where something lies below the prefix or another restore is under way, NotFound where the bucket
        is missing.
        """
        wire = Wire(self._name, self._settings)
        try:
            with locked_folder(self._name, self._scratch / f".retention-restore-{self._name}") as folder:
                check_empty(wire, self._prefix)
                content = folder / "content"
                with file_errors(self._name):
                    content.mkdir(mode=0o700)
                yield BucketStaging(self._name, content, wire, self._prefix)
        finally:
            wire.close()


class BucketStaging(StagedFiles):
    """Files staged for a bucket."""

    def __init__(self, store: str, content: Path, wire: Wire, prefix: str) -> None:
        super().__init__(store, content)
        self._wire = wire
        self._prefix = prefix
        self._is_released = False

    def release(self) -> None:
        """Every staged file is an object of the bucket, each read back. A second call does nothing.

        Raises Refused where the bucket is no longer empty, where a link is staged, and where what the bucket says of an
        object is not what was sent; Unavailable and OutcomeUnknown where it does not answer. What was put until then
        stays.
        """
        if self._is_released:
            return
        check_empty(self._wire, self._prefix)
        with file_errors(self._store):
            for path in sorted(self._paths()):
                with path.open("rb") as file:
                    self._put(self._prefix + path.relative_to(self.content).as_posix(), file)
        self._is_released = True

    def _paths(self) -> Iterator[Path]:
        for folder, folders, leaves in os.walk(self.content):
            for leaf in (*folders, *leaves):
                path = Path(folder, leaf)
                mode = path.stat(follow_symlinks=False).st_mode
                if stat.S_ISREG(mode):
                    yield path
                elif not stat.S_ISDIR(mode):
                    raise Refused(self._store, "a bucket cannot hold a link")

    def _put(self, key: str, file: BinaryIO) -> None:
        size = os.fstat(file.fileno()).st_size
        upload(self._wire, key, iter(partial(file.read, _BLOCK), b""), part_size=max(PART_SIZE, -(-size // MOST_PARTS)))


def check_empty(wire: Wire, prefix: str) -> None:
    """Raises Refused where an object, an old version or a delete marker lies below the prefix."""
    query = (("prefix", prefix), ("max-keys", "1"), ("encoding-type", "url"))
    try:
        found = wire.ask(Request("GET", query=(("versions", None), *query)), lambda answer: versions(answer.body))
    except Declined as declined:
        if declined.code not in NOT_OFFERED:
            raise
        found = wire.ask(Request("GET", query=(("list-type", "2"), *query)), lambda answer: objects(answer.body))
    if found.entries:
        raise Refused(wire.store, "the bucket to restore into is not empty")
