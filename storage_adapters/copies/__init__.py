"""One customer's part of a dataset, moved piece by piece from one store to another.

What is named here is imported when it is asked for: a service pays only for the kinds of store that it has.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage_adapters.copies.buckets import BucketTarget, ObjectsSource
    from storage_adapters.copies.contract import Arrived, CopySource, CopyTarget, Piece
    from storage_adapters.copies.folders import FolderSource, FolderTarget
    from storage_adapters.copies.rows import RowsSource

__all__ = [
    "Arrived",
    "BucketTarget",
    "CopySource",
    "CopyTarget",
    "FolderSource",
    "FolderTarget",
    "ObjectsSource",
    "Piece",
    "RowsSource",
]

_HOMES = {
    "Arrived": "contract",
    "BucketTarget": "buckets",
    "CopySource": "contract",
    "CopyTarget": "contract",
    "FolderSource": "folders",
    "FolderTarget": "folders",
    "ObjectsSource": "buckets",
    "Piece": "contract",
    "RowsSource": "rows",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
