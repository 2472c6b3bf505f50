"""The ways by which a store itself sends data elsewhere, and closing them so that it can be undone.

What is named here is imported when it is asked for: a service pays only for the kinds of store that it has.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage_adapters.egress.buckets import BucketEgress
    from storage_adapters.egress.databases import DatabasesEgress
    from storage_adapters.egress.plans import BackupPlansEgress
    from storage_adapters.egress.standbys import StandbyEgress

__all__ = ["BackupPlansEgress", "BucketEgress", "DatabasesEgress", "StandbyEgress"]

_HOMES = {
    "BackupPlansEgress": "plans",
    "BucketEgress": "buckets",
    "DatabasesEgress": "databases",
    "StandbyEgress": "standbys",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
