"""What the text of a Python program says before it runs: pure questions to its syntax tree."""

from __future__ import annotations

import ast
import builtins
import re
import sys
import threading
import warnings
from collections.abc import Iterator

from sandbox.inside.naming import DECIDING

__all__ = [
    "bound_names",
    "counted_tests",
    "counts_as_test",
    "cut_asserts",
    "free_names",
    "imported_from",
    "imported_packages",
    "leaves_check_uncalled",
    "looks_like_pytest",
    "parsed",
    "pytest_tests",
    "shadowed_builtin",
    "tested_names",
    "top_level_names",
]

MAX_CHARS = 400_000
"""Longer programs are not parsed; no test file comes near."""
MAX_CODE_CHARS = 100_000
"""Of what a completion holds beside texts and comments: at the worst each takes a kilobyte of memory."""

_NO_CODE = re.compile(
    r"""
    \#[^\n]*+
    | \"{3} (?: [^"\\]++ | \\. | "(?!"") )*+ \"{3} | '{3} (?: [^'\\]++ | \\. | '(?!'') )*+ '{3}
    | " (?: [^"\\\n]++ | \\. )*+ " | ' (?: [^'\\\n]++ | \\. )*+ '
    """,
    re.VERBOSE | re.DOTALL,
)

# CPython 3.11 to 3.13 join a dotted name part by part, and keep every part-way name: quadratic in memory.
_LONG_DOTTED = re.compile(r"(?<!\w)\w++(?:[\s\\]*+\.[\s\\]*+\w++){100}")

# The filters of the warnings module are the whole process's, so two threads must not swap them at once.
_FILTERS = threading.Lock()

# The parser's own idea of a line's end; str.splitlines knows more.
_LINE_END = re.compile(r"\r\n|\r|\n")

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def parsed(source: str, *, of_completion: bool = False) -> ast.Module | str:
    """The tree of a program, or why there is none. Runs and folds nothing of it.

    What is `of_completion` may hold less code than a test file.
    """
    if len(source) > MAX_CHARS:
        return f"longer than {MAX_CHARS} characters"
    if of_completion and len(source) > MAX_CODE_CHARS and len(_NO_CODE.sub("", source)) > MAX_CODE_CHARS:
        return f"more than {MAX_CODE_CHARS} characters of code"
    if _LONG_DOTTED.search(source):
        return "a dotted name of more than a hundred parts"
    try:
        with _FILTERS, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except SyntaxError as error:
        return f"{error.msg} (line {error.lineno})"
    except (ValueError, RecursionError, MemoryError) as error:
        return f"{type(error).__name__}: {error}"


def top_level_names(tree: ast.Module) -> set[str]:
    """Names that a module defines, and `Class.method` for the methods of its classes."""
    found: set[str] = set()
    for statement in _flat(tree.body):
        found |= _bound_by(statement)
        if isinstance(statement, ast.ClassDef):
            found |= {
                f"{statement.name}.{item.name}" for item in statement.body if isinstance(item, _DEFINITIONS)
            }
    return found


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module's own scope, those within if, try, with and loops included."""
    for statement in body:
        yield statement
        if isinstance(statement, _DEFINITIONS):
            continue
        for field in ("body", "orelse", "finalbody"):
            yield from _flat(getattr(statement, field, []))
        for handler in getattr(statement, "handlers", []):
            yield from _flat(handler.body)


def _bound_by(statement: ast.stmt) -> set[str]:
    if isinstance(statement, _DEFINITIONS):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, (ast.AnnAssign, ast.For)):
        targets = [statement.target]
    return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}


def bound_names(tree: ast.AST) -> set[str]:
    """Every name that is given a value anywhere in a program."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, _DEFINITIONS):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
    return found


def free_names(tree: ast.AST) -> set[str]:
    """Names that a program uses, does not define, and does not get from Python."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return {name for name in used - bound_names(tree) if not hasattr(builtins, name) and name[:2] != "__"}


_GIVEN = frozenset(sys.stdlib_module_names) | {"np", "pd", "plt"} | {
    name for names in DECIDING.values() for name in names.split()
}  # fmt: skip
"""Names that tests use without an import and that no solution is asked for."""


def tested_names(tree: ast.AST) -> set[str]:
    """Names that tests use and that the solution must define."""
    free = free_names(tree)
    return free - _GIVEN or free


