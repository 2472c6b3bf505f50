"""A report over 100,000 cases: `python benchmarks/report_volume.py [CASES]`.

The promise is under a minute and 500 MB for CSV, JSON and XLSX; printed and looked at are those three, and the PDF and the
page beside them, whose tables end after the first rows.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from retention.clock import ManualClock
from retention.workflows.adopt_policy import adopt_policy
from retention.workflows.compile_report import ReportOrder, compile_report
from tests.many_cases import FIRST, put_cases
from tests.workflow.conftest import POLICY, open_provider

MOST_SECONDS, MOST_BYTES = 60.0, 500 << 20


def main(count: int) -> int:
    """0 where the report is as quick and as small as promised."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        clock = ManualClock(FIRST)
        provider = open_provider(root / "service", clock)
        (root / "policies.yaml").write_text(POLICY, encoding="utf-8")
        policy = adopt_policy(provider.deployment, root / "policies.yaml").policy
        with provider.deployment.catalog.transaction() as session:
            put_cases(session, count, policy.hash)
        clock.at = FIRST.replace(month=12)
        before = _peak()
        began = time.perf_counter()
        issued = compile_report(provider.deployment, ReportOrder(date(2026, 11, 1), date(2026, 11, 30)), root / "out")
        seconds = time.perf_counter() - began
        provider.deployment.close()
        size = sum(path.stat().st_size for path in (root / "out").rglob("*") if path.is_file())
        print(f"{issued.case_count} cases, {issued.due_count} due, {issued.overdue_count} overdue: {seconds:.1f} s")
        print(f"peak memory {_peak() / 1e6:.0f} MB ({before / 1e6:.0f} MB before), bundle {size / 1e6:.0f} MB")
    return int(seconds > MOST_SECONDS or _peak() > MOST_BYTES)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
