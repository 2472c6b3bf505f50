"""How the ledger speaks of cases and copies: the policy's names as they are, what is the customer's as commitments."""

from __future__ import annotations

from retention.evidence.bodies import CaseDates, CopyRef, CopyVerified, SetEnded, StrandDates
from retention.model.case import Case
from retention.model.copy import Copy, CopyRole, CopyStatus, EndState, SetEnd
from retention.workflows.journal import Journal


def case_dates(journal: Journal, case: Case) -> CaseDates:
    """The body that says what the case is about from now on: its dates, and every copy."""
    return CaseDates(
        customer=journal.customer(case.customer),
        rule=case.rule,
        clause=case.clause,
        started_at=case.started_at,
        strands=tuple(
            StrandDates(
                dataset=strand.dataset,
                subscription=journal.subscription(strand.subscription),
                due_at=strand.due.at,
                complete_by=strand.complete_by.at,
                copies=tuple(copy_ref(journal, copy) for copy in strand.copies),
            )
            for strand in case.strands
        ),
    )


def copy_ref(journal: Journal, copy: Copy) -> CopyRef:
    """How the ledger names a copy."""
    return CopyRef(
        dataset=copy.dataset,
        store=copy.store,
        role=copy.role,
        subscription=journal.subscription(copy.subscription),
        backup=copy.backup,
        partial=copy.partial,
        number=copy.number,
    )


def copy_outcome(journal: Journal, customer: str, status: CopyStatus) -> CopyVerified:
    """The body that says how a copy stands. `status.end_state` is set."""
    assert status.end_state is not None
    erased = status.end_state is EndState.ERASED_VERIFIED
    return CopyVerified(
        customer=journal.customer(customer),
        copy=copy_ref(journal, status.copy),
        end_state=status.end_state,
        reason=status.reason,
        until=status.until,
        items=status.gone_count,
        bytes=status.seen_bytes if erased else 0,
        sets=len(status.sets) if status.copy.role is CopyRole.BACKUP else None,
    )


def set_ended(journal: Journal, customer: str, copy: Copy, end: SetEnd) -> SetEnded:
    """The body that says how one backup set ended for a copy."""
    return SetEnded(
        customer=journal.customer(customer),
        copy=copy_ref(journal, copy),
        set=end.set,
        id=end.id,
        end_state=end.end_state,
        reason=end.reason,
        until=end.until,
        refusal=end.refusal,
    )
