"""Whom a decision names, in which years each was used, and which measure it rests on."""

from __future__ import annotations

import json
from datetime import timedelta

import sqlalchemy as sa
from alembic import op

from retention.catalog.columns import LONG_TEXT, Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SHANGHAI = timedelta(hours=8)  # since 1991 without summer time; persons are counted in its years


def upgrade() -> None:
    """There are tables for them, and what was used and rested on something before stands in them."""
    op.add_column("transfer_decision", sa.Column("measure", sa.String(length=200), nullable=True))
    op.create_table(
        "named_person",
        sa.Column("decision", sa.String(length=32), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("sensitive", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("decision", "person"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    uses = op.create_table(
        "transfer_use",
        sa.Column("decision", sa.String(length=32), nullable=False),
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("persons", sa.BigInteger(), nullable=False),
        sa.Column("sensitive_persons", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("decision", "year"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_nopad_bin",
    )
    op.create_index(op.f("ix_transfer_use_year"), "transfer_use", ["year"])
    _fill(uses)


def _fill(uses: sa.Table) -> None:
    decisions = sa.table(
        "transfer_decision",
        sa.column("id", sa.String),
        sa.column("request", LONG_TEXT),
        sa.column("decision", LONG_TEXT),
        sa.column("used_at", Instant()),
        sa.column("measure", sa.String),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(decisions)).all():
        measure = json.loads(row.decision).get("measure")
        if measure is not None:
            connection.execute(decisions.update().where(decisions.c.id == row.id).values(measure=measure))
        if row.used_at is None:
            continue
        request = json.loads(row.request)
        said = {} if request.get("persons_are_named") else request
        values = {
            "decision": row.id,
            "year": (row.used_at + _SHANGHAI).year,
            "persons": said.get("persons") or 0,
            "sensitive_persons": said.get("sensitive_persons") or 0,
        }
        connection.execute(uses.insert().values(**values))


def downgrade() -> None:
    """They are gone, with everything in them."""
    op.drop_table("transfer_use")
    op.drop_table("named_person")
    op.drop_column("transfer_decision", "measure")
