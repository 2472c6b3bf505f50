"""Checking a report's bundle offline: every byte of it is listed, proven, or named as changed.

Source: `docs/formats/report-bundle.md`; RFC 9162, section 2.1.4.2; C2SP tlog-proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from retention.evidence.audit import audit_ledger
from retention.evidence.bodies import ReportIssued
from retention.evidence.bundle import (
    CONSISTENCY,
    ENTRY,
    LARGEST_MANIFEST,
    LEDGER,
    MANIFEST,
    POLICIES,
    PROOF,
    REPORT,
    UNLISTED,
    Consistency,
    Manifest,
    difference,
    ledger_paths,
    paths_in,
)
from retention.evidence.canonical import decode_canonical
from retention.evidence.checkpoint import Checkpoint
from retention.evidence.citations import Citations
from retention.evidence.directory import read_file
from retention.evidence.entries import EntryType, decode_entry
from retention.evidence.errors import (
    EvidenceError,
    LedgerForked,
    Malformed,
    ProofInvalid,
)
from retention.evidence.findings import Finding, FindingKind, kind_of
from retention.evidence.ledger import CHECKPOINT, Ledger
from retention.evidence.note import LARGEST_NOTE, VerifierKey
from retention.evidence.proof import LogProof
from retention.evidence.report_rows import Json, ReportFile
from retention.evidence.tiles import LARGEST_ENTRY


@dataclass(slots=True)
class BundleCheck:
    """What is wrong with a bundle so far. checkpoint: the one that is proven, None where none is.

    citations: what its rows cite, to be held against a ledger; None where there are none or its place is not proven.
    entry_count: entries of the ledger's copy that were proven. has_ledger: whether that copy is there.
    """

    folder: Path
    findings: list[Finding] = field(default_factory=list)
    checkpoint: Checkpoint | None = None
    citations: Citations | None = None
    entry_count: int = 0
    has_ledger: bool = False

    def add(self, kind: FindingKind, place: str, message: str) -> None:
        """One more thing that is wrong."""
        self.findings.append(Finding(kind, shown(place), message))


def is_bundle(path: Path) -> bool:
    """Whether the directory is a report's bundle, and not a ledger."""
    return (path / MANIFEST).exists() or (path / ENTRY).exists()


def check_bundle(folder: Path, key: VerifierKey) -> BundleCheck:
    """Everything that is wrong with the bundle by itself, and with the ledger's copy in it. OSError as it comes.

    Where there is no copy, `citations` are still to be held against the ledger. Close them.
    """
    check = BundleCheck(folder)
    data = _read(check, MANIFEST, LARGEST_MANIFEST)
    try:
        manifest = Manifest.parse(data) if data is not None else None
    except Malformed as error:
        check.add(FindingKind.MALFORMED, MANIFEST, str(error))
        manifest = None
    index = _check_entry(check, key, data, manifest)
    if manifest is None:
        return check
    fitting = _check_files(check, manifest)
    _check_names(check, manifest)
    _check_consistency(check, manifest)
    if index is not None and REPORT in fitting:
        _read_report(check, manifest, key, index)
    if manifest.ledger_copied:
        _check_ledger(check, key)
    return check


def _read(check: BundleCheck, name: str, limit: int) -> bytes | None:
    try:
        return read_file(check.folder / name, limit)
    except FileNotFoundError:
        check.add(FindingKind.FILE_MISSING, name, "is missing")
    except Malformed as error:
        check.add(FindingKind.MALFORMED, name, str(error))
    return None


def _read_quietly(path: Path) -> bytes | None:
    """The note, None where there is none that can be read: others have named that."""
    try:
        return read_file(path, LARGEST_NOTE)
    except (OSError, Malformed):
        return None


