"""What an entry leaves out opens in its own place only, and a crash while it is written loses nothing that was published."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from retention.evidence.errors import Malformed, ParticularsDamaged
from retention.evidence.particulars import (
    decode_particulars,
    encode_particulars,
    open_record,
    particulars_key,
    seal_record,
)
from retention.evidence.particulars_files import ParticularsFiles
from retention.model.fact import Fact, FactKey, FactType, Part
from retention.model.particulars import NOTHING, Approval, Particulars, ToldFact

FORMATS = Path(__file__).parents[4] / "docs/formats"
KEY = bytes(32)
AT = datetime(2026, 11, 10, 2, 0, 0, 123456, tzinfo=UTC)
FACT = Fact(
    FactKey("/platform", "f-1"), FactType.DATA_DELETED, "客户 1", AT, AT, part=Part("models", objects=("a", "b"))
)


def block(document: str, name: str) -> list[str]:
    found = re.search(rf"```{name}\n(.*?)```", (FORMATS / document).read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1].splitlines()


def entries(count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(count)]


def put(files: ParticularsFiles, published: int, start: int, stop: int) -> None:
    with files.locked():
        records = [(b"entry %d" % number, b"text %d" % number) for number in range(start, stop)]
        files.put(published, start, records)


def test_the_worked_example_is_what_is_written() -> None:
    key = particulars_key(bytes(range(0x40, 0x60)), "evidence.example/retention")
    assert [key.hex()] == block("particulars.md", "key")
    (text,) = block("particulars.md", "text")
    assert encode_particulars(Particulars(strand="k7m2p9q4r8s1t3v5/training-data")).decode() == text
    told = [entry.encode() for entry in block("ledger.md", "entries")]
    written = []
    for position, said, nonce in ((2, text.encode(), range(12)), (3, encode_particulars(NOTHING), range(12, 24))):
        record = seal_record(key, position, told[position], said, bytes(nonce))
        written.append((position.to_bytes(8) + len(record).to_bytes(4) + record).hex())
        assert open_record(key, position, told[position], record) == said
    assert written == block("particulars.md", "records")


@pytest.mark.parametrize(
    "particulars",
    [
        pytest.param(NOTHING, id="nothing"),
        pytest.param(Particulars(fact=ToldFact(FACT, 3, 2)), id="a fact with all that it says"),
        pytest.param(Particulars(policy="{}", approval=Approval("0" * 64, "chief")), id="a policy and an approval"),
        pytest.param(
            Particulars(strand="s/d", epoch_created_at=AT, standing='{"a":1}'), id="strand, epoch and standing"
        ),
    ],
)
def test_what_is_written_down_is_read_as_it_was(particulars: Particulars) -> None:
    assert decode_particulars(encode_particulars(particulars)) == particulars


def test_what_is_no_particulars_is_refused_without_quoting_it() -> None:
    with pytest.raises(Malformed) as refused:
        decode_particulars(b'{"fact": {"fact": "acme-42"}}')
    assert "acme" not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "position", "entry"),
    [
        pytest.param(bytes([1]) * 32, 7, b"entry", id="another key"),
        pytest.param(KEY, 8, b"entry", id="another position"),
        pytest.param(KEY, 7, b"other", id="another entry"),
    ],
)
def test_a_record_opens_only_where_it_belongs(key: bytes, position: int, entry: bytes) -> None:
    record = seal_record(KEY, 7, b"entry", b"text")
    assert open_record(KEY, 7, b"entry", record) == b"text"
    with pytest.raises(ParticularsDamaged, match=f"the particulars of entry {position} were changed"):
        open_record(key, position, entry, record)
    with pytest.raises(ParticularsDamaged):
        open_record(KEY, 7, b"entry", record[:5])


def test_records_of_several_files_are_read_from_any_position(tmp_path: Path) -> None:
    files = ParticularsFiles(tmp_path / "p", KEY)
    put(files, 0, 0, 300)
    put(files, 300, 300, 600)
    assert sorted(path.name for path in files.root.iterdir()) == [".lock", "000", "001", "002"]
    assert list(files.read(250, entries(600)[250:])) == [b"text %d" % number for number in range(250, 600)]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (files.root, *files.root.iterdir()))


def test_what_a_crash_left_beyond_the_checkpoint_is_written_over(tmp_path: Path) -> None:
    files = ParticularsFiles(tmp_path / "p", KEY)
    put(files, 0, 0, 3)
    put(files, 3, 3, 9)  # and the checkpoint of it was never published
    whole = (files.root / "000").read_bytes()
    for cut in (len(whole), len(whole) - 1, len(whole) - 40, len(whole) - 5 * 50 - 3):
        (files.root / "000").write_bytes(whole[:cut])
        put(files, 3, 3, 5)
        assert list(files.read(0, entries(5))) == [b"text %d" % number for number in range(5)]
        with pytest.raises(ParticularsDamaged, match="the particulars of entry 5 are missing"):
            list(files.read(0, entries(6)))


def test_what_is_offered_again_stays_and_what_is_new_follows(tmp_path: Path) -> None:
    files = ParticularsFiles(tmp_path / "p", KEY)
    put(files, 0, 0, 5)
    before = (files.root / "000").read_bytes()
    put(files, 5, 2, 7)
    assert (files.root / "000").read_bytes().startswith(before)
    assert list(files.read(0, entries(7))) == [b"text %d" % number for number in range(7)]


def test_a_ledger_that_is_longer_than_its_particulars_gets_them_from_now_on(tmp_path: Path) -> None:
    files = ParticularsFiles(tmp_path / "p", KEY)
    put(files, 300, 300, 303)
    torn = (files.root / "001").read_bytes()[:20]
    (files.root / "001").write_bytes(torn)  # the very first record, cut off by a crash
    put(files, 300, 300, 303)
    assert list(files.read(300, entries(303)[300:])) == [b"text 300", b"text 301", b"text 302"]
    with pytest.raises(ParticularsDamaged, match="the particulars of entry 299 are missing"):
        list(files.read(299, entries(303)[299:]))


def test_published_records_that_cannot_be_read_are_not_cut_off(tmp_path: Path) -> None:
    files = ParticularsFiles(tmp_path / "p", KEY)
    put(files, 0, 0, 5)
    path = files.root / "000"
    data = path.read_bytes()
    path.write_bytes(data[:8] + b"\xff\xff\xff\xff" + data[12:])
    with pytest.raises(ParticularsDamaged, match="the particulars of entry 5 cannot be read"):
        put(files, 5, 5, 6)
    assert len(path.read_bytes()) == len(data)


def test_entries_that_cannot_follow_yet_leave_nothing(tmp_path: Path) -> None:
    files = ParticularsFiles(tmp_path / "p", KEY)
    put(files, 3, 5, 6)
    assert [path.name for path in files.root.iterdir()] == [".lock"]
