"""The JSON Schema that editors use."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from retention.policy.schema import SCHEMA_FILE, schema_text
from retention.policy.source import read_yaml

ROOT = Path(__file__).parents[4]
SCHEMA = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
SMALL = Path(__file__).with_name("valid_policy.yaml")
SAMPLE = (ROOT / "policies.yaml").read_text(encoding="utf-8")


def is_valid(text: str) -> bool:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return validator.is_valid(read_yaml(text, "policies.yaml").value)


def test_the_committed_schema_is_the_one_the_models_give() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run `python -m retention.policy.schema`"


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", [ROOT / "policies.yaml", SMALL], ids=["sample", "small"])
def test_valid_policies_fit_it(path: Path) -> None:
    assert is_valid(path.read_text(encoding="utf-8"))


def test_the_sample_points_editors_to_it() -> None:
    first_line = SAMPLE.splitlines()[0]
    assert first_line == f"# yaml-language-server: $schema={SCHEMA_FILE.relative_to(ROOT)}"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("tombstone:", "tomb-stone:", id="an unknown key"),
        pytest.param('clause: "6.10"', "clause: 6.10", id="a clause that is a number"),
        pytest.param("buffer: 15 days", "buffer: 15", id="a period without a unit"),
        pytest.param("encrypted: no", "encrypted: yes", id="encryption answered with yes"),
        pytest.param("when: [data-deleted, ", "when: [hold-placed, ", id="a fact that starts nothing"),
        pytest.param("training-data:\n", "Training-Data:\n", id="a name with capitals"),
        pytest.param("share-of-customers: 5 %", "share-of-customers: 0.05", id="a share without its sign"),
        pytest.param("services: [model-training]", "services: []", id="no services"),
        pytest.param(
            "    keep-at-least:\n      period: 6 months\n", "    keep-at-least:\n    x:\n", id="an empty minimum"
        ),
    ],
)
def test_an_editor_shows_the_mistake(old: str, new: str) -> None:
    assert old in SAMPLE
    assert not is_valid(SAMPLE.replace(old, new, 1))


def test_every_key_is_explained() -> None:
    forms = [SCHEMA, *(form for form in SCHEMA["$defs"].values() if "properties" in form)]
    bare = [
        key
        for form in forms
        for key, value in form["properties"].items()
        if "description" not in value and "$ref" not in value
    ]
    assert bare == []
