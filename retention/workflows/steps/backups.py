"""What a mixed backup amounts to after a deletion: sets that hold many customers and cannot be erased for one.

Closed where everything in the primary was sealed under keys that are destroyed now (checked before the shred, item by item).
Gone where no set is left from before the erasure. Else it is said plainly that it is not gone, and until when.
"""

from __future__ import annotations

from dataclasses import replace

from retention.lifecycle.counting import count
from retention.model.copy import CopyRole, CopyStatus, EndState
from retention.model.policy import BackupPlan
from retention.workflows.strand_run import StrandRun
from storage_adapters.contract import Prefix


def assess_mixed_backup(run: StrandRun, status: CopyStatus) -> CopyStatus:
    """The copy with its end state as of now. Raises StoreError where the sets cannot be listed."""
    sealed = _sealed_count(run)
    if sealed is not None:
        reason = f"sealed under keys that are destroyed; {sealed} of {sealed} items of the primary were checked"
        return replace(status, end_state=EndState.SHREDDED_VERIFIED, reason=reason, until=None)
    policy = run.policy()
    plan = policy.backups[status.copy.backup or ""]
    erased_at = run.record.erased_at or run.now
    if not _older_set_exists(run, plan):
        return replace(
            status, end_state=EndState.ERASED_VERIFIED, reason="no set from before the erasure is left", until=None
        )
    until = count(erased_at, plan.delete_after, policy.time_zone, policy.calendar, policy.last_day_off_moves).due_at
    reason = f"sets from before the erasure hold {_why_readable(run)}; they go with the backup's own rotation"
    return replace(status, end_state=EndState.UNSUPPORTED, reason=reason, until=until)


def _why_readable(run: StrandRun) -> str:
    if run.record.strand.part.is_whole_dataset or run.record.strand.shreds_key:
        return "data that was not sealed"
    return "it under a key that lives on, because only a part of the dataset was deleted"


def _sealed_count(run: StrandRun) -> int | None:
    """How many items were checked, where every item of every primary was sealed under a key that is destroyed."""
    primaries = [status for status in run.record.copies if status.copy.role is CopyRole.PRIMARY]
    if not run.record.keys or not primaries:
        return None
    if any(status.copy.place is None or status.sealed_count < status.sealable_count for status in primaries):
        return None
    return sum(status.sealed_count for status in primaries) or None


def _older_set_exists(run: StrandRun, plan: BackupPlan) -> bool:
    """Whether anything lies among the sets that was written before the erasure was complete, or at an unknown time."""
    root = plan.sets.partition("{")[0].rpartition("/")[0]
    if not root:
        return True  # the sets lie at the store's root, where they cannot be told from anything else
    erased_at = run.record.erased_at or run.now
    store = run.deployment.store(plan.store)
    return any(
        item.written_at is None or item.written_at <= erased_at
        for page in store.survey(Prefix(root + "/"))
        for item in page
    )
