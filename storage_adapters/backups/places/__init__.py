"""Places to restore backup sets into: databases, folders and buckets that nobody reads until the release."""

from storage_adapters.backups.places.bucket import BucketPlace
from storage_adapters.backups.places.folder import FolderPlace
from storage_adapters.backups.places.mariadb import MariaDbPlace
from storage_adapters.backups.places.postgres import PostgresPlace
from storage_adapters.backups.places.programs import Programs

__all__ = ["BucketPlace", "FolderPlace", "MariaDbPlace", "PostgresPlace", "Programs"]
