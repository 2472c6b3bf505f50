"""Reading a whole ledger to find whatever is wrong with it. Memory does not grow with the ledger.

Two ways of reading meet here. Downwards: which hashes lead to the signed root (`SignedTree`). Upwards: which root the
entries make. Where they differ, the bundle is compared with its tile to say what was done to which entry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from retention.evidence.checkpoint import Checkpoint, open_checkpoint
from retention.evidence.errors import (
    Damage,
    LedgerDamaged,
    Malformed,
    SignatureInvalid,
    WrongOrigin,
)
from retention.evidence.findings import Finding, FindingKind
from retention.evidence.ledger import CHECKPOINT, Ledger
from retention.evidence.merkle import CompactRange, complete_root
from retention.evidence.signed_tree import SignedTree, StoredTree
from retention.evidence.tiles import WIDTH, Edge, bundle_path, is_ledger_path, leaf_hashes

MOST_FINDINGS = 200

EntryCheck = Callable[[int, bytes], None]
"""Called with each entry's index and bytes, in order; raises Malformed for one that is not an entry."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found (nothing: the ledger is whole), and how many entries it proved to be the signed ones."""

    checkpoint: Checkpoint | None
    findings: tuple[Finding, ...]
    entry_count: int


@dataclass(slots=True)
class _Report:
    """Collects findings, each place and kind once, and stops listing at `MOST_FINDINGS`."""

    findings: dict[tuple[FindingKind, str, int | None], Finding] = field(default_factory=dict)

    def add(self, kind: FindingKind, place: str, message: str, index: int | None = None) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.setdefault((kind, place, index), Finding(kind, place, message, index))
        else:
            message = f"more than {MOST_FINDINGS} things are wrong"
            too_many = Finding(FindingKind.TOO_MANY, "ledger", message)
            self.findings.setdefault((FindingKind.TOO_MANY, "ledger", None), too_many)

    def add_damage(self, damaged: LedgerDamaged) -> None:
        self.add(_kind_of(damaged), damaged.path, damaged.message)


def audit_ledger(ledger: Ledger, known: Iterable[Checkpoint] = (), check: EntryCheck | None = None) -> Audit:
    """Read every tile and entry; everything that is wrong, with kind and place, as far as it can be told apart.

    known: checkpoints of this ledger seen before, in any order; without them a log that was cut off together with its
    checkpoint looks whole. check: called for each entry. OSError where the directory cannot be read.
    """
    report = _Report()
    if not ledger.files.root.is_dir():
        report.add(FindingKind.CHECKPOINT_MISSING, CHECKPOINT, "there is no ledger in this directory")
        return Audit(None, tuple(report.findings.values()), 0)
    checkpoint = _checkpoint(ledger, report)
    entry_count = 0
    if checkpoint is not None:
        tree = _tree(ledger, checkpoint, report)
        if tree is not None:
            _compare_known(tree, known, report)
            entry_count = _read_all(tree, checkpoint.root, report, check)
    for path in ledger.files.paths():
        if path != CHECKPOINT and not is_ledger_path(path):
            report.add(FindingKind.UNEXPECTED_FILE, path, "has no place in a ledger")
    return Audit(checkpoint, tuple(report.findings.values()), entry_count)


def _checkpoint(ledger: Ledger, report: _Report) -> Checkpoint | None:
    """The signed checkpoint, None (and a finding) when there is none to believe."""
    try:
        return open_checkpoint(ledger.signed_checkpoint(), ledger.key)
    except LedgerDamaged as error:
        report.add_damage(error)
    except Malformed as error:
        report.add(FindingKind.CHECKPOINT_MALFORMED, CHECKPOINT, str(error))
    except SignatureInvalid as error:
        report.add(FindingKind.SIGNATURE_INVALID, CHECKPOINT, str(error))
    except WrongOrigin as error:
        report.add(FindingKind.WRONG_ORIGIN, CHECKPOINT, str(error))
    return None


def _tree(ledger: Ledger, checkpoint: Checkpoint, report: _Report) -> SignedTree | None:
    """The tree under the signed root; where its right edge is damaged, from the entries, if they lead to that root."""
    try:
        return SignedTree(ledger.files, checkpoint)
    except LedgerDamaged as error:
        damage = error
    stored = StoredTree(ledger.files, checkpoint.size)
    edge = Edge()
    try:
        for number in range(stored.bundle_count()):
            for leaf in leaf_hashes(stored.bundle(number)):
                edge.append(leaf)
    except LedgerDamaged as error:
        report.add_damage(damage)
        report.add_damage(error)
        return None
    if (edge.size, edge.root()) != (checkpoint.size, checkpoint.root):
        report.add_damage(damage)
        message = f"the entries do not make the signed root of size {checkpoint.size}"
        report.add(FindingKind.ROOT_MISMATCH, "tile/entries", message)
        return None
    _compare_edge(stored, edge, report)
    return SignedTree(ledger.files, checkpoint, edge)


