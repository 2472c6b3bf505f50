"""Run one cycle on the service in the present directory, and stop (as a machine that sleeps) at one of its moments.

    python paused_run.py "STRAND: STEP PHASE"

It ends with 3 where it finds, woken, that another process has taken over.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime
from pathlib import Path

import storage_adapters.files.store
from retention.workflows.carry_out_plan import RunHooks
from retention.workflows.run_cycle import run_cycle
from retention.workflows.strand_run import LeaseLost, Moment
from tests.workflow.killed_runs import open_service


def main(where: str, now: str) -> int:
    vars(storage_adapters.files.store)["PAGE_SIZE"] = 2  # several batches of a few small files

    def observe(moment: Moment) -> None:
        if f"{moment.strand.partition('/')[2]}: {moment.step} {moment.phase}" == where:
            os.kill(os.getpid(), signal.SIGSTOP)

    try:
        run_cycle(open_service(Path(), datetime.fromisoformat(now)), RunHooks(observe=observe))
    except LeaseLost:
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
