"""A directory as a store of objects."""

from storage_adapters.files.names import TOMBSTONES
from storage_adapters.files.store import FileStore

__all__ = ["TOMBSTONES", "FileStore"]
