"""Alembic's entry: runs the migrations on the connection that `retention.catalog.database` hands over."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

from retention.catalog import tables

assert tables.FactRow.__tablename__  # the import registers the tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    transactional_ddl=False,
)
context.run_migrations()
