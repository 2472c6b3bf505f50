"""Which characters the printed fonts have, and what stands for those that they lack: a blank box never does.

The fonts are Noto Sans SC, TC, JP and KR of the package `justmytype-intl-cjk`, asked in this order, and last, for European
letters, Libertinus Serif, which typst brings along; all under the SIL Open Font License 1.1. Source: OpenType, `cmap`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from fontTools.ttLib import TTFont

from retention.reports.markup import notation

FAMILIES = ("Noto Sans SC", "Noto Sans TC", "Noto Sans JP", "Noto Sans KR", "Libertinus Serif")
EUROPEAN = (range(0xA1, 0x250), range(0x384, 0x3CF), range(0x400, 0x460), range(0x1E00, 0x1F00))
"""Latin, Greek and Cyrillic letters that Libertinus Serif has; a test typesets each of them."""

_FOLDERS = ("notosanssc", "notosanstc", "notosansjp", "notosanskr")
_EUROPEAN_FONT = len(_FOLDERS)
_WEIGHTS = (400, 700)
_LAID_OUT = "\n"
_SPACES = dict.fromkeys(map(ord, "\t\x0b\x0c\x85\u2028\u2029"), " ")


def font_folders() -> list[Path]:
    """Where the fonts are, in the order in which they are asked."""
    fonts = Path(str(files("justmytype_intl_cjk"))) / "fonts" / "ofl"
    return [fonts / folder for folder in _FOLDERS]


class Glyphs:
    """Replaces what cannot be printed, and remembers it. One for each document.

    replaced: what was. european: what only the last font has; a shaper must be told so, or it would draw an ź that the
    first font lacks as a z of that font with an accent beside it.
    """

    def __init__(self) -> None:
        self.replaced: set[str] = set()
        self.european: set[str] = set()

    def printable(self, text: str) -> str:
        """The text, of characters only that the fonts have; any other, and any that cannot be seen, as its notation."""
        if text.isascii() and text.isprintable():
            return text
        text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_SPACES)
        return "".join(self._shown(before, each) for before, each in zip(" " + text, text, strict=False))

    def _shown(self, before: str, character: str) -> str:
        if character == _LAID_OUT or _is_printable(before, character):
            if _font_of(character) == _EUROPEAN_FONT:
                self.european.add(character)
            return character
        self.replaced.add(character)
        return notation(character)


def _is_printable(before: str, character: str) -> bool:
    font = _font_of(character)
    kind = unicodedata.category(character)
    if font is None or kind[0] == "C":
        return False
    return kind[0] != "M" or font == _font_of(before)  # a mark is drawn with its letter, by one font


@cache
def _font_of(character: str) -> int | None:
    """The first font that has the character."""
    found = next((index for index in range(len(_FOLDERS)) if ord(character) in _characters(index)), None)
    if found is None and any(ord(character) in letters for letters in EUROPEAN):
        return _EUROPEAN_FONT
    return found


@cache
def latin_widths() -> tuple[Mapping[str, float], Mapping[str, float]]:
    """How wide the first font's letters, digits and signs of ASCII are, in em: the regular ones and the bold ones."""
    with _font(0) as font:
        names, units = font["cmap"].getBestCmap(), font["head"].unitsPerEm
        regular, bold = (
            {chr(code): drawn[names[code]].width / units for code in range(0x20, 0x7F)}
            for drawn in (font.getGlyphSet(location={"wght": weight}) for weight in _WEIGHTS)
        )
        return regular, bold


@cache
def _characters(index: int) -> frozenset[int]:
    with _font(index) as font:
        return frozenset(font["cmap"].getBestCmap())


def _font(index: int) -> TTFont:
    return TTFont(next(font_folders()[index].glob("*.ttf")), lazy=True)
