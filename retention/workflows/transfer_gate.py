"""The gate that guards ask: is there a decision in force for this customer, this dataset and this territory?

An answer is kept for a moment, so that a guard may ask before every request: a withdrawal stops what leaves after that.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from retention.catalog import transfers as transfer_rows
from retention.model.transfer import Crossing, Decision, Verdict
from retention.transfers.reasons import Code, ground
from retention.workflows.decide_transfer import TransferDenied, home_of, use_decision
from retention.workflows.deployment import Deployment

KEPT_SECONDS = 1.0
"""How long a positive answer may be kept at most; what is withdrawn stops within it."""
_MOST_KEPT = 10_000


@dataclass(slots=True)
class TransferGate:
    """A `Permit` for guards in this process. Thread-safe.

    Nothing is kept of a refusal: a decision that has just been made counts at once.
    """

    deployment: Deployment
    _kept: dict[Crossing, tuple[float, Decision]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, crossing: Crossing) -> Decision:
        """The decision under which it may go now, or why there is none. Counts its persons at the first use in a year."""
        ticks = self.deployment.wall.reading().ticks
        with self._lock:
            until, decision = self._kept.get(crossing, (0.0, None))
        if decision is not None and ticks < until:
            return decision
        decision = self._asked(crossing)
        if decision.verdict is Verdict.ALLOW:
            with self._lock:
                if len(self._kept) >= _MOST_KEPT:
                    self._kept.clear()
                self._kept[crossing] = (ticks + KEPT_SECONDS, decision)
        return decision

    def _asked(self, crossing: Crossing) -> Decision:
        now = self.deployment.clock.now()
        missing = [
            ground(code)
            for code, value in (
                (Code.DESTINATION_UNKNOWN, crossing.destination),
                (Code.CUSTOMER_UNKNOWN, crossing.customer),
                (Code.DATASET_MISSING, crossing.dataset),
            )
            if not value
        ]
        if missing or crossing.customer is None or crossing.dataset is None or crossing.destination is None:
            return Decision(Verdict.NEEDS_INFORMATION, tuple(missing), now)
        home = home_of(self.deployment)
        if crossing.destination == home:
            return Decision(Verdict.ALLOW, (ground(Code.WITHIN_HOME, home=home),), now)
        with self.deployment.catalog.reading() as session:
            made = transfer_rows.allowed_transfers(session, crossing.customer, crossing.dataset, crossing.destination)
        refused = None
        for decided in made:
            if crossing.source is not None and decided.request.source != crossing.source:
                continue
            try:
                return use_decision(self.deployment, decided.id)
            except TransferDenied as denied:
                refused = refused or denied.decision
        return refused or Decision(Verdict.DENY, (ground(Code.NO_DECISION, dataset=crossing.dataset),), now)
