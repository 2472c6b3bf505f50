"""A policy file read, checked whole, and made into the policy that the rules read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError

from retention.errors import InputError
from retention.model.policy import Policy
from retention.policy.build import policy_of
from retention.policy.canonical import canonical_fields
from retention.policy.checks import CHECKS, Declared, Reading
from retention.policy.document import DatasetForm, Document, PolicyForm, RuleForm, ServiceForm
from retention.policy.overlaps import places_are_apart
from retention.policy.problems import MOST_PROBLEMS, Problem, listed
from retention.policy.source import Place, Source, Value, read_file, read_yaml
from retention.policy.values import Name

_NAMED: Final = ("services", "datasets", "rules", "backups")


def load_policy(path: Path, stores: Mapping[str, str] | None = None) -> Policy:
    """The policy in the file at `path`. `stores` is the kind of each configured store by name; None leaves them unchecked.

    Raises InputError with every problem at once, each as `file:line:column: what is wrong; what to write instead`, in
    the order of the file. Only what keeps the file from being read at all (size, encoding, YAML) is reported alone.
    """
    return parse_policy(read_file(path), str(path), stores)


def parse_policy(text: str, name: str, stores: Mapping[str, str] | None = None) -> Policy:
    """The policy that `text` describes; `name` stands for the file in messages. Otherwise as `load_policy`."""
    source = read_yaml(text, name)
    if not isinstance(source.value, dict):
        raise InputError(listed([source.problem((), _no_mapping(source.value))], name))
    document, malformed = _read_form(source, source.value)
    reading = Reading(document, _declared(source.value), source, stores)
    problems = [*source.problems, *malformed]
    for check in (*CHECKS, places_are_apart):
        problems += check(reading)
    if problems:
        raise InputError(listed(problems, name))
    return policy_of(document)


def policy_from_canonical(text: str) -> Policy:
    """The policy that `canonical_document` wrote as `text`, with the same hash.

    What was valid when it was stored is not checked again, so that stored versions always load. Raises InputError where
    the text is of a format that this program does not know.
    """
    return policy_of(Document.model_validate(canonical_fields(text)), text)


def _no_mapping(value: Value) -> str:
    what = "is empty" if value is None else "is no policy"
    return f"the file {what}; it has at least the keys `policy`, `services`, `datasets` and `rules`"


def _declared(root: Mapping[str, Value]) -> Declared:
    return Declared(*(tuple(_mapping(root.get(section))) for section in _NAMED))


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, dict) else {}


class _Partial(Document):
    """A document of which only the parts without mistakes are there, so that those can be checked too."""

    policy: PolicyForm = PolicyForm.model_validate(
        {"title": "-", "version": "-", "effective": "2000-01-01", "time-zone": "UTC", "holidays": "CN", "home": "CN"}
    )
    services: dict[Name, ServiceForm] = Field(default_factory=dict)
    datasets: dict[Name, DatasetForm] = Field(default_factory=dict)
    rules: dict[Name, RuleForm] = Field(default_factory=dict)


def _read_form(source: Source, root: Mapping[str, Value]) -> tuple[Document, list[Problem]]:
    """The document, or what is well formed of it, and every malformed value."""
    try:
        return Document.model_validate(root), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
    # What has no value is among the source's own problems already; nobody reads more than the first thousand.
    problems = [
        source.malformed(error, Document) for error in errors[: MOST_PROBLEMS + 1] if error["input"] is not None
    ]
    return _Partial.model_validate(_without(root, {error["loc"][:2] for error in errors})), problems


def _without(root: Mapping[str, Value], bad: Collection[Place]) -> dict[str, Value]:
    """`root` without every named entry that has a mistake, and without every other section that has one."""
    kept: dict[str, Value] = {}
    sections = {place[0] for place in bad}
    for section, value in root.items():
        if section in _NAMED and isinstance(value, dict):
            kept[section] = {name: entry for name, entry in value.items() if (section, name) not in bad}
        elif section not in sections:
            kept[section] = value
    return kept
