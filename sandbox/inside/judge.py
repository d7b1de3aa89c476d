"""The trusted side of an assert or pytest run: executes the tests, and writes the verdict where no solution
can."""

from __future__ import annotations

import _ast as ast  # the node classes alone; the module around them takes longer than a run
import builtins
import importlib
import sys
import types
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NoReturn

from sandbox.inside import minipytest
from sandbox.inside.child import finish
from sandbox.inside.collecting import collect
from sandbox.inside.import_guard import stay_aloof
from sandbox.inside.remote import Remote, SolutionDied, Wire
from sandbox.inside.test_report import FOREIGN, Teller

__all__ = ["judge"]

_MAX_TESTS = 2_000
_LIBRARY = sys.stdlib_module_names
_ALIASES = {"np": "numpy"}


def judge(tests: bytes, head: dict[str, Any], directory: str, *, kept: list[str]) -> NoReturn:
    """Runs all tests and leaves; descriptor 3 is the solution's, 4 takes what is told of them.

    `kept` are the directories in the scratch `directory` that no solution can write to.
    """
    stay_aloof(directory, kept=kept)
    sys.modules.pop(head["module"], None)  # the solution is not here
    wire, teller = Wire(3), Teller(4)
    unusable = None
    try:
        if head["style"] == "pytest":
            _run_pytest(wire, tests, head, teller, directory)
        else:
            _run_asserts(wire, tests, head, teller, directory)
    except SolutionDied as error:
        teller.ended("", "died", str(error), weak=wire.weak)
    except SyntaxError as error:
        unusable = f"the tests do not compile: {error}"
    teller.closed(error=unusable)
    finish(0, wait=False)


def attempt(
    wire: Wire, name: str, body: Callable[[], Any], teller: Teller, *, counted: bool = True
) -> str | None:
    """Runs one test and tells how it ended: its outcome, or null when there have been enough tests.

    What is not `counted` is told only when it did not pass.
    """
    if teller.tests >= _MAX_TESTS:
        return None
    teller.begins(name)
    try:
        body()
        outcome, reason = "passed", ""
    except minipytest.Skipped as error:
        outcome, reason = "skipped", str(error)
    except BaseException as error:
        outcome = "error" if id(error) in wire.from_solution else "failed"
        reason = _describe(error)
        if wire.foreign:
            reason += f" ({FOREIGN}: {', '.join(sorted(wire.foreign)[:4])})"
    if wire.died is not None:
        # Tests that swallow every exception would have swallowed this one.
        outcome, reason = "died", wire.died
    if counted or outcome != "passed":
        teller.ended(name, outcome, reason, weak=wire.weak)
    return outcome


def _describe(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException:
        text = ""
    return f"{type(error).__name__}: {text}"[:400].rstrip(": ")


def _run_asserts(wire: Wire, tests: bytes, head: dict[str, Any], teller: Teller, directory: str) -> None:
    """Top-level statements one by one; each assert, and `check(candidate)`, is a test."""
    tree = compile(tests, "tests.py", "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    namespace: dict[str, Any] = {"__name__": "__tests__", "__builtins__": builtins}
    namespace["__file__"] = f"{directory}/tests.py"
    _bring_names(wire, namespace, tree)
    steps: list[tuple[str, types.CodeType, bool]] = []
    for statement in tree.body:
        code = compile(ast.Module([statement], []), "tests.py", "exec", dont_inherit=True)
        steps.append((f"line {statement.lineno}", code, _is_test(statement)))
    if _defines_check(tree) and not _calls_check(tree):
        steps.append(("check", compile(f"check({head['entry']})", "tests.py", "exec"), True))
    for name, code, counted in steps:
        outcome = attempt(wire, name, partial(exec, code, namespace), teller, counted=counted)
        if outcome in (None, "died") or (not counted and outcome != "passed"):
            return
    if not teller.tests:
        reason = "the tests hold no assert and no check function"
        teller.ended("", "failed", reason, weak=wire.weak)


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


def _bring_names(wire: Wire, namespace: dict[str, Any], tree: ast.Module) -> None:
    """Makes the solution's public names known to the tests, but none that hides a built-in or a module."""
    names = _plain_names(wire)
    modules = _meant_modules(names, tree)
    for name in names:
        try:
            value = modules.get(name) or wire.ask("name", name)
        except Exception:
            continue
        if isinstance(value, Remote) and object.__getattribute__(value, "_kind") == "module":
            value = _own_module(object.__getattribute__(value, "__name__"))
        if value is not None:
            namespace[name] = value
    wire.foreign.clear()  # what is only there says nothing of how the tests end


def _plain_names(wire: Wire) -> list[str]:
    names = wire.ask("names")
    found = names if type(names) is list else []
    return [n for n in found if type(n) is str and n.isidentifier() and not hasattr(builtins, n)]


def _meant_modules(names: list[str], tree: ast.Module) -> dict[str, types.ModuleType]:
    """Modules of the library that the tests mean by names which the solution defines too.

    They put behind the name only what the module has. What the solution calls so could say anything.
    """
    doubtful = {name: _ALIASES.get(name, name) for name in names if name in _ALIASES or name in _LIBRARY}
    asked: dict[str, set[str]] = {}
    for node in _walk(tree) if doubtful else ():
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            asked.setdefault(node.value.id, set()).add(node.attr)
    own = {name: _own_module(module) for name, module in doubtful.items() if name in asked}
    return {n: m for n, m in own.items() if m is not None and all(hasattr(m, part) for part in asked[n])}


def _own_module(name: str) -> types.ModuleType | None:
    """The judge's own copy of a module that the solution imported: never the solution's."""
    if name.partition(".")[0] not in _LIBRARY and name not in sys.modules:
        return None
    try:
        return importlib.import_module(name)
    except Exception:
        return None


class _SolutionModule(types.ModuleType):
    """`from solution import f` gives a stand-in for f."""

    def __init__(self, name: str, wire: Wire, tree: ast.Module):
        super().__init__(name)
        self.__dict__.update(_wire=wire, _tree=tree)

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            names = _plain_names(self._wire)
            self.__dict__.update(_meant_modules(names, self._tree))
            return names
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            value = self._wire.ask("name", name)
        except KeyError:
            raise AttributeError(name) from None
        if isinstance(value, Remote) and object.__getattribute__(value, "_kind") == "module":
            return _own_module(object.__getattribute__(value, "__name__"))
        return value


def _run_pytest(wire: Wire, tests: bytes, head: dict[str, Any], teller: Teller, directory: str) -> None:
    sys.modules["pytest"] = minipytest
    tree = compile(tests, "test_solution.py", "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    sys.modules[head["module"]] = _SolutionModule(head["module"], wire, tree)
    module = types.ModuleType("__tests__")
    module.__file__ = f"{directory}/test_solution.py"
    sys.modules["__tests__"] = module
    code = compile(tree, "test_solution.py", "exec", dont_inherit=True)
    load = partial(exec, code, module.__dict__)
    if attempt(wire, "import", load, teller, counted=False) != "passed":
        return
    found = collect(module)
    for name, body in found:
        if attempt(wire, name, body, teller) in (None, "died"):
            return
    if not found:
        teller.ended("", "failed", "no test was collected", weak=wire.weak)