def shown(place: str) -> str:
    """A name as it can stand on a line: what cannot be printed is escaped, a newline too."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in place)


def _check_entry(check: BundleCheck, key: VerifierKey, manifest: bytes | None, said: Manifest | None) -> int | None:
    """The index of the entry that tells of this manifest, proven to be in the ledger; None (and findings) for none."""
    entry, proof_text = _read(check, ENTRY, LARGEST_ENTRY), _read(check, PROOF, LARGEST_NOTE)
    note = _read(check, CHECKPOINT, LARGEST_NOTE)
    if entry is None or proof_text is None:
        return None
    try:
        proof = LogProof.parse(proof_text.decode("utf-8"))
        if proof.encode().encode() != proof_text or proof.extra is not None:
            raise Malformed("a proof is written in one way, and without extra data")
        check.checkpoint = proof.verify(entry, key)
    except UnicodeDecodeError:
        check.add(FindingKind.MALFORMED, PROOF, "not UTF-8")
        return None
    except EvidenceError as error:
        check.add(kind_of(error), PROOF, f"the entry {ENTRY} is not proven by it: {error}")
        return None
    if note is not None and note != proof.checkpoint:
        check.add(FindingKind.FILE_CHANGED, CHECKPOINT, f"is not the checkpoint in {PROOF}")
    for message in _entry_differs(entry, manifest, said):
        check.add(FindingKind.NOT_ISSUED, MANIFEST, message)
    return proof.index


def _entry_differs(data: bytes, manifest: bytes | None, said: Manifest | None) -> Iterator[str]:
    """How the manifest is another than the one that the entry tells of."""
    try:
        entry = decode_entry(data)
        body = ReportIssued.from_json(entry.body)
    except Malformed as error:
        yield f"{ENTRY} is no entry of a report: {error}"
        return
    if entry.type is not EntryType.REPORT_ISSUED:
        yield f"{ENTRY} is an entry of type {entry.type}"
    if manifest is not None and hashlib.sha256(manifest).hexdigest() != body.manifest:
        yield "is not the manifest that was issued: the ledger has another hash of it"
    if said is not None:
        told = (body.number, body.from_at, body.until_at, body.first_size, body.last_size, body.identified)
        if told != (said.number, said.from_at, said.until_at, said.first.size, said.last.size, said.identified):
            yield "tells of another number, period or ledger than the entry that was issued"


def _check_files(check: BundleCheck, manifest: Manifest) -> frozenset[str]:
    """Every file is listed, and is as it is listed. Returns those that are: nothing else is looked into."""
    listed = {record.name: record for record in manifest.files}
    there = {name for name in paths_in(check.folder) if not name.startswith(f"{LEDGER}/")}
    for name in sorted(there - listed.keys() - set(UNLISTED)):
        check.add(FindingKind.FILE_UNLISTED, name, "is not listed in the manifest")
    for name in filter(lambda name: (check.folder / name).is_symlink(), UNLISTED):
        check.add(FindingKind.FILE_CHANGED, name, "a link lies in its place")
    if REPORT not in listed:
        check.add(FindingKind.FILE_MISSING, REPORT, "the manifest lists none, and a report has one")
    fitting = set()
    for name, record in listed.items():
        if name not in there:
            check.add(FindingKind.FILE_MISSING, name, "is listed in the manifest, and missing")
            continue
        try:
            message = difference(check.folder / name, record)
        except Malformed as error:
            message = str(error)
        if message is None:
            fitting.add(name)
        else:
            check.add(FindingKind.FILE_CHANGED, name, message)
    if not manifest.ledger_copied and (check.folder / LEDGER).exists():
        check.add(FindingKind.FILE_UNLISTED, LEDGER, "the manifest says that no ledger is in the bundle")
    return frozenset(fitting)


def _check_names(check: BundleCheck, manifest: Manifest) -> None:
    """Each policy's file has the name of its content."""
    listed = {record.name: record.sha256 for record in manifest.files}
    for policy in manifest.policies:
        name = f"{POLICIES}/{policy}.json"
        if listed.get(name) != policy:
            check.add(FindingKind.MALFORMED, name, "is not listed, or its content has not the hash that names it")


def _check_consistency(check: BundleCheck, manifest: Manifest) -> None:
    data = _read(check, CONSISTENCY, LARGEST_NOTE)
    if data is None:
        return
    try:
        consistency = Consistency.from_json(decode_canonical(data))
        consistency.verify()
        head = consistency.checkpoint
        if (consistency.first, consistency.last) != (manifest.first, manifest.last):
            raise ProofInvalid("it is about other sizes or roots than the manifest")
        if check.checkpoint and (head.size, head.root_bytes) != (check.checkpoint.size, check.checkpoint.root):
            raise ProofInvalid("it does not lead to the checkpoint")
    except EvidenceError as error:
        check.add(kind_of(error), CONSISTENCY, str(error))


