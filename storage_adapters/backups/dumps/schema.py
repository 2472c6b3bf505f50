"""What a dump's own definitions say: tables, columns, foreign keys, partitions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from storage_adapters.backups.dumps.sql_text import NAME, NAMES, QUALIFIED, list_items, names_in, table_in, unquoted
from storage_adapters.backups.dumps.trouble import Unfit
from storage_adapters.sql.dialect import Reference
from storage_adapters.sql.names import TableName, readings

DEFAULT_SCHEMA = "public"

_ENCODINGS = frozenset({"UTF8", "SQL_ASCII"})

_COPY = re.compile(rf"COPY (?P<table>{QUALIFIED}) (?:\((?P<columns>{NAMES})?\))? ?FROM stdin;\s*")
_SET = re.compile(r"SET (\w+) = (.*?);?\s*", re.DOTALL)
_TABLE = re.compile(rf"CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(?P<table>{QUALIFIED})\s*")
_PARTITION_OF = re.compile(rf"PARTITION OF (?P<parent>{QUALIFIED})\s*")
_INHERITS = re.compile(rf"\s*INHERITS \((?P<parents>{QUALIFIED}(?:, {QUALIFIED})*)\)")
_COLUMN = re.compile(rf"(?P<name>{NAME}) (?P<rest>.+)", re.DOTALL)
_TYPE_END = re.compile(r"\s+(?:COLLATE|DEFAULT|NOT NULL|NULL|GENERATED|CONSTRAINT|CHECK|STORAGE|COMPRESSION|OPTIONS)\b")
_COLLATE = re.compile(rf"\sCOLLATE (?P<name>{QUALIFIED})")
_ALTER = re.compile(rf"ALTER TABLE (?:ONLY )?(?P<table>{QUALIFIED})\s+")
_ATTACH = re.compile(rf"ATTACH PARTITION (?P<child>{QUALIFIED}) ")
_NOT_NULL = re.compile(rf"ALTER COLUMN (?P<column>{NAME}) SET NOT NULL")
_KEY = re.compile(rf"ADD CONSTRAINT {NAME} PRIMARY KEY \((?P<columns>{NAMES})")
_FOREIGN = re.compile(rf"ADD CONSTRAINT (?P<name>{NAME}) FOREIGN KEY ")
_POINTS_AT = re.compile(
    rf"\((?P<columns>{NAMES})\) REFERENCES (?P<parent>{QUALIFIED})\((?P<theirs>{NAMES})\)(?P<rest>.*)", re.DOTALL
)
_DOMAIN = re.compile(rf"CREATE DOMAIN (?P<name>{QUALIFIED}) AS (?P<rest>.+)", re.DOTALL)
_COLLATION = re.compile(rf"CREATE COLLATION (?P<name>{QUALIFIED}) \((?P<rest>.*)\)", re.DOTALL)
_LOOSE = re.compile(r"deterministic\s*=\s*(?:false|'false')", re.IGNORECASE)
_ACTS = re.compile(r" ON DELETE (CASCADE|SET NULL|SET DEFAULT)")


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `kind` is its type as the dump spells it."""

    kind: str
    is_nullable: bool
    collation: TableName | None = None


@dataclass(frozen=True, slots=True)
class CopyHead:
    """Which table's rows follow, and which columns they have."""

    table: TableName
    columns: tuple[str, ...]


