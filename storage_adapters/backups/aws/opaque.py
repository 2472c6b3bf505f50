"""What is the same for all that AWS keeps: it can be listed and deleted, and not looked into.

A snapshot is read by restoring it into a database or a volume, which costs money and leaves things behind. So no store
of this kind reads, rewrites, or says that it can quarantine: a refusal that cannot be tried is no refusal.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO

from storage_adapters.aws.calls import Declined
from storage_adapters.aws.settings import AwsSettings
from storage_adapters.backups.contract import (
    BackupCapabilities,
    BackupSet,
    Deletion,
    Lock,
    ReadAttempt,
    Rewriting,
    SetFile,
    SetLayout,
    Whereabouts,
)
from storage_adapters.contract import ItemResult
from storage_adapters.errors import NotFound, OutcomeUnknown, Refused

_CLOSED = "a snapshot cannot be looked into"
_UNTRIED = "AWS has no harmless way to try whether a snapshot can be restored, so it cannot be quarantined"


class OpaqueSnapshots(ABC):
    """A store of snapshots that are listed and deleted as a whole. Layouts mean nothing; `claimed` is of labels."""

    def __init__(self, name: str, settings: AwsSettings) -> None:
        """Told by the stores that are of this kind."""
        self._name = name
        self._settings = settings

    @property
    def name(self) -> str:
        """The store's configured name."""
        return self._name

    def capabilities(self) -> BackupCapabilities:
        """The capability sheet: nothing but listing and deleting. The notes are read from AWS."""
        return BackupCapabilities((), reads=False, rewrites=False, notes=tuple(self._notes()))

    def sets(self, layouts: Sequence[SetLayout], claimed: Sequence[str] = ()) -> Iterator[BackupSet]:
        """Every snapshot, by name."""
        for found in sorted(self._listed(), key=lambda found: found.name):
            if not found.label.startswith(tuple(claimed)):
                yield found

    @abstractmethod
    def find(self, name: str) -> BackupSet | None:
        """This one snapshot as it is now; None where there is none of this name (any more)."""

    def files(self, name: str) -> Iterator[SetFile]:
        """Raises Refused."""
        raise Refused(self._name, _CLOSED)

    def heads(self, name: str, length: int) -> Iterator[tuple[SetFile, bytes]]:
        """Raises Refused."""
        raise Refused(self._name, _CLOSED)

    def open(self, name: str, path: str) -> AbstractContextManager[BinaryIO]:
        """Raises Refused."""
        raise Refused(self._name, _CLOSED)

    def delete(self, name: str) -> Deletion:
        """Delete the snapshot, and look until it is gone. UNKNOWN (`deleting`) where it is still there after that.

        AWS itself decides what a lock forbids: it is asked, and where it declines, the locks that are known are named.
        """
        found = self.find(name)
        if found is None:
            return Deletion(ItemResult.ABSENT)
        try:
            self._delete(found)
        except NotFound:
            return Deletion(ItemResult.ABSENT)
        except OutcomeUnknown:
            return self._settled(name, "unanswered")
        except Declined as declined:
            if locks := found.locks or self._locks_meant(declined.code):
                return Deletion(ItemResult.LOCKED, locks, declined.code)
            return Deletion(ItemResult.REFUSED, reason=declined.code)
        return self._settled(name, "deleting")

    def quarantine(self, name: str) -> Whereabouts:
        """Raises Refused, NotFound where there is no such snapshot."""
        self._present(name)
        raise Refused(self._name, _UNTRIED)

    def try_reading(self, name: str) -> ReadAttempt:
        """Raises Refused, NotFound where there is no such snapshot."""
        self._present(name)
        raise Refused(self._name, _UNTRIED)

    def rewrite(self, name: str) -> AbstractContextManager[Rewriting]:
        """Raises Refused."""
        raise Refused(self._name, "a snapshot cannot be rewritten")

    @abstractmethod
    def close(self) -> None:
        """Release connections. A second call does nothing."""

    @abstractmethod
    def _listed(self) -> Iterator[BackupSet]: ...

    @abstractmethod
    def _delete(self, found: BackupSet) -> None: ...

    @abstractmethod
    def _notes(self) -> Iterator[str]: ...

    def _locks_meant(self, code: str) -> tuple[Lock, ...]:
        """The locks that this error code tells of."""
        return ()

    def _present(self, name: str) -> BackupSet:
        if (found := self.find(name)) is None:
            raise NotFound(self._name, "there is no such snapshot")
        return found

    def _settled(self, name: str, reason: str) -> Deletion:
        for check in range(self._settings.gone_checks):
            time.sleep(self._settings.gone_pause if check else 0.0)
            if self.find(name) is None:
                return Deletion(ItemResult.DONE)
        return Deletion(ItemResult.UNKNOWN, reason=reason)
