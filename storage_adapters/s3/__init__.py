"""Amazon S3 and the stores that speak like it."""

from storage_adapters.s3.settings import Addressing, S3Settings
from storage_adapters.s3.store import S3Store

__all__ = ["Addressing", "S3Settings", "S3Store"]
