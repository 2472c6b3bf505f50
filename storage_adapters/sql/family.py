"""One customer's rows in related tables: whose they are, what points at what, and in which order they can go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, FromClause, LargeBinary, Table, cast, column, exists, literal, or_, select, tuple_
from sqlalchemy.sql.elements import NamedColumn

from storage_adapters.contract import Rows, TablePlace
from storage_adapters.errors import NotFound, Refused
from storage_adapters.sql.circles import targets_first
from storage_adapters.sql.customers import is_of, is_still_of
from storage_adapters.sql.dialect import CUSTOMER_COLUMN, Dialect, Reference
from storage_adapters.sql.names import RowNames, TableName
from storage_adapters.sql.schema import Schema, TableFacts, hidden_name


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One customer's rows in one table, or in the table of its hidden rows.

    key: what a row is found by, the key's columns or the database's own address. belongs: the condition for the
    customer's rows; still_belongs: the same for rows that are found by their keys, so that no index leads away from
    these. owning: the foreign keys through which rows belong, none where a column says it.
    """

    facts: TableFacts
    sql: Table
    is_hidden: bool
    key: tuple[NamedColumn[object], ...]
    belongs: ColumnElement[bool]
    still_belongs: ColumnElement[bool]
    owning: tuple[Reference, ...]
    names: RowNames

    def key_in(self, alias: FromClause) -> tuple[ColumnElement[object], ...]:
        """The key's columns in an alias of `sql`."""
        return tuple(column(each.name, each.type, _selectable=alias) for each in self.key)

    def columns(self, names: Sequence[str]) -> tuple[ColumnElement[object], ...]:
        """The columns of these names."""
        return tuple(self.sql.columns[name] for name in names)


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """The listed tables, as one customer's.

    knots: groups of tables that point at one another in circles, mostly single tables, children first.
    references: the foreign keys among listed tables. holding: those whose child cannot be without its parent.
    """

    place: Rows
    listed: Mapping[TableName, TablePlace]
    live: Mapping[TableName, Source]
    hidden: Mapping[TableName, Source]
    knots: tuple[tuple[TableName, ...], ...]
    references: tuple[Reference, ...]
    holding: tuple[Reference, ...]

    def sources(self) -> list[Source]:
        """Where rows of the customer can be, children first, hidden ones last."""
        ordered = [name for knot in self.knots for name in knot]
        return [*(self.live[name] for name in ordered), *(self.hidden[name] for name in ordered if name in self.hidden)]

    def of(self, name: TableName) -> list[Source]:
        """The customer's live and hidden rows of one table."""
        return [where[name] for where in (self.live, self.hidden) if name in where]

    def within(self, knot: Sequence[TableName]) -> list[Reference]:
        """The foreign keys from tables of the knot to tables of the knot."""
        return [each for each in self.references if each.child in knot and each.parent in knot]


