"""The foreign programs that a restore needs, and how one is run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from storage_adapters.backups.places.damage import Unfit
from storage_adapters.errors import Refused, Unavailable

_PACKAGES = {"pg_restore": "postgresql-client"}
_STOP_SECONDS = 10.0
_KNOWN = (
    (re.compile(rb"unsupported version \(([\d.]{1,12})\)"), "it is older than the pg_dump that wrote this archive"),
    (re.compile(rb"does not appear to be a valid archive|not a valid archive|magic string"), "this is no archive"),
    (re.compile(rb"unexpected end of file|could not read|could not uncompress|too short"), "the archive is cut off"),
    (re.compile(rb"compress|not supported in this installation"), "it cannot unpack this compression"),
)
_FULL = re.compile(rb"No space left on device")


@dataclass(frozen=True, slots=True)
class Programs:
    """Where programs are looked for: in `folder`, or on the PATH of this process."""

    folder: Path | None = None

    def find(self, store: str, program: str) -> Path:
        """The program's file. Raises Refused, naming the package that has it, where it is missing."""
        path = None if self.folder is None else str(self.folder)
        if (found := shutil.which(program, path=path)) is None:
            raise Refused(store, f"{program} is not installed here: install the package {_PACKAGES[program]}")
        return Path(found)


@contextmanager
def said_by(store: str, command: Sequence[Path | str], stdin: BinaryIO | None = None) -> Iterator[IO[bytes]]:
    """What the program writes. It gets no environment but the PATH, and `stdin` (a real file) or nothing to read.

    Where the block ends well, it has to have ended well too: Unfit otherwise, or Unavailable where a disk is full. What
    it says of its trouble is never passed on. Where the block raises, it is ended.
    """
    with tempfile.TemporaryFile() as trouble:
        try:
            running = subprocess.Popen(  # noqa: S603 - a list of arguments of ours
                [str(word) for word in command],
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=subprocess.PIPE,
                stderr=trouble,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                cwd="/",
            )
        except OSError as error:
            raise Refused(store, f"{Path(command[0]).name} cannot be started") from error
        assert running.stdout is not None
        try:
            yield running.stdout
            ended_well = not running.stdout.read(1)
        except BaseException:
            _end(running)
            if isinstance(running.returncode, int) and running.returncode > 0:
                _complain(store, command, trouble)
            raise
        running.stdout.close()
        if running.wait() != 0 or not ended_well:
            _complain(store, command, trouble)


def _end(running: subprocess.Popen[bytes]) -> None:
    """The program has ended; one that has written all it had is given the time to say how it went."""
    assert running.stdout is not None
    running.stdout.close()
    try:
        running.wait(timeout=0.2)
    except subprocess.TimeoutExpired:
        running.terminate()
        try:
            running.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def _complain(store: str, command: Sequence[Path | str], trouble: BinaryIO) -> None:
    trouble.seek(0)
    said, program = trouble.read(64 * 1024), Path(command[0]).name
    if _FULL.search(said):
        raise Unavailable(store, f"{program}: the disk is full")
    raise Unfit(
        f"{program} cannot read it: {next((why for sign, why in _KNOWN if sign.search(said)), 'it is damaged')}"
    )
