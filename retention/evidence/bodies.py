"""The entry bodies that certificates rely on; whoever writes an entry and whoever verifies one share these.

`to_json` writes a body, `from_json` reads one strictly: unknown members, nulls and converted types are Malformed.
Their meaning is fixed by `docs/formats/ledger.md`, Bodies.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retention.evidence.canonical import LARGEST_INTEGER, JsonObject, JsonValue, encode_json
from retention.evidence.commitments import Batch, Commitment
from retention.evidence.errors import Malformed
from retention.evidence.instants import Instant
from retention.model.copy import CopyRole, EndState

Name = Annotated[str, Field(min_length=1, max_length=200)]
"""A name from the policy or settings, or an id made by the service: no personal data."""
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
CommitmentField = Annotated[Commitment, Field(pattern=r"^[0-9a-f]{64}$")]
CountField = Annotated[int, Field(strict=True, ge=0, le=LARGEST_INTEGER)]
CopyNumber = Annotated[int, Field(strict=True, ge=1, le=1_000)]
Reason = Annotated[str, Field(max_length=2_000)]
SetName = Annotated[str, Field(min_length=1, max_length=1_100)]
"""A backup set as it may be shown: its name without the customer's."""
SetId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
"""The first 16 hex digits of the commitment to store and name."""


class Body(BaseModel):
    """A frozen JSON object with a fixed set of members."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    def to_json(self) -> JsonObject:
        """The object as JSON values; what is None is left out."""
        value: dict[str, JsonValue] = self.model_dump(mode="json", exclude_none=True)
        return value

    @classmethod
    def from_json(cls, value: JsonObject) -> Self:
        """The object. Malformed, naming the first wrong member, unless `to_json` would write exactly this."""
        try:
            body = cls.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise Malformed(f"{place}: {first['msg']}") from error
        if encode_json(body.to_json()) != encode_json(value):
            raise Malformed("a member is null or not written in its one form")
        return body


class CopyRef(Body):
    """Which copy of the customer's data. `subscription` is a commitment; `backup` the policy's name of a backup.

    partial: only a part of the customer's dataset is meant. number: tells copies of one role in one store apart.
    """

    dataset: Name
    store: Name
    role: CopyRole
    subscription: CommitmentField | None = None
    backup: Name | None = None
    partial: bool = Field(default=False, strict=True)
    number: CopyNumber = 1


class StrandDates(Body):
    """When one dataset of a case is due and has to be gone, and every copy of it that the case is about."""

    dataset: Name
    subscription: CommitmentField | None = None
    due_at: Instant
    complete_by: Instant
    copies: tuple[CopyRef, ...]


class CaseDates(Body):
    """Body of `case-opened`, and of a `case-changed` of dates or copies: the whole case as it is from then on."""

    customer: CommitmentField
    rule: Name
    clause: Name
    started_at: Instant
    strands: tuple[StrandDates, ...]


class CopyVerified(Body):
    """Body of the `step-outcome` by which a copy reached its end state.

    items, bytes, root: what was removed or, where nothing was, what is there; `root` is the batch root of the items.
    `until` for what waits (quarantined, kept by law). sets: of a backup, how many sets it is made of; each has an entry of
    its own.
    """

    step: Literal["verify"] = "verify"
    customer: CommitmentField
    copy_: CopyRef = Field(alias="copy")
    end_state: EndState
    reason: Reason | None = None
    until: Instant | None = None
    items: CountField
    bytes_: CountField = Field(alias="bytes")
    root: Hex | None = None
    sets: CountField | None = None


class SetEnded(Body):
    """Body of `backup-set`: how one backup set ended for one copy. `set` is its name without personal data.

    id: stands for the set, whatever its name is. refusal: what a read that was really tried came to. until: when deleting it
    becomes possible, where that is known.
    """

    customer: CommitmentField
    copy_: CopyRef = Field(alias="copy")
    set_: SetName = Field(alias="set")
    id: SetId
    end_state: EndState
    reason: Reason | None = None
    until: Instant | None = None
    refusal: Reason | None = None


class KeyShredded(Body):
    """Body of `key-shredded`. `epochs`: each epoch key that wrapped this key and is not destroyed yet, at least one."""

    customer: CommitmentField
    dataset: Name
    subscription: CommitmentField | None = None
    key: Name
    epochs: tuple[Name, ...] = Field(min_length=1)


class EpochDestroyed(Body):
    """Body of `epoch-destroyed`: whatever was wrapped under this epoch key cannot be opened by anyone any more."""

    epoch: Name


class BatchDone(Body):
    """Body of `batch`: many items in one entry. `root` as in `retention.evidence.commitments.Batch`."""

    label: Name
    count: CountField
    root: Hex

    @classmethod
    def of(cls, batch: Batch) -> BatchDone:
        """The body that records this batch."""
        return cls(label=batch.label, count=batch.count, root=batch.root)


class CertificateIssued(Body):
    """Body of `certificate-issued`. `statement` is the SHA-256 of the canonical statement."""

    customer: CommitmentField
    statement: Hex
    final: bool = Field(strict=True)


class ReportIssued(Body):
    """Body of `report-issued`. `manifest` is the SHA-256 of the bundle's manifest, which holds that of every other file.

    from_at, until_at: the period, the second not included. first_size, last_size: how many entries the ledger had at its
    ends. identified: customers stand in it by name; `ground` is then the commitment to why.
    """

    manifest: Hex
    number: Name
    from_at: Instant
    until_at: Instant
    first_size: CountField
    last_size: CountField
    identified: bool = Field(strict=True)
    ground: CommitmentField | None = None