def _compare_edge(stored: StoredTree, right: Edge, report: _Report) -> None:
    """Name the partial tiles that are not what the entries, which lead to the signed root, make of them."""
    for tile in right.open_tiles():
        try:
            if stored.tile(tile.level, tile.number, len(tile.hashes)) != tile.hashes:
                report.add(FindingKind.TILE_CHANGED, tile.path, "does not lead to the signed root")
        except LedgerDamaged as error:
            report.add_damage(error)


def _compare_known(tree: SignedTree, known: Iterable[Checkpoint], report: _Report) -> None:
    for earlier in known:
        if earlier.size > tree.size:
            message = f"the ledger has {tree.size} entries; it was signed with {earlier.size} before"
            report.add(FindingKind.ROLLED_BACK, CHECKPOINT, message, tree.size)
            continue
        try:
            if tree.root_at(earlier.size) != earlier.root:
                message = f"its first {earlier.size} entries are not the ones that were signed before"
                report.add(FindingKind.FORKED, CHECKPOINT, message, earlier.size)
        except LedgerDamaged as error:
            report.add_damage(error)


def _read_all(tree: SignedTree, root: bytes, report: _Report, check: EntryCheck | None) -> int:
    """Compare every bundle with its tile; how many entries are proven to be the signed ones."""
    upwards = CompactRange()
    proven = 0
    unproven = False
    for number in range(tree.stored.bundle_count()):
        entries = _bundle(tree, number, report)
        found = leaf_hashes(entries)
        signed = _signed_leaves(tree, number, report)
        for leaf in found:
            upwards.append(leaf)
        if signed is None:
            unproven = not _is_told_apart(tree, number, found, report) or unproven
        elif found == signed:
            proven += len(entries)
            _check_entries(number * WIDTH, entries, report, check)
        elif entries:
            for difference in _differences(signed, found):
                path = bundle_path(number, tree.stored.bundle_width(number))
                report.add(difference.kind, path, difference.message, number * WIDTH + difference.offset)
    if unproven and upwards.root() != root:
        message = "some of the entries do not lead to the signed root, nor do their tiles"
        report.add(FindingKind.ROOT_MISMATCH, "tile/entries", message)
    return proven


def _bundle(tree: SignedTree, number: int, report: _Report) -> list[bytes]:
    """The bundle's entries; none (and a finding) where it cannot be read."""
    try:
        return tree.stored.bundle(number)
    except LedgerDamaged as error:
        report.add_damage(error)
        return []


def _signed_leaves(tree: SignedTree, number: int, report: _Report) -> tuple[bytes, ...] | None:
    try:
        return tree.tile(0, number)
    except LedgerDamaged as error:
        report.add_damage(error)
        return None


def _is_told_apart(tree: SignedTree, number: int, found: Sequence[bytes], report: _Report) -> bool:
    """Whether a whole parent tile could tell if these entries, whose own tile is damaged, are the signed ones."""
    try:
        signed = tree.tile_root(0, number)
    except LedgerDamaged as error:
        report.add_damage(error)
        return False
    if found and (len(found) != WIDTH or complete_root(found) != signed):
        message = "neither these entries nor their tile lead to the signed root"
        report.add(FindingKind.ROOT_MISMATCH, bundle_path(number), message, number * WIDTH)
    return True


def _check_entries(first: int, entries: Sequence[bytes], report: _Report, check: EntryCheck | None) -> None:
    if check is None:
        return
    for index, entry in enumerate(entries, first):
        try:
            check(index, entry)
        except Malformed as error:
            report.add(FindingKind.ENTRY_MALFORMED, f"entry {index}", str(error), index)


@dataclass(frozen=True, slots=True)
class _Difference:
    kind: FindingKind
    offset: int
    message: str


def _differences(signed: Sequence[bytes], found: Sequence[bytes]) -> list[_Difference]:
    """What was done to a bundle whose leaves are not the signed ones."""
    pairs = zip(signed, found, strict=False)
    differing = [offset for offset, (a, b) in enumerate(pairs) if a != b]
    at = differing[0] if differing else min(len(signed), len(found))
    if Counter(signed) == Counter(found):
        return [_Difference(FindingKind.ENTRY_REORDERED, at, "the entries are in another order from here")]
    if len(found) < len(signed) or list(found[at : at + 2]) == list(signed[at + 1 : at + 3]):
        return [_Difference(FindingKind.ENTRY_REMOVED, at, "the entry that was signed is not here")]
    if len(found) > len(signed) or list(found[at + 1 : at + 2]) == list(signed[at : at + 1]):
        return [_Difference(FindingKind.ENTRY_INSERTED, at, "an entry that was not signed is here")]
    return [_Difference(FindingKind.ENTRY_CHANGED, each, "not the entry that was signed") for each in differing]


def _kind_of(damaged: LedgerDamaged) -> FindingKind:
    """The finding's kind, by what is wrong with which sort of file."""
    what = "checkpoint" if damaged.path == CHECKPOINT else "entries" if "/entries/" in damaged.path else "tile"
    match damaged.damage:
        case Damage.NO_ROOT:
            return FindingKind.ROOT_MISMATCH
        case Damage.CHANGED:
            return FindingKind.TILE_CHANGED
        case Damage.MISSING | Damage.MALFORMED:
            return FindingKind(f"{what}-{damaged.damage}")
