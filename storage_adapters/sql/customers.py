"""Whether a column holds exactly this customer: not one that a collation, padding or conversion takes for it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, literal
from sqlalchemy.types import BigInteger, Integer, LargeBinary, Numeric, Uuid

from storage_adapters.sql.dialect import DeclaredText, Dialect
from storage_adapters.sql.names import integer_of


def is_of(column: ColumnElement[object], customer: str, dialect: Dialect) -> ColumnElement[bool] | None:
    """The condition under which the column names this customer, by an index where there is one; None for a type that
    cannot name a customer.

    Integers and UUIDs match a customer written in their one usual form: `7`, never `07`, `+7` or `7 `.
    """
    exactly = is_still_of(column, customer, dialect)
    if exactly is None or not isinstance(column.type, DeclaredText):
        return exactly
    # the plain comparison finds the row by its index, the exact one decides
    return and_(exactly, column == literal(customer, column.type))


def is_still_of(column: ColumnElement[object], customer: str, dialect: Dialect) -> ColumnElement[bool] | None:
    """The same condition for a row that is found by its key: no index of the column leads away from that."""
    kind = column.type
    match kind:
        case DeclaredText():
            exactly = dialect.is_exactly(column, customer)
            return false() if exactly is None else exactly
        case Integer() | Numeric(scale=0):
            number = integer_of(customer)
            is_possible = number is not None and abs(number) <= dialect.largest_integer
            return column == literal(number, BigInteger) if is_possible else false()
        case Uuid():
            return column == literal(UUID(customer), Uuid) if _is_uuid(customer) else false()
        case LargeBinary():
            return column == literal(customer.encode(), LargeBinary)
        case _:
            return None


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
