"""Snapshots of restic repositories as backup sets."""

from storage_adapters.backups.restic.settings import Repository
from storage_adapters.backups.restic.store import ResticBackups

__all__ = ["Repository", "ResticBackups"]