def _read_report(check: BundleCheck, manifest: Manifest, key: VerifierKey, index: int) -> None:
    """The report says the same of itself as the manifest, and what its rows cite is known."""
    citations = Citations(index)
    try:
        report = ReportFile(check.folder / REPORT)
        for message in _front_differs(report.front, manifest, key):
            check.add(FindingKind.CITATION_WRONG, REPORT, message)
        citations.read(report)
    except (Malformed, OSError) as error:
        check.add(FindingKind.MALFORMED, REPORT, str(error) if isinstance(error, Malformed) else "cannot be read")
        citations.close()
        return
    check.citations = citations


def _front_differs(front: dict[str, Json], manifest: Manifest, key: VerifierKey) -> Iterator[str]:
    period = {"first_day": manifest.first_day, "last_day": manifest.last_day, "zone": manifest.zone}
    heads = {"first": manifest.first.to_json(), "last": manifest.last.to_json()}
    if front.get("number") != manifest.number:
        yield "another number than the manifest's"
    if front.get("period") != period:
        yield "another period than the manifest's"
    if front.get("integrity") != {"origin": manifest.origin, "key": str(key), **heads}:
        yield "another ledger, key, size or root than the manifest's, or than the key given"
    if (front.get("identified") is not None) is not manifest.identified:
        yield "names customers, or not, other than the manifest says"


def _check_ledger(check: BundleCheck, key: VerifierKey) -> None:
    """The copy of the ledger is whole, has nothing beside it, and bears out what the rows cite."""
    folder = check.folder / LEDGER
    check.has_ledger = folder.is_dir()
    if not check.has_ledger:
        check.add(FindingKind.FILE_MISSING, LEDGER, "the manifest says that the ledger is in the bundle")
        return
    known = [check.checkpoint] if check.checkpoint else []
    see = check.citations.see if check.citations else None
    audit = audit_ledger(Ledger(folder, key), known, see)
    check.entry_count = audit.entry_count
    check.findings += (
        Finding(each.kind, shown(f"{LEDGER}/{each.place}"), each.message, each.index) for each in audit.findings
    )
    named = {each.place for each in check.findings}
    if _read_quietly(folder / CHECKPOINT) != _read_quietly(check.folder / CHECKPOINT):
        check.add(FindingKind.FILE_CHANGED, f"{LEDGER}/{CHECKPOINT}", "is not the checkpoint of the bundle")
    if audit.checkpoint is not None:
        there, expected = set(paths_in(folder)), set(ledger_paths(audit.checkpoint.size))
        for path in sorted(path for path in there & expected if (folder / path).is_symlink()):
            check.add(FindingKind.FILE_CHANGED, f"{LEDGER}/{path}", "a link lies in its place")
        for path in sorted(there - expected):
            if shown(f"{LEDGER}/{path}") not in named:
                check.add(FindingKind.FILE_UNLISTED, f"{LEDGER}/{path}", "has no place in this ledger")
    close_citations(check, is_whole=not audit.findings)


def compare_copy(check: BundleCheck, key: VerifierKey, known: Iterable[Checkpoint]) -> None:
    """The ledger in the bundle begins with that of every earlier checkpoint. A later one says nothing of a copy."""
    if not check.has_ledger or check.checkpoint is None:
        return
    ledger = Ledger(check.folder / LEDGER, key)
    for earlier in known:
        if earlier.size > check.checkpoint.size:
            continue
        try:
            ledger.check_extends(earlier)
        except LedgerForked as error:
            check.add(FindingKind.FORKED, f"{LEDGER}/{CHECKPOINT}", str(error))
        except EvidenceError:
            return  # the audit has named what is wrong with it


def close_citations(check: BundleCheck, *, is_whole: bool = True) -> None:
    """What the rows cite was held against a whole ledger: what is left is not there. Closes the citations.

    Of a ledger that is not whole only what is wrong for sure is named.
    """
    if check.citations is None:
        return
    if is_whole:
        check.citations.end()
    check.findings += check.citations.findings
    check.citations.close()
    check.citations = None
