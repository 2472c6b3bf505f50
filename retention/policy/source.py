"""A YAML file as plain values that remember their place.

YAML 1.2: `no`, `yes`, `on` and dates are words. Tags, merge keys, a second document and aliases that multiply are refused.
It is read from the parser's events, so that nothing in the file is ever constructed and every value keeps its line.

Source: YAML 1.2.2, chapter 10.3 (core schema).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from retention.errors import InputError
from retention.policy.problems import Problem, explain, quoted

MOST_BYTES = 1 << 20
_MOST_DEPTH = 20
_MOST_NODES = 50_000
_LONGEST_NUMBER = 30

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]
Place = tuple[str | int, ...]
Mark = tuple[int, int]

# Control characters, lone surrogates, and the marks that make a text look different from what it is.
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_PLAIN_WORDS = (
    ("'\\t'", "a tab cannot stand here; indent with spaces"),
    ("mapping values are not allowed", "a `:` cannot stand here; check the indentation, or put the text in quotes"),
    ("expected <block end>", "the indentation does not fit; align the line with its neighbours"),
    ("expected ',' or", "a `[` or `{` is not closed, or a comma is missing; close it or add the comma"),
    ("could not find expected ':'", "a key without `:`; write `key: value`"),
    ("undefined alias", "`*` names an anchor that is not set before; write the value out, or put the text in quotes"),
    ("expected a single document", "a second document begins here; remove the `---`"),
)


@dataclass(slots=True)
class Source:
    """What a file says, and where it says it. `problems` are mistakes that did not stop the reading."""

    name: str
    value: Value = None
    problems: list[Problem] = field(default_factory=list)
    keys: dict[Place, Mark] = field(default_factory=dict)
    values: dict[Place, Mark] = field(default_factory=dict)
    raw: dict[Place, str] = field(default_factory=dict)

    def place(self, loc: Place) -> Place:
        """The deepest place of the file on the way to `loc`; parts of it that the file does not have are passed over."""
        place: Place = ()
        for part in loc:
            if (*place, part) in self.values:
                place = (*place, part)
        return place

    def problem(self, loc: Place, message: str, *, at_key: bool = False) -> Problem:
        """`message` at the value of `loc`, or at its key; where the file has no such place, at the nearest above."""
        place = self.place(loc)
        mark = (self.keys if at_key else self.values).get(place) or self.values.get(place, (1, 1))
        return Problem(*mark, message)

    def malformed(self, error: ErrorDetails, form: type[BaseModel]) -> Problem:
        """What pydantic found wrong in `value` when it was read as `form`, at its place and in plain words."""
        loc = error["loc"]
        at_key = error["type"] in ("missing", "extra_forbidden") or loc[-1:] == ("[key]",)
        return self.problem(loc, explain(error, form, self.raw.get(self.place(loc))), at_key=at_key)


def read_file(path: Path) -> str:
    """The text of a file that a person wrote: at most 1 MiB of UTF-8.

    Raises InputError, at its place, where the file is missing, unreadable, larger, or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}:1:1: cannot be read: {error.strerror}; check the name and its permissions") from error
    if len(content) > MOST_BYTES:
        raise InputError(f"{path}:1:1: is larger than 1 MiB; this is not the file you meant, or it has to be split")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].removeprefix(b"\xef\xbb\xbf").decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise InputError(f"{path}:{line}:{column}: is not UTF-8 here; save the file as UTF-8") from error


def read_yaml(text: str, name: str) -> Source:
    """The values of the one document in `text`. Repeated keys, tags and keys without a value are noted in `problems`.

    Raises InputError where `text` is no YAML, is nested or multiplied beyond all use, or has forbidden characters.
    """
    forbidden = _FORBIDDEN.search(text)
    if forbidden:
        before = text[: forbidden.start()]
        mark = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise _stop(name, mark, f"the character U+{ord(forbidden[0]):04X} cannot be read; remove it")
    reader = _Reader(Source(name), YAML(typ="safe", pure=True).parse(text))
    try:
        return reader.document()
    except MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        mark = (at.line + 1, at.column + 1) if at else (1, 1)
        raise _stop(name, mark, _in_plain_words(error.problem or "")) from error
    except (YAMLError, ValueError, OverflowError) as error:
        # an escape such as "\UFFFFFFFF" or a directive such as %YAML x.y fails inside the parser, without a place
        raise _stop(name, reader.last, "this is no YAML; check escapes and directives from here on") from error


def _stop(name: str, mark: Mark, message: str) -> InputError:
    return InputError(Problem(*mark, message).at(name))


