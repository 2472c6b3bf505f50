"""PostgreSQL, MariaDB and SQLite behind the contract.

The store is imported when it is asked for: who only reads a dump needs no driver.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage_adapters.sql.dialect import Limits
    from storage_adapters.sql.store import SqlStore

__all__ = ["Limits", "SqlStore"]

_HOMES = {"Limits": "dialect", "SqlStore": "store"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
