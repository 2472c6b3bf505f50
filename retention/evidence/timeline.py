"""Finding one's way through a long ledger by time, without decoding what nobody asks for.

Entries stand in the order of their times but for two reasons: processes that write at the same moment, and a clock that was
set wrong. So a search by halving gives only a place to begin at, and a walk goes on for a while beyond the end.

Source: RFC 8785, section 3.2.3 (members are sorted): an entry begins with its `at` and ends with its `type`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from retention.evidence.entries import Entry, EntryType, decode_entry
from retention.evidence.errors import Malformed
from retention.evidence.instants import format_instant
from retention.evidence.ledger import Ledger

_BEGINS = b'{"at":"'
_TIME = slice(len(_BEGINS), len(_BEGINS) + 27)
_STEP_BACK = 1_024
"""Entries before the place that halving found, among which later times are looked for."""
_GO_ON = 65_536
"""Entries beyond the end of a period that are looked through for earlier times; a wrong clock is stopped sooner."""
_AROUND = timedelta(days=2)

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Span:
    """How many entries the ledger had before the first, and with the last entry that bears a time of the period."""

    first_size: int
    last_size: int


def walk(
    ledger: Ledger,
    start_at: datetime,
    end_at: datetime,
    wanted: Collection[EntryType],
    see: Callable[[int, Entry], None],
) -> Span:
    """Every entry of the wanted types that bears a time from `start_at` to before `end_at` (aware) was seen, in order.

    At most one bundle is in memory. Raises as `Ledger.entries`, and Malformed for an entry that is none.
    """
    start, end = format_instant(start_at).encode(), format_instant(end_at).encode()
    endings = tuple(f'"type":"{kind}"}}'.encode() for kind in wanted)
    size = ledger.checkpoint().size
    first = _first_candidate(ledger, start, size)
    found_first, last, beyond = None, first, 0
    for index, data in enumerate(ledger.entries(first, size), first):
        time = _time_of(data, index)
        beyond = beyond + 1 if time >= end else 0
        if beyond > _GO_ON:
            break
        if not start <= time < end:
            continue
        found_first = index if found_first is None else found_first
        last = index + 1
        if data.endswith(endings):
            see(index, decode_entry(data))
    if found_first is None:
        at = _lower_bound(ledger, end, size)
        return Span(at, at)
    return Span(found_first, last)


def find_entries(
    ledger: Ledger,
    since: datetime,
    before: int,
    kinds: Collection[EntryType],
    key_of: Callable[[Entry], Key | None],
    wanted: Collection[Key],
    first: int | None = None,
) -> dict[Key, int]:
    """Where the wanted entries of these types stand below index `before`, the first of each; those that are not there are
    left out.

    since: none of them is older (aware); the walk begins a little before it, or at index `first`, and ends with the last
    that is found.
    """
    endings = tuple(f'"type":"{kind}"}}'.encode() for kind in kinds)
    missing, found = set(wanted), dict[Key, int]()
    if first is None:
        first = _first_candidate(ledger, format_instant(since - _AROUND).encode(), before)
    for index, data in enumerate(ledger.entries(first, before), first):
        if not data.endswith(endings):
            continue
        key = key_of(decode_entry(data))
        if key in missing:
            missing.discard(key)
            found[key] = index
        if not missing:
            break
    return found


def _first_candidate(ledger: Ledger, start: bytes, size: int) -> int:
    """An index from which on the entries at or after `start` stand, as far as a look around can tell."""
    found = _lower_bound(ledger, start, size)
    while found:
        begin = max(0, found - _STEP_BACK)
        before = enumerate(ledger.entries(begin, found), begin)
        earlier = next((index for index, data in before if _time_of(data, index) >= start), None)
        if earlier is None:
            break
        found = earlier
    return found


def _lower_bound(ledger: Ledger, instant: bytes, size: int) -> int:
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        if _time_of(ledger.entry(middle), middle) < instant:
            low = middle + 1
        else:
            high = middle
    return low


def _time_of(data: bytes, index: int) -> bytes:
    if not data.startswith(_BEGINS):
        raise Malformed(f"entry {index} does not begin with its time")
    return data[_TIME]
