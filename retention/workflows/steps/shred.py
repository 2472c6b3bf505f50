"""Crypto-shred: the point of no return for sealed data.

In one transaction, under the customer's lock: the strand is still the one the plan was made from, no hold stands, the
buffer and the undo window are over; the intent is in the ledger; the wrapped keys are removed.
Source: NIST SP 800-88 r2, cryptographic erase.
"""

from __future__ import annotations

from sqlmodel import Session

from retention.catalog import cases as case_rows
from retention.catalog import facts as fact_rows
from retention.catalog import keys as key_rows
from retention.catalog.cases import StrandChanged
from retention.errors import NotInOrder
from retention.evidence.bodies import KeyShredded
from retention.evidence.entries import Entry, EntryType
from retention.keys.errors import KeyGone
from retention.lifecycle.precedence import block_before_no_return
from retention.lifecycle.states import StrandEvent, next_state
from retention.model.key import WrappedKey
from retention.model.particulars import Particulars
from retention.model.plan import StepKind
from retention.model.record import ShreddedKey, StrandRecord
from retention.workflows.journal import Told
from retention.workflows.steps.restriction import covers, forget_keys
from retention.workflows.strand_run import Blocked, StrandRun


def shred(run: StrandRun) -> None:
    """No key opens the strand's data any more, in this process and, within the keyring's bound, in every other.

    Raises Blocked where something stops it that the plan did not know, and StrandChanged where a fact came in.
    """
    with run.step(StepKind.SHRED):
        with run.transaction() as session:
            record = check_no_return(run, session)
            keys = [
                key
                for key in key_rows.keys_of(session, record.customer, record.strand.dataset, lock=True)
                if covers(record.strand, key)
            ]
            for key in keys:
                _shred_one(run, session, key)
            key_rows.remove_keys(session, keys)
            state = next_state(record.state, StrandEvent.SHREDDED)
            case_rows.move_strand(session, record, state, run.now, "passed_at", "shredded_at")
            run.finish(session, StepKind.SHRED, {"keys": len(keys)})
        run.acted(StepKind.SHRED)
        run.deployment.catalog.forget_freed_pages()
        forget_keys(run.deployment, run.record)
        _read_back(run, keys)
    run.deployment.journal.publish()
    run.reload()


def check_no_return(run: StrandRun, session: Session) -> StrandRecord:
    """The strand, locked, when nothing forbids its point of no return now. The refusal itself is recorded by the caller.

    Raises StrandChanged where it is not the one that was read, and Blocked, naming what stops it.
    """
    record = case_rows.strand(session, run.record.strand.id, lock=True)
    if record.version != run.record.version or record.state is not run.record.state:
        raise StrandChanged(record.strand.id)
    block = block_before_no_return(record.strand, fact_rows.holds_of(session, record.customer), run.now)
    if block is not None:
        raise Blocked(block)
    return record


def _shred_one(run: StrandRun, session: Session, key: WrappedKey) -> None:
    at = run.now  # the entry and the catalogue tell one and the same instant
    epochs = key_rows.epochs_alive(session, key.first_epoch, key.epoch)
    body = KeyShredded(
        customer=run.deployment.journal.customer(run.record.customer),
        dataset=run.record.strand.dataset,
        subscription=run.deployment.journal.subscription(run.record.strand.subscription),
        key=key.key_id,
        epochs=epochs,
    )
    entry = Entry(EntryType.KEY_SHREDDED, at, body.to_json(), case=run.case.id, policy=run.case.policy_hash)
    told = Told(entry, Particulars(strand=run.record.strand.id))
    (position,) = run.deployment.journal.write(session, told)
    case_rows.add_shredded_key(
        session,
        run.record.strand.id,
        ShreddedKey(key.key_id, run.record.strand.dataset, epochs, at, None, position, None),
    )


def _read_back(run: StrandRun, keys: list[WrappedKey]) -> None:
    for key in keys:
        try:
            run.deployment.keyring.key_for_opening(key.key_id, key.scope)
        except KeyGone:
            continue  # this is what is to be proven
        raise NotInOrder(f"a shredded key of dataset {run.record.strand.dataset} was still given out")
