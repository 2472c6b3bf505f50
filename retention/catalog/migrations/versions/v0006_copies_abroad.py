"""What was copied abroad under a decision, and which ways out of a store were closed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from retention.catalog.columns import LONG_TEXT, Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """There are tables for them."""
    op.create_table(
        "transfer_copy",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("decision", sa.String(length=32), nullable=False),
        sa.Column("customer", sa.String(length=200), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.Column("copy", LONG_TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    for column in ("changed_at", "customer", "decision"):
        op.create_index(op.f(f"ix_transfer_copy_{column}"), "transfer_copy", [column])
    op.create_table(
        "closed_way",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("closed_at", Instant(), nullable=False),
        sa.Column("way", LONG_TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )


def downgrade() -> None:
    """They are gone, with everything in them."""
    op.drop_table("closed_way")
    op.drop_table("transfer_copy")
