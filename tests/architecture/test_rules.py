"""The source keeps the rules of the house; and each rule is shown to find what it is about."""

from __future__ import annotations

import ast

import pytest

from tests.architecture import rules
from tests.architecture.source_tree import modules


def parsed(text: str) -> ast.Module:
    return ast.parse(text)


def only_function(text: str) -> rules.Function:
    return next(rules.functions(parsed(text)))


# ------------------------------------------------------------------------------------------ the source keeps them


def test_no_file_is_longer_than_can_be_read_at_once() -> None:
    lengths = {module.name: len(module.text.splitlines()) for module in modules()}
    assert {name: lines for name, lines in lengths.items() if lines > rules.LONGEST_FILE} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    lengths = {
        f"{module.name}: {function.name}": rules.length(function)
        for module in modules()
        for function in rules.functions(module.tree)
    }
    assert {name: lines for name, lines in lengths.items() if lines > rules.LONGEST_FUNCTION} == {}


def test_no_function_forks_more_often_than_can_be_tested() -> None:
    counts = {
        f"{module.name}: {function.name}": rules.branches(function)
        for module in modules()
        for function in rules.functions(module.tree)
    }
    assert {name: count for name, count in counts.items() if count > rules.MOST_BRANCHES} == {}


def test_only_the_clock_module_reads_the_clock() -> None:
    readers = [module.name for module in modules("retention") if rules.clock_readings(module.tree)]
    assert readers == ["retention/clock.py"]


def test_no_error_is_swallowed() -> None:
    places = [
        f"{module.name}:{line}"
        for module in modules("retention", "storage_adapters", "tests")
        for line in rules.swallowed_errors(module.tree, module.text)
    ]
    assert not places, "\n".join(places)


def test_everything_public_says_what_it_does() -> None:
    contracts = frozenset(name for module in modules() for name in rules.contract_methods(module.tree))
    silent = [f"{module.name}: {name}" for module in modules() for name in rules.undocumented(module.tree, contracts)]
    silent += [module.name for module in modules() if module.text and ast.get_docstring(module.tree) is None]
    assert not silent, "\n".join(silent)


# ----------------------------------------------------------------------------------------- each rule finds its own


def test_the_length_of_a_function_counts_from_def_to_its_last_line() -> None:
    assert rules.length(only_function("@decorated\ndef f():\n    '''Said.'''\n    return 1\n")) == 3


@pytest.mark.parametrize(
    ("body", "count"),
    [
        pytest.param("return a", 0, id="a straight way has no fork"),
        pytest.param("if a: pass\n elif b: pass\n else: pass", 2, id="if and elif fork, else does not"),
        pytest.param("return a and b and c", 2, id="and forks"),
        pytest.param("return [x for x in a if x if b]", 3, id="a comprehension and each of its ifs fork"),
        pytest.param("try: a()\n except E: pass\n except F: pass", 2, id="each handler forks"),
        pytest.param("match a:\n  case 1: pass\n  case _: pass", 2, id="each case forks"),
        pytest.param("def g():\n  if a: pass\n return 1 if b else 2", 1, id="an inner function has its own count"),
    ],
)
def test_branches_are_counted(body: str, count: int) -> None:
    assert rules.branches(only_function(f"def f(a, b, c):\n {body}\n")) == count


@pytest.mark.parametrize(
    "text",
    [
        "from datetime import datetime, UTC\ndatetime.now(UTC)",
        "import datetime as dt\ndt.datetime.utcnow()",
        "from datetime import date as day\nfield(default_factory=day.today)",
        "from time import time as t\nt()",
        "def f():\n    import time\n    return time.time_ns()",
    ],
)
def test_a_reading_of_the_clock_is_found_under_any_name(text: str) -> None:
    assert rules.clock_readings(parsed(text)) == [len(text.splitlines())]


@pytest.mark.parametrize(
    "text",
    ["clock.now()", "from datetime import datetime\ndatetime.fromisoformat(x)", "import time\ntime.monotonic()"],
)
def test_other_uses_of_time_are_no_reading_of_the_clock(text: str) -> None:
    assert rules.clock_readings(parsed(text)) == []


@pytest.mark.parametrize(
    ("text", "is_swallowed"),
    [
        ("try: a()\nexcept E: pass", True),
        ("try: a()\nexcept E:\n    pass  # explained, but still silent", True),
        ("try: a()\nexcept E: ...", True),
        ("for x in y:\n    try: a()\n    except E: continue", True),
        ("for x in y:\n    try: a()\n    except E: continue  # not text", False),
        ("with suppress(Exception): a()", True),
        ("with suppress(FileNotFoundError): a()", False),
        ("try: a()\nexcept E: return None", False),
    ],
)
def test_a_swallowed_error_is_told_from_a_handled_one(text: str, is_swallowed: bool) -> None:
    assert bool(rules.swallowed_errors(parsed(text), text)) == is_swallowed


def test_what_is_public_and_silent_is_found() -> None:
    text = '''
def said():
    """Said."""
def silent(): ...
def _private(): ...
class Silent:
    def silent(self): ...
    def test_that_the_name_says_it(self): ...
    def in_contract(self): ...
    def __init__(self): ...
'''
    assert rules.undocumented(parsed(text), frozenset({"in_contract"})) == ["silent", "Silent", "Silent.silent"]


def test_a_contract_speaks_for_its_implementations() -> None:
    text = "class Store(Protocol):\n    def erase(self):\n        '''Said.'''\n    def silent(self): ...\n"
    assert rules.contract_methods(parsed(text)) == {"erase"}
