"""Until when the law has kept something of a copy, also when that is over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from retention.catalog.columns import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """There is a column for it."""
    op.add_column("copy", sa.Column("kept_until", Instant(), nullable=True))


def downgrade() -> None:
    """It is gone."""
    op.drop_column("copy", "kept_until")
