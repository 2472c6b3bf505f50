"""Where the keys of a TOML text stand. The parser does not tell, so the lines are looked through once more.

Good enough for messages: keys inside inline tables and arrays of tables are found at what holds them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from retention.policy.source import Mark, Place

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_KEYS = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADER = re.compile(rf"[ \t]*\[[ \t]*(?P<keys>{_KEYS})[ \t]*\]")
_ASSIGNMENT = re.compile(rf"[ \t]*(?P<keys>{_KEYS})[ \t]*=(?P<value>.*)")
_SYNTAX_PLACE = re.compile(r" ?\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


def places_of(text: str) -> dict[Place, Mark]:
    """The line and column of every section and key of a valid TOML text; the root stands at 1:1.

    A section that is never opened (`stores`, where there is only `[stores.cache]`) stands where it is first named.
    """
    places: dict[Place, Mark] = {(): (1, 1)}
    for place, mark in _marks(text):
        for length in range(1, len(place) + 1):
            places.setdefault(place[:length], mark)
    return places


def syntax_problem(message: str, text: str) -> tuple[Mark, str]:
    """Where and what is wrong, from the parser's message; without a place in it, at the end of the text."""
    found = _SYNTAX_PLACE.search(message)
    what = f"this is no TOML: {_SYNTAX_PLACE.sub('', message)}; write `[section]` or `key = value`, text in quotes"
    if found is None or found["line"] is None:
        return (text.count("\n") + 1, len(text) - text.rfind("\n")), what
    return (int(found["line"]), int(found["column"])), what


def _marks(text: str) -> Iterator[tuple[Place, Mark]]:
    section: Place = ()
    open_quotes: str | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        if open_quotes is not None:
            open_quotes = None if open_quotes in line else open_quotes
        elif header := _HEADER.match(line):
            section = _parts(header["keys"])
            yield section, (number, header.start("keys"))
        elif assignment := _ASSIGNMENT.match(line):
            yield (*section, *_parts(assignment["keys"])), (number, assignment.start("keys") + 1)
            open_quotes = _left_open(assignment["value"])


def _parts(keys: str) -> Place:
    return tuple(part.strip("\"'") for part in re.findall(_PART, keys))


def _left_open(value: str) -> str | None:
    """The quotes of a text that goes on in the next line, or None."""
    for quotes in ('"""', "'''"):
        if value.lstrip().startswith(quotes) and value.count(quotes) == 1:
            return quotes
    return None
