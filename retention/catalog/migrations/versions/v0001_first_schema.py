"""The first schema of the catalogue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from retention.catalog.columns import BYTES, LONG_TEXT, Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ROWID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """The catalogue has its tables."""
    op.create_table(
        "approval",
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("officer", sa.String(length=200), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "officer"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_table(
        "clock_reading",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("ticks", sa.Double(), nullable=False),
        sa.Column("boot", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "copy",
        sa.Column("strand_id", sa.String(length=500), nullable=False),
        sa.Column("label", sa.String(length=250), nullable=False),
        sa.Column("end_state", sa.String(length=32), nullable=True),
        sa.Column("reason", LONG_TEXT, nullable=True),
        sa.Column("until", Instant(), nullable=True),
        sa.Column("seen_count", sa.BigInteger(), nullable=False),
        sa.Column("seen_bytes", sa.BigInteger(), nullable=False),
        sa.Column("gone_count", sa.BigInteger(), nullable=False),
        sa.Column("sealed_count", sa.BigInteger(), nullable=False),
        sa.Column("sealable_count", sa.BigInteger(), nullable=False),
        sa.Column("empty_looks", sa.Integer(), nullable=False),
        sa.Column("verified_at", Instant(), nullable=True),
        sa.Column("entry", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("strand_id", "label"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_table(
        "customer",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_table(
        "customer_key",
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("customer", sa.String(length=200), nullable=False),
        sa.Column("dataset", sa.String(length=200), nullable=False),
        sa.Column("item", LONG_TEXT, nullable=True),
        sa.Column("item_hash", sa.String(length=64), nullable=False),
        sa.Column("first_epoch", sa.String(length=200), nullable=False),
        sa.Column("epoch", sa.String(length=200), nullable=False),
        sa.Column("wrapped", BYTES, nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key_id"),
        sa.UniqueConstraint("customer", "dataset", "item_hash"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_index(op.f("ix_customer_key_epoch"), "customer_key", ["epoch"], unique=False)
    op.create_table(
        "deletion_case",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("customer", sa.String(length=200), nullable=False),
        sa.Column("rule", sa.String(length=200), nullable=False),
        sa.Column("fact_source", sa.String(length=200), nullable=False),
        sa.Column("fact_id", sa.String(length=200), nullable=False),
        sa.Column("policy_hash", sa.String(length=64), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("opened_entry", sa.BigInteger(), nullable=True),
        sa.Column("dates_entry", sa.BigInteger(), nullable=True),
        sa.Column("case", LONG_TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_index(op.f("ix_deletion_case_customer"), "deletion_case", ["customer"], unique=False)
    op.create_table(
        "fact",
        sa.Column("position", _ROWID, autoincrement=True, nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("customer", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("fact", LONG_TEXT, nullable=False),
        sa.PrimaryKeyConstraint("position"),
        sa.UniqueConstraint("source", "id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_index(op.f("ix_fact_customer"), "fact", ["customer"], unique=False)
    op.create_table(
        "flag",
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("customer", sa.String(length=200), nullable=False),
        sa.Column("what", LONG_TEXT, nullable=False),
        sa.PrimaryKeyConstraint("source", "id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_index(op.f("ix_flag_customer"), "flag", ["customer"], unique=False)
    op.create_table(
        "hold",
        sa.Column("customer", sa.String(length=200), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("hold", LONG_TEXT, nullable=False),
        sa.PrimaryKeyConstraint("customer", "id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_table(
        "key_epoch",
        sa.Column("position", _ROWID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("effective_at", Instant(), nullable=True),
        sa.Column("destroyed_at", Instant(), nullable=True),
        sa.Column("entry", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("position"),
        sa.UniqueConstraint("name"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_index(op.f("ix_key_epoch_state"), "key_epoch", ["state"], unique=False)
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_table(
        "ledger_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "ledger_outbox",
        sa.Column("position", _ROWID, autoincrement=False, nullable=False),
        sa.Column("entry", BYTES, nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_table(
        "live_subscription",
        sa.Column("customer", sa.String(length=200), nullable=False),
        sa.Column("service", sa.String(length=200), nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("customer", "service", "id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_table(
        "policy_version",
        sa.Column("position", _ROWID, autoincrement=True, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("document", LONG_TEXT, nullable=False),
        sa.Column("adopted_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
        sa.UniqueConstraint("hash"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_table(
        "shredded_key",
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("strand_id", sa.String(length=500), nullable=False),
        sa.Column("dataset", sa.String(length=200), nullable=False),
        sa.Column("epochs", LONG_TEXT, nullable=False),
        sa.Column("shredded_at", Instant(), nullable=False),
        sa.Column("unrecoverable_at", Instant(), nullable=True),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.Column("gone_entry", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key_id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_index(op.f("ix_shredded_key_strand_id"), "shredded_key", ["strand_id"], unique=False)
    op.create_table(
        "step",
        sa.Column("id", _ROWID, autoincrement=True, nullable=False),
        sa.Column("strand_id", sa.String(length=500), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("outcome", LONG_TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_index(op.f("ix_step_strand_id"), "step", ["strand_id"], unique=False)
    op.create_table(
        "strand",
        sa.Column("id", sa.String(length=500), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("customer", sa.String(length=200), nullable=False),
        sa.Column("dataset", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("strand", LONG_TEXT, nullable=False),
        sa.Column("restricted_at", Instant(), nullable=True),
        sa.Column("cleared_at", Instant(), nullable=True),
        sa.Column("tombstoned_at", Instant(), nullable=True),
        sa.Column("passed_at", Instant(), nullable=True),
        sa.Column("shredded_at", Instant(), nullable=True),
        sa.Column("erased_at", Instant(), nullable=True),
        sa.Column("verified_at", Instant(), nullable=True),
        sa.Column("checked_at", Instant(), nullable=True),
        sa.Column("certified_at", Instant(), nullable=True),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_index(op.f("ix_strand_case_id"), "strand", ["case_id"], unique=False)
    op.create_index(op.f("ix_strand_customer"), "strand", ["customer"], unique=False)
    op.create_index("strand_state_due", "strand", ["state", "due_at"], unique=False)


def downgrade() -> None:
    """The tables are gone, with everything in them."""
    op.drop_index("strand_state_due", table_name="strand")
    op.drop_index(op.f("ix_strand_customer"), table_name="strand")
    op.drop_index(op.f("ix_strand_case_id"), table_name="strand")
    op.drop_table("strand")
    op.drop_index(op.f("ix_step_strand_id"), table_name="step")
    op.drop_table("step")
    op.drop_index(op.f("ix_shredded_key_strand_id"), table_name="shredded_key")
    op.drop_table("shredded_key")
    op.drop_table("policy_version")
    op.drop_table("live_subscription")
    op.drop_table("ledger_outbox")
    op.drop_table("ledger_head")
    op.drop_table("lease")
    op.drop_index(op.f("ix_key_epoch_state"), table_name="key_epoch")
    op.drop_table("key_epoch")
    op.drop_table("hold")
    op.drop_index(op.f("ix_flag_customer"), table_name="flag")
    op.drop_table("flag")
    op.drop_index(op.f("ix_fact_customer"), table_name="fact")
    op.drop_table("fact")
    op.drop_index(op.f("ix_deletion_case_customer"), table_name="deletion_case")
    op.drop_table("deletion_case")
    op.drop_index(op.f("ix_customer_key_epoch"), table_name="customer_key")
    op.drop_table("customer_key")
    op.drop_table("customer")
    op.drop_table("copy")
    op.drop_table("clock_reading")
    op.drop_table("approval")
