"""Column types that keep their promise on every database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, LargeBinary, Text
from sqlalchemy.dialects.mysql import DATETIME, LONGBLOB, LONGTEXT
from sqlalchemy.types import TypeDecorator, TypeEngine

LONG_TEXT = Text().with_variant(LONGTEXT(), "mysql", "mariadb")
"""Text of any length; plain TEXT ends at 64 KiB on MariaDB."""

BYTES = LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")


class Instant(TypeDecorator[datetime]):
    """An aware instant, stored in UTC with microseconds and returned aware.

    SQLite and MariaDB would silently drop the zone, so a naive value is refused with ValueError.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column's type in this database: with microseconds, and with a zone where it has one."""
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The instant in UTC as the database takes it. Raises ValueError for a naive one."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime names no instant")
        utc = value.astimezone(UTC)
        return utc if dialect.name == "postgresql" else utc.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The instant as aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
