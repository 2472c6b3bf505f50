"""The tables. A `table=True` class does not validate, so these rows never leave the catalogue.

Nouns with inner structure (facts, strands) are stored whole, as JSON, beside the columns that queries need.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, Column, Double, Index, Integer, String, UniqueConstraint
from sqlmodel import Field, SQLModel

from retention.catalog.columns import BYTES, LONG_TEXT, Instant

_NAME = 200
_EXACT = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_nopad_bin"}  # names differ by case and by spaces
_ROWID = BigInteger().with_variant(Integer(), "sqlite")


def _name(*, key: bool = False, index: bool = False, optional: bool = False, length: int = _NAME) -> Column[str]:
    return Column(String(length), primary_key=key, index=index, nullable=optional)


def _instant(*, optional: bool = True, index: bool = False) -> Column[datetime]:
    return Column(Instant(), nullable=optional, index=index)


class CustomerRow(SQLModel, table=True):
    """One row a customer: the lock under which their facts and their points of no return exclude each other."""

    __tablename__ = "customer"
    __table_args__: ClassVar[dict[str, str]] = _EXACT
    name: str = Field(sa_column=_name(key=True))
    changed_at: datetime = Field(sa_column=_instant(optional=False))


class FactRow(SQLModel, table=True):
    """A fact as it was told, in the order of arrival; `digest` tells a repeat from another fact under the same id."""

    __tablename__ = "fact"
    __table_args__ = (UniqueConstraint("source", "id"), _EXACT)
    position: int | None = Field(default=None, sa_column=Column(_ROWID, primary_key=True, autoincrement=True))
    source: str = Field(sa_column=_name())
    id: str = Field(sa_column=_name())
    customer: str = Field(sa_column=_name(index=True))
    digest: str = Field(sa_column=_name(length=64))
    fact: str = Field(sa_column=Column(LONG_TEXT, nullable=False))


class FlagRow(SQLModel, table=True):
    """A fact that does not fit, kept for a person to look at."""

    __tablename__ = "flag"
    __table_args__: ClassVar[dict[str, str]] = _EXACT
    source: str = Field(sa_column=_name(key=True))
    id: str = Field(sa_column=_name(key=True))
    customer: str = Field(sa_column=_name(index=True))
    what: str = Field(sa_column=Column(LONG_TEXT, nullable=False))


class PolicyRow(SQLModel, table=True):
    """An adopted policy version, whole: cases are carried out under the version that is frozen into them."""

    __tablename__ = "policy_version"
    __table_args__: ClassVar[dict[str, str]] = _EXACT
    position: int | None = Field(default=None, sa_column=Column(_ROWID, primary_key=True, autoincrement=True))
    hash: str = Field(sa_column=Column(String(64), unique=True, nullable=False))
    version: str = Field(sa_column=_name())
    document: str = Field(sa_column=Column(LONG_TEXT, nullable=False))
    adopted_at: datetime = Field(sa_column=_instant(optional=False))


class ApprovalRow(SQLModel, table=True):
    """`subject` is the content hash of the plan or policy that was approved."""

    __tablename__ = "approval"
    __table_args__: ClassVar[dict[str, str]] = _EXACT
    subject: str = Field(sa_column=_name(key=True, length=64))
    officer: str = Field(sa_column=_name(key=True))
    at: datetime = Field(sa_column=_instant(optional=False))


class CaseRow(SQLModel, table=True):
    """A case, frozen with its policy version; what it has to delete stands in its strands."""

    __tablename__ = "deletion_case"
    __table_args__: ClassVar[dict[str, str]] = _EXACT
    id: str = Field(sa_column=_name(key=True, length=32))
    customer: str = Field(sa_column=_name(index=True))
    rule: str = Field(sa_column=_name())
    fact_source: str = Field(sa_column=_name())
    fact_id: str = Field(sa_column=_name())
    policy_hash: str = Field(sa_column=_name(length=64))
    started_at: datetime = Field(sa_column=_instant(optional=False))
    opened_at: datetime = Field(sa_column=_instant(optional=False))
    opened_entry: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    dates_entry: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    case: str = Field(sa_column=Column(LONG_TEXT, nullable=False))


class StrandRow(SQLModel, table=True):
    """A strand and how far it has come. `version` grows with every change and is named by whoever changes it."""

    __tablename__ = "strand"
    __table_args__ = (Index("strand_state_due", "state", "due_at"), _EXACT)
    id: str = Field(sa_column=_name(key=True, length=500))
    case_id: str = Field(sa_column=_name(index=True, length=32))
    customer: str = Field(sa_column=_name(index=True))
    dataset: str = Field(sa_column=_name())
    state: str = Field(sa_column=_name(length=32))
    version: int = 1
    due_at: datetime = Field(sa_column=_instant(optional=False))
    strand: str = Field(sa_column=Column(LONG_TEXT, nullable=False))
    restricted_at: datetime | None = Field(default=None, sa_column=_instant())
    cleared_at: datetime | None = Field(default=None, sa_column=_instant())
    tombstoned_at: datetime | None = Field(default=None, sa_column=_instant())
    passed_at: datetime | None = Field(default=None, sa_column=_instant())
    shredded_at: datetime | None = Field(default=None, sa_column=_instant())
    erased_at: datetime | None = Field(default=None, sa_column=_instant())
    verified_at: datetime | None = Field(default=None, sa_column=_instant())
    checked_at: datetime | None = Field(default=None, sa_column=_instant())
    certified_at: datetime | None = Field(default=None, sa_column=_instant())
    settled_at: datetime | None = Field(default=None, sa_column=_instant())


class CopyRow(SQLModel, table=True):
    """What is known of one copy of a strand; `entry` is the ledger entry that tells its end state."""

    __tablename__ = "copy"
    __table_args__: ClassVar[dict[str, str]] = _EXACT
    strand_id: str = Field(sa_column=_name(key=True, length=500))
    label: str = Field(sa_column=_name(key=True, length=250))
    end_state: str | None = Field(default=None, sa_column=_name(optional=True, length=32))
    reason: str | None = Field(default=None, sa_column=Column(LONG_TEXT, nullable=True))
    until: datetime | None = Field(default=None, sa_column=_instant())
    seen_count: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    seen_bytes: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    gone_count: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    sealed_count: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    sealable_count: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    empty_looks: int = 0
    verified_at: datetime | None = Field(default=None, sa_column=_instant())
    kept_until: datetime | None = Field(default=None, sa_column=_instant())
    entry: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))


class BackupSetRow(SQLModel, table=True):
    """A backup set as the last scan found it; `id` is the SHA-256 of store and name, `told` what evidence calls it."""

    __tablename__ = "backup_set"
    __table_args__: ClassVar[dict[str, str]] = _EXACT
    id: str = Field(sa_column=_name(key=True, length=64))
    store: str = Field(sa_column=_name(index=True))
    told: str = Field(sa_column=_name(length=64))
    shown: str = Field(sa_column=Column(LONG_TEXT, nullable=False))
    plans: str = Field(sa_column=Column(LONG_TEXT, nullable=False))
    found: str = Field(sa_column=Column(LONG_TEXT, nullable=False))
    seen_at: datetime = Field(sa_column=_instant(optional=False))
    gone_at: datetime | None = Field(default=None, sa_column=_instant())
    changed_at: datetime = Field(sa_column=_instant(optional=False))


class SetEndRow(SQLModel, table=True):
    """How one backup set ended for one copy; `id` is the SHA-256 of strand, copy, store and what evidence calls the set."""

    __tablename__ = "set_end"
    __table_args__: ClassVar[dict[str, str]] = _EXACT
    id: str = Field(sa_column=_name(key=True, length=64))
    strand_id: str = Field(sa_column=_name(index=True, length=500))
    label: str = Field(sa_column=_name(length=250))
    end: str = Field(sa_column=Column(LONG_TEXT, nullable=False))


class StepRow(SQLModel, table=True):
    """One step of a strand. `finished_at` empty means: intended, and perhaps done in part; a restart repeats it."""

    __tablename__ = "step"
    __table_args__: ClassVar[dict[str, str]] = _EXACT
    id: int | None = Field(default=None, sa_column=Column(_ROWID, primary_key=True, autoincrement=True))
    strand_id: str = Field(sa_column=_name(index=True, length=500))
    kind: str = Field(sa_column=_name(length=32))
    started_at: datetime = Field(sa_column=_instant(optional=False))
    finished_at: datetime | None = Field(default=None, sa_column=_instant())
    attempts: int = 1
    outcome: str | None = Field(default=None, sa_column=Column(LONG_TEXT, nullable=True))


class HoldRow(SQLModel, table=True):
    """Derived from facts in the transaction that takes them in; read again at every point of no return."""

    __tablename__ = "hold"
    __table_args__: ClassVar[dict[str, str]] = _EXACT
    customer: str = Field(sa_column=_name(key=True))
    id: str = Field(sa_column=_name(key=True))
    hold: str = Field(sa_column=Column(LONG_TEXT, nullable=False))


class SubscriptionRow(SQLModel, table=True):
    """A subscription that lives, derived from facts; for counting customers and answering "whose is it still"."""

    __tablename__ = "live_subscription"
    __table_args__: ClassVar[dict[str, str]] = _EXACT
    customer: str = Field(sa_column=_name(key=True))
    service: str = Field(sa_column=_name(key=True))
    id: str = Field(sa_column=_name(key=True))


class KeyRow(SQLModel, table=True):
    """A customer key, wrapped under an epoch key. Removing the row is the crypto-shred."""

    __tablename__ = "customer_key"
    __table_args__ = (UniqueConstraint("customer", "dataset", "item_hash"), _EXACT)
    key_id: str = Field(sa_column=_name(key=True, length=64))
    customer: str = Field(sa_column=_name())
    dataset: str = Field(sa_column=_name())
    item: str | None = Field(default=None, sa_column=Column(LONG_TEXT, nullable=True))
    item_hash: str = Field(sa_column=_name(length=64))
    first_epoch: str = Field(sa_column=_name())
    epoch: str = Field(sa_column=_name(index=True))
    wrapped: bytes = Field(sa_column=Column(BYTES, nullable=False))
    state: str = Field(sa_column=_name(length=32))
    created_at: datetime = Field(sa_column=_instant(optional=False))


class ShreddedKeyRow(SQLModel, table=True):
    """What is remembered of a key that was destroyed: nothing that could open anything."""

    __tablename__ = "shredded_key"
    __table_args__: ClassVar[dict[str, str]] = _EXACT
    key_id: str = Field(sa_column=_name(key=True, length=64))
    strand_id: str = Field(sa_column=_name(index=True, length=500))
    dataset: str = Field(sa_column=_name())
    epochs: str = Field(sa_column=Column(LONG_TEXT, nullable=False))
    shredded_at: datetime = Field(sa_column=_instant(optional=False))
    unrecoverable_at: datetime | None = Field(default=None, sa_column=_instant())
    entry: int = Field(sa_column=Column(BigInteger, nullable=False))
    gone_entry: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))


class EpochRow(SQLModel, table=True):
    """An epoch key as the catalogue knows it; the key itself is the provider's."""

    __tablename__ = "key_epoch"
    __table_args__: ClassVar[dict[str, str]] = _EXACT
    position: int | None = Field(default=None, sa_column=Column(_ROWID, primary_key=True, autoincrement=True))
    name: str = Field(sa_column=Column(String(64), unique=True, nullable=False))
    state: str = Field(sa_column=_name(length=32, index=True))
    created_at: datetime = Field(sa_column=_instant(optional=False))
    effective_at: datetime | None = Field(default=None, sa_column=_instant())
    destroyed_at: datetime | None = Field(default=None, sa_column=_instant())
    entry: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))


