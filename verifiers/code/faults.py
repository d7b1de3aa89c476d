"""Failures that say nothing of the completion: those of the tests, the machine or the harness."""

from __future__ import annotations

import ast
import re
import sys

from sandbox import TestResult
from verifiers.code.blocks import Program
from verifiers.code.runs import Ran
from verifiers.testforms import AssertTests, CodeTests, PytestTests
from verifiers.testforms.source import free_names, imported_packages, parsed

__all__ = ["harness_fault"]

_NO_MODULE = re.compile(r"No module named '([A-Za-z_]\w*)")
_NO_NAME = re.compile(r"NameError: name '(\w+)' is not defined")
_WELL_KNOWN = frozenset({
    "PIL", "attr", "bs4", "cv2", "django", "flask", "gmpy2", "lxml", "matplotlib", "networkx", "nltk",
    "numba", "numpy", "pandas", "psutil", "pydantic", "pytz", "regex", "requests", "scipy", "seaborn",
    "simplejson", "sklearn", "sortedcontainers", "statsmodels", "sympy", "tensorflow", "torch", "yaml",
})  # fmt: skip
"""Packages that a completion may rightly hope for; a module that nobody knows is its own mistake."""


def harness_fault(program: Program, ran: Ran, tests: CodeTests) -> str | None:
    """Why a run that did not pass says nothing of its program; null where it does say so.

    A program chooses the text of its exceptions, so a text alone excuses nothing.
    """
    failed = [test for test in ran.result.tests if test.verdict not in ("AC", "TLE", "MLE", "OLE")]
    if program.language != "python" or not failed:
        return None
    tree = parsed(ran.source) if isinstance(tests, (AssertTests, PytestTests)) else ""
    code = parsed(program.code)
    own = set() if isinstance(code, str) else imported_packages(code)
    of_tests = set() if isinstance(tree, str) else imported_packages(tree)
    missing = _missing_package([test.reason for test in failed], of_tests, own & _WELL_KNOWN)
    if missing is not None or isinstance(tree, str):
        return missing
    undecided = next((test.undecided for test in failed if test.undecided), None)
    if undecided is not None:
        return f"the tests cannot decide here: {undecided}"
    return _unknown_name(failed, tree, tests)


def _missing_package(reasons: list[str], of_tests: set[str], of_program: set[str]) -> str | None:
    for reason in reasons:
        found = _NO_MODULE.search(reason)
        if found and found[1] not in sys.stdlib_module_names and found[1] in of_tests | of_program:
            return f"the package '{found[1]}' is not in the sandbox; add it to 'packages'"
    return None


def _unknown_name(failed: list[TestResult], tree: ast.Module, tests: CodeTests) -> str | None:
    """A name that the tests use beside their entry point, and that nobody was asked to define."""
    entry = getattr(tests, "entry_point", None)
    for test in failed if entry else []:
        # What the solution raises itself is an RE.
        found = _NO_NAME.search(test.reason) if test.verdict == "WA" else None
        if found and found[1] != entry and found[1] in free_names(tree):
            return f"the tests use '{found[1]}', which nothing defines"
    return None
