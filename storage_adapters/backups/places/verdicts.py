"""What a database's trouble means, in the contract's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from storage_adapters.errors import Refused, StoreError, Unavailable
from storage_adapters.sql.dialect import Dialect, Trouble


@contextmanager
def translated(store: str, dialect: Dialect) -> Iterator[None]:
    """Errors of the driver and of SQLAlchemy leave the block as the store's own, without what the database said."""
    try:
        yield
    except DBAPIError as error:
        raise _error(store, dialect, error) from error
    except SQLAlchemyError as error:
        raise Refused(store, f"the database cannot be spoken to: {type(error).__name__}") from error


def _error(store: str, dialect: Dialect, error: DBAPIError) -> StoreError:
    verdict = dialect.verdict(error)
    match verdict.trouble:
        case Trouble.BUSY | Trouble.LOST:
            return Unavailable(store, f"the database server does not answer or is busy ({verdict.word})")
        case Trouble.MISSING | Trouble.FORBIDDEN | Trouble.CONSTRAINT:
            return Refused(store, f"the database server refuses ({verdict.word})")
