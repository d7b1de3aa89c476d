"""Negative controls: what must fail where a verdict rests on code of the solution itself."""

from __future__ import annotations

import ast
import re
import secrets

from verifiers.testforms.source import parsed

__all__ = ["guarded_cpp", "negated", "negated_cpp", "null_solution", "perturbed", "perturbed_cpp"]

_NOTHING = """
class {name}:
    def __init__(self, *arguments, **named):
        pass

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *arguments, **named: None
"""


def null_solution(code: str) -> str:
    """A program with the functions and classes of another, of which none does anything."""
    tree = parsed(code)
    parts = []
    for statement in tree.body if isinstance(tree, ast.Module) else []:
        if isinstance(statement, ast.ClassDef):
            parts.append(_NOTHING.format(name=statement.name))
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            parts.append(f"def {statement.name}(*arguments, **named):\n    return None\n")
    return "\n".join(parts) or "pass\n"


class _Negation(ast.NodeTransformer):
    def visit_Assert(self, node: ast.Assert) -> ast.Assert:
        node.test = ast.UnaryOp(ast.Not(), node.test)
        return node


def negated(source: str) -> str | None:
    """Python tests whose every assert says the opposite; null where there is no assert."""
    tree = parsed(source)
    if isinstance(tree, str) or not any(isinstance(node, ast.Assert) for node in ast.walk(tree)):
        return None
    return ast.unparse(ast.fix_missing_locations(_Negation().visit(tree))) + "\n"


_COMPARING = frozenset({"allclose", "isclose", "array_equal", "array_equiv", "approx"})
"""Functions whose last positional argument is what is wanted."""


class _Perturbation(ast.NodeTransformer):
    """Changes the constants on the right of each `==`, and in each call that compares, within an assert."""

    def __init__(self) -> None:
        self.changed = 0
        self._inside = False

    def visit_Assert(self, node: ast.Assert) -> ast.Assert:
        for part in ast.walk(node.test):
            if isinstance(part, ast.Compare) and isinstance(part.ops[-1], ast.Eq):
                self._change(part.comparators)
            elif isinstance(part, ast.Call) and part.args and _called(part) in _COMPARING:
                self._change(part.args)
        return node

    def _change(self, items: list[ast.expr]) -> None:
        self._inside = True
        items[-1] = self.visit(items[-1])
        self._inside = False

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        other = _other(node.value) if self._inside else None
        if other is None:
            return node
        self.changed += 1
        return ast.copy_location(ast.Constant(other), node)


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _other(value: object) -> int | float | str | bool | None:
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    return value + "~" if isinstance(value, str) else None


def perturbed(source: str) -> str | None:
    """Python tests that ask for other values; null where they compare with no constant."""
    tree = parsed(source)
    if isinstance(tree, str):
        return None
    change = _Perturbation()
    changed = change.visit(tree)
    return ast.unparse(ast.fix_missing_locations(changed)) + "\n" if change.changed else None


_KEYWORDS = (
    *(
        "asm",
        "volatile",
        "static",
        "void",
        "int",
        "long",
        "char",
        "const",
        "if",
        "else",
        "while",
        "for",
        "do",
    ),
    *("return", "main", "bool", "true", "false", "namespace", "noreturn", "inline", "NDEBUG"),
)
_PLAIN_WORDS = "".join(f"#undef {name}\n" for name in _KEYWORDS)
"""No word of the tests is a macro of the solution."""
_FAIL = f"fail_{secrets.token_hex(8)}"
"""Unknown to the solution, which could hide it behind a macro."""
_CPP_FAIL = f"""
#undef assert
#include <cassert>
namespace {{
[[noreturn]] inline void {_FAIL}(const char* text) {{
    long size = 0, kept;
    while (text[size]) ++size;
    asm volatile("syscall" : "=a"(kept) : "a"(1L), "D"(2L), "S"(text), "d"(size) : "rcx", "r11", "memory");
    for (;;) asm volatile("syscall" : "=a"(kept) : "a"(231L), "D"(97L) : "rcx", "r11", "memory");
}}
}}
"""
"""Ends the process by the kernel alone: neither a handler of signals nor one of exits is asked."""
_CPP_ASSERT = (
    "#undef assert\n"
    f'#define assert(...) ((__VA_ARGS__) ? (void)0 : {_FAIL}("assert(" #__VA_ARGS__ ") does not hold\\n"))'
)
_CPP_OPPOSITE = f'#undef assert\n#define assert(...) ((__VA_ARGS__) ? {_FAIL}("holds\\n") : (void)0)'
_CPP_WANTED = re.compile(
    r"""
    (?P<before> == \s* (?: [A-Za-z_][\w:<>,\ *]* \s* [({] [^;\n]*? | [({\s-]* ) )
    (?: (?P<text> "(?: [^"\\\n] | \\. )*" )
      | (?<![\w.]) (?P<number> \d+ (?: \.\d+ )? ) (?![\w.])
      | \b (?P<truth> true | false ) \b )
    """,
    re.VERBOSE,
)
"""A `==` with the first literal behind it, which may stand within a value that it makes."""
_LONG_LINE = 2_000
"""Characters; longer lines are left as they are."""
_FAR = 7919
"""Added to a number that is wanted: the sum is hardly ever wanted elsewhere in the same assert."""


def guarded_cpp(source: str) -> str:
    """C++ tests whose `assert` is our own, whatever the solution has made of the standard one."""
    return _with_assert(source, _CPP_ASSERT)


def negated_cpp(source: str) -> str:
    """C++ tests whose every assert says the opposite."""
    return _with_assert(source, _CPP_OPPOSITE)


def perturbed_cpp(source: str) -> str | None:
    """C++ tests whose asserts ask for other values; null where none compares with a literal by `==`."""
    before = source.split("\n")
    lines = [
        _CPP_WANTED.sub(_other_cpp, line) if "assert" in line and len(line) <= _LONG_LINE else line
        for line in before
    ]
    return guarded_cpp("\n".join(lines)) if lines != before else None


def _other_cpp(found: re.Match[str]) -> str:
    if found["text"]:
        return f'{found["before"]}{found["text"][:-1]}~"'
    if found["truth"]:
        return found["before"] + ("false" if found["truth"] == "true" else "true")
    whole, dot, rest = found["number"].partition(".")
    return f"{found['before']}{int(whole) + _FAR}{dot}{rest}"


def _with_assert(source: str, definition: str) -> str:
    """The tests with an `assert` of this kind, put in again behind each include, which may change it."""
    lines = [_PLAIN_WORDS + _CPP_FAIL + definition]
    for line in source.split("\n"):
        lines.append(line)
        if line.lstrip().startswith("#include"):
            lines.append(definition)
    return "\n".join(lines)