class FamilyReader:
    """Reads a policy's list of tables against the schema. `store` is the name for errors."""

    def __init__(self, store: str, dialect: Dialect, schema: Schema) -> None:
        self._store = store
        self._dialect = dialect
        self._schema = schema

    def read(self, place: Rows, *, may_be_incomplete: bool = False) -> Family:
        """The family of the place.

        Raises NotFound for a table that is not there, and Refused where the list cannot be followed safely: no such
        column, no foreign key to the table it goes `through`, a customer column of an unsuitable type, or, unless
        `may_be_incomplete`, a table that points at a listed one and is not listed.
        """
        listed = self._listed(place)
        names = frozenset(listed)
        if not may_be_incomplete:
            self._check_complete(names)
        references = tuple(ref for ref in self._schema.references if ref.child in names and ref.parent in names)
        owning = {name: self._owning(name, entry, listed, references) for name, entry in listed.items()}
        live: dict[TableName, Source] = {}
        for name in self._parents_first(listed, owning):
            live[name] = self._live(name, listed[name], owning[name], live, place.customer)
        hidden = {
            name: source for name in listed if (source := self.hidden_source(live[name].facts, place)) is not None
        }
        return Family(
            place=place,
            listed=listed,
            live=live,
            hidden=hidden,
            knots=self._knots(sorted(names), references),
            references=references,
            holding=tuple(ref for ref in references if ref in owning[ref.child] or self._holds(ref)),
        )

    def hidden_source(self, facts: TableFacts, place: Rows) -> Source | None:
        """The customer's hidden rows of the table; None where none were ever hidden."""
        hidden = self._schema.hidden.get(hidden_name(self._dialect, facts.name))
        if hidden is None:
            return None
        if not hidden.declared.keys() >= set(facts.key):
            raise self._refused(
                f"the key of {facts.label} is another than when rows were hidden: give {hidden.label} the same columns"
            )
        return hidden_source(self._dialect, facts, hidden.sql, place.customer)

    # ------------------------------------------------------------------------------ what the policy lists

    def _listed(self, place: Rows) -> dict[TableName, TablePlace]:
        if not place.tables:
            raise self._refused("no table is listed, so nothing would be found")
        listed: dict[TableName, TablePlace] = {}
        for entry in place.tables:
            found = self._find(entry.name)
            if found in listed:
                raise self._refused(f"table {entry.name} is listed twice")
            if (entry.customer_column is None) == (entry.through is None):
                raise self._refused(f"table {entry.name} needs either a customer column or `through`")
            listed[found] = entry
        return listed

    def _find(self, name: str) -> TableName:
        found = self._schema.find(name)
        if not found:
            raise NotFound(self._store, f"there is no table {name}")
        if len(found) > 1:
            raise self._refused(f"{name} can mean {len(found)} tables; rename one of them")
        return found[0].name

    def _check_complete(self, names: frozenset[TableName]) -> None:
        strangers = {
            f"{self._label(ref.child)} points at {self._label(ref.parent)} by foreign key {ref.constraint}"
            f" and is not listed: add `{self._label(ref.child)}: {{through: {self._label(ref.parent)}}}` to its tables"
            for ref in self._schema.references
            if ref.parent in names and ref.child not in names
        }
        if strangers:
            raise self._refused("; ".join(sorted(strangers)))

    def _owning(
        self,
        name: TableName,
        entry: TablePlace,
        listed: Mapping[TableName, TablePlace],
        references: Sequence[Reference],
    ) -> tuple[Reference, ...]:
        """The foreign keys through which rows belong to a customer; none where a column says it."""
        if entry.through is None:
            return ()
        parent = self._find(entry.through)
        if parent not in listed:
            raise self._refused(f"table {entry.name} goes through {entry.through}, which is not listed beside it")
        owning = tuple(ref for ref in references if ref.child == name and ref.parent == parent != name)
        if not owning:
            raise self._refused(f"no foreign key leads from {entry.name} to {entry.through}")
        return owning

    def _parents_first(
        self, listed: Mapping[TableName, TablePlace], owning: Mapping[TableName, tuple[Reference, ...]]
    ) -> list[TableName]:
        groups = targets_first(listed, {name: [ref.parent for ref in refs] for name, refs in owning.items()})
        for group in groups:
            if len(group) > 1:
                labels = ", ".join(sorted(listed[name].name for name in group))
                raise self._refused(f"these tables go through one another and none has a customer column: {labels}")
        return [group[0] for group in groups]

    # ------------------------------------------------------------------------------ whose rows

    def _live(
        self,
        name: TableName,
        entry: TablePlace,
        owning: Sequence[Reference],
        parents: Mapping[TableName, Source],
        customer: str,
    ) -> Source:
        facts = self._schema.tables[name]
        if not facts.key and not facts.has_address:
            raise self._refused(f"table {entry.name} has no primary key, so its rows cannot be told apart: give it one")
        if entry.customer_column is not None:
            belongs, still_belongs = self._by_column(facts, entry.customer_column, customer)
        else:
            above = [(ref, parents[ref.parent]) for ref in owning]
            belongs = or_(*(_points_into(facts.sql, ref, parent) for ref, parent in above))
            still_belongs = or_(*(hangs_below(facts.sql, ref, up, up.still_belongs) for ref, up in above))
        return _source(self._dialect, facts, facts.sql, (belongs, still_belongs), tuple(owning), is_hidden=False)

    def _by_column(
        self, facts: TableFacts, name: str, customer: str
    ) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        if name not in facts.sql.columns:
            raise self._refused(f"table {facts.label} has no column {name}")
        column = facts.sql.columns[name]
        belongs, still_belongs = (each(column, customer, self._dialect) for each in (is_of, is_still_of))
        if belongs is None or still_belongs is None:
            raise self._refused(f"column {name} of {facts.label} is of a type that names no customer")
        return belongs, still_belongs

    # ------------------------------------------------------------------------------ in which order

    def _knots(self, names: Sequence[TableName], references: Sequence[Reference]) -> tuple[tuple[TableName, ...], ...]:
        knots = targets_first(names, _edges(references))
        firm = [ref for ref in references if not self._can_let_go(ref)]
        return tuple(_children_first(sorted(knot), firm) for knot in reversed(knots))

    def _can_let_go(self, ref: Reference) -> bool:
        """Whether the child can be made to point at nothing."""
        return bool(self._schema.tables[ref.child].nullable.intersection(ref.columns))

    def _holds(self, ref: Reference) -> bool:
        return ref.cascades or not self._can_let_go(ref)

    def _label(self, name: TableName) -> str:
        return self._schema.label(name)

    def _refused(self, message: str) -> Refused:
        return Refused(self._store, message)