class DecisionRow(SQLModel, table=True):
    """A decision on a transfer, as it was made. `used_at`: when something first went under it. `measure`: it rests on."""

    __tablename__ = "transfer_decision"
    __table_args__ = (Index("transfer_decision_about", "customer", "dataset", "destination"), _EXACT)
    id: str = Field(sa_column=_name(key=True, length=32))
    customer: str = Field(sa_column=_name())
    dataset: str = Field(sa_column=_name())
    destination: str = Field(sa_column=_name(length=8))
    verdict: str = Field(sa_column=_name(length=32))
    measure: str | None = Field(default=None, sa_column=_name(optional=True))
    request: str = Field(sa_column=Column(LONG_TEXT, nullable=False))
    decision: str = Field(sa_column=Column(LONG_TEXT, nullable=False))
    decided_at: datetime = Field(sa_column=_instant(optional=False, index=True))
    used_at: datetime | None = Field(default=None, sa_column=_instant(index=True))
    entry: int = Field(sa_column=Column(BigInteger, nullable=False))


class NamedPersonRow(SQLModel, table=True):
    """A person whom a decision is about, as a commitment: who is counted when it is used."""

    __tablename__ = "named_person"
    __table_args__: ClassVar[dict[str, str]] = _EXACT
    decision: str = Field(sa_column=_name(key=True, length=32))
    person: str = Field(sa_column=_name(key=True, length=64))
    sensitive: bool = False


