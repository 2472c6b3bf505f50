"""Trying to read a set as an ordinary reader: at its old place, and where it lies in quarantine."""

from __future__ import annotations

import json
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from storage_adapters.backups.contract import ReadAttempt
from storage_adapters.backups.folders import reader
from storage_adapters.errors import Refused, Unavailable

_PROGRAM = Path(reader.__file__)
_NOBODY = 65534
_SECONDS = 300
_WORDS = {"EACCES": "permission denied", "EPERM": "not permitted", "ENOENT": "no such file", "ENOTDIR": "no such file"}


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: a user to become, or None for ourselves. `what` says it in words."""

    user: int | None
    group: int = 0
    groups: tuple[int, ...] = ()
    what: str = "ourselves"


def reader_of(store: str, normal_user: str | None) -> Reader:
    """Who tries: the normal user, or nobody where none is named; ourselves where we cannot become another.

    Raises Refused for a user whom the system does not know.
    """
    try:
        if os.geteuid() != 0:
            own = normal_user is not None and pwd.getpwnam(normal_user).pw_uid == os.geteuid()
            return Reader(None, what="the normal user" if own else "ourselves")
        if normal_user is not None:
            entry = pwd.getpwnam(normal_user)
            groups = tuple(os.getgrouplist(normal_user, entry.pw_gid))
            return Reader(entry.pw_uid, entry.pw_gid, groups, "the normal user")
    except KeyError as error:
        raise Refused(store, "the normal user is not known to the system") from error
    return Reader(_NOBODY, _NOBODY, (), "nobody")


def answers(store: str, who: Reader, files: Sequence[str]) -> list[str]:
    """What the system said of each file, "" for one that was read. Raises Refused, Unavailable where nobody could try."""
    if who.user is None:
        return [reader.answer_to(path) for path in files]
    order = {"user": who.user, "group": who.group, "groups": list(who.groups), "files": list(files)}
    try:
        done = subprocess.run(  # noqa: S603 - our own program, by its full name; the names go in by its input
            [sys.executable, "-I", "-S", str(_PROGRAM)],
            input=json.dumps(order).encode(),
            capture_output=True,
            timeout=_SECONDS,
            cwd="/",
            env={},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(store, "the attempt to read did not end") from error
    if done.returncode != 0:
        raise Refused(store, f"the attempt to read could not be made as {who.what}")
    return [str(one) for one in json.loads(done.stdout)]


def attempt(who: Reader, old: Sequence[str], kept: Sequence[str], folder: str | None) -> ReadAttempt:
    """The verdict: `old` are the answers at the old place, `kept` those in quarantine, `folder` what is wrong with it.

    An answer that is neither "no such file" nor a denial (a broken disk) is no refusal.
    In quarantine only another user's attempt says something: a file that is ours is readable to ourselves, always.
    """
    parts = [f"old place, as {who.what}: {_in_words(old)}"]
    is_read = "" in old
    if kept and who.user is not None:
        is_read = is_read or "" in kept
        parts.append(f"quarantine, as {who.what}: {_in_words(kept)}")
    elif kept:
        is_read = is_read or folder is not None
        parts.append(f"quarantine folder: {folder or 'owner only (0700)'}, not tried as another user")
    is_unclear = bool({*old, *(kept if who.user is not None else ())} - {"", *_WORDS})
    return ReadAttempt(not is_read and not is_unclear, "; ".join(parts))


def wrong_with(descriptor: int) -> str | None:
    """What is wrong with a quarantine folder: it is to belong to us and be closed to everyone else. None: nothing."""
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid():
        return "it belongs to another user"
    mode = stat.S_IMODE(status.st_mode)
    return None if mode == 0o700 else f"its mode is {mode:04o}, not 0700"


def _in_words(said: Sequence[str]) -> str:
    if "" in said:
        return f"read {said.count('')} of {len(said)} files"
    return ", ".join(sorted({_WORDS.get(one, one) for one in said})) or "nothing there"
