"""What makes a dump, an archive or a file of a set unfit to be restored."""

from __future__ import annotations

LARGEST_STATEMENT = 1024 * 1024 * 1024
"""The most bytes one statement of a dump may have; no server takes a longer one."""


class Unfit(Exception):
    """The content is damaged, or holds what a restore does not carry out. The message holds none of its data."""


def at(line: int, trouble: str) -> Unfit:
    """The trouble with the number of the line of the dump at which its statement begins."""
    return Unfit(f"line {line}: {trouble}")
