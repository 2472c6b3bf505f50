"""Where a statement ends, and what a list and a name are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_adapters.backups.dumps.sql_text import StatementEnds, list_items, names_in, table_in
from storage_adapters.sql.names import TableName


def _ends(text: str) -> list[int]:
    """After which lines a reader stands between statements."""
    ends = StatementEnds()
    found = []
    for number, line in enumerate(text.encode().splitlines(keepends=True), 1):
        ends.feed(line)
        if ends.is_between:
            found.append(number)
    return found


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param("SELECT 1;\n", [1], id="a statement on one line"),
        pytest.param("SELECT\n1;\n", [2], id="a statement on two lines"),
        pytest.param("-- it's\n\nSELECT 1;\n", [1, 2, 3], id="a quote in a comment opens nothing"),
        pytest.param("SELECT 'a;\n;\n';\n", [3], id="semicolons in a text"),
        pytest.param("SELECT 'it''s;\n';\n", [2], id="doubled quotes"),
        pytest.param("SELECT E'\\';\n';\n", [2], id="escaped quotes in an escape text"),
        pytest.param("SELECT '\\';\n", [1], id="a backslash at the end of a plain text"),
        pytest.param('SELECT "a;\n";\n', [2], id="semicolons in a name"),
        pytest.param("DO $_$;\n$$;\n';\n$_$;\n", [4], id="dollar quotes with a tag"),
        pytest.param("DO $$;\n$$;\n", [2], id="dollar quotes without a tag"),
        pytest.param("SELECT $1;\n", [1], id="a parameter is no dollar quote"),
        pytest.param("/* ;\n/* */ ;\n*/ SELECT 1;\n", [3], id="nested comments"),
        pytest.param("/* a\n*/\nSELECT 1;\n", [2, 3], id="a comment before a statement"),
        pytest.param("CREATE RULE x AS DO (a;\nb;\n);\n", [3], id="statements in parentheses"),
        pytest.param("SELECT 1; -- done\n", [1], id="a comment after the end"),
        pytest.param("SELECT 1 -- ;\n;\n", [2], id="a semicolon in a comment"),
    ],
)
def test_a_statement_ends_where_the_server_says(text: str, lines: list[int]) -> None:
    assert _ends(text) == lines


@given(st.text(alphabet="';\"$-/*\\a\n ", max_size=40))
def test_nothing_inside_of_a_text_ends_a_statement(text: str) -> None:
    quoted = "SELECT '" + text.replace("'", "''") + "';\n"
    assert _ends(quoted) == [quoted.count("\n")]


def test_a_list_is_cut_at_its_own_commas_only() -> None:
    text = "(a numeric(8,2), b text DEFAULT 'x,)', \"c,\" integer[] DEFAULT ARRAY[1, 2], d text DEFAULT $$,)$$) TAIL"
    items, end = list_items(text, 0)
    assert items == [
        "a numeric(8,2)",
        "b text DEFAULT 'x,)'",
        '"c," integer[] DEFAULT ARRAY[1, 2]',
        "d text DEFAULT $$,)$$",
    ]
    assert text[end:] == " TAIL"


def test_names_are_read_as_the_server_quotes_them() -> None:
    assert names_in('a, "B ""c"", d", _e1') == ("a", 'B "c", d', "_e1")
    assert table_in('"S.t".x', "public") == TableName("S.t", "x")
    assert table_in("x", "other") == TableName("other", "x")
