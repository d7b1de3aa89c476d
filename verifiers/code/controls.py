"""Negative controls: what must fail where a verdict rests on code of the solution itself."""

from __future__ import annotations

import ast
import re
import secrets
from string import ascii_letters

from verifiers.testforms.source import parsed

__all__ = ["compares_cpp", "guarded_cpp", "negated", "negated_cpp", "null_solution", "perturbed_cpp"]

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
_CHANCE = secrets.SystemRandom()
"""What a control asks for is drawn anew each time: no solution can be made to foresee it."""


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


def compares_cpp(source: str) -> bool:
    """Whether an assert of C++ tests compares by `==`."""
    return any("assert" in line and "==" in line for line in source.split("\n"))


def _other_cpp(found: re.Match[str]) -> str:
    if found["text"]:
        return f'{found["before"]}{found["text"][:-1]}{_CHANCE.choice(ascii_letters)}"'
    if found["truth"]:
        return found["before"] + ("false" if found["truth"] == "true" else "true")
    whole, dot, rest = found["number"].partition(".")
    return f"{found['before']}{int(whole) + _CHANCE.randrange(1_000, 10_000)}{dot}{rest}"


def _with_assert(source: str, definition: str) -> str:
    """The tests with an `assert` of this kind, put in again behind each include, which may change it."""
    lines = [_PLAIN_WORDS + _CPP_FAIL + definition]
    for line in source.split("\n"):
        lines.append(line)
        if line.lstrip().startswith("#include"):
            lines.append(definition)
    return "\n".join(lines)
