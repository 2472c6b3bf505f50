"""The one place that reads the clock. Everything else is given `now`."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Reading:
    """What the clocks showed at one moment.

    at: the wall clock, aware UTC. ticks: seconds of a clock that nobody can set and that runs on while the machine
    sleeps. boot: names the run of the machine that `ticks` belong to; ticks of different boots cannot be compared.
    """

    at: datetime
    ticks: float
    boot: str


class Clock(Protocol):
    """Where `now` comes from."""

    def now(self) -> datetime:
        """The present instant, aware UTC."""
        ...

    def reading(self) -> Reading:
        """Wall clock and ticks of the same moment, for the guard against clock jumps."""
        ...

    def sleep(self, duration: timedelta) -> None:
        """Return after `duration` of this clock's time."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def reading(self) -> Reading:
        return Reading(self.now(), self.ticks(), _boot())

    def ticks(self) -> float:
        """Seconds of a clock that nobody can set, cheap to read."""
        return time.clock_gettime(_ticking_clock())

    def sleep(self, duration: timedelta) -> None:
        time.sleep(max(0.0, duration.total_seconds()))


@dataclass(slots=True)
class ManualClock:
    """A clock that stands still until it is moved: for the demo's fast time, previews and tests."""

    at: datetime
    ticks: float = 0.0
    boot: str = "manual"

    def now(self) -> datetime:
        return self.at

    def reading(self) -> Reading:
        return Reading(self.at, self.ticks, self.boot)

    def sleep(self, duration: timedelta) -> None:
        self.advance(duration)

    def advance(self, duration: timedelta) -> None:
        """Move on as time does: wall clock and ticks together."""
        self.at += duration
        self.ticks += duration.total_seconds()

    def jump(self, duration: timedelta) -> None:
        """Set the wall clock alone, as a wrong time server would."""
        self.at += duration


@dataclass(slots=True)
class Stopwatch:
    """Measures real seconds for progress and benchmarks; never for a legal date."""

    started: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self.started


def _ticking_clock() -> int:
    return getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _boot() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:  # not Linux: ticks then compare only within one process
        return f"process-{time.process_time_ns()}"
