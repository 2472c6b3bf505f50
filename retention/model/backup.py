"""Backup sets as the catalogue knows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from storage_adapters.backups.contract import BackupSet


@dataclass(frozen=True, slots=True)
class KnownSet:
    """A backup set as the last scan found it.

    id: stands for it in evidence, without personal data. shown: its name without personal data. plans: the series of the
    policy whose template it fits; none means that nobody said what is in it. seen_at: when it was last found (aware UTC).
    changed_at: when its content was first seen as it is.
    """

    store: str
    id: str
    set: BackupSet
    shown: str
    plans: tuple[str, ...]
    seen_at: datetime
    changed_at: datetime
