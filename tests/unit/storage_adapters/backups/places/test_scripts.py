"""Dumps are cut into statements as their servers would cut them, and judged one by one."""

from __future__ import annotations

import io

import pytest

from storage_adapters.backups.places import my_rules, pg_rules
from storage_adapters.backups.places.damage import Unfit
from storage_adapters.backups.places.my_script import MyScript
from storage_adapters.backups.places.pg_script import Connect, PgScript
from tests.unit.storage_adapters.backups.places.hostile import HOSTILE_TO_MARIADB, HOSTILE_TO_POSTGRES


def postgres_statements(script: bytes) -> list[bytes]:
    reader = PgScript(io.BytesIO(script))
    found = []
    for step in reader.steps():
        assert not isinstance(step, Connect)
        found.append(step.text)
        if reader.copies(step.text):
            found.extend(reader.rows())
    return found


POSTGRES_SCRIPTS = {
    "two on one line": (b"SET a = 1; SET b = 2;\n", [b"SET a = 1;", b"SET b = 2;"]),
    "a semicolon in a string": (b"SELECT 'a;''b;';\n", [b"SELECT 'a;''b;';"]),
    "a backslash in a plain string": (b"SELECT 'a\\'; SELECT 2;\n", [b"SELECT 'a\\';", b"SELECT 2;"]),
    "a backslash in an escaping string": (b"SELECT E'a\\';''\\';' ;\n", [b"SELECT E'a\\';''\\';' ;"]),
    "a name that ends with e": (b"SELECT type'a\\';\n", [b"SELECT type'a\\';"]),
    "a string over lines": (b"SELECT 'a\n-- no\n/*';\n", [b"SELECT 'a\n-- no\n/*';"]),
    "a quoted name": (b'SELECT "a;""b;";\n', [b'SELECT "a;""b;";']),
    "dollars": (b"SELECT $a$;$$;'$a$, $$;\n$x$;$$;\n", [b"SELECT $a$;$$;'$a$, $$;\n$x$;$$;"]),
    "dollars in a name": (b"SELECT a$b; SELECT c$b;\n", [b"SELECT a$b;", b"SELECT c$b;"]),
    "comments": (b"-- a;\n/* b; /* c; */ ' */ SELECT 1 -- ;\n;\n", [b"SELECT 1 \n;"]),
    "a rule in parentheses": (
        b"CREATE RULE r AS DO (SELECT 1; SELECT 2);\n",
        [b"CREATE RULE r AS DO (SELECT 1; SELECT 2);"],
    ),
    "a body that is no string": (
        b"CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN a THEN b END; SELECT 1; END; SELECT 2;\n",
        [b"CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN a THEN b END; SELECT 1; END;", b"SELECT 2;"],
    ),
    "data": (
        b"COPY t (a) FROM stdin;\n\\\\.\n'\n;\n\\.\nSET a = 1;\n",
        [b"COPY t (a) FROM stdin;", b"\\\\.\n", b"'\n", b";\n", b"SET a = 1;"],
    ),
    "the fences of pg_dump": (b"\\restrict aB1\nSET a = 1;\n\\unrestrict aB1\n", [b"SET a = 1;"]),
}


@pytest.mark.parametrize(("script", "expected"), POSTGRES_SCRIPTS.values(), ids=POSTGRES_SCRIPTS.keys())
def test_a_postgresql_dump_is_cut_as_the_server_would(script: bytes, expected: list[bytes]) -> None:
    assert postgres_statements(script) == expected


@pytest.mark.parametrize("line", HOSTILE_TO_POSTGRES.values(), ids=HOSTILE_TO_POSTGRES.keys())
def test_a_postgresql_dump_with_this_in_it_is_refused(line: bytes) -> None:
    databases = set()
    try:
        for step in PgScript(io.BytesIO(line)).steps():
            if isinstance(step, Connect):
                databases.add(pg_rules.database_connected_to(step.target))
                continue
            if pg_rules.doing_of(step.text) is pg_rules.Doing.REFUSE:
                return
            databases.add(pg_rules.database_of(step.text))
    except Unfit:
        return
    assert len(databases) > 1


def mariadb_statements(script: bytes) -> list[bytes]:
    return [statement.text for statement in MyScript(io.BytesIO(script)).statements()]


MARIADB_SCRIPTS = {
    "two on one line": (b"SET @a=1; SET @b=2;\n", [b"SET @a=1", b"SET @b=2"]),
    "a string with everything": (b"SELECT 'a;\\';''\n-- x';\n", [b"SELECT 'a;\\';''\n-- x'"]),
    "a name with everything": (b"SELECT `a;``'\\`;\n", [b"SELECT `a;``'\\`"]),
    "comments before": (b"-- a;\n# b;\n/* c; */ SELECT 1;\n", [b"SELECT 1"]),
    "minus minus": (b"SELECT 1--2;\n", [b"SELECT 1--2"]),
    "the sandbox": (b"/*M!999999\\- enable the sandbox mode */ \nSELECT 1;\n", [b"SELECT 1"]),
    "another delimiter": (b"DELIMITER ;;\nA; B ;;\nDELIMITER ;\nC;\n", [b"A; B ", b"C"]),
    "an executed comment with the delimiter": (b"/*!50003 A; 'x*/' */;\n", [b"/*!50003 A; 'x*/' */"]),
    "no escapes": (
        b"SET sql_mode = 'NO_BACKSLASH_ESCAPES';\nA '\\';\n",
        [b"SET sql_mode = 'NO_BACKSLASH_ESCAPES'", b"A '\\'"],
    ),
}


@pytest.mark.parametrize(("script", "expected"), MARIADB_SCRIPTS.values(), ids=MARIADB_SCRIPTS.keys())
def test_a_mariadb_dump_is_cut_as_the_server_would(script: bytes, expected: list[bytes]) -> None:
    assert mariadb_statements(script) == expected


@pytest.mark.parametrize("line", HOSTILE_TO_MARIADB.values(), ids=HOSTILE_TO_MARIADB.keys())
def test_a_mariadb_dump_with_this_in_it_is_refused(line: bytes) -> None:
    databases = set()
    try:
        for statement in MyScript(io.BytesIO(line)).statements():
            if my_rules.doing_of(statement) is my_rules.Doing.REFUSE:
                return
            databases.add(my_rules.database_of(statement))
    except Unfit:
        return
    # what has one statement for two is refused by the server, which takes one at a time
    assert len(databases) > 1 or line == HOSTILE_TO_MARIADB["two statements for one"]


DEFINERS = {
    "a view": (
        b"/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`a`@`%` SQL SECURITY DEFINER */\n/*!50001 VIEW v */",
        b"/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013  SQL SECURITY DEFINER */\n/*!50001 VIEW v */",
    ),
    "a function": (b"CREATE DEFINER=`a b`@`h` FUNCTION `f`()", b"CREATE  FUNCTION `f`()"),
    "a word in a body": (b"CREATE VIEW v AS SELECT DEFINER=a@b", b"CREATE VIEW v AS SELECT DEFINER=a@b"),
}


@pytest.mark.parametrize(("statement", "expected"), DEFINERS.values(), ids=DEFINERS.keys())
def test_the_definer_is_left_out_and_nothing_else(statement: bytes, expected: bytes) -> None:
    assert my_rules.without_definer(statement) == expected
