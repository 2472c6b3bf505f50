"""The certificate on one page, looked at with another library."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import combinations
from zoneinfo import ZoneInfo

import pypdfium2
import pytest

from retention.reports import certificate_words as words
from retention.reports.certificate_page import CertificatePage, CopyLine, LedgerPlace, Sanitized, StrandLine
from retention.reports.certificate_pdf import typeset_certificate
from retention.reports.document import Text

AT = datetime(2026, 11, 24, 1, 46, 44, tzinfo=UTC)
HASH = "658c80d43b7d5d484a5c36ad8d562a715e80380c895a8c96120a2acbf16238fb"
KEY = "retention.local/ledger+80e5bb2c+AfYYtP6tB7C2VJe0gd8whMILI1dmBK46rf2sYpFDgWfu"
ROOT = "RdUA5My3Y3seG5F6osExqECCHr0QkKXQF9DahnnDecU="
DELETION = Text("清除：经存储接口删除", "clear: deletion through the store's interface")
SETS = Text(
    "备份集 40 个：3 隔离，37 已删除并核验；最迟至 2027-01-15 00:00；3 个经试读被拒",
    "backup sets, 40: 3 quarantined, 37 erased-verified; the last until 2027-01-15 00:00; a read was tried and refused: 3",
)


def gone(number: int) -> CopyLine:
    return CopyLine(
        asset="objects/training-data",
        kind=Text("主副本", "primary"),
        end_state=Text("已删除并核验", "erased-verified"),
        is_gone=True,
        method=DELETION,
        item_count=1000 + number,
        at=AT,
        entry=100 + number,
    )


def waiting(number: int) -> CopyLine:
    return CopyLine(
        asset="backups/access-logs",
        kind=Text("备份 @weekly", "backup @weekly"),
        end_state=Text("隔离", "quarantined"),
        is_gone=False,
        method=None,
        item_count=0,
        at=AT,
        entry=300 + number,
        notes=(Text("至 2027-01-15 00:00", "until 2027-01-15 00:00"), SETS, Text("mixed; moved", "mixed; moved")),
    )


def strand(name: str = "training-data", keys: int = 1, waiting_count: int = 0) -> StrandLine:
    return StrandLine(
        dataset=name,
        title="训练数据集与检查点",
        subscription=None,
        due_at=AT - timedelta(days=20),
        complete_by=AT - timedelta(days=5),
        key_count=keys,
        waiting_count=waiting_count,
        shredded_at=AT - timedelta(days=1) if keys else None,
        unrecoverable_at=AT if keys and not waiting_count else None,
    )


def page(
    copies: Iterable[CopyLine] = (gone(1), gone(2)),
    strands: Iterable[StrandLine] = (strand(),),
    customer: str = "acme-42",
) -> CertificatePage:
    lines, dates = tuple(copies), tuple(strands)
    return CertificatePage(
        case="6578jaazxkhmw52c",
        customer=customer,
        rule="end-of-service",
        rule_title="服务到期",
        clause="6.11",
        policy="426bdac8acc43561bbda8c07e8ffde5012cd27d52701e902a2af3d3a27b8323f",
        started_at=AT - timedelta(days=60),
        issued_at=AT,
        zone=ZoneInfo("Asia/Shanghai"),
        is_final=all(each.is_gone for each in lines) and not any(each.waiting_count for each in dates),
        strands=dates,
        copies=lines,
        sanitized=Sanitized(
            methods=(DELETION,),
            tools=(Text("retention 0.1.0", "retention 0.1.0"),),
            verification_methods=(Text("另行列举，未发现任何内容", "independent listing after erasure finds nothing"),),
            agents=(Text("retention.local/ledger", "retention.local/ledger"),),
            first_at=AT - timedelta(hours=1),
            last_at=AT,
        ),
        ledger=LedgerPlace("retention.local/ledger", KEY, HASH, 37, 38, ROOT, (3, 14, 28, 29, 30)),
    )


INTERIM = page([waiting(0), gone(1)], [strand(keys=3, waiting_count=1), strand("access-logs", 0)])


@cache
def document(shown: CertificatePage) -> bytes:
    return typeset_certificate(shown)


def text(shown: CertificatePage) -> str:
    """All text of the one page, in lines as they are printed, without the places where a word may break.

    The library reads a hyphen at the end of a line as U+FFFE.
    """
    with pypdfium2.PdfDocument(document(shown)) as opened:
        assert len(opened) == 1
        whole: str = opened[0].get_textpage().get_text_range()
    return whole.replace("\r\n", "\n").replace("\u200b", "").replace("\ufffe", "-")


def squeezed(words_: str) -> str:
    return re.sub(r"\s", "", words_)


# ------------------------------------------------------------------------------------------------- what it says


@pytest.mark.parametrize("shown", [page(), INTERIM], ids=["final", "interim"])
def test_every_label_is_on_the_page_in_both_languages(shown: CertificatePage) -> None:
    said = squeezed(text(shown))
    fixed = [
        *words.LABELS.values(),
        *words.MEANING,
        words.CHECK,
        words.CHECK_OTHERWISE,
        words.COPY_FOR_READING,
        words.MEDIA,
    ]
    assert [each for each in fixed if squeezed(each.zh) not in said or squeezed(each.en) not in said] == []


def test_everything_about_the_case_is_on_the_page() -> None:
    said = text(page())
    for each in (
        "acme-42",
        "6578jaazxkhmw52c",
        "end-of-service 服务到期",
        "6.11",
        "2026-09-25 09:46:44",  # the starting fact, in the policy's zone
        "Asia/Shanghai",
        "2026-11-04 09:46:44",  # due
        "2026-11-19 09:46:44",  # complete by
        "2026-11-23 09:46:44",  # shredded
        "已删除并核验",
        "erased-verified",
        "1,001",
        "#101",
        "retention 0.1.0",
        "independent listing after erasure finds nothing",
        "2026-11-24 08:46:44 – 2026-11-24 09:46:44",
        "entry 37 (counted from 0) of the tree of 38 entries",
        "#3, #14, #28–30",
    ):
        assert each in said, each


def test_what_is_to_be_copied_from_the_page_can_be_copied_as_it_is() -> None:
    with pypdfium2.PdfDocument(document(page())) as opened:
        said = opened[0].get_textpage().get_text_range()
    assert all(each in said for each in (HASH, KEY, ROOT, page().policy, page().case))


def test_a_final_page_says_so_and_only_that() -> None:
    said = text(page())
    assert words.TITLE.en in said
    assert squeezed(words.FINAL.zh) in squeezed(said)
    assert "NOT FINAL" not in said
    assert "▲" not in said


def test_an_interim_page_says_so_names_what_remains_first_and_until_when() -> None:
    said = text(INTERIM)
    assert words.INTERIM_TITLE.zh in said
    assert "尚有例外，不是终版" in said
    assert "Copies that are not gone: 1; keys that wait for their epoch key to go: 1." in said
    assert said.index("▲ 隔离") < said.index("#101")
    assert "until 2027-01-15 00:00" in said
    assert "not yet (1 wait)" in said
    assert squeezed(SETS.en) in squeezed(said)
    assert "非终版 NOT FINAL" in said


def test_a_page_that_waits_for_keys_alone_does_not_speak_of_exceptions() -> None:
    said = text(page(strands=[strand(keys=2, waiting_count=2)]))
    assert words.WAITING.en in said
    assert words.WITH_EXCEPTIONS.en not in said


def test_final_and_interim_differ_at_a_glance() -> None:
    def darkness(shown: CertificatePage) -> float:
        """Of the band below the title, in which a final page has a frame and an interim one white on black."""
        with pypdfium2.PdfDocument(document(shown)) as opened:
            band = opened[0].render(scale=1).to_pil().convert("L").crop((60, 70, 550, 95))
        light: bytes = band.tobytes()
        return 1 - sum(light) / len(light) / 255

    assert darkness(page()) < 0.3 < 0.6 < darkness(INTERIM)


# ------------------------------------------------------------------------------------------- one page, whatever comes

LONG = "很长的名称" * 40
RARE = "𠮷㛃\u202e\u2067\U0002a6a5" * 40


def with_names(name: str) -> CertificatePage:
    """Every text that comes from elsewhere is this one."""
    both = Text(name, name)
    copies = [replace(each, asset=f"{name}/{name}", kind=both, notes=(both,) * 3) for each in (waiting(0), *many(20))]
    strands = [replace(strand(), dataset=name, title=name, subscription=name) for _ in range(15)]
    named = replace(
        page(copies, strands, customer=name), case=name, rule=name, rule_title=name, clause=name, policy=name
    )
    nine = tuple(Text(f"{number}{name}", f"{number}{name}") for number in range(9))
    fields = Sanitized(nine, nine, nine, nine, AT, AT)
    no_spaces = "".join(name.split())
    place = replace(
        page().ledger, origin=no_spaces, key=f"{no_spaces}+{KEY}", cited=tuple(range(0, 9000, 2)), entry=10**15
    )
    return replace(named, sanitized=fields, ledger=place)


def many(count: int) -> list[CopyLine]:
    return [gone(number) for number in range(count)]


@pytest.mark.parametrize("name", [LONG, "W" * 200, "x" * 200, RARE, "a b" * 66, "\n" * 200], ids=lambda each: each[:6])
def test_it_is_one_page_with_names_of_any_length_and_kind(name: str) -> None:
    said = text(with_names(name))
    assert "\ufffd" not in said
    assert squeezed(words.COPY_FOR_READING.en) in squeezed(said)
    assert squeezed(words.CHECK_OTHERWISE.en) in squeezed(said)
    assert "#300" in said, "at least the worst copy"


Box = tuple[float, float, float, float]
CROWDED = page([waiting(0), *many(60)], [strand(f"d-{number}") for number in range(12)])


def overlap(one: Box, other: Box) -> float:
    """How high the part is that both cover; nothing where they lie beside each other."""
    beside = min(one[2], other[2]) - max(one[0], other[0])
    return min(one[3], other[3]) - max(one[1], other[1]) if beside > 1 else 0


@pytest.mark.parametrize(
    "shown", [page(), INTERIM, CROWDED, with_names(LONG)], ids=["final", "interim", "crowded", "long names"]
)
def test_nothing_is_printed_over_something_else_or_outside_the_margins(shown: CertificatePage) -> None:
    with pypdfium2.PdfDocument(document(shown)) as opened:
        read = opened[0].get_textpage()
        boxes = [read.get_rect(number) for number in range(read.count_rects())]
    lines = [
        box for box in boxes if box[3] - box[1] < 30
    ]  # all but the large letters behind the page of an interim one
    assert all(left > 50 and bottom > 15 and right < 555 and top < 825 for left, bottom, right, top in lines)
    assert [pair for pair in combinations(lines, 2) if overlap(*pair) > 2] == []


@pytest.mark.parametrize(
    "copies",
    [
        pytest.param(many(60), id="sixty copies that are gone"),
        pytest.param([*map(waiting, range(40)), *many(5)], id="forty backups in quarantine"),
        pytest.param([waiting(0), *many(500)], id="five hundred copies"),
    ],
)
def test_copies_that_have_no_room_are_counted(copies: list[CopyLine]) -> None:
    shown = page(copies)
    said = text(shown)
    printed = len(set(re.findall(r"#[13]\d\d\b", said)) - {"#14"})
    found = re.search(r"(\d+) more copies \((\d+) of them not gone\) are not on this page; the JSON has them\.", said)
    assert found is not None
    assert int(found[1]) == len(copies) - printed
    assert int(found[2]) == max(0, shown.exception_count - printed)
    assert printed >= 5
    assert f"另有 {found[1]} 份副本" in said


def test_what_is_not_gone_has_room_before_datasets() -> None:
    said = text(
        page([waiting(0), waiting(1), waiting(2), waiting(3), *many(60)], [strand(f"d-{n}") for n in range(12)])
    )
    assert all(f"#{300 + number}" in said for number in range(4))
    assert re.search(r"\d+ more datasets are not on this page; the JSON has them\.", said)


def test_few_lines_are_set_larger_than_many() -> None:
    def height_of_the_case(shown: CertificatePage) -> float:
        with pypdfium2.PdfDocument(document(shown)) as opened:
            read = opened[0].get_textpage()
            index, count = read.search("6578jaazxkhmw52c").get_next()
            _, bottom, _, top = read.get_charbox(index, loose=True)
        assert count
        return float(top - bottom)

    assert height_of_the_case(page()) > height_of_the_case(page(many(60)))


def test_a_rare_name_is_printed_and_what_turns_writing_around_is_shown_not_obeyed() -> None:
    said = text(page(customer="𠮷㛃-\u202etfel\u2067 \U0002a6a5"))
    assert "𠮷㛃-〖U+202E〗tfel〖U+2067〗 〖U+2A6A5〗" in said
    assert words.REPLACED.zh in said
    assert words.REPLACED.zh not in text(page())


def test_the_typesetters_own_signs_are_words_like_others() -> None:
    assert '#strong[x] $x$ \\ // /* <b> `c` "' in text(page(customer='#strong[x] $x$ \\ // /* <b> `c` "'))


def test_what_is_cut_says_so_and_where_the_whole_is() -> None:
    said = text(page(customer=LONG + "end"))
    assert "很长的名称" * 3 in squeezed(said)
    assert words.CUT.zh in said
    assert words.CUT.zh not in text(page())


# ------------------------------------------------------------------------------------------------------ the file


def test_the_same_certificate_is_the_same_bytes_in_another_process_too() -> None:
    script = (
        "import sys; from retention.reports.certificate_pdf import typeset_certificate;"
        "from tests.unit.retention.reports.test_certificate_pdf import INTERIM;"
        "sys.stdout.buffer.write(typeset_certificate(INTERIM))"
    )
    again = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    assert typeset_certificate(INTERIM) == document(INTERIM) == again


def test_it_is_an_archive_document_of_a4_and_of_the_time_of_issue() -> None:
    data = document(page())
    assert b"<pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>" in data.replace(b'"', b"")
    with pypdfium2.PdfDocument(data) as opened:
        about, size = opened.get_metadata_dict(), opened[0].get_size()
    assert about["Title"] == "数据删除证明 / Certificate of data deletion: 6578jaazxkhmw52c"
    assert about["CreationDate"].startswith("D:20261124014644")
    assert [round(each) for each in size] == [595, 842]
