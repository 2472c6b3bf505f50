"""The restic program: started, bounded, and answered or refused in the contract's words.

Where the repository is and how it opens goes by the environment, never by the arguments, which every user of the
machine can read. What restic says on its error output is classified and not passed on: it can quote names and paths.

Source: restic's documentation, "Scripting" (exit codes 10, 11 and 12, since 0.17); the messages of 0.14 to 0.18.
"""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from storage_adapters.backups.restic.settings import Repository
from storage_adapters.errors import NotFound, OutcomeUnknown, Refused, StoreError, Unavailable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

QUICK = 3_600.0
"""Seconds for what reads or writes little: listing a large repository over a slow line takes minutes."""
LONG = 7 * 24 * 3_600.0
"""Seconds for what moves data: copying, restoring, backing up, pruning."""
_LAST_WORDS = 10.0
_STDERR_LIMIT = 64 * 1024
_PASSED_ON = (
    "PATH",
    "HOME",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)


class Locked(Unavailable):
    """Another restic works on the repository, or died while it did."""


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What restic's words, or its exit code, mean. may_have_acted: a change may have happened all the same."""

    kind: type[StoreError]
    message: str
    pattern: re.Pattern[str]
    code: int | None = None
    may_have_acted: bool = False


_MEANINGS = (
    _Meaning(Refused, "the password is wrong", re.compile(r"wrong password|no key found"), 12),
    _Meaning(Locked, "the repository is locked by another restic", re.compile(r"already locked"), 11),
    _Meaning(
        Unavailable,
        "there is no space left",
        re.compile(r"no space left|disk quota exceeded|file too large"),
    ),
    _Meaning(
        Refused,
        "access to the repository is denied",
        re.compile(r"access denied|accessdenied|permission denied|forbidden|invalidaccesskey|signaturedoesnotmatch"),
    ),
    _Meaning(
        Unavailable,
        "the repository was not reached",
        re.compile(
            r"connection (refused|reset)|no such host|dial tcp|i/o timeout|timed out|tls handshake|unexpected eof"
            r"|network is unreachable|slowdown|service unavailable|too many requests|internal ?server ?error|bad gateway"
        ),
        may_have_acted=True,
    ),
    _Meaning(
        NotFound,
        "there is no repository",
        re.compile(r"is there a repository at|unable to open config file|repository does not exist|nosuchbucket"),
        10,
    ),
    _Meaning(
        NotFound,
        "the repository has no such snapshot or file",
        re.compile(r"not found in snapshot|no matching id found|no snapshot found"),
    ),
)


