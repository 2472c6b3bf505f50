"""How the service stands, in numbers for a monitor: no names, no personal data."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from retention.catalog import cases as case_rows
from retention.catalog import ledger_outbox
from retention.model.copy import EndState
from retention.workflows.deployment import Deployment
from retention.workflows.status import status
from retention.workflows.transfer_warnings import count_by_code, transfer_warnings


@dataclass(frozen=True, slots=True)
class Measures:
    """What a look at the catalogue and the ledger's directory found."""

    cases_by_state: Mapping[str, int]
    overdue_count: int
    failed_copy_count: int
    unsupported_copy_count: int
    quarantined_copy_count: int
    keys_waiting_count: int
    ledger_size: int
    ledger_is_writable: bool
    transfer_warnings: Mapping[str, int] = field(default_factory=dict)


def measure(deployment: Deployment) -> Measures:
    """The present numbers. Reads every case: its time grows with them. Raises what an unreachable catalogue raises."""
    cases = status(deployment)
    with deployment.catalog.reading() as session:
        waiting = len(case_rows.waiting_keys(session))
        size = ledger_outbox.size(session)
    return Measures(
        cases_by_state=Counter(case.state for case in cases),
        overdue_count=sum(case.is_overdue for case in cases),
        failed_copy_count=sum(line.end_state is EndState.FAILED for case in cases for line in case.copies),
        unsupported_copy_count=sum(line.end_state is EndState.UNSUPPORTED for case in cases for line in case.copies),
        quarantined_copy_count=sum(line.end_state is EndState.QUARANTINED for case in cases for line in case.copies),
        keys_waiting_count=waiting,
        ledger_size=size,
        ledger_is_writable=_is_writable(deployment),
        transfer_warnings=count_by_code(transfer_warnings(deployment)),
    )


def _is_writable(deployment: Deployment) -> bool:
    """Whether entries can be published: permission, a file system that takes writes, and room on it."""
    directory = deployment.journal.ledger.files.root
    try:
        room = os.statvfs(directory)
    except OSError:
        return False
    return os.access(directory, os.W_OK) and not room.f_flag & os.ST_RDONLY and room.f_bavail > 0
