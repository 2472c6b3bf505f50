"""moto's listing of versions without its copies: for each page it copies and sorts every version of the bucket.

What is listed stays the same: those below the asked prefix do as well, and a listed entry may share its content with
the stored one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from moto.s3.models import FakeDeleteMarker, FakeKey, S3Backend
from moto.s3.utils import _VersionedKeyStore

_asked = threading.local()
_listing = S3Backend.list_object_versions
_versions = _VersionedKeyStore.iterlists


class _Listed(FakeKey):
    """An entry that shares its content with the stored one, and does not close it when it is thrown away."""

    def __del__(self) -> None:
        """Leave the content open."""


def _copied(self: FakeKey | FakeDeleteMarker, memo: object) -> FakeKey | FakeDeleteMarker:
    kind: type[FakeKey | FakeDeleteMarker] = _Listed if isinstance(self, FakeKey) else FakeDeleteMarker
    entry = object.__new__(kind)
    entry.__dict__.update(self.__dict__)
    return entry


def _list_below(self: S3Backend, bucket_name: str, *, prefix: str, **page: Any) -> Any:
    _asked.prefix = prefix
    try:
        return _listing(self, bucket_name, prefix=prefix, **page)
    finally:
        del _asked.prefix


def _versions_below(self: _VersionedKeyStore) -> Iterator[tuple[str, Any]]:
    prefix = getattr(_asked, "prefix", "")
    return ((name, found) for name, found in _versions(self) if name.startswith(prefix))


def list_quickly() -> None:
    """Servers of this process list so from now on. A second call does nothing."""
    for kind in (FakeKey, FakeDeleteMarker):
        setattr(kind, "__deepcopy__", _copied)  # noqa: B010 - mypy knows of no such method
    setattr(S3Backend, "list_object_versions", _list_below)  # noqa: B010 - nor of methods that are exchanged
    setattr(_VersionedKeyStore, "iterlists", _versions_below)  # noqa: B010
