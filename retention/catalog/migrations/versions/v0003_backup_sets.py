"""Backup sets, and how each ended for the copies of cases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from retention.catalog.columns import LONG_TEXT, Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """There are tables for them."""
    op.create_table(
        "backup_set",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("store", sa.String(length=200), nullable=False),
        sa.Column("told", sa.String(length=64), nullable=False),
        sa.Column("shown", LONG_TEXT, nullable=False),
        sa.Column("plans", LONG_TEXT, nullable=False),
        sa.Column("found", LONG_TEXT, nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.Column("gone_at", Instant(), nullable=True),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_index(op.f("ix_backup_set_store"), "backup_set", ["store"])
    op.create_table(
        "set_end",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("strand_id", sa.String(length=500), nullable=False),
        sa.Column("label", sa.String(length=250), nullable=False),
        sa.Column("end", LONG_TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_index(op.f("ix_set_end_strand_id"), "set_end", ["strand_id"])


def downgrade() -> None:
    """They are gone, with everything in them."""
    op.drop_table("set_end")
    op.drop_table("backup_set")
