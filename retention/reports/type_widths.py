"""How wide words are in print, and where they are broken so that they fit: by the widths of the font itself. Pure.

Source: OpenType, `hmtx`, `HVAR`; UAX #14 (where lines are broken anyhow).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator

from retention.reports.glyphs import latin_widths

_STICKS = r"[\u2010-\u203f\u3001-\u3020\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]"
_TOKENS = re.compile(
    rf"\s+|{_STICKS}*(?:[^\s\u2e80-\uffff]+|(?!{_STICKS})\S){_STICKS}*|{_STICKS}+",
)
"""Blanks; what is not broken by itself, or one Chinese character, with the punctuation that sticks to either."""

_SIGNS = re.compile(r"(?<=[/_.:@+=\-])")


def width(words: str, *, is_bold: bool = False) -> float:
    """In em; a character that is no Latin letter is taken for 1 em."""
    latin = latin_widths()[is_bold]
    return sum(latin.get(each, 0.0 if unicodedata.combining(each) else 1.0) for each in words)


def longest_line(words: str, *, is_bold: bool = False) -> float:
    """The width of the longest line, unbroken."""
    return max(width(line, is_bold=is_bold) for line in words.split("\n"))


def widest_token(words: str, *, at_signs: bool, is_bold: bool = False) -> float:
    """The width of the longest part that is not broken; at_signs: where a break behind a hyphen or slash is allowed."""
    tokens = (piece for token in _TOKENS.findall(words) for piece in (_SIGNS.split(token) if at_signs else [token]))
    return max((width(token, is_bold=is_bold) for token in tokens), default=0.0)


def pieces(words: str, room: float, *, is_bold: bool = False) -> list[str]:
    """The words in pieces between which a line may be broken, so that nothing unbroken is wider than the room, in em."""
    found = [""]
    for token in _TOKENS.findall(words):
        if width(token, is_bold=is_bold) <= room:
            found[-1] += token
        else:
            found.extend((*_parted(token, room, is_bold), ""))
    return [piece for piece in found if piece]


def _parted(token: str, room: float, is_bold: bool) -> Iterator[str]:
    """The token behind its signs, and where that does not do, in parts that are about as long as each other."""
    for piece in filter(None, _SIGNS.split(token)):
        wide = width(piece, is_bold=is_bold)
        if wide <= room:
            yield piece
        else:
            yield from _cut(piece, min(room, wide / math.ceil(wide / room) + 0.5), is_bold)


def _cut(piece: str, room: float, is_bold: bool) -> Iterator[str]:
    part, sofar = "", 0.0
    for each in piece:
        wide = width(each, is_bold=is_bold)
        if part and sofar + wide > room:
            yield part
            part, sofar = "", 0.0
        part, sofar = part + each, sofar + wide
    yield part