@dataclass(slots=True)
class DumpSchema:
    """What has been read of the definitions so far.

    parents: of a partition the table it is of, of an heir the tables it inherits from. copied: every table of which
    the dump has rows, or could have, with the columns that its rows have there. has_large_objects: nothing in the dump says
    whose they are.
    """

    tables: dict[TableName, dict[str, Column]] = field(default_factory=dict)
    parents: dict[TableName, list[TableName]] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)
    keys: dict[TableName, frozenset[str]] = field(default_factory=dict)
    copied: dict[TableName, tuple[str, ...]] = field(default_factory=dict)
    domains: dict[TableName, str] = field(default_factory=dict)
    loose_collations: set[TableName] = field(default_factory=set)
    default: str = DEFAULT_SCHEMA
    has_large_objects: bool = False

    def find(self, name: str) -> TableName | None:
        """The table that `table` or `schema.table` means; None where the dump has none. Raises Unfit for several."""
        known = self.tables.keys() | self.copied.keys()
        found = [reading for reading in readings(name, DEFAULT_SCHEMA) if reading in known]
        if len(found) > 1:
            raise Unfit(f"{name} can mean {len(found)} tables of the dump")
        return found[0] if found else None

    def lineage(self, table: TableName) -> list[TableName]:
        """The table itself and everything that it is a partition or an heir of, nearest first."""
        lineage = [table]
        for each in lineage:
            lineage += [parent for parent in self.parents.get(each, ()) if parent not in lineage]
        return lineage

    def column(self, table: TableName, name: str) -> Column | None:
        """The column, where need be as the table's ancestor defines it."""
        return next(
            (self.tables[each][name] for each in self.lineage(table) if name in self.tables.get(each, {})), None
        )

    def base_kind(self, kind: str) -> str:
        """The type below domains."""
        for _ in range(len(self.domains) + 1):
            if not re.fullmatch(QUALIFIED, kind):
                break
            below = self.domains.get(table_in(kind, self.default))
            if below is None:
                break
            kind = below
        return kind

    # ------------------------------------------------------------------------------ reading

    def read(self, statement: str) -> None:
        """Learn from one statement. Raises Unfit for what makes a dump unreadable to us."""
        if statement.startswith("SET "):
            self._read_setting(statement)
        elif statement.startswith("ALTER TABLE "):
            self._read_alter(statement)
        elif found := _TABLE.match(statement):
            self._read_table(table_in(found["table"], self.default), statement, found.end())
        elif found := _DOMAIN.match(statement):
            self.domains[table_in(found["name"], self.default)] = _kind_of(found["rest"])
        elif (found := _COLLATION.match(statement)) and _LOOSE.search(found["rest"]):
            self.loose_collations.add(table_in(found["name"], self.default))

    def read_copy(self, line: str) -> CopyHead:
        """The head of the rows that follow this statement. Raises Unfit where it is of another form than pg_dump's."""
        found = _COPY.fullmatch(line)
        if found is None:
            raise Unfit("a COPY statement is of a form that cannot be rewritten (binary, with OIDs, or not pg_dump's)")
        head = CopyHead(table_in(found["table"], self.default), names_in(found["columns"] or ""))
        if self.copied.setdefault(head.table, head.columns) != head.columns:
            raise Unfit(f"the rows of {label(head.table)} come with different columns")
        return head

    def _read_setting(self, statement: str) -> None:
        found = _SET.fullmatch(statement)
        if found is None:
            return
        name, value = found[1], found[2].strip("'")
        if name == "client_encoding" and value.upper().replace("-", "") not in _ENCODINGS:
            raise Unfit(f"it is written in {value}; only dumps in UTF8 are rewritten")
        if name == "standard_conforming_strings" and value == "off":
            raise Unfit("it is written with standard_conforming_strings off")
        if name == "search_path" and (names := names_in(found[2])):
            self.default = names[0]

    def _read_table(self, table: TableName, statement: str, at: int) -> None:
        if found := _PARTITION_OF.match(statement, at):
            self.parents.setdefault(table, []).append(table_in(found["parent"], self.default))
            at = found.end()
        columns = self.tables.setdefault(table, {})
        if not statement.startswith("(", at):
            return
        items, end = list_items(statement, at)
        for item in items:
            found = _COLUMN.fullmatch(item)
            if found is not None and not item.startswith("CONSTRAINT "):
                columns[unquoted(found["name"])] = self._column(found["rest"])
        if found := _INHERITS.match(statement, end):
            names = re.findall(QUALIFIED, found["parents"])
            self.parents.setdefault(table, []).extend(table_in(name, self.default) for name in names)

    def _column(self, rest: str) -> Column:
        found = _COLLATE.search(rest)
        collation = table_in(found["name"], self.default) if found else None
        return Column(_kind_of(rest), " NOT NULL" not in rest, collation)

    def _read_alter(self, statement: str) -> None:
        found = _ALTER.match(statement)
        if found is None:
            return
        table, at = table_in(found["table"], self.default), found.end()
        if found := _ATTACH.match(statement, at):
            self.parents.setdefault(table_in(found["child"], self.default), []).append(table)
        elif found := _KEY.match(statement, at):
            self.keys[table] = frozenset(names_in(found["columns"]))
            for name in self.keys[table]:
                self._set_not_null(table, name)
        elif found := _NOT_NULL.match(statement, at):
            self._set_not_null(table, unquoted(found["column"]))
        elif found := _FOREIGN.match(statement, at):
            self._read_reference(table, unquoted(found["name"]), statement[found.end() :])

    def _set_not_null(self, table: TableName, name: str) -> None:
        if column := self.tables.get(table, {}).get(name):
            self.tables[table][name] = Column(column.kind, False, column.collation)

    def _read_reference(self, table: TableName, name: str, text: str) -> None:
        found = _POINTS_AT.match(text)
        if found is None:
            raise Unfit(f"foreign key {name} of {label(table)} is of a form that cannot be followed")
        action = _ACTS.search(found["rest"])
        self.references.append(
            Reference(
                name,
                table,
                names_in(found["columns"]),
                table_in(found["parent"], self.default),
                names_in(found["theirs"]),
                acts=action is not None,
                cascades=action is not None and action[1] == "CASCADE",
            )
        )


def label(table: TableName) -> str:
    """How people call the table."""
    return table.label(DEFAULT_SCHEMA)


def _kind_of(rest: str) -> str:
    found = _TYPE_END.search(rest)
    return (rest[: found.start()] if found else rest).strip().rstrip(";")
