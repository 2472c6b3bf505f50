"""Files of backups that customers' data is rewritten out of; see `anonymise`."""

from storage_adapters.backups.dumps.anonymise import Rewritten, count_rows, rewrite_dump
from storage_adapters.backups.dumps.streams import Source

__all__ = ["Rewritten", "Source", "count_rows", "rewrite_dump"]
