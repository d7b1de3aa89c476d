"""The trusted side of an assert or pytest run: executes the tests, and writes the verdict where no solution
can."""

from __future__ import annotations

import _ast as ast  # the node classes alone; the module around them takes longer than a run
import builtins
import sys
import types
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from sandbox.inside import minipytest
from sandbox.inside.child import finish
from sandbox.inside.collecting import collect
from sandbox.inside.file_modes import pass_over_modes
from sandbox.inside.import_guard import own_module, stay_aloof
from sandbox.inside.mirror import mirror
from sandbox.inside.naming import Names
from sandbox.inside.remote import Remote
from sandbox.inside.test_report import Teller
from sandbox.inside.tree import walk
from sandbox.inside.wire import SolutionDied, Wire
from sandbox.inside.witness import Witness

__all__ = ["judge"]

_MAX_TESTS = 2_000


def judge(tests: bytes, head: dict[str, Any], directory: str, *, kept: list[str]) -> NoReturn:
    """Runs all tests and leaves; descriptor 3 is the solution's, 4 takes what is told of them.

    `kept` are the directories in the scratch `directory` that no solution can write to.
    """
    stay_aloof(directory, kept=kept)
    pass_over_modes()
    sys.modules.pop(head["module"], None)  # the solution is not here
    wire, teller = Wire(3), Teller(4)
    unusable = None
    try:
        source = tests.decode("utf-8", "surrogatepass").removeprefix("\ufeff")
        run = _run_pytest if head["style"] == "pytest" else _run_asserts
        run(wire, source, head, teller, directory)
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
        wire.doubt_network()
        if isinstance(error, minipytest.Unsupported):
            wire.doubt(str(error))
    if wire.died is not None:
        # Tests that swallow every exception would have swallowed this one.
        outcome, reason = "died", wire.died
    if counted or outcome != "passed":
        teller.ended(name, outcome, reason, weak=wire.weak, undecided=wire.taken_doubts())
    return outcome


def _describe(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException:
        text = ""
    return f"{type(error).__name__}: {text}"[:400].rstrip(": ")


def _run_asserts(wire: Wire, source: str, head: dict[str, Any], teller: Teller, directory: str) -> None:
    """Top-level statements one by one; each assert, and `check(candidate)`, is a test."""
    tree = _read(wire, source, "tests.py")
    namespace: dict[str, Any] = {"__name__": "__tests__", "__builtins__": builtins}
    namespace["__file__"] = f"{directory}/tests.py"
    wire.ask("ready")
    mirror(wire, source)
    namespace.update(Names(wire, source, tree, entry=head["entry"]).all())
    witness = Witness()
    tests = [_is_test(statement) for statement in tree.body]
    calls_check = _calls_check(tree)
    witness.watch(tree)
    steps: list[tuple[str, types.CodeType, bool]] = []
    for statement, counted in zip(tree.body, tests, strict=True):
        code = compile(ast.Module([statement], []), "tests.py", "exec", dont_inherit=True)
        steps.append((f"line {statement.lineno}", code, counted))
    if _defines_check(tree) and not calls_check:
        steps.append(("check", compile(f"check({head['entry']})", "tests.py", "exec"), True))
    for name, code, counted in steps:
        outcome = attempt(wire, name, partial(exec, code, namespace), teller, counted=counted)
        if outcome in (None, "died") or (not counted and outcome != "passed"):
            return
    _conclude(wire, witness, teller, "the tests hold no assert and no check function")


def _read(wire: Wire, source: str, name: str) -> ast.Module:
    """The tree of the tests; what they speak of by name is known to the wire from now on."""
    tree = compile(source, name, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    for node in walk(tree):
        if isinstance(node, ast.Name):
            wire.named.add(node.id)
        elif isinstance(node, ast.Import):
            wire.packages |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            wire.packages.add(node.module.partition(".")[0])
    return tree


def _conclude(wire: Wire, witness: Witness, teller: Teller, nothing: str) -> None:
    """Adds a failure where all that ran has said nothing."""
    if not teller.tests:
        teller.ended("", "failed", nothing, weak=wire.weak)
    elif teller.passed == teller.tests and witness.saw_nothing:
        teller.ended("", "failed", "no assert of the tests was reached", weak=wire.weak)


def _is_test(statement: ast.stmt) -> bool:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
        return False
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Call)
    return any(isinstance(node, ast.Assert) for node in walk(statement))


def _defines_check(tree: ast.Module) -> bool:
    return any(isinstance(item, ast.FunctionDef) and item.name == "check" for item in tree.body)


def _calls_check(tree: ast.Module) -> bool:
    """Whether anything but itself calls `check`; a helper that does is called by the tests."""
    others = (item for item in tree.body if not (isinstance(item, ast.FunctionDef) and item.name == "check"))
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "check"
        for item in others
        for node in walk(item)
    )


class _SolutionModule(types.ModuleType):
    """`from solution import f` gives a stand-in for f."""

    def __init__(self, name: str, wire: Wire, names: Callable[[], Names]):
        super().__init__(name)
        self.__dict__.update(_wire=wire, _names=names)

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            found = self._names().all()
            self.__dict__.update(found)
            return sorted(found)
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            value = self._wire.ask("name", name)
        except KeyError:
            raise AttributeError(name) from None
        if isinstance(value, Remote) and object.__getattribute__(value, "_kind") == "module":
            return own_module(object.__getattribute__(value, "__name__"))
        return value


def _run_pytest(wire: Wire, source: str, head: dict[str, Any], teller: Teller, directory: str) -> None:
    sys.modules["pytest"] = minipytest
    tree = _read(wire, source, "test_solution.py")
    names = partial(Names, wire, source, _read(wire, source, "test_solution.py"), entry=head["entry"])
    sys.modules[head["module"]] = _SolutionModule(head["module"], wire, names)
    sys.modules["__main__"] = sys.modules[head["module"]]
    module = types.ModuleType("__tests__")
    module.__file__ = f"{directory}/test_solution.py"
    sys.modules["__tests__"] = module
    witness = Witness()
    witness.watch(tree)
    code = compile(tree, "test_solution.py", "exec", dont_inherit=True)

    def load() -> None:
        wire.ask("ready")
        mirror(wire, source)
        exec(code, module.__dict__)

    if attempt(wire, "import", load, teller, counted=False) != "passed":
        return
    for name, body in collect(module):
        if attempt(wire, name, body, teller) in (None, "died"):
            return
    _conclude(wire, witness, teller, "no test was collected")
