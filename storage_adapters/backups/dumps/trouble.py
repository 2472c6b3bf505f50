"""What can go wrong with a dump, and how it is said to the caller."""

from __future__ import annotations

import errno
import gzip
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from storage_adapters.errors import Refused, StoreError, Unavailable

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Unfit(Exception):
    """The dump is damaged, or of a kind that cannot be rewritten. The message names tables and offsets, never values."""


@contextmanager
def translated(store: str) -> Iterator[None]:
    """What is raised inside leaves as an error of the store `store`.

    Refused for a dump that is damaged or unfit, Unavailable for a full disk and for what could not be read or written.
    Errors of stores pass as they are.
    """
    try:
        yield
    except StoreError:
        raise
    except Unfit as error:
        raise Refused(store, str(error)) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:  # the last is an OSError too
        raise Refused(store, "the dump is damaged: its compressed data is cut off or broken") from error
    except sqlite3.Error as error:
        raise Unavailable(store, f"the scratch folder cannot be used: {error.sqlite_errorname}") from error
    except OSError as error:
        what = "the disk is full" if error.errno in _FULL else "reading or writing failed"
        raise Unavailable(store, f"{what}: {errno.errorcode.get(error.errno or 0, type(error).__name__)}") from error
