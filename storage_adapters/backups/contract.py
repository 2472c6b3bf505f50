"""The contract between the product and a store of backup sets.

A *set* is what one backup run left: a folder of files or objects, one file, a snapshot, a recovery point. It is listed,
looked into, deleted, quarantined and rewritten as a whole. A `BackupStore` finds the sets of a store; it does not know
whose data is in them.

Rules for every backup store, checked by `storage_adapters.backups.conformance`:

1. `sets` shows everything that lies in the store and that nobody else claims, what it cannot make sense of included.
2. `delete` removes a whole set, every version of everything in it, or nothing: where one item of it is locked, none goes.
3. A quarantined set keeps its name. From then on a read with the credentials of ordinary readers fails, and
   `try_reading` really tries one.
4. Every change is idempotent and can be killed at any instant: repeating it finishes it. A set is never lost between two
   places: it is removed from the first only when the second has all of it, read back.
5. Foreign exceptions never leave an adapter; see `storage_adapters.errors`. A full disk is `Unavailable`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Protocol

from storage_adapters.contract import ItemResult, Place, Store


class Form(StrEnum):
    """What a file of a set is. `PLAIN_FILE` is a file of which no more is known: an object as the platform stored it."""

    PLAIN_FILE = "plain-file"
    PG_DUMP_PLAIN = "pg-dump-plain"  # SQL text; also gzipped
    PG_DUMP_CUSTOM = "pg-dump-custom"
    PG_DUMP_DIRECTORY = "pg-dump-directory"  # every file of a folder with a toc.dat
    MYSQL_DUMP = "mysql-dump"  # SQL text of mysqldump or mariadb-dump; also gzipped
    TAR = "tar"  # also gzipped
    SNAPSHOT = "snapshot"  # of a volume or a database: it cannot be looked into


@dataclass(frozen=True, slots=True)
class SetLayout:
    """Where sets lie: everything below `root` whose name shares its first `depth` segments there is one set.

    `root` is a folder ("nightly/") or empty; for `nightly/2026-11-10/a/b`, root "nightly/" and depth 1 give the set
    `nightly/2026-11-10/`. What lies there at a smaller depth is a set of its own, named without a slash at its end.
    """

    root: str
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Lock:
    """Something in the store that forbids deleting. `until` is aware UTC, None where it ends only when somebody ends it.

    kind: `compliance`, `governance`, `legal-hold`, `vault-lock`, … as the store calls it.
    """

    kind: str
    until: datetime | None = None


class Whereabouts(StrEnum):
    """Whether ordinary readers reach a set."""

    IN_PLACE = "in-place"
    FENCED = "fenced"  # quarantined where it lies
    MOVED = "moved"  # quarantined somewhere else


@dataclass(frozen=True, slots=True)
class BackupSet:
    """One set. `name` is unique in the store, stays through quarantine, and ends with `/` for a folder.

    label: what a template such as `nightly/{date}/` is compared with; the name itself where names are spoken.
    begun_at, taken_at: when the first and the last of it was written (aware UTC, None where the store does not tell).
    size: bytes, 0 where unknown. forms: the forms of its files. locks: what forbids deleting anything of it.
    """

    name: str
    label: str
    begun_at: datetime | None
    taken_at: datetime | None
    item_count: int
    size: int
    forms: frozenset[Form]
    locks: tuple[Lock, ...] = ()
    whereabouts: Whereabouts = Whereabouts.IN_PLACE


@dataclass(frozen=True, slots=True)
class SetFile:
    """One file of a set. `path` is relative to the set (its last segment where the set is one file). Size in bytes."""

    path: str
    form: Form
    size: int
    written_at: datetime | None


@dataclass(frozen=True, slots=True)
class Deletion:
    """What became of a set that was to be deleted. `reason` is the store's code or a short word, never data.

    result: DONE, ABSENT (there was none), LOCKED (nothing was removed; `locks` say by what), REFUSED, or UNKNOWN.
    """

    result: ItemResult
    locks: tuple[Lock, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ReadAttempt:
    """A read of a set that was really tried, as an ordinary reader would.

    how: what was tried and what the store said, one sentence without names of objects ("GetObject: 403 AccessDenied").
    """

    is_refused: bool
    how: str


@dataclass(frozen=True, slots=True)
class BackupCapabilities:
    """The capability sheet of a backup store.

    restricts: how it can quarantine (FENCED and MOVED, in order of preference; empty: not at all).
    reads: sets can be looked into and restored. rewrites: sets can be rewritten. notes: what an operator has to know.
    """

    restricts: tuple[Whereabouts, ...]
    reads: bool
    rewrites: bool
    notes: tuple[str, ...] = ()


class Rewriting(Protocol):
    """A set being rewritten. Nothing of it is seen before `commit`; leaving the block without it leaves the old set."""

    def keep(self, path: str) -> None:
        """Carry this file of the old set over as it is."""
        ...

    def write(self, path: str) -> AbstractContextManager[BinaryIO]:
        """Write this file of the new set; a file of which neither `keep` nor `write` is called is not in it."""
        ...

    def commit(self) -> None:
        """The new set stands under the old one's name, where ordinary readers reach it, and the old one is gone.

        Every version of the old one, in quarantine or not. Killed half way, either set stands, whole.
        """
        ...


class BackupStore(Protocol):
    """A store of backup sets. Thread-safe. Every method may raise `Unavailable`, `Refused` and `OutcomeUnknown`.

    Those that take a set raise `NotFound` where it is not there (any more), unless they say otherwise.
    """

    @property
    def name(self) -> str:
        """The store's configured name."""
        ...

    def capabilities(self) -> BackupCapabilities:
        """The capability sheet, read from the store itself where it depends on settings."""
        ...

    def sets(self, layouts: Sequence[SetLayout], claimed: Sequence[str] = ()) -> Iterator[BackupSet]:
        """Every set of the store, in quarantine or not, by name. Nothing below the prefixes in `claimed`.

        What lies outside every layout is a set for each of its first segments. Sets that vanish meanwhile are left out.
        """
        ...

    def find(self, name: str) -> BackupSet | None:
        """This one set as it is now; None where there is none of this name (any more)."""
        ...

    def files(self, name: str) -> Iterator[SetFile]:
        """The files of the set, by path. Raises Refused where sets cannot be looked into."""
        ...

    def heads(self, name: str, length: int) -> Iterator[tuple[SetFile, bytes]]:
        """The first `length` bytes of every file of the set. Raises Refused where sets cannot be looked into."""
        ...

    def open(self, name: str, path: str) -> AbstractContextManager[BinaryIO]:
        """The content of one file of the set, as a stream to be read once. From quarantine too: this is the only way in."""
        ...

    def delete(self, name: str) -> Deletion:
        """Remove the whole set for good, as rule 2 says. Not undoable. A set that is not there is ABSENT."""
        ...

    def quarantine(self, name: str) -> Whereabouts:
        """Put the set out of the reach of ordinary readers. A second call changes nothing.

        MOVED where a lock allows it and there is somewhere to move to, else FENCED. Raises Refused where this store can do
        neither; whether it really refuses is what `try_reading` says.
        """
        ...

    def try_reading(self, name: str) -> ReadAttempt:
        """Read some of the set as an ordinary reader would: at its old place, and in quarantine. Changes nothing."""
        ...

    def rewrite(self, name: str) -> AbstractContextManager[Rewriting]:
        """Begin a rewriting. Raises Refused where the store cannot, or where a lock would keep the old set."""
        ...

    def close(self) -> None:
        """Release connections. A second call does nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Removed:
    """How many rows or members were taken out of a file.

    unlisted: tables that look like they hold a customer's data and that no removal lists, and "large objects", which are
    nobody's; they were not touched.
    """

    count: int
    unlisted: tuple[str, ...] = ()


class DumpRewriter(Protocol):
    """Takes customers out of dumps and archives, as streams, in memory that does not grow with them.

    source: opens the file from its beginning, for several passes. removals: `Rows` for dumps of databases, `Prefix` and
    `Objects` (names within the archive) for tar. Raises `Refused` for a damaged file, or a form that it does not take.
    """

    def rewrite(
        self,
        form: Form,
        source: Callable[[], AbstractContextManager[BinaryIO]],
        target: BinaryIO,
        removals: Sequence[Place],
        scratch: Path,
    ) -> Removed:
        """Write the file to `target` without what is to be removed."""
        ...

    def count(
        self,
        form: Form,
        source: Callable[[], AbstractContextManager[BinaryIO]],
        removals: Sequence[Place],
        scratch: Path,
    ) -> Removed:
        """What `rewrite` would remove. Writes nothing."""
        ...


# ------------------------------------------------------------------------------------------------- restoring


class Content(StrEnum):
    """What a place to restore into takes."""

    FILES = "files"
    ROWS = "rows"


CONTENT_OF = {
    Form.PLAIN_FILE: Content.FILES,
    Form.TAR: Content.FILES,
    Form.PG_DUMP_PLAIN: Content.ROWS,
    Form.PG_DUMP_CUSTOM: Content.ROWS,
    Form.PG_DUMP_DIRECTORY: Content.ROWS,
    Form.MYSQL_DUMP: Content.ROWS,
}
"""What a file of a set is restored as. A snapshot is not restored."""


class SetReader(Protocol):
    """Whatever files of a set can be read from: a backup store, or a folder in which one is being rewritten."""

    def open(self, name: str, path: str) -> AbstractContextManager[BinaryIO]:
        """The content of one file of the set, as a stream to be read once."""
        ...


class Staging(Protocol):
    """A restore under way: what is in it is reached by nobody else, and is gone when the block is left unreleased.

    What a killed process left is removed by the next `begin` of the place.
    """

    def load(self, source: SetReader, name: str, files: Sequence[SetFile]) -> None:
        """Bring these files of the set in: dumps are restored, plain files copied, tar archives unpacked.

        Raises `Refused` for what is no dump or is damaged, with the first thing the tool said that holds no data;
        nothing is released then.
        """
        ...

    def store(self) -> Store:
        """What is staged, as a store: erased and searched like any other. Object names are paths within the set."""
        ...

    def forget(self, is_known: Callable[[str], bool]) -> int:
        """Remove every staged file for whose path this is False; how many those were. Rows: nothing, 0."""
        ...

    def release(self) -> None:
        """Give out what is staged: from now on it lies in the place, whole, for whoever reads there.

        Raises Refused where the place is no longer empty.
        """
        ...


class RestorePlace(Protocol):
    """Somewhere to restore into that nothing serves: it has to be empty, and stays so until the release."""

    @property
    def name(self) -> str:
        """The configured name of the store that it is."""
        ...

    @property
    def takes(self) -> Content:
        """What can be restored into it."""
        ...

    def begin(self) -> AbstractContextManager[Staging]:
        """Begin a restore. Raises Refused where the place is not empty; one restore at a time, a second one is Refused."""
        ...
