"""What a certificate states about one case, and what follows from it. Pure. See `docs/formats/certificate.md`.

Source: NIST SP 800-88 r2, certificate of sanitization.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from retention.evidence.bodies import Body, CopyNumber, CopyRef, CountField, Hex, Name, Reason, SetId, SetName
from retention.evidence.canonical import hash_json
from retention.evidence.instants import Instant
from retention.model.copy import CopyRole, EndState

STATEMENT_FORMAT: Literal["retention-certificate/1"] = "retention-certificate/1"


class Method(StrEnum):
    """How thorough. Source: NIST SP 800-88 r2, sanitization methods."""

    CLEAR = "clear"
    PURGE = "purge"
    DESTROY = "destroy"


class Technique(StrEnum):
    """By which means."""

    CRYPTOGRAPHIC_ERASE = "cryptographic erase"
    DELETION = "deletion through the store's interface"
    REWRITING = "rewriting without the customer's part"


METHODS: dict[EndState, tuple[Method, Technique]] = {
    EndState.SHREDDED_VERIFIED: (Method.PURGE, Technique.CRYPTOGRAPHIC_ERASE),
    EndState.ERASED_VERIFIED: (Method.CLEAR, Technique.DELETION),
    EndState.ANONYMISED: (Method.CLEAR, Technique.REWRITING),
}
"""The method that an end state amounts to. End states that are not here sanitized nothing."""


class Sanitization(Body):
    """The fields of NIST's certificate for one copy. The asset is store and dataset.

    method, technique follow from the end state, `verified_at` from the entry. `tool`, `tool_version`,
    `verification_method` and `agent` are vouched for by the certificate's signature alone.
    """

    asset: Name
    method: Method
    technique: Technique
    tool: Name
    tool_version: Name
    verification_method: Name
    verified_at: Instant
    agent: Name


class StrandClaim(Body):
    """When one dataset of the case was due and had to be gone. `entry`: the case-opened or case-changed that says it."""

    dataset: Name
    subscription: Name | None = None
    due_at: Instant
    complete_by: Instant
    entry: CountField


class SetClaim(Body):
    """How one set of a backup ended. `entry`: the backup-set that says it."""

    set_: SetName = Field(alias="set")
    id: SetId
    end_state: EndState
    reason: Reason | None = None
    until: Instant | None = None
    refusal: Reason | None = None
    at: Instant
    entry: CountField


class CopyClaim(Body):
    """How one copy ended. `entries`: step-outcomes about this copy; the last one is the verification claimed.

    sets: of a backup, every set that may have held it; the end state is that of the worst of them.
    """

    dataset: Name
    store: Name
    role: CopyRole
    subscription: Name | None = None
    backup: Name | None = None
    partial: bool = Field(default=False, strict=True)
    number: CopyNumber = 1
    end_state: EndState
    reason: Reason | None = None
    until: Instant | None = None
    at: Instant
    items: CountField
    bytes_: CountField = Field(alias="bytes")
    root: Hex | None = None
    entries: tuple[CountField, ...] = Field(min_length=1)
    sanitization: Sanitization | None = None
    sets: tuple[SetClaim, ...] | None = None

    @property
    def label(self) -> str:
        """Names the copy within the statement."""
        return copy_label(self)


class EpochClaim(Body):
    """An epoch key that wrapped a shredded key. `entry`: its epoch-destroyed; None while it still exists."""

    epoch: Name
    entry: CountField | None = None


class KeyClaim(Body):
    """A customer key that was shredded. `entry`: its key-shredded.

    unrecoverable_at: when no old copy of the key store could open it any more; None until every epoch is destroyed.
    """

    dataset: Name
    subscription: Name | None = None
    key: Name
    shredded_at: Instant
    unrecoverable_at: Instant | None = None
    epochs: tuple[EpochClaim, ...] = Field(min_length=1)
    entry: CountField


class ExceptionClaim(Body):
    """A copy that is not gone: which, why, since when, and until when (None where only a decision can end it)."""

    copy_: Name = Field(alias="copy")
    end_state: EndState
    reason: Reason
    since: Instant
    until: Instant | None = None


class Statement(Body):
    """The end of one case of one customer, as of `issued_at`. `opened_entry`: its case-opened.

    final: every copy is gone, every key unrecoverable, and nothing is excepted.
    """

    format: Literal["retention-certificate/1"] = STATEMENT_FORMAT
    ledger: Name
    issued_at: Instant
    case: Name
    customer: Name
    rule: Name
    clause: Name
    policy: Name
    started_at: Instant
    opened_entry: CountField
    strands: tuple[StrandClaim, ...] = Field(min_length=1)
    copies: tuple[CopyClaim, ...]
    keys: tuple[KeyClaim, ...] = ()
    exceptions: tuple[ExceptionClaim, ...] = ()
    final: bool = Field(strict=True)

    def hash(self) -> str:
        """SHA-256 of the canonical statement, 64 hex digits: what the certificate's signature is over."""
        return hash_json(self.to_json())

    def cited(self) -> tuple[int, ...]:
        """The index of every entry that the statement rests on, each once, in order."""
        indices = {self.opened_entry}
        indices.update(strand.entry for strand in self.strands)
        indices.update(index for copy in self.copies for index in copy.entries)
        indices.update(claimed.entry for copy in self.copies for claimed in copy.sets or ())
        for key in self.keys:
            indices.add(key.entry)
            indices.update(epoch.entry for epoch in key.epochs if epoch.entry is not None)
        return tuple(sorted(indices))

    def subscriptions(self) -> tuple[str, ...]:
        """Every subscription that is named, each once, in order."""
        named = {strand.subscription for strand in self.strands}
        named.update(copy.subscription for copy in self.copies)
        named.update(key.subscription for key in self.keys)
        return tuple(sorted(name for name in named if name is not None))


def copy_label(copy: CopyClaim | CopyRef) -> str:
    """dataset/role/store, then backup, subscription and a number above 1, where there are; "(part)" behind a part."""
    parts = [copy.dataset, copy.role.value, copy.store, copy.backup, copy.subscription]
    number = f"/{copy.number}" if copy.number > 1 else ""
    return "/".join(part for part in parts if part) + number + (" (part)" if copy.partial else "")


def exceptions_of(copies: tuple[CopyClaim, ...]) -> tuple[ExceptionClaim, ...]:
    """The exceptions that these copies make: one for each that is not gone, in their order."""
    return tuple(
        ExceptionClaim(
            copy=copy.label,
            end_state=copy.end_state,
            reason=copy.reason or "",
            since=copy.at,
            until=copy.until,
        )
        for copy in copies
        if not copy.end_state.is_gone
    )


def is_final(copies: tuple[CopyClaim, ...], keys: tuple[KeyClaim, ...]) -> bool:
    """Whether every copy is gone and every key unrecoverable."""
    return all(copy.end_state.is_gone for copy in copies) and all(key.unrecoverable_at for key in keys)
