"""A program of its own: tries to read a byte of each file that it is told, as the user that it is told to become.

Takes one JSON object on its standard input: `user`, `group` and `groups` (numbers, or `user` null to stay who it is) and
`files`, full paths. Answers with one JSON list on its standard output: what the system said of each, "" for a file that
could be read. Follows no link at a path's end; changes nothing. Needs nothing but Python's own library.
"""

from __future__ import annotations

import errno
import json
import os
import sys


def answer_to(path: str) -> str:
    """The name of the system's error, or "" where a byte (or the end of the file) was read, or a folder was listed."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "an unknown error")
    try:
        os.read(opened, 1)
    except IsADirectoryError:
        os.listdir(opened)  # noqa: PTH208 - a descriptor
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "an unknown error")
    finally:
        os.close(opened)
    return ""


def become(user: int, group: int, groups: list[int]) -> None:
    """This process is that user for good. Raises OSError where it may not become it."""
    os.setgroups(groups)
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


def main() -> None:
    """Read the order, try, answer."""
    order = json.load(sys.stdin)
    if order["user"] is not None:
        become(order["user"], order["group"], order["groups"])
    json.dump([answer_to(path) for path in order["files"]], sys.stdout)


if __name__ == "__main__":
    main()
