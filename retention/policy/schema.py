"""The JSON Schema of `policies.yaml`, for editors. `python -m retention.policy.schema` writes it anew.

It says less than `retention check`: what the parts mean together is not a matter of form.

Source: JSON Schema, draft 2020-12.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeAlias

from pydantic.json_schema import GenerateJsonSchema

from retention.policy.document import Document

SCHEMA_FILE = Path(__file__).with_name("schema.json")

Json: TypeAlias = str | int | float | bool | list["Json"] | dict[str, "Json"] | None

_BY_NAME = ("$defs", "properties", "patternProperties")


def schema_text() -> str:
    """The schema as it stands in `schema.json`, generated from the models of `retention.policy.document`."""
    schema: dict[str, Json] = {
        "$schema": GenerateJsonSchema.schema_dialect,
        **Document.model_json_schema(by_alias=True),
        "title": "policies.yaml",
    }
    return json.dumps(_for_people(schema), ensure_ascii=False, indent=1) + "\n"


def _for_people(schema: Json) -> Json:
    """`schema` as an editor should see it: no repeated titles, no null, no unnamed entries, defaults that can be typed."""
    if isinstance(schema, list):
        return [_for_people(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _by_name(value) if key in _BY_NAME else _for_people(value) for key, value in schema.items()}
    if isinstance(kept.get("title"), str) and "$schema" not in kept:
        del kept["title"]
    if not isinstance(kept.get("default", 0), str | int):
        del kept["default"]
    if "patternProperties" in kept:
        kept["additionalProperties"] = False
    choices = kept.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        choices.remove({"type": "null"})  # a key without a value is refused; leave the key out instead
        if len(choices) == 1 and isinstance(choices[0], dict):
            del kept["anyOf"]
            kept = choices[0] | kept
    return kept


def _by_name(schemas: Json) -> Json:
    """Schemas by names that a person chose: a property called `default` is not a schema's default."""
    return {name: _for_people(schema) for name, schema in schemas.items()} if isinstance(schemas, dict) else schemas


def main() -> None:
    """Write `schema.json`."""
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
