"""Decisions on transfers, and the persons that have gone abroad in a year."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from retention.catalog.columns import LONG_TEXT, Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """There are tables for them."""
    op.create_table(
        "transfer_decision",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("customer", sa.String(length=200), nullable=False),
        sa.Column("dataset", sa.String(length=200), nullable=False),
        sa.Column("destination", sa.String(length=8), nullable=False),
        sa.Column("verdict", sa.String(length=32), nullable=False),
        sa.Column("request", LONG_TEXT, nullable=False),
        sa.Column("decision", LONG_TEXT, nullable=False),
        sa.Column("decided_at", Instant(), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_index("transfer_decision_about", "transfer_decision", ["customer", "dataset", "destination"])
    op.create_index(op.f("ix_transfer_decision_decided_at"), "transfer_decision", ["decided_at"])
    op.create_index(op.f("ix_transfer_decision_used_at"), "transfer_decision", ["used_at"])
    op.create_table(
        "abroad_person",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("sensitive", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("year", "person"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )


def downgrade() -> None:
    """They are gone, with everything in them."""
    op.drop_table("abroad_person")
    op.drop_table("transfer_decision")