class TransferUseRow(SQLModel, table=True):
    """A year in which something went under a decision; the numbers are of persons whom nobody named, 0 where they are."""

    __tablename__ = "transfer_use"
    __table_args__: ClassVar[dict[str, str]] = _EXACT
    decision: str = Field(sa_column=_name(key=True, length=32))
    year: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False, index=True))
    persons: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    sensitive_persons: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))


class AbroadPersonRow(SQLModel, table=True):
    """A person whose information went abroad in a year, as a commitment; so that each is counted once."""

    __tablename__ = "abroad_person"
    __table_args__: ClassVar[dict[str, str]] = _EXACT
    year: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    person: str = Field(sa_column=_name(key=True, length=64))
    sensitive: bool = False


class TransferCopyRow(SQLModel, table=True):
    """What was brought to a replica under a decision, and how far that has come."""

    __tablename__ = "transfer_copy"
    __table_args__: ClassVar[dict[str, str]] = _EXACT
    id: str = Field(sa_column=_name(key=True, length=32))
    decision: str = Field(sa_column=_name(index=True, length=32))
    customer: str = Field(sa_column=_name(index=True))
    changed_at: datetime = Field(sa_column=_instant(optional=False, index=True))
    copy_: str = Field(sa_column=Column("copy", LONG_TEXT, nullable=False))


