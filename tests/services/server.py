"""Servers that the tests start themselves, where none is running: one of each kind per test run.

A run has one folder, made by its controlling process and told to every worker. Whoever needs a server first starts
it there, under a lock; the others read its address; the controlling process stops them all at the end.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

ANSWER_SECONDS = 2
"""How long an address may take to answer before nobody is taken to be there."""

START_SECONDS = 60
STOP_SECONDS = 20

Ping = Callable[[str], None]
"""Returns when the server at a URL takes requests, raises NoAnswer otherwise."""


class NoAnswer(Exception):
    """Nobody serves at an address, or not us."""


class ServiceMissing(Exception):
    """No server is running, and none is installed that could be started."""


class StartFailed(Exception):
    """A server is installed and did not come up; the message ends with what it said."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server process that this test run started, and the signal that ends it at once and cleanly."""

    url: str
    pid: int
    stop_signal: int = signal.SIGTERM


def running(variable: str, default_url: str, ping: Ping) -> str | None:
    """The address of a server that is already running, None where this run has to start its own.

    With `RETENTION_TEST_SERVICES=own` running servers are left alone. An address in the environment is meant: raises
    NoAnswer when nobody serves there.
    """
    if os.environ.get("RETENTION_TEST_SERVICES") == "own":
        return None
    if named := os.environ.get(variable):
        ping(named)
        return named
    try:
        ping(default_url)
    except NoAnswer:
        return None
    return default_url


def shared(run_folder: Path, name: str, start: Callable[[Path], Server]) -> str:
    """The address of this run's own server `name`, which the first caller among all workers starts.

    Raises what `start` raises; the next caller tries again.
    """
    record = run_folder / f"{name}.json"
    with _locked(run_folder / f"{name}.lock"):
        if not record.exists():
            folder = run_folder / name
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            record.write_text(json.dumps(asdict(start(folder))))
        return _read(record).url


def launch(
    command: Sequence[str | Path],
    server_url: str,
    folder: Path,
    ping: Ping,
    *,
    user: int | None = None,
    stop_signal: int = signal.SIGTERM,
) -> Server:
    """A server that has answered `ping`, in a process that outlives this one and runs as `user` (default: as we do).

    Raises StartFailed when it ends, or says nothing for `START_SECONDS`; then no process is left.
    """
    log = folder / "output.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=user,
            extra_groups=None if user is None else [],
        )
    give_up_at = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < give_up_at:
        try:
            ping(server_url)
        except NoAnswer:
            time.sleep(0.05)
        else:
            process.returncode = 0  # nobody here waits for it: `stop_all` ends it, perhaps in another process
            return Server(server_url, process.pid, stop_signal)
    process.kill()
    process.wait()
    raise StartFailed(f"{command[0]}: {log.read_text(errors='replace')[-2000:]}")


def stop_all(run_folder: Path) -> None:
    """No server of this run is left, nor its data. A second call does nothing."""
    for record in sorted(run_folder.glob("*.json")):
        server = _read(record)
        if not _ends(server.pid, server.stop_signal, STOP_SECONDS):
            _ends(server.pid, signal.SIGKILL, 1)
    shutil.rmtree(run_folder, ignore_errors=True)


def free_port() -> int:
    """A TCP port of the loopback address that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _read(record: Path) -> Server:
    return Server(**json.loads(record.read_text()))


def _ends(pid: int, wish: int, seconds: float) -> bool:
    """Whether a process, which may be the orphan of an ended worker, is gone within `seconds` of the signal."""
    give_up_at = time.monotonic() + seconds
    try:
        os.kill(pid, wish)
        while time.monotonic() < give_up_at:
            if _is_our_child_and_ended(pid):
                return True
            os.kill(pid, 0)
            time.sleep(0.02)
    except ProcessLookupError:
        return True
    return False


def _is_our_child_and_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
