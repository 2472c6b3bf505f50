"""PostgreSQL, MariaDB and SQLite behind the contract."""

from storage_adapters.sql.dialect import Limits
from storage_adapters.sql.store import SqlStore

__all__ = ["Limits", "SqlStore"]
