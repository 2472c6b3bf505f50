"""What can go wrong in a store, told apart by what the caller does next.

Every adapter translates each foreign exception at its edge into one of these (`raise … from`). There are no others.
"""

from __future__ import annotations


class StoreError(Exception):
    """A store could not do what was asked. `store` is its configured name; no message holds data or secrets."""

    def __init__(self, store: str, message: str) -> None:
        super().__init__(f"{store}: {message}")
        self.store = store
        self.message = message


class NotFound(StoreError):
    """The bucket, database, table or directory is not there. A missing *item* is a result, never an error."""


class Refused(StoreError):
    """The store said no and will say no again: permission, lock, a form it does not take. Nothing happened."""


class Unavailable(StoreError):
    """The store could not be reached or throttled beyond the retries. Nothing happened: try again later."""


class OutcomeUnknown(StoreError):
    """The request may or may not have acted (a timeout after sending). Read back before anything else."""
