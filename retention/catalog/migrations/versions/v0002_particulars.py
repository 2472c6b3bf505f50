"""What an entry leaves out is committed with it, and the catalogue knows which entry it wrote last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from retention.catalog.columns import BYTES

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The outbox has room for particulars, and the head for the hash of the last entry."""
    op.add_column("ledger_outbox", sa.Column("particulars", BYTES, nullable=True))
    op.add_column("ledger_head", sa.Column("tip", sa.String(length=64), nullable=True))


def downgrade() -> None:
    """Both are gone; what was published stays in its files."""
    op.drop_column("ledger_head", "tip")
    op.drop_column("ledger_outbox", "particulars")
