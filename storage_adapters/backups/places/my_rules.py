"""What is done with each statement of a MariaDB or MySQL dump: a list of what the dump programs write.

Names with a database before them are refused: a dump must not reach beyond the one it is restored into. The definers of
views, triggers and routines are left out: those accounts need not exist where the dump is restored.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from storage_adapters.backups.places.my_script import MyStatement

_HEAD = 64 * 1024
"""How much of a statement is looked at."""


class Doing(Enum):
    """What is done with a statement."""

    RUN = auto()
    SETTING = auto()  # of the session: now, and again before what is done later
    LATER = auto()  # at the release: what acts by itself, and what cannot move between databases
    DATABASE = auto()  # it speaks of the dump's own database
    SKIP = auto()
    REFUSE = auto()


_NAME = r"(?:`(?:[^`]|``)+`|[A-Za-z_][\w$]*)"
_VALUE = r"(?:'[^']*'|@{0,2}[\w.]+|-?\d+)"
_CHARSET = r"'?(?:utf8|utf8mb3|utf8mb4|latin1|ascii|binary|@\w+|@@character_set_\w+)'?"
_VARIABLES = (
    r"(?:sql_mode|time_zone|unique_checks|foreign_key_checks|sql_notes|sql_quote_show_create|note_verbosity"
    r"|collation_connection|collation_database|autocommit|check_constraint_checks|default_storage_engine)"
)
_SETTING = (
    rf"(?:NAMES {_CHARSET}|@\w+ ?= ?{_VALUE}|(?:@@SESSION\.|@@|SESSION )?"
    rf"(?:{_VARIABLES} ?= ?{_VALUE}|character_set_(?:client|results|connection) ?= ?{_CHARSET}))"
)
_ACCOUNT = r"(?:`(?:[^`]|``)*`|'(?:[^']|'')*'|[\w.%-]+)(?:@(?:`(?:[^`]|``)*`|'(?:[^']|'')*'|[\w.%-]+))?"
_HOW = rf"(?: OR REPLACE)?(?: ALGORITHM ?= ?\w+)?(?: DEFINER ?= ?{_ACCOUNT})?(?: SQL SECURITY \w+)?(?: AGGREGATE)?"

_RULES: tuple[tuple[Doing, re.Pattern[str]], ...] = tuple(
    (doing, re.compile(pattern, re.IGNORECASE | re.DOTALL))
    for doing, pattern in (
        (Doing.RUN, rf"(?:INSERT|REPLACE)(?: IGNORE)? INTO {_NAME} ?(?:\( ?{_NAME}(?:, ?{_NAME})* ?\) ?)?VALUES ?\("),
        (Doing.RUN, rf"INSERT(?: IGNORE)? INTO {_NAME} (?:\(\) )?VALUES ?\("),
        (Doing.RUN, rf"CREATE TABLE (?:IF NOT EXISTS )?{_NAME} ?\("),
        (Doing.RUN, rf"CREATE SEQUENCE (?:IF NOT EXISTS )?{_NAME} (?:start|minvalue)"),
        (Doing.RUN, rf"(?:SELECT|DO) SETVAL\({_NAME}, ?-?\d+(?:, ?\d+){{0,2}}\)\Z"),
        (Doing.RUN, rf"DROP (?:TABLE|SEQUENCE) IF EXISTS {_NAME}\Z"),
        (Doing.RUN, rf"ALTER TABLE {_NAME} (?:DISABLE|ENABLE) KEYS\Z"),
        (Doing.RUN, r"COMMIT\Z"),
        # the dump's place in the journal of its server
        (
            Doing.SKIP,
            r"SET (?:@@GLOBAL\.|GLOBAL )?GTID_(?:PURGED|SLAVE_POS) ?=|CHANGE (?:MASTER|REPLICATION SOURCE) TO ",
        ),
        (Doing.SKIP, r"SET (?:@@SESSION\.|@@)?(?:SQL_LOG_BIN|MYSQLDUMP_TEMP_LOG_BIN) ?= ?[\w@.]+\Z"),
        (Doing.SKIP, r"SET @MYSQLDUMP_TEMP_LOG_BIN ?= ?@@SESSION\.SQL_LOG_BIN\Z"),
        (Doing.SETTING, rf"SET {_SETTING}(?: ?, ?{_SETTING})*\Z"),
        (Doing.SKIP, r"(?:LOCK TABLES? |UNLOCK TABLES\Z|START TRANSACTION|BEGIN\Z)"),
        (Doing.DATABASE, rf"(?:CREATE|ALTER|DROP) DATABASE (?:IF (?:NOT )?EXISTS )?{_NAME}(?: |\Z)|USE {_NAME}\Z"),
        (
            Doing.LATER,
            rf"CREATE{_HOW} (?:VIEW|TRIGGER|EVENT|PACKAGE(?: BODY)?) (?:IF NOT EXISTS )?{_NAME}(?: ?\(| [^.])",
        ),
        (Doing.LATER, rf"CREATE{_HOW} (?:FUNCTION|PROCEDURE) (?:IF NOT EXISTS )?{_NAME} ?\("),
        (Doing.LATER, rf"DROP (?:VIEW|TRIGGER|EVENT|FUNCTION|PROCEDURE|PACKAGE(?: BODY)?) IF EXISTS {_NAME}\Z"),
    )
)
_CANNOT_BEGIN = re.compile(
    r"(?:DEFINER|TRIGGER|FUNCTION|PROCEDURE|AGGREGATE|VIEW|EVENT|SQL SECURITY|ALGORITHM|PARTITION|DEFAULT|IF NOT EXISTS"
    r"|IF EXISTS|INVISIBLE|VISIBLE|ENCRYPTION|COLUMN_FORMAT|STORAGE|NOT NULL|TABLESPACE|WITH PARSER|WITHOUT|STATS_|SRID)",
    re.IGNORECASE,
)
_CREATES = re.compile(r"CREATE(?: (?:OR REPLACE|ALGORITHM ?= ?\w+))*\Z", re.IGNORECASE)
_DATABASE = re.compile(rf"(?:(?:CREATE|ALTER|DROP) DATABASE (?:IF (?:NOT )?EXISTS )?|USE )({_NAME})", re.IGNORECASE)
_OPENING = rb"(?:\s|/\*M?!\d*|\*/|CREATE\b|OR\b|REPLACE\b|ALGORITHM\s*=\s*\w+)*"
_DEFINER = re.compile(rb"\A(" + _OPENING + rb")DEFINER\s*=\s*" + _ACCOUNT.encode(), re.IGNORECASE)


def doing_of(statement: MyStatement) -> Doing:
    """What is done with this statement. REFUSE where a dump program does not write the like.

    A comment that only some servers execute must not turn it into another statement where it is executed, or is not:
    what is left then has to be a statement of the list as well, or no statement at all.
    """
    whole, *parts = statement.readings(_HEAD)
    doing = _doing(whole)
    if all(_doing(part) is not Doing.REFUSE or _CANNOT_BEGIN.match(part) or _CREATES.match(part) for part in parts):
        return doing
    return Doing.REFUSE


def database_of(statement: MyStatement) -> str:
    """The name of the database of a statement that speaks of one."""
    found = _DATABASE.match(statement.readings(_HEAD)[0])
    name = found[1] if found else ""
    return name[1:-1].replace("``", "`") if name.startswith("`") else name


def without_definer(text: bytes) -> bytes:
    """The statement that makes a view, a trigger or a routine, for whoever carries it out to be its definer."""
    return _DEFINER.sub(rb"\1", text, count=1)


def _doing(reading: str) -> Doing:
    return next((doing for doing, pattern in _RULES if pattern.match(reading)), Doing.REFUSE)
