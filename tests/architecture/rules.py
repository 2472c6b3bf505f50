"""Rules of the house that no other tool checks, each a function from a syntax tree to the lines that break it.

`test_rules.py` shows each of them broken once and holds the source against them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

LONGEST_FUNCTION = 80
LONGEST_FILE = 500
MOST_BRANCHES = 16

CLOCK_READINGS = {
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "time.ctime",
    "time.gmtime",
    "time.localtime",
    "time.time",
    "time.time_ns",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef
BRANCHING = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.match_case, ast.comprehension)


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function and method, those inside others too."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def length(function: Function) -> int:
    """Lines from `def` to the last one."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def branches(function: Function) -> int:
    """How often the way through a function forks; functions inside it are counted by themselves."""
    count = 0
    waiting: list[ast.AST] = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function):
            continue
        count += isinstance(node, BRANCHING)
        count += len(node.values) - 1 if isinstance(node, ast.BoolOp) else 0
        count += len(node.ifs) if isinstance(node, ast.comprehension) else 0
        waiting.extend(ast.iter_child_nodes(node))
    return count


def clock_readings(tree: ast.Module) -> list[int]:
    """Lines that name a function which reads the wall clock, under whatever name it was imported."""
    imported = _imported_names(tree)
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, (ast.Attribute, ast.Name)) and _full_name(node, imported) in CLOCK_READINGS
    ]


def swallowed_errors(tree: ast.Module, text: str) -> list[int]:
    """Lines of handlers that leave no trace of what went wrong: `pass`, `...`, an unexplained `continue`."""
    lines = text.splitlines()
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and all(_does_nothing(each) for each in node.body):
            explained = any("#" in line for line in lines[node.lineno - 1 : node.end_lineno])
            if not (explained and isinstance(node.body[-1], ast.Continue)):
                found.append(node.lineno)
        if isinstance(node, ast.Call) and _suppresses_everything(node):
            found.append(node.lineno)
    return found


def undocumented(tree: ast.Module, said_by_contracts: frozenset[str] = frozenset()) -> list[str]:
    """Public classes, functions and methods without a docstring.

    A method is excused when a contract (`said_by_contracts`, see `contract_methods`) says what it does, and a test of
    a conformance suite because its name does.
    """
    return [
        name
        for name, node in _public(tree)
        if ast.get_docstring(node) is None
        and not ("." in name and node.name in said_by_contracts)
        and not node.name.startswith("test_")
        and not _is_variant(node)
    ]


def contract_methods(tree: ast.Module) -> set[str]:
    """Names of the methods of Protocols and abstract classes that have a docstring."""
    return {
        method.name
        for node in tree.body
        if isinstance(node, ast.ClassDef) and {"Protocol", "ABC"} & {_last_name(base) for base in node.bases}
        for method in node.body
        if isinstance(method, Function) and ast.get_docstring(method)
    }


def _public(tree: ast.Module) -> Iterator[tuple[str, Function | ast.ClassDef]]:
    waiting: list[tuple[str, ast.stmt]] = [("", node) for node in tree.body]
    while waiting:
        owner, node = waiting.pop(0)
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield owner + node.name, node
            if isinstance(node, ast.ClassDef):
                waiting.extend((f"{node.name}.", each) for each in node.body)


def _is_variant(node: Function | ast.ClassDef) -> bool:
    """An overload, or the setter of a property, whose first form is documented."""
    return any(_last_name(each) in {"overload", "setter", "deleter"} for each in node.decorator_list)


def _imported_names(tree: ast.Module) -> dict[str, str]:
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update({each.asname or each.name: each.name for each in node.names})
        elif isinstance(node, ast.ImportFrom):
            names.update({each.asname or each.name: f"{node.module}.{each.name}" for each in node.names})
    return names


def _full_name(node: ast.expr, imported: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_full_name(node.value, imported)}.{node.attr}"
    return imported.get(node.id, "") if isinstance(node, ast.Name) else ""


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        return _last_name(node.value)
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _does_nothing(node: ast.stmt) -> bool:
    is_constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_constant or isinstance(node, ast.Pass | ast.Continue)


def _suppresses_everything(call: ast.Call) -> bool:
    return _last_name(call.func) == "suppress" and bool(
        {"Exception", "BaseException"} & {_last_name(each) for each in call.args}
    )