def _in_plain_words(problem: str) -> str:
    for sign, words in _PLAIN_WORDS:
        if sign in problem:
            return words
    return f"this is no YAML: {quoted(problem).strip(chr(34))}; check quotes, brackets and indentation here"


class _Reader:
    """Builds the values from events, one recursive step per nesting level, which is bounded."""

    def __init__(self, source: Source, events: Iterator[Event]) -> None:
        self.source = source
        self.events = events
        self.last: Mark = (1, 1)
        self.anchors: dict[str, tuple[Value, int]] = {}
        self.nodes = 0

    def document(self) -> Source:
        event = self._next()
        while isinstance(event, StreamStartEvent | DocumentStartEvent):
            event = self._next()
        if isinstance(event, StreamEndEvent):
            return self.source
        self.source.value = self._node(event, ())
        event = self._next()
        while isinstance(event, DocumentEndEvent):
            event = self._next()
        if not isinstance(event, StreamEndEvent):
            raise self._stop("a second document begins here; remove the `---`")
        return self.source

    def _next(self) -> Event:
        event = next(self.events)
        self.last = event.start_mark.line + 1, event.start_mark.column + 1
        return event

    def _stop(self, message: str) -> InputError:
        return _stop(self.source.name, self.last, message)

    def _note(self, message: str, mark: Mark | None = None) -> None:
        self.source.problems.append(Problem(*(mark or self.last), message))

    def _node(self, event: Event, place: Place) -> Value:
        if isinstance(event, ScalarEvent) and not event.value and event.style is None:
            self.last = self.source.keys.get(place, self.last)  # nothing is nowhere: point at its key
        self.source.values[place] = self.last
        self._count(1)
        if len(place) > _MOST_DEPTH:
            raise self._stop(f"nested deeper than {_MOST_DEPTH} levels; nothing in this file needs that")
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if not isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent):
            raise self._stop("this is no YAML; check the indentation here")
        if event.tag is not None:
            tag = quoted(event.tag.replace("tag:yaml.org,2002:", "!!"))[1:-1]
            self._note(f"the tag `{tag}` has no meaning here; write the value without it")
        nodes_before = self.nodes
        if isinstance(event, MappingStartEvent):
            value: Value = self._mapping(place)
        elif isinstance(event, SequenceStartEvent):
            value = self._sequence(place)
        else:
            value = self._scalar(event, place)
        if event.anchor:
            self.anchors[event.anchor] = (value, self.nodes - nodes_before + 1)
        return value

    def _count(self, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > _MOST_NODES:
            raise self._stop(f"more than {_MOST_NODES} values, aliases counted; write fewer, or no `*` aliases")

    def _alias(self, event: AliasEvent) -> Value:
        if event.anchor not in self.anchors:
            raise self._stop(_in_plain_words("undefined alias"))
        value, nodes = self.anchors[event.anchor]
        self._count(nodes)
        return value

    def _sequence(self, place: Place) -> Value:
        values: list[Value] = []
        while not isinstance(event := self._next(), SequenceEndEvent):
            values.append(self._node(event, (*place, len(values))))
        return values

    def _mapping(self, place: Place) -> Value:
        values: dict[str, Value] = {}
        while not isinstance(event := self._next(), MappingEndEvent):
            mark = self.last
            if not isinstance(event, ScalarEvent):
                raise self._stop("a key has to be a word; write `key: value`")
            key = event.value
            if key in values:
                first = self.source.keys[*place, key][0]
                self._note(f"`{quoted(key)[1:-1]}` stands here a second time (first in line {first}); keep one", mark)
                self._node(self._next(), (*place, key, ""))  # read on, under a place that nothing asks for
                continue
            self.source.keys[*place, key] = mark
            values[key] = self._node(self._next(), (*place, key))
        return values

    def _scalar(self, event: ScalarEvent, place: Place) -> Value:
        text: str = event.value
        if _FORBIDDEN.search(text):
            self._note("an escape in this text stands for a character that cannot be read; remove it")
        if event.style is not None:
            return text
        value = _resolve(text)
        if value is None and place:
            what = f"`{quoted(place[-1])[1:-1]}`" if isinstance(place[-1], str) else "the entry"
            self._note(f"{what} has no value; write one, or remove the line")
        elif not isinstance(value, str):
            self.source.raw[place] = text
        return value


def _resolve(text: str) -> str | int | float | bool | None:
    """A plain scalar as the core schema reads it; numbers too long to be one stay text."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan")) if _FLOAT.fullmatch(text) else text
