"""What the bucket itself says about versions, locks, replication and lifecycle."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from storage_adapters.contract import Capabilities
from storage_adapters.s3.answers import Document
from storage_adapters.s3.refusals import DENIED, NOT_OFFERED, Declined
from storage_adapters.s3.wire import Request, Wire

_VERSIONING_ROOTS = ("VersioningConfiguration", "GetBucketVersioningResponse")  # the second is moto's


class Versioning(StrEnum):
    """Whether the bucket keeps what is overwritten or deleted."""

    NEVER = "never"
    ENABLED = "enabled"
    SUSPENDED = "suspended"
    UNKNOWN = "unknown"  # it may not be read; versions are looked for, and nothing is hidden


class Missing(StrEnum):
    """Why a part of the configuration is not there."""

    NOT_SET = "not set"
    DENIED = "may not be read with these credentials"
    NOT_OFFERED = "is not offered by this store"


def versioning(wire: Wire) -> Versioning:
    """The bucket's versioning status, read now. Raises NotFound for a missing bucket."""
    return _versioning(_ask(wire, "versioning", *_VERSIONING_ROOTS))


def may_lock(wire: Wire) -> bool:
    """Whether versions of this bucket may be locked: Object Lock is configured, or that may not be read."""
    match _ask(wire, "object-lock", "ObjectLockConfiguration"):
        case Missing() as missing:
            return missing is Missing.DENIED
        case document:
            return document.text("ObjectLockEnabled") == "Enabled"


def capabilities(wire: Wire) -> Capabilities:
    """The bucket's capability sheet. What may not be read or is not offered becomes a note. Raises NotFound."""
    versions = _ask(wire, "versioning", *_VERSIONING_ROOTS)
    status = _versioning(versions)
    return Capabilities(
        tombstone=status is Versioning.ENABLED,
        hides_superseded=status is not Versioning.NEVER,
        tells_written_at=True,
        verifies_independently=True,
        notes=(
            *_versioning_notes(versions, status),
            *_lock_notes(_ask(wire, "object-lock", "ObjectLockConfiguration")),
            *_replication_notes(_ask(wire, "replication", "ReplicationConfiguration")),
            *_lifecycle_notes(_ask(wire, "lifecycle", "LifecycleConfiguration")),
        ),
    )


def _ask(wire: Wire, subresource: str, *roots: str) -> Document | Missing:
    request = Request("GET", query=((subresource, None),))
    try:
        return wire.ask(request, lambda answer: Document(answer.body, *roots))
    except Declined as declined:
        if declined.code in DENIED:
            return Missing.DENIED
        if declined.code in NOT_OFFERED:
            return Missing.NOT_OFFERED
        if declined.code.startswith("NoSuch") or "NotFound" in declined.code:
            return Missing.NOT_SET
        raise


def _versioning(said: Document | Missing) -> Versioning:
    match said:
        case Missing.DENIED:
            return Versioning.UNKNOWN
        case Missing():
            return Versioning.NEVER
        case document:
            status = (document.text("Status") or Versioning.NEVER).lower()
            return Versioning(status) if status in set(Versioning) else Versioning.UNKNOWN


def _versioning_notes(said: Document | Missing, status: Versioning) -> Iterator[str]:
    if isinstance(said, Missing) and said is not Missing.NOT_SET:
        yield f"The versioning status {said}."
    if status is Versioning.NEVER:
        yield "The bucket keeps no versions: nothing can be hidden and brought back, only erased."
    if status is Versioning.SUSPENDED:
        yield "Versioning is suspended: hiding an object would overwrite its null version, so nothing is hidden."
    if isinstance(said, Document) and said.text("MfaDelete") == "Enabled":
        yield "MFA Delete is on: the store refuses to erase versions without a one-time password."


def _lock_notes(said: Document | Missing) -> Iterator[str]:
    match said:
        case Missing.NOT_SET:
            return
        case Missing():
            yield f"The Object Lock configuration {said}."
        case document if document.text("ObjectLockEnabled") == "Enabled":
            yield f"Object Lock is on{_default_lock(document)}: locked versions go only when their lock ends."


def _default_lock(document: Document) -> str:
    if not (modes := document.all_texts("Mode")):
        return ""
    periods = [
        f"{count} {unit.lower()}" for unit in ("Days", "Years") for count in document.all_texts(unit) if count != "0"
    ]
    return f", {modes[0].upper()} for {' '.join(periods) or 'an unknown time'} on every new version"


def _replication_notes(said: Document | Missing) -> Iterator[str]:
    match said:
        case Missing.NOT_SET:
            return
        case Missing():
            yield f"The replication rules {said}: look for copies elsewhere."
        case document:
            targets = sorted(set(document.all_texts("Bucket")))
            yield (
                f"Objects are replicated to {', '.join(targets) or 'another bucket'}: "
                "versions erased here stay there and need a store of their own."
            )


def _lifecycle_notes(said: Document | Missing) -> Iterator[str]:
    match said:
        case Missing.NOT_SET:
            return
        case Missing():
            yield f"The lifecycle rules {said}."
        case document:
            if document.all_texts("NoncurrentVersionExpiration"):
                yield "A lifecycle rule expires noncurrent versions: what is hidden may be gone before it is brought back."
            if classes := sorted(set(document.all_texts("StorageClass"))):
                yield f"A lifecycle rule moves objects to {', '.join(classes)}: archived ones can be erased, not read."
