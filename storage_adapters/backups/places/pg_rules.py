"""What is done with each statement of a PostgreSQL dump: a list of what pg_dump writes; nothing else is carried out.

Owners and privileges are left out: the roles that they name need not exist where the dump is restored, and who may
read there is decided there. So are the dump's own database and its settings, tablespaces, publications and
subscriptions. What reaches the server's files and programs or other servers is refused.
"""

from __future__ import annotations

import re
from enum import Enum, auto

_HEAD = 64 * 1024
"""How much of a statement is looked at."""


class Doing(Enum):
    """What is done with a statement."""

    RUN = auto()
    TRY = auto()  # it may fail because something is not there: DROP of `--clean`, SET of a newer server
    SKIP = auto()
    LATER = auto()  # at the release: what acts by itself, and what copies rows elsewhere
    COPY = auto()
    DATABASE = auto()  # it speaks of the dump's own database
    REFUSE = auto()


_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_\x80-\xff][\w$\x80-\xff]*)'
_NAMES = rf"{_NAME}(?:\.{_NAME})*"
_TEXT = r"'(?:[^']|'')*'"
_KINDS = (
    r"(?:TABLE|UNLOGGED TABLE|(?:RECURSIVE )?VIEW|MATERIALIZED VIEW|SEQUENCE|(?:UNIQUE )?INDEX|SCHEMA|TYPE|DOMAIN|FUNCTION"
    r"|PROCEDURE|AGGREGATE|OPERATOR(?: CLASS| FAMILY)?|EXTENSION|COLLATION|CAST|CONVERSION|DEFAULT CONVERSION"
    r"|TEXT SEARCH (?:CONFIGURATION|DICTIONARY|PARSER|TEMPLATE)|RULE|POLICY|STATISTICS|TRANSFORM|LARGE OBJECT"
    r"|(?:TRUSTED |PROCEDURAL |TRUSTED PROCEDURAL )?LANGUAGE)"
)
_SETTINGS = (
    r"(?:statement_timeout|lock_timeout|idle_in_transaction_session_timeout|transaction_timeout|client_encoding"
    r"|check_function_bodies|xmloption|client_min_messages|row_security|search_path|default_with_oids"
    r"|default_table_access_method|escape_string_warning|default_toast_compression)"
)
_SEQUENCE_OR_OBJECT = (
    rf"pg_catalog\.(?:setval\({_TEXT}, -?\d+(?:, (?:true|false))?\)|lo_create\('?\d+'?\)|lo_close\(0\)"
    rf"|lo_open\('?\d+'?, \d+\)|lowrite\(0, {_TEXT}\)|set_config\('search_path', {_TEXT}, false\))"
)
_BY_NUMBER = r"oid\) FROM pg_catalog\.pg_largeobject_metadata WHERE oid = '?\d+'?"
_OTHER_ENCODINGS = r"'?(?:SJIS|SHIFT_JIS\w*|BIG5|GBK|UHC|GB18030|JOHAB|WIN932|WIN936|WIN949|WIN950)\b"

