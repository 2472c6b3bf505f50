"""What a decision on a transfer costs in process, beside writing one line of JSON, the least that any caller does.

`python benchmarks/transfer_check.py`; the promise is under 50 µs for a cached policy.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from retention.model.transfer import Consent, DatasetNature, MeasureKind, PersonCount, Terms, TransferRequest, Verdict
from retention.transfers.decide import Circumstances, decide
from retention.transfers.law import thresholds_at

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ROUNDS, CALLS = 9, 5_000


def main() -> int:
    """0 where the check is as cheap as promised."""
    consent = Consent(
        "K",
        "c-1",
        "d",
        "p",
        "s",
        "R",
        "c",
        "SG",
        "API",
        ("x",),
        "r",
        NOW,
        "h",
        is_separate=True,
        document="",
        valid_from=NOW,
    )
    nature = DatasetNature(personal=True, sensitive=False, important=False, services=frozenset({"s"}))
    required = frozenset({"necessity", "separate-consent", "legal-measure"})
    terms = Terms("CN", required, frozenset(MeasureKind), (), {"d": nature}, is_ciio=False)
    known = Circumstances(NOW, thresholds_at(NOW), (consent,), PersonCount(), frozenset({"s"}))
    abroad = TransferRequest("c-1", "d", "CN", "SG", "R", "p", "s", 1, 0)
    home = TransferRequest("c-1", "d", "CN", "CN")
    assert decide(abroad, terms, known).verdict is Verdict.ALLOW
    baseline = _median(lambda: json.dumps({"customer": "c-1", "dataset": "d", "destination": "SG", "recipient": "R"}))
    print(f"a line of JSON: {baseline * 1e6:.2f} µs")
    slowest = 0.0
    for name, request in (("home to home", home), ("abroad, allowed", abroad)):
        took = _median(lambda request=request: decide(request, terms, known))  # type: ignore[misc]
        slowest = max(slowest, took)
        print(f"{name}: {took * 1e6:.2f} µs, {took / baseline:.1f} times the line")
    return int(slowest > 50e-6)


def _median(call: Callable[[], object]) -> float:
    """Seconds a call takes: the median of several rounds."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(CALLS):
            call()
        rounds.append((time.perf_counter() - began) / CALLS)
    return statistics.median(rounds)


if __name__ == "__main__":
    sys.exit(main())
