"""The contract between the product and a store that may send data elsewhere by itself.

Rules for every implementation:

1. "No ways out" is said only where they could be looked for. What may not be read raises Refused, and says what to grant.
2. Nothing is changed but by `apply` and `undo`, and these change only what is exactly as the change says.
3. A change holds everything that its undoing needs: keep it before it is applied.
4. Foreign exceptions never leave an implementation; see `storage_adapters.errors`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class WayKind(StrEnum):
    """What sends the data."""

    REPLICATION = "replication"  # a bucket copies its objects into another
    BACKUP_COPY = "backup-copy"  # what is backed up is copied to another vault or region
    READ_REPLICA = "read-replica"  # a database that the provider keeps beside this one, in another region
    STANDBY = "standby"  # whatever reads the database's log of changes: a standby, a subscriber, a tool


class Part(StrEnum):
    """The part of a bucket's configuration that a change is about."""

    REPLICATION = "replication"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the data goes, as far as the store tells; all None where it tells nothing.

    region: the provider's word for it. host: a name or an address, without port and user. account: the provider's.
    """

    bucket: str | None = None
    region: str | None = None
    host: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class WayOut:
    """One way by which the store sends data elsewhere.

    name: the same at every look, and unique among the store's. prefix: the objects that it takes; "" for all, and for
    a way that is not about objects. A rule that takes fewer than the prefix says, such as those with a tag, is told
    with its prefix alone. is_on: whether it sends now; one that is off can be switched on at any time.
    """

    kind: WayKind
    name: str
    destination: Destination
    prefix: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one part of a store's configuration.

    before, after: the whole part as text, XML or JSON as the store speaks it; None for not configured. They are
    compared by what they mean, so that spaces, order and spelling do not matter. Both the same: it is so already.
    """

    what: Part
    before: str | None
    after: str | None


class Egress(Protocol):
    """The ways out of one store. Thread-safe.

    Every method but `close` raises Refused where the credentials do not suffice, NotFound where the bucket or database
    is not there, and Unavailable where it cannot be reached.
    """

    @property
    def name(self) -> str:
        """The store's configured name."""
        ...

    def ways_out(self) -> tuple[WayOut, ...]:
        """Every way out, by name, those that are off included; read now."""
        ...

    def closing(self, way: WayOut) -> Change | None:
        """What closing the way would change; nothing is changed. None where this kind of way cannot be closed here.

        Raises NotFound where there is no such way (any more).
        """
        ...

    def fencing(self, prefix: str) -> Change | None:
        """What forbidding everyone to write below the prefix would change, deleting still allowed; nothing is changed.

        prefix: "" for all of the store. None where the store cannot forbid it. Raises Refused where the prefix cannot
        be said in the store's words.
        """
        ...

    def apply(self, change: Change) -> None:
        """The configuration is `change.after`, and was read back. Does nothing where it is so already.

        Stores have no compare-and-swap for it: somebody who changes the same part between the look and the change is
        not noticed. Raises Refused where it is neither `before` nor `after`, or may not be changed, and then nothing is
        changed; OutcomeUnknown where what is read back is not `after`.
        """
        ...

    def undo(self, change: Change) -> None:
        """The configuration is `change.before` again, under the same terms as `apply`."""
        ...

    def close(self) -> None:
        """Release connections. A second call does nothing."""
        ...
