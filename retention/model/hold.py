"""Holds: recorded orders that stop deletion. A hold is a fact of its own, not a state of a case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """An order that stops every step towards deletion of what it covers, until it is released by a fact.

    dataset=None covers all of the customer's data. `review_at` is when somebody has to look again; a hold never ends
    by itself. Instants are aware UTC; `released_at` is None while it stands.
    """

    id: str
    customer: str
    dataset: str | None
    ground: str
    authority: str
    placed_at: datetime
    review_at: datetime | None = None
    released_at: datetime | None = None

    @property
    def stands(self) -> bool:
        """Whether it was not released."""
        return self.released_at is None

    def covers(self, dataset: str) -> bool:
        """Whether it stops the deletion of this dataset now."""
        return self.stands and self.dataset in (None, dataset)
