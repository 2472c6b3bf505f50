"""Restrict: from now on the data is stored and nothing else. Keys refuse, and a test read proves it.

The state of a key follows from the strands that are about it: several cases may concern one dataset, and the key is live
again only when none of them restricts it. `settle_key_states` is therefore the only place that sets it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlmodel import Session

from retention.catalog import cases as case_rows
from retention.catalog import keys as key_rows
from retention.errors import NotInOrder
from retention.keys.errors import KeyGone, KeyRefused
from retention.lifecycle.states import REVOCABLE
from retention.model.case import Strand, StrandState
from retention.model.copy import CopyRole
from retention.model.key import KeyScope, KeyState, WrappedKey
from retention.model.plan import StepKind
from retention.model.record import StrandRecord
from retention.workflows.deployment import Deployment
from retention.workflows.strand_run import StrandRun
from storage_adapters.contract import Objects, Prefix, Rows

_SEVERITY = (KeyState.LIVE, KeyState.RESTRICTED, KeyState.TOMBSTONED)


def restrict(run: StrandRun) -> None:
    """The keys of the strand's data refuse, proven by a read, and the strand says so. A second call changes nothing."""
    with run.step(StepKind.RESTRICT):
        with run.transaction() as session:
            strand = run.record.strand
            key_count = settle_key_states(session, run.record.customer, strand.dataset, restricting=strand.id)
        run.acted(StepKind.RESTRICT)
        forget_keys(run.deployment, run.record)
        refused_count = prove_refused(run.deployment, run.record)
        with run.transaction() as session:
            case_rows.move_strand(session, run.record, run.record.state, run.now, "restricted_at")
            body = {"keys": key_count, "refused": refused_count, "by": "keys" if refused_count else "nothing sealed"}
            run.finish(session, StepKind.RESTRICT, dict(body))
    run.reload()


def settle_key_states(session: Session, customer: str, dataset: str, restricting: str | None = None) -> int:
    """Every key of the dataset has the state that the strands about it ask for; how many keys those strands cover.

    `restricting` is a strand that is being restricted now and does not say so yet: it will when that is proven. The caller
    holds the customer's lock.
    """
    open_strands = [
        record
        for record in case_rows.strands(session, customer=customer, states=REVOCABLE)
        if record.strand.dataset == dataset and record.strand.shreds_key
    ]
    wanted: dict[KeyState, list[str]] = {}
    covered = 0
    for key in key_rows.keys_of(session, customer, dataset, lock=True):
        states = [_state_asked_by(record, restricting) for record in open_strands if covers(record.strand, key)]
        covered += bool(states)
        state = max(states, key=_SEVERITY.index, default=KeyState.LIVE)
        if state is not key.state:
            wanted.setdefault(state, []).append(key.key_id)
    for state, key_ids in wanted.items():
        key_rows.put_key_states(session, key_ids, state)
    return covered


def _state_asked_by(record: StrandRecord, restricting: str | None) -> KeyState:
    if record.state is StrandState.TOMBSTONED:
        return KeyState.TOMBSTONED
    is_restricted = record.restricted_at is not None or record.strand.id == restricting
    return KeyState.RESTRICTED if is_restricted else KeyState.LIVE


def covers(strand: Strand, key: WrappedKey) -> bool:
    """Whether the strand is about everything that this key seals."""
    if strand.part.is_whole_dataset:
        return True
    return key.scope.item is not None and any(is_item(key.scope) for is_item in _item_tests(strand))


def _item_tests(strand: Strand) -> Sequence[Callable[[KeyScope], bool]]:
    tests: list[Callable[[KeyScope], bool]] = []
    for copy in strand.copies:
        if copy.role is not CopyRole.PRIMARY:
            continue
        match copy.place:
            case Objects(names):
                items = {KeyScope.of_object("-", "-", name).item for name in names}
                tests.append(lambda scope, items=items: scope.item in items)  # type: ignore[misc]  # bound early
            case Prefix(prefix):
                begin = KeyScope.of_object("-", "-", prefix).item or ""
                tests.append(lambda scope, begin=begin: (scope.item or "").startswith(begin))  # type: ignore[misc]
            case Rows(_, _, str() as table, only):
                rows = {KeyScope.of_row("-", "-", table, tuple(sorted(key.items()))).item for key in only}
                tests.append(lambda scope, rows=rows: scope.item in rows)  # type: ignore[misc]
            case _:
                continue  # a place that could not be told: nothing is covered by it
    return tests


def forget_keys(deployment: Deployment, record: StrandRecord) -> None:
    """This process looks the dataset's keys up anew; others do within the stated bound of the keyring."""
    deployment.keyring.forget(KeyScope(record.customer, record.strand.dataset))


def prove_refused(deployment: Deployment, record: StrandRecord) -> int:
    """How many keys were asked for and refused, each one as a reader would ask. Raises NotInOrder where one was given."""
    with deployment.catalog.reading() as session:
        keys = [
            k for k in key_rows.keys_of(session, record.customer, record.strand.dataset) if covers(record.strand, k)
        ]
    if not record.strand.shreds_key:
        return 0
    for key in keys:
        try:
            deployment.keyring.key_for_opening(key.key_id, key.scope)
        except (KeyRefused, KeyGone):
            continue  # this is what is to be proven
        raise NotInOrder(f"a key of dataset {record.strand.dataset} was given out although it is restricted")
    return len(keys)