class Restic:
    """The program, set on one repository. Thread-safe. `store` is the name that errors carry."""

    def __init__(self, store: str, repository: Repository, program: str, cache: Path | None) -> None:
        self.repository = repository
        self.store = store
        self._program = program
        self._cache = cache

    def run(
        self,
        *arguments: str,
        changes: bool = False,
        given: bytes = b"",
        source: Repository | None = None,
        folder: Path | None = None,
        seconds: float = QUICK,
    ) -> bytes:
        """What restic wrote to its standard output. Locks that a dead restic left are removed, and it is tried once more.

        changes: a fate that is not known raises OutcomeUnknown, else Unavailable. given: its standard input. source: a
        second repository, to copy from. folder: where it runs.
        """

        def once() -> bytes:
            return self._once(arguments, changes, given, self._environ(source), folder, seconds)

        try:
            return once()
        except Locked as locked:
            self._unlock(locked)
            return once()

    @contextmanager
    def stream(self, *arguments: str) -> Iterator[BinaryIO]:
        """What restic writes to its standard output, while it does. Read to the end, a failure is raised there.

        Leaving the block early ends restic. Raises when it is entered where nothing can be read at all.
        """
        output = self._started(arguments)
        try:
            try:
                output.peek(1)
            except Locked as locked:
                output.close()
                self._unlock(locked)
                output = self._started(arguments)
                output.peek(1)
            yield cast(BinaryIO, output)
        finally:
            output.close()

    def read_through(self, *arguments: str) -> None:
        """restic could write all of this output: nothing is missing or damaged. Nothing comes from a cache."""
        with self.stream("--no-cache", *arguments) as output:
            while output.read(1024 * 1024):
                pass

    def _started(self, arguments: tuple[str, ...]) -> io.BufferedReader:
        return io.BufferedReader(_Output(self, arguments, self._environ(None)), 256 * 1024)

    def _unlock(self, locked: Locked) -> None:
        """Remove the locks of processes that are gone; restic knows them by their age and process id."""
        try:
            self._once(("unlock",), True, b"", self._environ(None), None, QUICK)
        except StoreError as error:
            raise locked from error

    def _once(
        self,
        arguments: tuple[str, ...],
        changes: bool,
        given: bytes,
        environ: dict[str, str],
        folder: Path | None,
        seconds: float,
    ) -> bytes:
        try:
            done = subprocess.run(  # noqa: S603 # an argument list, and no shell
                self.command(arguments), input=given, capture_output=True, env=environ, cwd=folder, timeout=seconds
            )
        except subprocess.TimeoutExpired as error:
            failure = OutcomeUnknown if changes else Unavailable
            raise failure(self.store, f"restic {arguments[0]} did not end in {seconds:.0f} seconds") from error
        except OSError as error:
            raise self.not_started(error) from error
        if done.returncode != 0:
            raise self.failure(arguments, done.returncode, done.stderr, changes)
        return done.stdout

    def command(self, arguments: tuple[str, ...]) -> list[str]:
        """The argument list."""
        own = ["--quiet"]
        if self._cache is None and "--no-cache" not in arguments:
            own.append("--no-cache")
        return [self._program, *own, *arguments]

    def not_started(self, error: OSError) -> StoreError:
        """The error for a program that could not be started."""
        if isinstance(error, FileNotFoundError | PermissionError):
            return Refused(self.store, "the program restic was not found; install the package restic")
        return Unavailable(self.store, f"restic could not be started: {type(error).__name__}")

    def failure(self, arguments: tuple[str, ...], code: int, stderr: bytes, changes: bool) -> StoreError:
        """The error for a restic that ended with a code other than 0."""
        words = stderr[-_STDERR_LIMIT:].decode(errors="replace").lower()
        what = next((argument for argument in arguments if not argument.startswith("-")), "restic")
        meant = [meaning for meaning in _MEANINGS if meaning.pattern.search(words)]  # words tell more than codes
        for meaning in meant or [meaning for meaning in _MEANINGS if meaning.code == code]:
            kind = OutcomeUnknown if changes and meaning.may_have_acted else meaning.kind
            return kind(self.store, f"restic {what}: {meaning.message}")
        if code < 0:
            ended = OutcomeUnknown if changes else Unavailable
            return ended(self.store, f"restic {what} was ended by signal {-code}")
        return Refused(self.store, f"restic {what} failed with exit code {code}")

    def _environ(self, source: Repository | None) -> dict[str, str]:
        found = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        found |= {"TZ": "UTC", "LC_ALL": "C", "RESTIC_PROGRESS_FPS": "0.0001"}
        if self._cache is not None:
            found["RESTIC_CACHE_DIR"] = str(self._cache)
        if source is not None:
            found |= source.variables("RESTIC_FROM_")
        return found | self.repository.variables()


class _Output(io.RawIOBase):
    """The standard output of a restic under way. Its end is an end only where restic ended well."""

    def __init__(self, restic: Restic, arguments: tuple[str, ...], environ: Mapping[str, str]) -> None:
        super().__init__()
        self._restic = restic
        self._arguments = arguments
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 # closed by close()
        try:
            self._process = subprocess.Popen(  # noqa: S603 # an argument list, and no shell
                restic.command(arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env=environ,
                bufsize=0,
            )
        except OSError as error:
            self._stderr.close()
            super().close()
            raise restic.not_started(error) from error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        content = self._pipe.read(len(view))
        view[: len(content)] = content
        if not content and (code := self._process.wait()) != 0:
            self._stderr.seek(0)
            raise self._restic.failure(self._arguments, code, self._stderr.read(), changes=False)
        return len(content)

    def close(self) -> None:
        if not self.closed:
            self._end()
            self._pipe.close()
            self._stderr.close()
        super().close()

    def _end(self) -> None:
        """restic has ended; interrupted, it removes its lock first."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_LAST_WORDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    @property
    def _pipe(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout
