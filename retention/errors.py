"""Errors of the product, one class per different thing a door does next (its exit code).

Results such as "held", "not due" or "kept by law" are values and stand in `retention.model`.
"""

from __future__ import annotations

from collections.abc import Sequence


class RetentionError(Exception):
    """Something could not be done. `exit_code` is the command's exit code (`product.md`, Commands)."""

    exit_code = 1


class InputError(RetentionError):
    """The input, policy or settings are wrong; nothing of it was taken in.

    `problems` holds every mistake at once, each naming its place.
    """

    exit_code = 1

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class RefusedByRule(RetentionError):
    """A rule says no: a hold, a limit, a restricted key, a place whose erasure is not verified yet."""

    exit_code = 3


class NotYet(RefusedByRule):
    """The place is being cleared of older data of the same customer; write when that is verified."""


class NotInOrder(RetentionError):
    """Something is overdue, unverified or tampered with; what was found stands in the message."""

    exit_code = 4