_RULES: tuple[tuple[Doing, re.Pattern[str]], ...] = tuple(
    (doing, re.compile(pattern, re.IGNORECASE | re.DOTALL))
    for doing, pattern in (
        # a backslash in a letter of these encodings would be read as one
        (Doing.REFUSE, rf"SET client_encoding (?:=|TO) {_OTHER_ENCODINGS}"),
        (Doing.RUN, r"SET standard_conforming_strings = on;\Z"),
        (Doing.SKIP, r"SET default_tablespace ="),
        (Doing.TRY, rf"SET (?:SESSION )?{_SETTINGS} (?:=|TO) [^;]*;\Z"),
        (Doing.RUN, rf"SELECT {_SEQUENCE_OR_OBJECT};\Z"),
        (Doing.TRY, rf"SELECT pg_catalog\.lo_unlink\((?:'?\d+'?\)|{_BY_NUMBER});\Z"),
        (Doing.COPY, rf"COPY {_NAMES}(?: \((?:{_NAME}(?:, {_NAME})*)?\))? FROM stdin;\Z"),
        (Doing.RUN, rf"INSERT INTO {_NAMES} "),
        (Doing.SKIP, r"(?:BEGIN|COMMIT|START TRANSACTION);\Z"),
        (Doing.DATABASE, rf"(?:CREATE|DROP|ALTER) DATABASE (?:IF EXISTS )?(?:{_NAME})[ ;]"),
        (Doing.SKIP, r"COMMENT ON (?:DATABASE|EXTENSION|PUBLICATION|SUBSCRIPTION) "),
        (Doing.LATER, r"COMMENT ON (?:(?:EVENT )?TRIGGER|RULE) "),
        (Doing.RUN, r"COMMENT ON (?!ROLE|TABLESPACE|SERVER|FOREIGN)"),
        (Doing.SKIP, r"(?:GRANT|REVOKE|SECURITY LABEL|ALTER DEFAULT PRIVILEGES) "),
        (Doing.SKIP, r"(?:CREATE|ALTER|DROP) (?:PUBLICATION|SUBSCRIPTION) "),
        (Doing.SKIP, rf"ALTER [A-Z][A-Z ]* .*OWNER TO {_NAME};\Z"),
        (Doing.REFUSE, r"CREATE (?:OR REPLACE )?FUNCTION (?:(?! AS ).)*\sLANGUAGE ['\"]?(?:c|internal)\b"),
        (Doing.LATER, r"(?:CREATE|ALTER) (?:OR REPLACE )?(?:CONSTRAINT |EVENT )?TRIGGER "),
        (Doing.LATER, rf"ALTER TABLE (?:ONLY )?{_NAMES} (?:ENABLE|DISABLE) (?:ALWAYS |REPLICA )?(?:TRIGGER|RULE) "),
        (Doing.LATER, r"CREATE (?:OR REPLACE )?RULE (?:(?! ON SELECT TO ).)* ON (?:INSERT|UPDATE|DELETE) TO "),
        # it would hide rows from the owner too, who has to find a customer's rows
        (Doing.LATER, rf"ALTER TABLE (?:ONLY )?{_NAMES} (?:NO FORCE|FORCE|ENABLE|DISABLE) ROW LEVEL SECURITY;\Z"),
        (Doing.LATER, rf"REFRESH MATERIALIZED VIEW {_NAMES};\Z"),
        (Doing.TRY, r"DROP (?:EVENT )?TRIGGER "),
        (Doing.TRY, rf"DROP {_KINDS} "),
        (Doing.TRY, rf"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?{_NAMES} (?:DROP|ALTER COLUMN {_NAME} DROP) "),
        (Doing.TRY, rf"CREATE SCHEMA {_NAME};\Z"),
        (Doing.RUN, rf"(?:CREATE|ALTER) (?:OR REPLACE )?{_KINDS} "),
    )
)
_DATABASE = re.compile(rf"(?:CREATE|DROP|ALTER) DATABASE (?:IF EXISTS )?({_NAME})", re.IGNORECASE)
_LITERAL = re.compile(rf"'(?:[^']|'')*'|{_NAME}|\s+", re.DOTALL)
_REUSE = re.compile(r"(?:\s|-reuse-previous=on)*")
_CONNECTED = re.compile(r"dbname='((?:[^'\\]|\\.)*)'\Z")


def doing_of(statement: bytes) -> Doing:
    """What is done with this statement, which holds no comments. REFUSE where pg_dump does not write the like."""
    text = _one_spaced(statement)
    return next((doing for doing, pattern in _RULES if pattern.match(text)), Doing.REFUSE)


def sets_path(statement: bytes) -> bool:
    """Whether the statement says in which schema names without one are looked for."""
    text = _one_spaced(statement).lower()
    return text.startswith(("set search_path ", "select pg_catalog.set_config('search_path'"))


def database_of(statement: bytes) -> str:
    """The name of the database of a statement that speaks of one."""
    found = _DATABASE.match(_one_spaced(statement))
    return _plain(found[1]) if found else ""


def database_connected_to(target: bytes) -> str:
    """The name of the database after `\\connect`, in either form that pg_dump writes."""
    text = _REUSE.sub("", target.decode("latin-1"), count=1)
    if text.startswith('"') and (found := _CONNECTED.search(_plain(text))):
        return re.sub(r"\\(.)", r"\1", found[1])
    return _plain(text)


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _one_spaced(statement: bytes) -> str:
    """The head of the statement with one space for each gap outside of quotes."""
    text = statement if len(statement) <= _HEAD else statement[:_HEAD]
    return _LITERAL.sub(lambda found: " " if found[0].isspace() else found[0], text.decode("latin-1"))
