"""Backup sets that lie in an S3 bucket."""

from storage_adapters.backups.buckets.store import BucketBackups

__all__ = ["BucketBackups"]
