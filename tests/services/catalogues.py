"""Empty catalogues for tests: on a server the schema is made once a session, for that takes it a second, and emptied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from sqlalchemy import delete
from sqlmodel import SQLModel

from retention.catalog.database import Catalog, open_catalog
from tests.services.databases import fresh_database


@dataclass(frozen=True)
class Catalogues:
    """One catalogue on each server that was asked for."""

    until_the_end: ExitStack
    urls: dict[str, str] = field(default_factory=dict)

    def empty(self, server_url: str) -> str:
        """The URL of the server's catalogue, which is empty: what the test before left in it is gone."""
        if server_url not in self.urls:
            self.urls[server_url] = self.until_the_end.enter_context(fresh_database(server_url))
        opened = open_catalog(self.urls[server_url])
        _empty(opened)
        opened.close()
        return self.urls[server_url]


def _empty(catalog: Catalog) -> None:
    with catalog.engine.begin() as connection:
        for table in reversed(SQLModel.metadata.sorted_tables):
            connection.execute(delete(table))


@contextmanager
def catalogues() -> Iterator[Catalogues]:
    """They are gone at the end."""
    with ExitStack() as until_the_end:
        yield Catalogues(until_the_end)
