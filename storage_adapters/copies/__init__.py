"""One customer's part of a dataset, moved piece by piece from one store to another."""

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
