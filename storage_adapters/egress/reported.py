"""What is the same for ways out that are found and reported, and that people close where they were opened."""

from __future__ import annotations

from abc import ABC, abstractmethod

from storage_adapters.egress.contract import Change, Destination, WayOut
from storage_adapters.errors import Refused


class ReportedOnly(ABC):
    """A store whose ways out are told and cannot be closed from here."""

    def __init__(self, name: str) -> None:
        """Told by the stores that are of this kind."""
        self._name = name

    @property
    def name(self) -> str:
        """The store's configured name."""
        return self._name

    @abstractmethod
    def ways_out(self) -> tuple[WayOut, ...]:
        """Every way out, by name, those that are off included; read now."""

    def closing(self, way: WayOut) -> Change | None:
        """None: it is not closed from here."""
        return None

    def fencing(self, prefix: str) -> Change | None:
        """None: writing is not forbidden from here."""
        return None

    def apply(self, change: Change) -> None:
        """Raises Refused."""
        raise Refused(self._name, "this store's configuration is not changed from here")

    def undo(self, change: Change) -> None:
        """Raises Refused."""
        raise Refused(self._name, "this store's configuration is not changed from here")

    @abstractmethod
    def close(self) -> None:
        """Release connections. A second call does nothing."""


def place_of(arn: str) -> Destination:
    """The region and account in `arn:partition:service:region:account:…`, None for what it does not name."""
    parts = [*arn.split(":"), "", "", "", "", ""]
    return Destination(region=parts[3] or None, account=parts[4] or None)


def by_name(ways: list[WayOut]) -> tuple[WayOut, ...]:
    """The ways ordered by name, one of each name: one that is on where there are several."""
    ordered = sorted(ways, key=lambda way: (way.name, way.is_on))
    return tuple({way.name: way for way in ordered}.values())
