"""A permit for tests that keeps what it was asked."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime

from retention.model.transfer import Crossing, Decision, Ground, Verdict

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@dataclass
class Permitting:
    """A permit that remembers what it was asked, and allows as many crossings of named customers as it is told."""

    allowed: int = 0
    asked: list[Crossing] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, crossing: Crossing) -> Decision:
        with self.lock:
            self.asked.append(crossing)
            known = None not in (crossing.customer, crossing.dataset, crossing.destination)
            verdict = Verdict.ALLOW if known and self.allowed > 0 else Verdict.DENY
            self.allowed -= 1
        return Decision(verdict, (Ground("no-consent"),), NOW)
