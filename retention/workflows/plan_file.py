"""A plan as a file: what was shown is what will be run, so reading it back gives the very same plan or nothing.

Source: RFC 8259; instants as in RFC 3339, UTC.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from retention.errors import InputError
from retention.model.plan import Plan
from retention.workflows.plan_deletions import content_hash

MOST_BYTES = 256 * 1024 * 1024

_PLAN = TypeAdapter(Plan)


def plan_document(plan: Plan) -> str:
    """The plan as indented JSON, the customers' names in clear."""
    document = _PLAN.dump_python(plan, mode="json")
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def read_plan(path: Path) -> Plan:
    """The plan in the file. Raises InputError where it is none, or where its content is not what its hash says."""
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path}: larger than {MOST_BYTES} bytes; this is no plan")
    try:
        plan = _PLAN.validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: no plan: {where}: {first['msg']}; make one with `retention plan --out`") from None
    if plan.hash != content_hash(plan.items):
        raise InputError(f"{path}: changed since it was made: its content is not what its hash says; make it anew")
    return plan