def hidden_source(dialect: Dialect, facts: TableFacts, sql: Table, customer: str) -> Source:
    """The customer's rows in `sql`, the table of hidden rows of the table `facts` is about."""
    owner = literal(customer.encode(), dialect.customer_type)
    column = sql.columns[CUSTOMER_COLUMN]
    return _source(dialect, facts, sql, (column == owner, cast(column, LargeBinary) == owner), (), is_hidden=True)


def hangs_below(sql: Table, ref: Reference, parent: Source, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a row of `sql` points at a row of the parent's that meets the condition."""
    joined = [
        sql.columns[mine] == theirs
        for mine, theirs in zip(ref.columns, parent.columns(ref.parent_columns), strict=True)
    ]
    return exists(select(literal(1)).where(*joined, condition).correlate_except(parent.sql))


def _source(
    dialect: Dialect,
    facts: TableFacts,
    sql: Table,
    conditions: tuple[ColumnElement[bool], ColumnElement[bool]],
    owning: tuple[Reference, ...],
    *,
    is_hidden: bool,
) -> Source:
    row_id = None if facts.key else dialect.row_id(sql)
    key: tuple[NamedColumn[object], ...] = tuple(sql.columns[name] for name in facts.key)
    if row_id is not None:
        key = (row_id,)
    names = RowNames(facts.label, [each.name for each in key], hidden=is_hidden)
    return Source(facts, sql, is_hidden, key, *conditions, owning, names)


def _points_into(sql: Table, ref: Reference, parent: Source) -> ColumnElement[bool]:
    columns = [sql.columns[name] for name in ref.columns]
    theirs = select(*parent.columns(ref.parent_columns)).where(parent.belongs)
    return columns[0].in_(theirs) if len(columns) == 1 else tuple_(*columns).in_(theirs)


def _edges(references: Sequence[Reference]) -> dict[TableName, list[TableName]]:
    edges: dict[TableName, list[TableName]] = {}
    for ref in references:
        edges.setdefault(ref.child, []).append(ref.parent)
    return edges


def _children_first(knot: Sequence[TableName], firm: Sequence[Reference]) -> tuple[TableName, ...]:
    """The knot's tables so that a child that cannot let go comes before its parent, where that is possible."""
    inside = [ref for ref in firm if ref.child in knot and ref.parent in knot]
    return tuple(name for group in reversed(targets_first(knot, _edges(inside))) for name in group)
