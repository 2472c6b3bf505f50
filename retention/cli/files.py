"""Files that commands read and write; `-` is standard input or output."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def reading(name: str) -> Iterator[BinaryIO]:
    """The file, or standard input, for reading bytes."""
    if name == "-":
        yield sys.stdin.buffer
        return
    with Path(name).open("rb") as file:
        yield file


@contextmanager
def writing(name: str) -> Iterator[BinaryIO]:
    """A file that appears under its name, whole and durable, when the block ends, and not at all when it raises.

    What went to standard output before the block raised cannot be taken back.
    """
    if name == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(name)
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
