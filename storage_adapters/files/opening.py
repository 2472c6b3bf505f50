"""The root of a store of files, open; what the system says leaves as the store's own errors."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage_adapters.errors import NotFound, Refused, StoreError, Unavailable
from storage_adapters.files.area import Area
from storage_adapters.files.changes import code_of, is_refusal
from storage_adapters.files.names import BadName


@contextmanager
def opened(store: str, root: Path) -> Iterator[Area]:
    """The root of the store of this name, closed at the end. Raises NotFound where it is not there; else as below."""
    with file_errors(store):
        try:
            descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFound(store, "the root directory is not there") from error
        try:
            yield Area(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def file_errors(store: str) -> Iterator[None]:
    """Foreign errors leave the block as Refused, where the system will say so again or a name is none, or Unavailable."""
    try:
        yield
    except BadName as error:
        raise Refused(store, str(error)) from error
    except RecursionError as error:
        raise Refused(store, "folders are nested too deeply") from error
    except OSError as error:
        raise _translated(store, error) from error


def _translated(store: str, error: OSError) -> StoreError:
    if error.errno == errno.ELOOP:
        return Refused(store, "a folder on the way is a link")
    kind = Refused if is_refusal(error) else Unavailable
    return kind(store, f"the file system says {code_of(error)}")
