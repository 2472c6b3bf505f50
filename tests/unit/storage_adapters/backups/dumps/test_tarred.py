"""Tar archives without some members."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from storage_adapters.backups.contract import Form
from storage_adapters.backups.dumps import Rewritten, Source, count_rows, rewrite_dump
from storage_adapters.contract import Objects, Place, Prefix, Rows, TablePlace
from storage_adapters.errors import Refused

LONG = "c-2/" + "长" * 120


def _source(data: bytes) -> Source:
    @contextmanager
    def opened() -> Iterator[BinaryIO]:
        yield io.BytesIO(data)

    return opened


def _tar(members: Sequence[tarfile.TarInfo | str], form: int = tarfile.PAX_FORMAT, **options: dict[str, str]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=form, pax_headers=options.get("pax")) as archive:
        for each in members:
            info = tarfile.TarInfo(each) if isinstance(each, str) else each
            info.mtime = 1_700_000_000
            if info.isreg():
                info.size = 700
            archive.addfile(info, io.BytesIO(f"{info.name}|".encode() * 700))
    return written.getvalue()


def _link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def _folder(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE
    return info


def _rewritten(data: bytes, removals: Sequence[Place], scratch: Path) -> tuple[bytes, Rewritten]:
    target = io.BytesIO()
    counts = rewrite_dump(Form.TAR, _source(data), target, removals, scratch)
    assert count_rows(Form.TAR, _source(data), removals, scratch) == counts
    assert count_rows(Form.TAR, _source(target.getvalue()), removals, scratch).removed_count == 0
    return target.getvalue(), counts


def _names(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getnames()


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_stays_is_byte_for_byte_what_an_archive_without_the_rest_would_be(form: int, tmp_path: Path) -> None:
    long = LONG if form != tarfile.USTAR_FORMAT else "c-2/b"
    data = _tar([_folder("c-1"), "c-1/a", "c-10/a", long, "c-1/" + "x" * 90, "c-2/a"], form)
    new, counts = _rewritten(data, [Prefix("c-1/")], tmp_path)
    assert new.rstrip(b"\0") == _tar(["c-10/a", long, "c-2/a"], form).rstrip(b"\0")
    assert counts.removed == {"members": 3}


@pytest.mark.parametrize(
    ("removal", "left"),
    [
        pytest.param(Prefix("a/"), ["ab", "b/a/x", "../a/y"], id="below a prefix"),
        pytest.param(Objects(("ab",)), ["./a/x", "a/./y", "/a/z", "b/a/x", "b/../a/w", "../a/y"], id="one exact name"),
        pytest.param(Objects(("a/y", "a/z", "a")), ["./a/x", "ab", "b/a/x", "b/../a/w", "../a/y"], id="odd spellings"),
    ],
)
def test_members_are_matched_by_exact_name(removal: Place, left: list[str], tmp_path: Path) -> None:
    data = _tar(["./a/x", "a/./y", "/a/z", "ab", "b/a/x", "b/../a/w", "../a/y"])
    new, _ = _rewritten(data, [removal], tmp_path)
    assert _names(new) == left


def test_hard_links_to_a_removed_member_go_and_symbolic_links_stay(tmp_path: Path) -> None:
    data = _tar([
        "c-1/a",
        _link("shared/hard", "c-1/a", tarfile.LNKTYPE),
        _link("shared/again", "shared/hard", tarfile.LNKTYPE),
        _link("shared/soft", "../c-1/a", tarfile.SYMTYPE),
        _link("shared/other", "../c-2/a", tarfile.SYMTYPE),
    ])  # fmt: skip
    target = io.BytesIO()
    counts = rewrite_dump(Form.TAR, _source(data), target, [Prefix("c-1/")], tmp_path)
    assert _names(target.getvalue()) == ["shared/soft", "shared/other"]
    assert counts.removed == {"members": 3}
    assert counts.loose_link_count == 1


def test_global_headers_stay_when_the_member_after_them_goes(tmp_path: Path) -> None:
    new, _ = _rewritten(_tar(["c-1/a", "c-2/a"], pax={"comment": "kept"}), [Prefix("c-1/")], tmp_path)
    with tarfile.open(fileobj=io.BytesIO(new)) as archive:
        assert archive.getnames() == ["c-2/a"]
        assert archive.pax_headers == {"comment": "kept"}


def test_a_gzipped_archive_stays_gzipped(tmp_path: Path) -> None:
    new, _ = _rewritten(gzip.compress(_tar(["c-1/a", "c-2/a"])), [Prefix("c-1/")], tmp_path)
    assert _names(gzip.decompress(new)) == ["c-2/a"]


@pytest.mark.parametrize("is_gzipped", [False, True])
def test_an_archive_that_is_cut_off_is_refused(is_gzipped: bool, tmp_path: Path) -> None:
    data = _tar(["c-1/a", LONG, "c-2/a"])
    end = len(data.rstrip(b"\0")) + 1024
    end = -(-end // 512) * 512
    if is_gzipped:
        data = gzip.compress(data)
        end = len(data)
    for cut in range(0, end - 512 if not is_gzipped else end, 13):
        with pytest.raises(Refused):
            rewrite_dump(Form.TAR, _source(data[:cut]), io.BytesIO(), [Prefix("c-1/")], tmp_path)


def test_a_broken_header_in_the_middle_is_no_end(tmp_path: Path) -> None:
    data = bytearray(_tar(["c-1/a", "c-2/a", "c-3/a"]))
    data[1536 + 150] ^= 0x55  # in the checksum of the second header
    with pytest.raises(Refused, match="damaged"):
        rewrite_dump(Form.TAR, _source(bytes(data)), io.BytesIO(), [Prefix("c-1/")], tmp_path)


def test_rows_are_not_removed_from_an_archive_of_files(tmp_path: Path) -> None:
    removal = Rows((TablePlace("a", customer_column="b"),), "c-1")
    with pytest.raises(ValueError, match="prefixes and objects"):
        rewrite_dump(Form.TAR, _source(b""), io.BytesIO(), [removal], tmp_path)