class ClosedWayRow(SQLModel, table=True):
    """A way out of a store that was closed, whole, so that it can be opened again."""

    __tablename__ = "closed_way"
    __table_args__: ClassVar[dict[str, str]] = _EXACT
    id: str = Field(sa_column=_name(key=True, length=32))
    closed_at: datetime = Field(sa_column=_instant(optional=False))
    way: str = Field(sa_column=Column(LONG_TEXT, nullable=False))


class LeaseRow(SQLModel, table=True):
    """Who may act. `epoch` grows with every change of holder; a write under an older one is refused."""

    __tablename__ = "lease"
    __table_args__: ClassVar[dict[str, str]] = _EXACT
    name: str = Field(sa_column=_name(key=True))
    holder: str = Field(sa_column=_name())
    epoch: int = 0
    expires_at: datetime = Field(sa_column=_instant(optional=False))


class LedgerHeadRow(SQLModel, table=True):
    """One row: how many entries exist. Writers take turns on it, so indices have no gaps and no twins.

    `tip` is the hash of the last entry: by it a catalogue knows its own ledger again.
    """

    __tablename__ = "ledger_head"
    id: int = Field(default=1, sa_column=Column(Integer, primary_key=True, autoincrement=False))
    size: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    published: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    tip: str | None = Field(default=None, sa_column=_name(optional=True, length=64))


class LedgerEntryRow(SQLModel, table=True):
    """An entry committed with the change it tells of, until it stands in the ledger's files.

    `particulars` is what the entry leaves out and a replay needs.
    """

    __tablename__ = "ledger_outbox"
    position: int = Field(sa_column=Column(_ROWID, primary_key=True, autoincrement=False))
    entry: bytes = Field(sa_column=Column(BYTES, nullable=False))
    particulars: bytes | None = Field(default=None, sa_column=Column(BYTES, nullable=True))


class ClockRow(SQLModel, table=True):
    """The last reading of the clocks, for the guard against clock jumps."""

    __tablename__ = "clock_reading"
    id: int = Field(default=1, sa_column=Column(Integer, primary_key=True, autoincrement=False))
    at: datetime = Field(sa_column=_instant(optional=False))
    ticks: float = Field(sa_column=Column(Double, nullable=False))
    boot: str = Field(sa_column=_name())
