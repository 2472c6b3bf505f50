"""What a failure means to whoever asked: every error of the floors below as one of the product's four kinds.

Doors show the message and pass on the exit code; what is not here is a mistake in this program.
"""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from retention.catalog.cases import StrandChanged
from retention.catalog.database import CatalogUnavailable
from retention.errors import InputError, NotInOrder, RefusedByRule, RetentionError
from retention.evidence.errors import EvidenceError
from retention.keys.errors import KeysUnavailable
from storage_adapters.errors import StoreError, Unavailable


class DatabaseFailed(RetentionError):
    """The catalogue's database could not be reached, or refused; what was not committed did not happen."""


def explain_failure(error: BaseException) -> RetentionError | None:
    """The failure in the product's words, with its exit code; None where it is none that the product knows.

    Evidence that cannot be written, read or believed and a store that does not answer leave something unverified: exit
    code 4. A database's own message may quote what it was given, so only the first line of the driver's is passed on.
    """
    match error:
        case RetentionError():
            return error
        case EvidenceError():
            return NotInOrder(f"evidence: {error}")
        case StoreError():
            return NotInOrder(f"store {error}")
        case StrandChanged():
            return RefusedByRule("somebody else changed the same case at the same moment; try again")
        case DBAPIError():
            first_line = (str(error.orig).splitlines() or [type(error).__name__])[0]
            return DatabaseFailed(f"the catalogue's database: {first_line}")
        case SQLAlchemyError():
            return DatabaseFailed(f"the catalogue's database: {type(error).__name__}")
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return InputError(f"{where}{error.strerror or type(error).__name__}")
        case _:
            return None


def shown_problems(error: RetentionError) -> tuple[str, ...]:
    """One line per problem; at least one."""
    lines = error.problems if isinstance(error, InputError) else tuple(str(error).splitlines())
    return lines or (type(error).__name__,)


def is_passing(error: BaseException) -> bool:
    """Whether the failure may be over by itself: something that could not be reached. Nothing of the attempt counts."""
    return isinstance(error, CatalogUnavailable | KeysUnavailable | OperationalError | Unavailable)
