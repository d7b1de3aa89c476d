"""The trusted side of an assert or pytest run: executes the tests, and writes the verdict where no solution
can."""

from __future__ import annotations

import _ast as ast  # the node classes alone; the module around them takes longer than a run
import builtins
import importlib
import json
import os
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from sandbox.inside import minipytest
from sandbox.inside.child import finish
from sandbox.inside.collecting import collect
from sandbox.inside.remote import Remote, SolutionDied, Wire

__all__ = ["judge"]

_MAX_TESTS = 2_000


def judge(tests: bytes, head: dict[str, Any], directory: str) -> NoReturn:
    """Runs all tests and leaves; descriptor 3 is the solution's, 4 takes the report."""
    sys.modules.pop(head["module"], None)  # the solution is not here
    wire = Wire(3)
    report: dict[str, Any] = {"tests": [], "weak": False, "error": None}
    try:
        if head["style"] == "pytest":
            _run_pytest(wire, tests, head, report["tests"])
        else:
            _run_asserts(wire, tests, head, report["tests"])
    except SolutionDied as error:
        report["tests"].append({"name": "", "outcome": "died", "reason": str(error)})
    except SyntaxError as error:
        report["error"] = f"the tests do not compile: {error}"
    report["weak"] = wire.weak
    os.write(4, json.dumps(report).encode())
    finish(0, wait=False)


def attempt(wire: Wire, name: str, body: Callable[[], Any], results: list[dict[str, Any]]) -> bool:
    """Runs one test and notes how it ended; returns whether the next one can run."""
    if len(results) >= _MAX_TESTS:
        return False
    try:
        body()
        outcome, reason = "passed", ""
    except SolutionDied as error:
        results.append({"name": name, "outcome": "died", "reason": str(error)})
        return False
    except minipytest.Skipped as error:
        outcome, reason = "skipped", str(error)
    except BaseException as error:
        outcome = "error" if id(error) in wire.from_solution else "failed"
        reason = _describe(error)
    results.append({"name": name, "outcome": outcome, "reason": reason})
    return True


def _describe(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException:
        text = ""
    return f"{type(error).__name__}: {text}"[:400].rstrip(": ")


def _run_asserts(wire: Wire, tests: bytes, head: dict[str, Any], results: list[dict[str, Any]]) -> None:
    """Top-level statements one by one; each assert, and `check(candidate)`, is a test."""
    tree = compile(tests, "tests.py", "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    namespace: dict[str, Any] = {"__name__": "__tests__", "__builtins__": builtins}
    _bring_names(wire, namespace)
    steps: list[tuple[str, types.CodeType, bool]] = []
    for statement in tree.body:
        code = compile(ast.Module([statement], []), "tests.py", "exec", dont_inherit=True)
        steps.append((f"line {statement.lineno}", code, _is_test(statement)))
    if _defines_check(tree) and not _calls_check(tree):
        steps.append(("check", compile(f"check({head['entry']})", "tests.py", "exec"), True))
    for name, code, counted in steps:
        outcome: list[dict[str, Any]] = []
        going = attempt(wire, name, lambda code=code: exec(code, namespace), outcome)  # type: ignore[misc]
        if counted or (outcome and outcome[0]["outcome"] != "passed"):
            results += outcome
        if not going or (not counted and outcome[0]["outcome"] != "passed"):
            return
    if not results:
        results.append(
            {"name": "", "outcome": "failed", "reason": "the tests hold no assert and no check function"}
        )


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        for name in node._fields:
            value = getattr(node, name, None)
            waiting += [
                item for item in (value if isinstance(value, list) else [value]) if isinstance(item, ast.AST)
            ]


def _is_test(statement: ast.stmt) -> bool:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
        return False
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Call)
    return any(isinstance(node, ast.Assert) for node in _walk(statement))


def _defines_check(tree: ast.Module) -> bool:
    return any(isinstance(item, ast.FunctionDef) and item.name == "check" for item in tree.body)


def _calls_check(tree: ast.Module) -> bool:
    nodes = (node for item in tree.body if not isinstance(item, ast.FunctionDef) for node in _walk(item))
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "check"
        for node in nodes
    )


def _bring_names(wire: Wire, namespace: dict[str, Any]) -> None:
    """Makes the solution's public names known to the tests, but never one that hides a built-in."""
    names = wire.ask("names")
    for name in names if type(names) is list else []:
        if type(name) is not str or not name.isidentifier() or hasattr(builtins, name):
            continue
        try:
            value = wire.ask("name", name)
        except Exception:
            continue
        if isinstance(value, Remote) and object.__getattribute__(value, "_kind") == "module":
            value = _own_module(object.__getattribute__(value, "__name__"))
        if value is not None:
            namespace[name] = value


def _own_module(name: str) -> types.ModuleType | None:
    """The judge's own copy of a module that the solution imported: never the solution's."""
    if name.partition(".")[0] not in sys.stdlib_module_names and name not in sys.modules:
        return None
    try:
        return importlib.import_module(name)
    except Exception:
        return None


class _SolutionModule(types.ModuleType):
    """`from solution import f` gives a stand-in for f."""

    def __init__(self, name: str, wire: Wire):
        super().__init__(name)
        self.__dict__["_wire"] = wire

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            names = self._wire.ask("names")
            return [item for item in names if type(item) is str and not hasattr(builtins, item)]
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            value = self._wire.ask("name", name)
        except KeyError:
            raise AttributeError(name) from None
        if isinstance(value, Remote) and object.__getattribute__(value, "_kind") == "module":
            return _own_module(object.__getattribute__(value, "__name__"))
        return value


def _run_pytest(wire: Wire, tests: bytes, head: dict[str, Any], results: list[dict[str, Any]]) -> None:
    sys.modules["pytest"] = minipytest
    sys.modules[head["module"]] = _SolutionModule(head["module"], wire)
    module = types.ModuleType("__tests__")
    sys.modules["__tests__"] = module
    code = compile(tests, "test_solution.py", "exec", dont_inherit=True)
    before: list[dict[str, Any]] = []
    if (
        not attempt(wire, "import", lambda: exec(code, module.__dict__), before)
        or before[0]["outcome"] != "passed"
    ):
        results += before
        return
    found = collect(module)
    for name, body in found:
        if not attempt(wire, name, body, results):
            return
    if not found:
        results.append({"name": "", "outcome": "failed", "reason": "no test was collected"})
