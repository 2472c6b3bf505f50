"""Places to restore backup sets into: databases, folders and buckets that nobody reads until the release.

What is named here is imported when it is asked for: a service pays only for the kinds of place that it has.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage_adapters.backups.places.bucket import BucketPlace
    from storage_adapters.backups.places.folder import FolderPlace
    from storage_adapters.backups.places.mariadb import MariaDbPlace
    from storage_adapters.backups.places.postgres import PostgresPlace
    from storage_adapters.backups.places.programs import Programs

__all__ = ["BucketPlace", "FolderPlace", "MariaDbPlace", "PostgresPlace", "Programs"]

_HOMES = {
    "BucketPlace": "bucket",
    "FolderPlace": "folder",
    "MariaDbPlace": "mariadb",
    "PostgresPlace": "postgres",
    "Programs": "programs",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
