"""Words are measured as they are printed, and broken so that they fit."""

from __future__ import annotations

import pytest

from retention.reports.type_widths import longest_line, pieces, widest_token, width


def test_a_word_is_as_wide_as_its_letters() -> None:
    assert width("数据") == 2
    assert width("WWW") > 2 > width("iii")
    assert width("11", is_bold=True) > width("11") == pytest.approx(2 * width("1"))
    assert longest_line("一\n数据一\n") == 3


@pytest.mark.parametrize(
    ("words", "room", "shown"),
    [
        pytest.param("backup sets", 5, "backup sets", id="what fits is left alone"),
        pytest.param("backups/nightly@x", 5, "backups/|nightly@|x", id="behind signs first"),
        pytest.param("w5gkfgtf7d0jp6hz", 6, "w5gkfgtf7|d0jp6hz", id="in parts about as long as each other"),
        pytest.param("训练数据集与检查点", 3, "训练数据集与检查点", id="Chinese breaks by itself"),
        pytest.param("（（（（（（", 3, "（（（|（（（", id="but not its brackets"),
        pytest.param("", 3, "", id="nothing"),
    ],
)
def test_words_are_broken_where_they_would_not_fit(words: str, room: float, shown: str) -> None:
    assert "|".join(pieces(words, room)) == shown


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("a  b\n\tc ", id="blanks"),
        pytest.param("删除“模型”（含权重）：42 GiB——完成。", id="punctuation of both kinds"),
        pytest.param("𠮷野家 Łódź 〖U+2A6A5〗 한국 \u0301", id="writing of all kinds"),
        pytest.param("@" * 99 + "W" * 99, id="signs and wide letters"),
    ],
)
@pytest.mark.parametrize("room", [2.0, 6.0, 50.0])
def test_nothing_is_lost_and_no_piece_that_cannot_be_broken_is_wider_than_its_room(words: str, room: float) -> None:
    found = pieces(words, room)
    assert "".join(found) == words
    assert all(widest_token(piece, at_signs=False) <= room for piece in found)
