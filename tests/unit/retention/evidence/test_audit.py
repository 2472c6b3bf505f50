"""Tampering with a ledger in every way, one by one, and what is found."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retention.evidence.audit import MOST_FINDINGS, Audit, audit_ledger
from retention.evidence.checkpoint import sign_checkpoint
from retention.evidence.errors import Malformed
from retention.evidence.findings import FindingKind
from retention.evidence.ledger import Ledger
from retention.evidence.merkle import leaf_hash
from retention.evidence.note import SeedSigner, VerifierKey, sign_note
from retention.evidence.tiles import Edge, decode_bundle, encode_bundle

SIZE = 600


def entries(count: int, start: int = 0) -> list[bytes]:
    return [f"entry {i}".encode() for i in range(start, start + count)]


@pytest.fixture
def root(tmp_path: Path, signer: SeedSigner) -> Path:
    """The directory of a ledger of 600 entries: two full bundles and one of 88."""
    Ledger.create(tmp_path / "log", signer).publish(0, entries(SIZE), signer)
    return tmp_path / "log"


def found(audit: Audit) -> list[tuple[str, str, int | None]]:
    return [(finding.kind.value, finding.place, finding.index) for finding in audit.findings]


def rebundle(path: Path, change: Callable[[list[bytes]], None]) -> None:
    held = decode_bundle(path.read_bytes())
    change(held)
    path.write_bytes(encode_bundle(held))


def rewrite(root: Path, bundles: dict[str, bytes], leaves: list[bytes]) -> None:
    """Replace bundles and all tiles by consistent ones of other leaves; the checkpoint stays."""
    for path, data in bundles.items():
        (root / path).write_bytes(data)
    edge = Edge()
    made = [tile for leaf in leaves for tile in edge.append(leaf)]
    for tile in [*made, *edge.open_tiles()]:
        (root / tile.path).parent.mkdir(parents=True, exist_ok=True)
        (root / tile.path).write_bytes(tile.encode())


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, SIZE], ids=lambda size: f"{size} entries")
def test_a_whole_ledger_has_no_findings(tmp_path: Path, signer: SeedSigner, size: int) -> None:
    ledger = Ledger.create(tmp_path / "log", signer)
    known = [ledger.checkpoint(), ledger.publish(0, entries(size), signer)]
    seen: list[tuple[int, bytes]] = []
    audit = audit_ledger(ledger, known, lambda index, entry: seen.append((index, entry)))
    assert (audit.findings, audit.entry_count, audit.checkpoint) == ((), size, known[-1])
    assert seen == list(enumerate(entries(size)))


def test_what_a_crash_left_beyond_the_checkpoint_is_no_finding(root: Path, key: VerifierKey) -> None:
    (root / "tile/entries/002.p/90").write_bytes(b"not published")
    (root / ".next").write_bytes(b"half a")
    assert audit_ledger(Ledger(root, key)).findings == ()


BUNDLE = "tile/entries/001"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(lambda b: b.__setitem__(44, b"forged"), ("entry-changed", 300), id="an entry is changed"),
        pytest.param(lambda b: b.pop(44), ("entry-removed", 300), id="an entry is removed"),
        pytest.param(lambda b: b.pop(), ("entry-removed", 511), id="the last entry is removed"),
        pytest.param(
            lambda b: (b.pop(44), b.append(b"entry 512")),
            ("entry-removed", 300),
            id="an entry is removed and the others move up",
        ),
        pytest.param(lambda b: b.insert(44, b"forged"), ("entry-inserted", 300), id="an entry is inserted"),
        pytest.param(
            lambda b: (b.insert(44, b"forged"), b.pop()),
            ("entry-inserted", 300),
            id="an entry is inserted and the last one pushed out",
        ),
        pytest.param(lambda b: b.append(b"forged"), ("entry-inserted", 512), id="an entry is appended"),
        pytest.param(
            lambda b: b.insert(44, b.pop(50)),
            ("entry-reordered", 300),
            id="entries are in another order",
        ),
    ],
)
def test_tampering_with_a_bundle_is_found_at_its_index(
    root: Path, key: VerifierKey, change: Callable[[list[bytes]], None], expected: tuple[str, int]
) -> None:
    rebundle(root / BUNDLE, change)
    audit = audit_ledger(Ledger(root, key))
    assert found(audit) == [(expected[0], BUNDLE, expected[1])]
    assert audit.entry_count == SIZE - 256


def test_every_changed_entry_is_named(root: Path, key: VerifierKey) -> None:
    def forge(bundle: list[bytes]) -> None:
        bundle[3], bundle[9] = b"forged", b"forged too"

    rebundle(root / "tile/entries/000", forge)
    assert [index for _, _, index in found(audit_ledger(Ledger(root, key)))] == [3, 9]


def test_tampering_with_the_partial_bundle_is_found(root: Path, key: VerifierKey) -> None:
    rebundle(root / "tile/entries/002.p/88", lambda b: b.__setitem__(87, b"forged"))
    assert found(audit_ledger(Ledger(root, key))) == [("entry-changed", "tile/entries/002.p/88", 599)]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (BUNDLE, "entries-missing"),
        ("tile/entries/002.p/88", "entries-missing"),
        ("tile/0/001", "tile-missing"),
        ("tile/0/002.p/88", "tile-missing"),
        ("tile/1/000.p/2", "tile-missing"),
        ("checkpoint", "checkpoint-missing"),
    ],
)
def test_a_missing_file_is_named(root: Path, key: VerifierKey, path: str, kind: str) -> None:
    (root / path).unlink()
    assert [(k, p) for k, p, _ in found(audit_ledger(Ledger(root, key)))] == [(kind, path)]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (BUNDLE, "entries-malformed"),
        ("tile/0/001", "tile-malformed"),
        ("tile/0/002.p/88", "tile-malformed"),
        ("checkpoint", "checkpoint-malformed"),
    ],
)
@pytest.mark.parametrize("damage", ["cut short", "trailing garbage"])
def test_a_file_cut_short_or_with_trailing_garbage_is_named(
    root: Path, key: VerifierKey, path: str, kind: str, damage: str
) -> None:
    data = (root / path).read_bytes()
    (root / path).write_bytes(data[:-1] if damage == "cut short" else data + b"\x00")
    assert [(k, p) for k, p, _ in found(audit_ledger(Ledger(root, key)))] == [(kind, path)]


@pytest.mark.parametrize("path", ["tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"])
def test_a_tile_that_does_not_match_intact_entries_is_named_alone(root: Path, key: VerifierKey, path: str) -> None:
    data = (root / path).read_bytes()
    (root / path).write_bytes(data[:-32] + bytes(32))
    assert [(k, p) for k, p, _ in found(audit_ledger(Ledger(root, key)))] == [("tile-changed", path)]


def test_an_entry_and_its_tile_changed_together_do_not_lead_to_the_tile_above(root: Path, key: VerifierKey) -> None:
    rebundle(root / BUNDLE, lambda b: b.__setitem__(44, b"forged"))
    tile = (root / "tile/0/001").read_bytes()
    (root / "tile/0/001").write_bytes(tile[: 44 * 32] + leaf_hash(b"forged") + tile[45 * 32 :])
    assert found(audit_ledger(Ledger(root, key))) == [
        ("tile-changed", "tile/0/001", None),
        ("root-mismatch", BUNDLE, 256),
    ]


def test_a_history_rewritten_in_all_files_does_not_lead_to_the_signed_root(root: Path, key: VerifierKey) -> None:
    forged = [*entries(300), b"forged", *entries(SIZE - 301, 301)]
    rewrite(root, {BUNDLE: encode_bundle(forged[256:512])}, [leaf_hash(entry) for entry in forged])
    assert found(audit_ledger(Ledger(root, key))) == [
        ("root-mismatch", "checkpoint", None),
        ("root-mismatch", "tile/entries", None),
    ]


def test_damaged_tiles_of_an_upper_level_do_not_hide_a_forged_entry(tmp_path: Path, signer: SeedSigner) -> None:
    size = 65_536 + 256
    data = [b"%d" % i for i in range(size)]
    ledger = Ledger.create(tmp_path / "large", signer)
    ledger.publish(0, data, signer)
    assert audit_ledger(ledger).findings == ()
    upper = tmp_path / "large/tile/1/000"
    upper.write_bytes(bytes(32) + upper.read_bytes()[32:])
    assert found(audit_ledger(ledger)) == [("tile-changed", "tile/1/000", None)]
    rebundle(tmp_path / "large/tile/entries/007", lambda b: b.__setitem__(0, b"forged"))
    assert found(audit_ledger(ledger)) == [
        ("tile-changed", "tile/1/000", None),
        ("root-mismatch", "tile/entries", None),
    ]


def test_a_checkpoint_signed_by_another_key_is_found(root: Path, key: VerifierKey) -> None:
    other = SeedSigner(key.name, bytes(32))
    ledger = Ledger(root, key)
    (root / "checkpoint").write_bytes(sign_checkpoint(SIZE, ledger.checkpoint().root, other))
    assert [kind for kind, _, _ in found(audit_ledger(ledger))] == ["signature-invalid"]


def test_a_checkpoint_changed_by_hand_is_found(root: Path, key: VerifierKey) -> None:
    note = (root / "checkpoint").read_bytes()
    (root / "checkpoint").write_bytes(note.replace(b"\n600\n", b"\n512\n"))
    assert [kind for kind, _, _ in found(audit_ledger(Ledger(root, key)))] == ["signature-invalid"]


def test_a_checkpoint_of_another_origin_is_found(root: Path, key: VerifierKey, signer: SeedSigner) -> None:
    text = Ledger(root, key).checkpoint().text().replace(key.name, "other.example/log")
    (root / "checkpoint").write_bytes(sign_note(text, signer))
    assert [kind for kind, _, _ in found(audit_ledger(Ledger(root, key)))] == ["wrong-origin"]


def test_a_rolled_back_ledger_is_found_by_a_checkpoint_known_before(
    tmp_path: Path, root: Path, key: VerifierKey, signer: SeedSigner
) -> None:
    shutil.copytree(root, tmp_path / "backup")
    known = Ledger(root, key).publish(SIZE, entries(5, SIZE), signer)
    rolled_back = Ledger(tmp_path / "backup", key)
    assert audit_ledger(rolled_back).findings == ()
    assert found(audit_ledger(rolled_back, [known])) == [("rolled-back", "checkpoint", SIZE)]


@pytest.mark.parametrize("size", [SIZE, SIZE + 5], ids=["of the same size", "that went on"])
def test_a_forked_ledger_is_found_by_a_checkpoint_known_before(
    tmp_path: Path, root: Path, key: VerifierKey, signer: SeedSigner, size: int
) -> None:
    known = Ledger(root, key).checkpoint()
    fork = Ledger.create(tmp_path / "fork", signer)
    fork.publish(0, [b"another", *entries(size - 1, 1)], signer)
    assert audit_ledger(fork).findings == ()
    assert found(audit_ledger(fork, [known])) == [("forked", "checkpoint", SIZE)]


def test_files_that_have_no_place_in_a_ledger_are_named(root: Path, key: VerifierKey) -> None:
    (root / "tile/0/01").write_bytes(b"")
    (root / "notes.txt").write_bytes(b"")
    (root / "elsewhere").symlink_to(root.parent)
    assert sorted(place for _, place, _ in found(audit_ledger(Ledger(root, key)))) == [
        "elsewhere",
        "notes.txt",
        "tile/0/01",
    ]


def test_a_pipe_in_the_place_of_a_file_does_not_block(root: Path, key: VerifierKey) -> None:
    (root / BUNDLE).unlink()
    os.mkfifo(root / BUNDLE)
    assert [(k, p) for k, p, _ in found(audit_ledger(Ledger(root, key)))] == [("entries-malformed", BUNDLE)]


def test_a_bundle_longer_than_any_bundle_is_not_read_into_memory(root: Path, key: VerifierKey) -> None:
    with (root / BUNDLE).open("r+b") as file:
        file.truncate(1 << 40)
    audit = audit_ledger(Ledger(root, key))
    assert [(k, p) for k, p, _ in found(audit)] == [("entries-malformed", BUNDLE)]
    assert "longer than" in audit.findings[0].message


def test_no_directory_and_an_empty_one_are_no_ledger(tmp_path: Path, key: VerifierKey) -> None:
    for directory in (tmp_path, tmp_path / "nowhere"):
        assert [kind for kind, _, _ in found(audit_ledger(Ledger(directory, key)))] == ["checkpoint-missing"]


def test_the_list_of_findings_is_bounded(root: Path, key: VerifierKey) -> None:
    rebundle(root / "tile/entries/000", lambda b: b.__setitem__(slice(None), [b"forged"] * 256))
    findings = audit_ledger(Ledger(root, key)).findings
    assert len(findings) == MOST_FINDINGS + 1
    assert findings[-1].kind is FindingKind.TOO_MANY


def test_a_signed_entry_that_is_no_entry_is_found(root: Path, key: VerifierKey) -> None:
    def refuse(index: int, entry: bytes) -> None:
        if index == 5:
            raise Malformed("not JSON")

    assert found(audit_ledger(Ledger(root, key), check=refuse)) == [("entry-malformed", "entry 5", 5)]


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_changed_byte_of_any_file_goes_unseen(root: Path, key: VerifierKey, data: st.DataObject) -> None:
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.name != ".lock")
    path = data.draw(st.sampled_from(files), label="file")
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1), label="offset")
    flip = data.draw(st.integers(1, 255), label="bits")
    path.write_bytes(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])
    try:
        place = path.relative_to(root).as_posix()
        assert any(found_at == place for _, found_at, _ in found(audit_ledger(Ledger(root, key))))
    finally:
        path.write_bytes(whole)
