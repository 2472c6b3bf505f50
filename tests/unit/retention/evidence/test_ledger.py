"""Publishing and reading a ledger: what is durable, what is refused, what a crash leaves."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from retention.evidence import merkle
from retention.evidence.errors import (
    LedgerBehind,
    LedgerDamaged,
    LedgerForked,
    Malformed,
    NotInLedger,
    SignatureInvalid,
)
from retention.evidence.ledger import Ledger
from retention.evidence.note import SeedSigner


def entries(count: int, start: int = 0) -> list[bytes]:
    return [f"entry {i}".encode() for i in range(start, start + count)]


def tree(directory: Path) -> dict[str, bytes]:
    """Every file of the ledger."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


# ---------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 600], ids=lambda size: f"{size} entries")
def test_what_was_published_is_read_back_under_the_right_root(ledger: Ledger, signer: SeedSigner, size: int) -> None:
    checkpoint = ledger.publish(0, entries(size), signer)
    assert checkpoint == ledger.checkpoint()
    assert (checkpoint.size, checkpoint.root) == (size, merkle.root(map(merkle.leaf_hash, entries(size))))
    assert list(ledger.entries()) == entries(size)
    assert [ledger.entry(i) for i in range(0, size, 97)] == entries(size)[::97]
    assert list(ledger.entries(size // 3, size // 2)) == entries(size)[size // 3 : size // 2]


def test_the_roots_are_those_of_the_vectors_however_the_entries_are_published(
    ledger: Ledger, signer: SeedSigner, merkle_vectors: Any
) -> None:
    for size, root in sorted((int(size), root) for size, root in merkle_vectors["roots"].items()):
        before = ledger.checkpoint().size
        assert ledger.publish(before, entries(size - before, before), signer).root.hex() == root
    for size, root in merkle_vectors["roots"].items():
        assert ledger.root_at(int(size)).hex() == root


def test_one_by_one_and_at_once_leave_the_same_signed_tree(tmp_path: Path, ledger: Ledger, signer: SeedSigner) -> None:
    for index, entry in enumerate(entries(259)):
        ledger.append([entry], index, signer)
    at_once = Ledger.create(tmp_path / "other", signer)
    at_once.append(entries(259), 0, signer)
    assert tree(tmp_path / "other").items() <= tree(ledger.files.root).items()


def test_proofs_from_the_tiles_verify(ledger: Ledger, signer: SeedSigner) -> None:
    now = ledger.publish(0, entries(700), signer)
    for index in (0, 255, 256, 511, 512, 699):
        leaf = merkle.leaf_hash(entries(700)[index])
        merkle.verify_inclusion(leaf, index, 700, ledger.inclusion_proof(index), now.root)
        size = max(index + 1, 600)
        merkle.verify_inclusion(leaf, index, size, ledger.inclusion_proof(index, size), ledger.root_at(size))
    for first, second in ((0, 700), (1, 700), (256, 512), (255, 257), (600, 700), (700, 700)):
        path = ledger.consistency_proof(first, second)
        merkle.verify_consistency(first, ledger.root_at(first), second, ledger.root_at(second), path)


def test_proven_entries_verify_against_one_checkpoint(ledger: Ledger, signer: SeedSigner) -> None:
    ledger.publish(0, entries(300), signer)
    for proven, index in zip(ledger.prove([0, 299, 256]), [0, 299, 256], strict=True):
        assert proven.proof.verify(proven.entry, ledger.key).size == 300
        assert (proven.entry, proven.proof.index) == (entries(300)[index], index)


def test_nothing_beyond_the_checkpoint_is_given_out(ledger: Ledger, signer: SeedSigner) -> None:
    ledger.publish(0, entries(3), signer)
    for ask in (
        lambda: ledger.entry(3),
        lambda: list(ledger.entries(0, 4)),
        lambda: list(ledger.entries(-1, 2)),
        lambda: ledger.root_at(4),
        lambda: ledger.inclusion_proof(3),
        lambda: ledger.inclusion_proof(1, 1),
        lambda: ledger.consistency_proof(1, 4),
        lambda: ledger.prove([0, 3]),
    ):
        with pytest.raises(NotInLedger):
            ask()


def test_reading_finds_what_was_changed_on_the_way(ledger: Ledger, signer: SeedSigner) -> None:
    ledger.publish(0, entries(300), signer)
    bundle = ledger.files.root / "tile/entries/000"
    bundle.write_bytes(bundle.read_bytes().replace(b"entry 7", b"entrY 7", 1))
    with pytest.raises(LedgerDamaged, match="tile/entries/000: the entries are not the ones that were signed"):
        ledger.entry(0)
    assert ledger.entry(256) == b"entry 256"


# ---------------------------------------------------------------------------------------------------- publishing


def test_publishing_again_changes_nothing_and_an_overlap_adds_the_rest(ledger: Ledger, signer: SeedSigner) -> None:
    ledger.publish(0, entries(5), signer)
    before = tree(ledger.files.root)
    assert ledger.publish(0, entries(5), signer).size == 5
    assert ledger.publish(2, entries(2, 2), signer).size == 5
    assert ledger.publish(5, [], signer).size == 5
    assert tree(ledger.files.root) == before
    assert ledger.publish(3, entries(4, 3), signer).size == 7
    assert list(ledger.entries()) == entries(7)


def test_other_bytes_at_a_published_index_are_a_fork_and_nothing_is_written(ledger: Ledger, signer: SeedSigner) -> None:
    ledger.publish(0, entries(5), signer)
    before = tree(ledger.files.root)
    with pytest.raises(LedgerForked, match="entry 3 is published with other bytes"):
        ledger.publish(3, [b"another", b"entry 4", b"entry 5"], signer)
    with pytest.raises(LedgerForked, match="5 entries already, not 4"):
        ledger.append([b"entry 4"], 4, signer)
    assert tree(ledger.files.root) == before


def test_a_gap_means_that_the_ledger_was_rolled_back(ledger: Ledger, signer: SeedSigner) -> None:
    with pytest.raises(LedgerBehind, match="has 0 entries; entry 1 cannot follow"):
        ledger.publish(1, entries(1, 1), signer)


def test_an_entry_that_is_too_long_keeps_the_others_out_too(ledger: Ledger, signer: SeedSigner) -> None:
    with pytest.raises(Malformed, match="entry 1 has 65536 bytes"):
        ledger.publish(0, [b"good", b"x" * 65_536], signer)
    assert ledger.checkpoint().size == 0


def test_another_key_cannot_publish(ledger: Ledger) -> None:
    with pytest.raises(Malformed, match="not the ledger's key"):
        ledger.publish(0, entries(1), SeedSigner(ledger.key.name, bytes(32)))


def test_nothing_is_added_to_a_damaged_ledger(ledger: Ledger, signer: SeedSigner) -> None:
    ledger.publish(0, entries(3), signer)
    (ledger.files.root / "tile/0/000.p/3").write_bytes(bytes(96))
    with pytest.raises(LedgerDamaged, match="do not make the signed root"):
        ledger.publish(3, entries(1, 3), signer)


def test_a_ledger_that_extends_a_known_checkpoint_is_told_from_a_rollback_and_a_fork(
    tmp_path: Path, ledger: Ledger, signer: SeedSigner
) -> None:
    empty = ledger.checkpoint()
    known = ledger.publish(0, entries(300), signer)
    assert ledger.check_extends(empty).size == ledger.check_extends(known).size == 300
    assert ledger.publish(300, entries(9, 300), signer) == ledger.check_extends(known)
    short, other = Ledger.create(tmp_path / "short", signer), Ledger.create(tmp_path / "other", signer)
    short.publish(0, entries(299), signer)
    other.publish(0, [*entries(299), b"another", b"more"], signer)
    with pytest.raises(LedgerBehind, match="299 entries; it had 300"):
        short.check_extends(known)
    with pytest.raises(LedgerForked, match="first 300 entries"):
        other.check_extends(known)


def test_creating_again_keeps_the_ledger_and_a_lost_checkpoint_is_not_replaced(
    ledger: Ledger, signer: SeedSigner
) -> None:
    ledger.publish(0, entries(3), signer)
    assert Ledger.create(ledger.files.root, signer).checkpoint().size == 3
    with pytest.raises(SignatureInvalid):
        Ledger.create(ledger.files.root, SeedSigner(ledger.key.name, bytes(32)))
    (ledger.files.root / "checkpoint").unlink()
    with pytest.raises(LedgerDamaged, match="not made anew"):
        Ledger.create(ledger.files.root, signer)
    with pytest.raises(LedgerDamaged, match="checkpoint: is missing"):
        ledger.publish(3, entries(1, 3), signer)


def test_partial_tiles_stay_until_the_full_tile_is_published(ledger: Ledger, signer: SeedSigner) -> None:
    ledger.publish(0, entries(100), signer)
    ledger.publish(100, entries(100, 100), signer)
    assert {"tile/0/000.p/100", "tile/0/000.p/200", "tile/entries/000.p/100"} <= tree(ledger.files.root).keys()
    ledger.publish(200, entries(60, 200), signer)
    assert sorted(tree(ledger.files.root)) == [
        "checkpoint",
        "tile/0/000",
        "tile/0/001.p/4",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/4",
    ]


def test_two_writers_take_turns_and_lose_nothing(ledger: Ledger, signer: SeedSigner) -> None:
    def write(offered: list[bytes]) -> None:
        writer = Ledger(ledger.files.root, ledger.key)
        for count in range(1, len(offered) + 1):
            writer.publish(0, offered[:count], signer)

    threads = [threading.Thread(target=write, args=(entries(40),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(ledger.entries()) == entries(40)


def test_a_reader_beside_the_writer_always_sees_a_whole_ledger(ledger: Ledger, signer: SeedSigner) -> None:
    ledger.publish(0, entries(200), signer)
    done = threading.Event()
    seen: list[int] = []

    def read() -> None:
        reader = Ledger(ledger.files.root, ledger.key)
        while not done.is_set():
            held = list(reader.entries())
            assert held == entries(len(held))
            seen.append(len(held))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for size in range(200, 320):
            ledger.publish(size, entries(1, size), signer)
    finally:
        done.set()
        thread.join()
    assert len(set(seen)) > 1
    assert seen == sorted(seen)


# ---------------------------------------------------------------------------------------------------- crashes


class Crash(BaseException):
    """The process is gone."""


@contextmanager
def crash_at(step: int, *, after_acting: bool, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Die at the step-th call that changes the disk, before it acts or after."""
    calls: list[str] = []

    def wrapped(name: str) -> None:
        act = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            if len(calls) == step and not after_acting:
                raise Crash
            try:
                return act(*args, **kwargs)
            finally:
                if len(calls) == step:
                    raise Crash

        patch.setattr(os, name, call)

    with monkeypatch.context() as patch:
        for name in ("replace", "fsync", "write", "unlink", "mkdir", "rmdir"):
            wrapped(name)
        yield calls


@pytest.mark.parametrize("after_acting", [False, True], ids=["failed and did not act", "failed and did act"])
@pytest.mark.parametrize(
    ("before", "added"), [(0, 1), (3, 4), (254, 5), (256, 1)], ids=["first", "in a tile", "over a tile", "new tile"]
)
def test_a_crash_at_any_step_leaves_a_whole_ledger_that_the_same_call_finishes(
    tmp_path: Path,
    signer: SeedSigner,
    monkeypatch: pytest.MonkeyPatch,
    before: int,
    added: int,
    after_acting: bool,
) -> None:
    wanted = entries(before + added)
    step = 0
    while True:
        step += 1
        ledger = Ledger.create(tmp_path / f"ledger-{step}", signer)
        ledger.publish(0, wanted[:before], signer)
        ended = False
        with crash_at(step, after_acting=after_acting, monkeypatch=monkeypatch) as calls, contextlib.suppress(Crash):
            ledger.publish(before, wanted[before:], signer)
            ended = True
        if ended:
            break
        left = Ledger(ledger.files.root, ledger.key)
        assert left.checkpoint().size in (before, len(wanted))
        assert list(left.entries()) == wanted[: left.checkpoint().size]
        assert left.publish(before, wanted[before:], signer).root == merkle.root(map(merkle.leaf_hash, wanted))
        assert list(left.entries()) == wanted
    assert len(calls) < step, "the last round made fewer calls than the step it was to die at"
    assert step > 10


def test_what_a_crash_left_unpublished_is_written_over(
    ledger: Ledger, signer: SeedSigner, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.publish(0, entries(250), signer)
    with crash_at(12, after_acting=True, monkeypatch=monkeypatch), pytest.raises(Crash):
        ledger.publish(250, [b"never published"] * 7, signer)
    assert (ledger.files.root / "tile/entries/000").exists()
    ledger.publish(250, entries(7, 250), signer)
    assert list(ledger.entries()) == entries(257)
