"""Stopping on request: the first SIGTERM or SIGINT lets the step under way finish, the second ends the process at once."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """Whether somebody asked to stop, and by which signal (0: none yet). Safe to ask from any thread.

    It waits on a pipe and not on a lock: a signal handler may interrupt whoever holds the lock.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._asked, self._ask = os.pipe()

    def is_set(self) -> bool:
        """Whether to stop."""
        return self.signal != 0

    def wait(self, seconds: float) -> bool:
        """Return when asked to stop, or after `seconds`; whether to stop."""
        select.select([self._asked], [], [], max(seconds, 0.0))
        return self.is_set()

    def ask(self, number: int, _frame: FrameType | None = None) -> None:
        """Ask to stop, as a signal does. The second time ends the process: what it left is taken up by the next one."""
        if self.is_set():
            os._exit(128 + number)
        self.signal = number
        os.write(self._ask, b"!")

    def close(self) -> None:
        """Release the pipe."""
        os.close(self._asked)
        os.close(self._ask)


@contextmanager
def stopping_on_signals() -> Iterator[Stop]:
    """SIGTERM and SIGINT ask for a stop as long as the block runs. Main thread only."""
    stop = Stop()
    before = {number: signal.signal(number, stop.ask) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop.close()
