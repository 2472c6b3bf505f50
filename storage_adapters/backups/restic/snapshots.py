"""What restic lists: snapshots, which of them make one set, and the files of a snapshot.

restic gives a snapshot another id whenever it is copied or tagged. So what this product moves or rewrites carries the
tag `retention-set=<the id it had first>`, and that is the set's name; every other snapshot is a set of its own id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from storage_adapters.backups.restic.program import Restic
from storage_adapters.errors import NotFound

SNAPSHOT_ID = re.compile(r"[0-9a-f]{64}")
_SET = re.compile(r"retention-set=([0-9a-f]{64})")
_REWRITING = re.compile(r"retention-rewriting=([0-9]{1,9})")
MARKER = "retention-removing"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot of a repository.

    name: of the set it belongs to. rewriting: how often the set had been rewritten when it was made. tags: without ours.
    is_marker: it holds nothing, and says that data of its set may still lie in the repository without a snapshot.
    """

    id: str
    name: str
    at: datetime
    tree: str
    host: str
    tags: tuple[str, ...]
    rewriting: int
    is_marker: bool
    is_named: bool

    @property
    def label(self) -> str:
        """The first tag, or `untagged`, and the day (UTC)."""
        return f"{self.tags[0] if self.tags else 'untagged'}/{self.at:%Y-%m-%d}"


@dataclass(frozen=True, slots=True)
class Node:
    """One regular file of a snapshot. `path` has no slash at its start; `seen` tells this state of the file from others."""

    path: str
    size: int
    written_at: datetime
    seen: tuple[str, int, str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a set stands: its snapshots in the ordinary repository and in the one for quarantine.

    More than one snapshot is what an interrupted change left.
    """

    ordinary: tuple[Snapshot, ...]
    quarantined: tuple[Snapshot, ...]

    @property
    def everything(self) -> tuple[Snapshot, ...]:
        """All of it; never empty."""
        return self.ordinary + self.quarantined

    @property
    def current(self) -> Snapshot | None:
        """The snapshot that is the set: the least rewritten one, until it is gone. None where only markers are left."""
        contents = [snapshot for snapshot in self.everything if not snapshot.is_marker]
        return min(contents, key=lambda snapshot: snapshot.rewriting, default=None)


def snapshots(restic: Restic) -> list[Snapshot]:
    """Every snapshot of the repository. Takes no lock: it is read as it is, while others write."""
    return [_snapshot(entry) for entry in json.loads(restic.run("--no-lock", "snapshots", "--json")) or ()]


def standings(ordinary: Iterable[Snapshot], quarantined: Iterable[Snapshot]) -> dict[str, Standing]:
    """Every set of the two repositories, by name."""
    found: dict[str, tuple[list[Snapshot], list[Snapshot]]] = {}
    for place, listed in enumerate((ordinary, quarantined)):
        for snapshot in listed:
            found.setdefault(snapshot.name, ([], []))[place].append(snapshot)
    return {name: Standing(tuple(here), tuple(there)) for name, (here, there) in sorted(found.items())}


def nodes(restic: Restic, snapshot: Snapshot) -> Iterator[Node]:
    """The regular files of the snapshot, as restic lists them. Raises NotFound where it is gone."""
    is_there = False
    with restic.stream("ls", "--json", snapshot.id) as lines:
        for line in lines:
            entry = json.loads(line)
            is_there = is_there or entry.get("struct_type") == "snapshot"
            if entry.get("type") == "file":
                yield _node(entry)
    if not is_there:  # restic 0.14 calls that a success
        raise missing(restic.store)


def missing(store: str) -> NotFound:
    """The error for a set that is not there."""
    return NotFound(store, "there is no such snapshot")


def own_tags(name: str, rewriting: int = 0) -> tuple[str, ...]:
    """The tags that say which set a snapshot belongs to, and how often that had been rewritten."""
    return (f"retention-set={name}", *((f"retention-rewriting={rewriting}",) if rewriting else ()))


def identity(snapshot: Snapshot, tags: Sequence[str]) -> tuple[str, ...]:
    """Arguments of `restic backup` that give a new snapshot the host, time and tags of this one, and these tags."""
    return (
        f"--host={snapshot.host}",
        f"--time={snapshot.at:%Y-%m-%d %H:%M:%S.%f}",  # restic reads it in the time zone of its environment: UTC
        *(f"--tag={tag}" for tag in (*snapshot.tags, *tags)),
    )


def _snapshot(entry: dict[str, Any]) -> Snapshot:
    tags: list[str] = entry.get("tags") or []
    sets = [found[1] for tag in tags if (found := _SET.fullmatch(tag))]
    rewritings = [int(found[1]) for tag in tags if (found := _REWRITING.fullmatch(tag))]
    return Snapshot(
        id=entry["id"],
        name=sets[0] if sets else entry["id"],
        at=_instant(entry["time"]),
        tree=entry["tree"],
        host=entry.get("hostname", ""),
        tags=tuple(tag for tag in tags if not _is_own(tag)),
        rewriting=max(rewritings, default=0),
        is_marker=MARKER in tags,
        is_named=bool(sets),
    )


def _is_own(tag: str) -> bool:
    return tag == MARKER or bool(_SET.fullmatch(tag) or _REWRITING.fullmatch(tag))


def _node(entry: dict[str, Any]) -> Node:
    path, size = entry["path"].lstrip("/"), entry.get("size", 0)
    modified = entry.get("mtime", "")
    return Node(path, size, _instant(modified), (path, size, modified, entry.get("ctime", "")))


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
