"""Tombstone: the data is hidden and marked, and can still be brought back. What is there is counted before it is hidden."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from retention.catalog import cases as case_rows
from retention.catalog import keys as key_rows
from retention.keys.sealed import HEADER_LENGTH, read_header
from retention.lifecycle.states import StrandEvent, next_state
from retention.model.copy import CopyRole, CopyStatus
from retention.model.plan import StepKind
from retention.workflows.steps.restriction import forget_keys, prove_refused, settle_key_states
from retention.workflows.strand_run import StrandRun
from storage_adapters.contract import ItemKind, ItemResult, Page, Store
from storage_adapters.errors import Refused

_READABLE = frozenset({ItemKind.OBJECT, ItemKind.VERSION, ItemKind.TOMBSTONE})
"""What has bytes of its own; hidden ones are there where a run was interrupted, and have to be looked into too."""


@dataclass(slots=True)
class _Presence:
    count: int = 0
    size: int = 0
    sealed: int = 0
    sealable: int = 0


def tombstone(run: StrandRun) -> None:
    """Readers do not find the data any more, in stores that can hide it; its keys refuse in any case.

    What lies under a statutory minimum stays where it is: it is restricted, and nobody needs an undo for it.
    """
    with run.step(StepKind.TOMBSTONE):
        counted = [_count(run, status) for status in run.record.copies if status.copy.role.lasts]
        seen = sum((_hide(run, status) for status in counted), Counter[ItemResult]())
        run.acted(StepKind.TOMBSTONE)
        with run.transaction() as session:
            state = next_state(run.record.state, StrandEvent.TOMBSTONED)
            case_rows.move_strand(session, run.record, state, run.now, "tombstoned_at")
            settle_key_states(session, run.record.customer, run.record.strand.dataset)
            for status in counted:
                case_rows.put_copy(session, run.record.strand.id, status)
            items = sum(s.seen_count for s in counted)
            body = {"items": items, "hidden": seen[ItemResult.DONE], "in_sight": seen.total() - seen[ItemResult.DONE]}
            run.finish(session, StepKind.TOMBSTONE, dict(body))
    forget_keys(run.deployment, run.record)
    prove_refused(run.deployment, run.reload())


def _count(run: StrandRun, status: CopyStatus) -> CopyStatus:
    """The presence check that every later absence is measured against; tells also whether the content is sealed."""
    if status.copy.place is None:
        return status
    store = run.deployment.store(status.copy.store)
    key_ids = _own_key_ids(run) if _needs_proof_of_sealing(run) else frozenset()
    found = _Presence()
    for page in store.survey(status.copy.place):
        found.count += len(page)
        found.size += sum(item.size for item in page)
        if key_ids:
            _count_sealed(store, page, key_ids, found)
        run.batch_done(StepKind.TOMBSTONE)
    return replace(
        status,
        seen_count=max(status.seen_count, found.count),
        seen_bytes=max(status.seen_bytes, found.size),
        sealed_count=found.sealed,
        sealable_count=found.sealable,
    )


def _needs_proof_of_sealing(run: StrandRun) -> bool:
    """A copy that only the destruction of keys can end has to be proven sealed: checked, not assumed."""
    mixed = [s for s in run.record.copies if s.copy.role is CopyRole.BACKUP and s.copy.place is None]
    return run.record.strand.shreds_key and bool(mixed)


def _own_key_ids(run: StrandRun) -> frozenset[str]:
    with run.deployment.catalog.reading() as session:
        keys = key_rows.keys_of(session, run.record.customer, run.record.strand.dataset)
    return frozenset(key.key_id for key in keys)


def _count_sealed(store: Store, page: Page, key_ids: frozenset[str], found: _Presence) -> None:
    """Count what has content and, of that, what is sealed; an empty object or folder has nothing that a key could close."""
    names = [item.name for item in page if item.kind in _READABLE]
    found.sealable += sum(item.kind is not ItemKind.DELETE_MARKER for item in page)
    for _, head in store.heads(names, HEADER_LENGTH):
        found.sealable -= head == b""
        header = read_header(head) if head else None
        found.sealed += header is not None and header.key_id in key_ids


def _hide(run: StrandRun, status: CopyStatus) -> Counter[ItemResult]:
    """How many items were hidden (DONE), and how many are still in sight and why.

    Where the data lies hidden for a while, it is hidden once more, which tells what the store had left in sight.
    """
    place = status.copy.place
    store = run.deployment.store(status.copy.store)
    if place is None or run.record.strand.keep_written is not None or not store.capabilities().tombstone:
        return Counter()
    hidden = 0
    results: Counter[ItemResult] = Counter()
    try:
        for _ in range(2 if run.now < run.record.strand.no_return.at else 1):
            results.clear()
            for batch in store.tombstone(place):
                results.update(outcome.result for outcome in batch)
                run.batch_done(StepKind.TOMBSTONE)
            hidden += results[ItemResult.DONE]
    except Refused:
        if status.copy.role is not CopyRole.REPLICA:
            raise
        # a bucket abroad may deny every write (`transfer audit --enforce`), marks included; what lies there is still erased
    results[ItemResult.DONE] = hidden
    results.pop(ItemResult.ABSENT, None)
    return results
