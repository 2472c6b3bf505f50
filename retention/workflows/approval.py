"""What is approved: a plan, a policy or a clock jump, each by its content hash."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from retention.catalog import policies
from retention.errors import InputError
from retention.workflows.adopt_policy import approve
from retention.workflows.check_policy import check_policy
from retention.workflows.deployment import Deployment
from retention.workflows.plan_file import read_plan

_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Approved:
    """What was approved. subject: its content hash. count: officers who have approved it. is_new: not this one before."""

    subject: str
    what: str
    is_new: bool
    count: int


def approve_named(deployment: Deployment, name: str, officer: str) -> Approved:
    """The officer has approved what `name` says: a content hash, a plan file (JSON) or a policy file (YAML).

    A second approval by the same officer changes nothing. Raises InputError where it is none of these.
    """
    subject, what = _subject(deployment, name)
    is_new = approve(deployment, subject, officer)
    with deployment.catalog.reading() as session:
        return Approved(subject, what, is_new, policies.approval_count(session, subject))


def _subject(deployment: Deployment, name: str) -> tuple[str, str]:
    if _HASH.fullmatch(name):
        return name, "content hash"
    path = Path(name)
    if not path.is_file():
        raise InputError(f"{name}: no such file; name a plan, a policy file, or the 64 hex digits of a content hash")
    with path.open("rb") as file:
        begins = file.read(64).lstrip()
    if begins.startswith(b"{"):
        return read_plan(path).hash, "plan"
    return check_policy(path, deployment.store_kinds).hash, "policy"