def shadowed_builtin(tree: ast.Module) -> str | None:
    """The built-in whose name the function under test has, for tests that name nothing else.

    Such tests call it first of all on the left of every assert.
    """
    if free_names(tree):
        return None
    called = {_first_call(node.test) for node in ast.walk(tree) if isinstance(node, ast.Assert)}
    name = called.pop() if len(called) == 1 else None
    return name if name is not None and hasattr(builtins, name) else None


def _first_call(test: ast.expr) -> str | None:
    left = test.left if isinstance(test, ast.Compare) else test
    called = isinstance(left, ast.Call) and isinstance(left.func, ast.Name)
    return left.func.id if called else None  # type: ignore[attr-defined]


def imported_packages(tree: ast.AST) -> set[str]:
    """The first part of each module name that a program imports."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def imported_from(tree: ast.AST, module: str) -> set[str]:
    """Names that a program takes from a module, by `from m import name` or as `m.name`."""
    found: set[str] = set()
    aliases: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == module:
            found |= {alias.name for alias in node.names if alias.name != "*"}
        elif isinstance(node, ast.Import):
            aliases |= {alias.asname or module for alias in node.names if alias.name == module}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            found.add(node.attr)
    return found


def looks_like_pytest(tree: ast.Module) -> bool:
    """Whether a test program is a file for pytest, and not a list of asserts."""
    if "pytest" in imported_packages(tree):
        return True
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)) and _is_test_name(statement.name):
            called = {node.func.id for node in _top_calls(tree) if isinstance(node.func, ast.Name)}
            return statement.name not in called
        if isinstance(statement, ast.ClassDef) and _is_test_class(statement):
            return True
    return False


def _is_test_name(name: str) -> bool:
    return name == "test" or name.startswith("test_")


def _is_test_class(statement: ast.ClassDef) -> bool:
    return statement.name.startswith("Test") or any("TestCase" in ast.unparse(b) for b in statement.bases)


def _top_calls(tree: ast.Module) -> Iterator[ast.Call]:
    for statement in tree.body:
        if not isinstance(statement, _DEFINITIONS):
            yield from (node for node in ast.walk(statement) if isinstance(node, ast.Call))


def counted_tests(tree: ast.Module) -> int:
    """How many tests the sandbox counts in a program of asserts.

    They are the statements that hold an assert or are a call, and `check` where nobody calls it.
    """
    return sum(map(counts_as_test, tree.body)) + leaves_check_uncalled(tree)


def leaves_check_uncalled(tree: ast.Module) -> bool:
    """Whether a program defines a function `check` that nothing in it calls."""
    defines = any(isinstance(item, ast.FunctionDef) and item.name == "check" for item in tree.body)
    others = (item for item in tree.body if not (isinstance(item, ast.FunctionDef) and item.name == "check"))
    calls = (node.func for item in others for node in ast.walk(item) if isinstance(node, ast.Call))
    return defines and not any(isinstance(called, ast.Name) and called.id == "check" for called in calls)


def counts_as_test(statement: ast.stmt) -> bool:
    """Whether a top-level statement of a program of asserts is one of its tests."""
    if isinstance(statement, _DEFINITIONS):
        return False
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Call)
    return any(isinstance(node, ast.Assert) for node in ast.walk(statement))


def cut_asserts(source: str, tree: ast.Module, *, most: int | None) -> tuple[str, int]:
    """A program of asserts up to its test number `most`, and how many tests are in it."""
    total = counted_tests(tree)
    if most is None or total <= most:
        return source, total
    seen = 0
    for statement in tree.body:
        seen += counts_as_test(statement)
        if seen == most:
            last = statement.end_lineno or statement.lineno
            return "\n".join(_LINE_END.split(source)[:last]) + "\n", most
    return source, total


def pytest_tests(tree: ast.Module) -> int:
    """The least number of tests that pytest finds in a file."""
    found = 0
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test"):
            found += _rows(node)
    return found


def _rows(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    rows = 1
    for mark in function.decorator_list:
        if (
            isinstance(mark, ast.Call)
            and ast.unparse(mark.func).endswith("parametrize")
            and len(mark.args) > 1
        ):
            values = mark.args[1]
            rows *= max(1, len(values.elts)) if isinstance(values, (ast.List, ast.Tuple)) else 1
    return rows
