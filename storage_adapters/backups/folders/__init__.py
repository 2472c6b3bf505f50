"""Backup sets that lie in a directory."""

from storage_adapters.backups.folders.store import FolderBackups

__all__ = ["FolderBackups"]
