"""The contract between the product and the two ends of a copy.

A source tells its pieces in one stable order, so that a copy that was stopped goes on behind the last piece that arrived.
A target takes one piece at a time, whole or not at all, and asks before every block whether it may still be sent.

Rules for every source and target, checked by `tests/contract/test_copies.py`:

1. A `Place` names one customer's part of one dataset. Nothing outside it is read or written: `c-1/` never reaches `c-10/`.
2. What is hidden (tombstones, superseded versions) is not there for a source.
3. A piece that is changed while it is read is never handed over as a mixture: its reader raises Unavailable.
4. What was put is read back, and is Refused where it is not what was sent.
5. Foreign exceptions never leave; see `storage_adapters.errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from storage_adapters.contract import Place, Prefix
from storage_adapters.errors import Refused

BLOCK_SIZE = 8 * 1024 * 1024
"""The most bytes of one block of a piece's content."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing to copy: an object, a file, or a chunk of the rows of one table.

    name: relative to the place, and what the piece is called at the target. It is what the store says: a name that
    leads out of a place is the target's to refuse.
    cursor: opaque; `pieces(place, after=cursor)` goes on behind this piece, even where it is gone by then.
    items: how many objects (1) or rows it is made of.
    """

    name: str
    cursor: str
    items: int = 1


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a target holds now. `name` is relative to the place, size in bytes, sha256 in lower-case hex."""

    name: str
    size: int
    sha256: str


class CopySource(Protocol):
    """Where the data comes from. Thread-safe.

    Both questions raise ValueError for a place of a kind that this store does not have and for a cursor or piece that it
    did not make, NotFound where the bucket, root or table is missing, else Refused or Unavailable.
    """

    @property
    def name(self) -> str:
        """The store's configured name."""
        ...

    def pieces(self, place: Place, after: str | None = None) -> Iterator[Piece]:
        """The pieces of the place in one stable order, lazily; with `after`, those behind the piece of this cursor."""
        ...

    def read(self, place: Place, piece: Piece) -> Iterator[bytes] | None:
        """The content in blocks of 1 to `BLOCK_SIZE` bytes, no block where it is empty; None where the piece is gone.

        The iterator raises Unavailable where the piece is changed or removed while it is read: begin it anew.
        """
        ...

    def close(self) -> None:
        """Release connections. A second call does nothing."""
        ...


class CopyTarget(Protocol):
    """Where the data goes. Thread-safe."""

    @property
    def name(self) -> str:
        """The store's configured name."""
        ...

    def put(self, place: Prefix, name: str, content: Iterator[bytes], before_block: Callable[[], None]) -> Arrived:
        """The content is the object `name` of the place, read back. One that had this name is overwritten.

        `before_block` is called before every block that is sent, and before an object of several becomes visible. What it
        raises, and what `content` raises, passes through unchanged, and nothing of the object stays: an object that had
        the name before is as it was. Where the target cannot be cleaned either, a note of the exception says so.

        A second call with the same content changes nothing for a reader; a bucket with versions keeps one more. A killed
        process may leave an unfinished upload or a temporary file inside the place, which a survey of the store finds.

        Raises Refused for a name that `checked_parts` does not take, and where the store does not hold what was sent: what
        it holds then stays. NotFound where the bucket or root is missing, Unavailable where nothing happened,
        OutcomeUnknown where the object may be there.
        """
        ...

    def close(self) -> None:
        """Release connections. A second call does nothing."""
        ...


def checked_parts(store: str, name: str) -> tuple[str, ...]:
    """The segments of a relative name.

    Raises Refused where one is empty, `.` or `..`, where the name is absolute, holds NUL or is not Unicode.
    """
    parts = tuple(name.split("/"))
    if any(part in ("", ".", "..") for part in parts) or "\0" in name:
        raise Refused(store, "a name is absolute, climbs or has an empty part")
    return parts
