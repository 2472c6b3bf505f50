"""What is wrong in a file that a person wrote: where it stands, what is wrong, and what to write instead."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

MOST_PROBLEMS = 1_000
_LONGEST_QUOTE = 40
_VERBS = ("is", "has", "does", "names", "gives", "needs")
_QUOTED = re.compile(r"'([^']*)'")

_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
_NEEDED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "list_type": "a list; write it as [first, second]",
    "tuple_type": "a list; write it as [first, second]",
    "dict_type": "entries below it, each `name: …`",
    "model_type": "entries below it, each `key: …`",
}
_BOUNDS = {
    "greater_than_equal": "is too small; write {ge} or more",
    "less_than_equal": "is too large; write {le} or less",
    "string_too_short": "is empty; write at least {min_length} character",
    "string_too_long": "is too long; write at most {max_length} characters",
}


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake at its place. Lines and columns count from 1, columns in characters."""

    line: int
    column: int
    message: str

    def at(self, name: str) -> str:
        """`file:line:column: what is wrong; what to write instead`."""
        return f"{name}:{self.line}:{self.column}: {self.message}"


def listed(problems: Iterable[Problem], name: str) -> tuple[str, ...]:
    """Every problem once, in the order of the file; of very many, the first thousand."""
    found = sorted(set(problems))
    if len(found) > MOST_PROBLEMS:
        rest = replace(found[MOST_PROBLEMS], message="more problems from here on; mend those above first")
        found = [*found[:MOST_PROBLEMS], rest]
    return tuple(problem.at(name) for problem in found)


def quoted(value: object) -> str:
    """`value` as it can be shown in a message: on one line, short, and without characters that move the cursor."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    text = "".join(char if char.isprintable() else "?" for char in text)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """What to write instead of an unknown word: the nearest known one, or all of them."""
    known = sorted(known)
    near = get_close_matches(word[:_LONGEST_QUOTE], known, 1)
    if near:
        return f"did you mean `{near[0]}`?"
    return one_of(known)


def one_of(known: Iterable[str]) -> str:
    """What to write instead of a word that is known and does not fit."""
    known = sorted(known)
    return f"write {'one of ' if len(known) > 1 else ''}{', '.join(known)}" if known else "there is none to choose from"


def explain(error: ErrorDetails, form: type[BaseModel], raw: str | None = None, joined: str = ": ") -> str:
    """One of pydantic's errors in plain words.

    `form` is the root model; `raw` a scalar as it stands in the file; `joined` stands between a key and its value there.
    """
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    name = str(error["loc"][-1]) if error["loc"] else ""
    if kind == "missing":
        return f"`{name}` is missing; add `{name}{joined}{_example(form, error['loc'])}`"
    if kind == "extra_forbidden":
        return f"unknown key `{quoted(name)[1:-1]}`; {did_you_mean(name, _keys(form, error['loc']))}"
    if kind == "value_error":
        return _with_subject(str(context["error"]), error["loc"])
    if kind in _NEEDED:
        return _with_subject(_wrong_kind(kind, value, raw), error["loc"])
    if kind in ("enum", "literal_error"):
        known = _QUOTED.findall(str(context["expected"]))
        return f"{quoted(value)} is not known here; {did_you_mean(str(value), known)}"
    if kind in _BOUNDS:
        return f"{quoted(value) if isinstance(value, str | int) else f'`{name}`'} {_BOUNDS[kind].format(**context)}"
    return error["msg"]


def _with_subject(message: str, loc: tuple[int | str, ...]) -> str:
    """`message`, which may begin with its verb, as a sentence about the nearest key."""
    key = next((part for part in reversed(loc) if isinstance(part, str) and part != "[key]"), None)
    return f"`{key}` {message}" if key and message.partition(" ")[0] in _VERBS else message


def _wrong_kind(kind: str, value: object, raw: str | None) -> str:
    shown = quoted(raw if raw is not None else value).strip('"')
    found = next((words for type_, words in _KINDS.items() if isinstance(value, type_)), "something else")
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f'needs text, and {shown} is read as {found}; write it in quotes: "{shown}"'
    if isinstance(value, list | dict):
        return f"needs {_NEEDED[kind]}; this is {found}"
    return f"needs {_NEEDED[kind]}; {quoted(value)} is {found}"


def _keys(form: type[BaseModel], loc: tuple[int | str, ...]) -> set[str]:
    return {field.alias or name for found in _forms_at(form, loc[:-1]) for name, field in found.model_fields.items()}


def _example(form: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    for found in _forms_at(form, loc[:-1]):
        for name, field in found.model_fields.items():
            if (field.alias or name) == loc[-1] and field.examples:
                return _as_yaml(field.examples[0])
    return "…"


def _as_yaml(value: object) -> str:
    """`value` as a person would write it; JSON is YAML, and quotes are kept where the text would be read as a number."""
    if isinstance(value, str) and not value.replace(".", "").isdigit() and "{" not in value:
        return value
    return json.dumps(value, ensure_ascii=False)


def _forms_at(form: type[BaseModel], loc: tuple[int | str, ...]) -> list[type[BaseModel]]:
    """The models that can stand at `loc`. What is no field (a name, an index, a union's tag) leads no further down."""
    forms = [form]
    for part in loc:
        fields = [
            field for found in forms for name, field in found.model_fields.items() if (field.alias or name) == part
        ]
        forms = [below for field in fields for below in _forms_in(field.annotation)] or forms
    return forms


def _forms_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _forms_in(argument)
