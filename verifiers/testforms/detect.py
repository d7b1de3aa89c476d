"""Which form a tests value is in, decided by its keys and never by what it should be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from verifiers.testforms import contests, functions
from verifiers.testforms.form import MAX_CHARS, BadTests, CodeTests, loaded, validated
from verifiers.testforms.fusion import from_sandboxfusion, stdin_objects

__all__ = ["FORMS", "convert", "detect", "from_am", "read_tests"]

_PACKED = re.compile(r"[A-Za-z0-9+/]{16,}[A-Za-z0-9+/=\s]*")


def from_am(info: Any) -> CodeTests:
    """The `info` of an AM message, or its `test_case` alone: in the form of the source of the row."""
    return read_tests(info["test_case"] if isinstance(info, Mapping) and "test_case" in info else info)


FORMS: Mapping[str, Callable[[Any], CodeTests]] = {
    "code": validated,
    "humaneval": functions.from_humaneval,
    "mbpp": lambda value: functions.from_mbpp(value if isinstance(value, Mapping) else {"test_list": value}),
    "functional": functions.from_functional,
    "kodcode": functions.from_kodcode,
    "python": functions.from_python,
    "apps": contests.from_apps,
    "code_contests": lambda value: contests.from_code_contests(
        value if isinstance(value, Mapping) and "input" not in value else {"public_tests": value}
    ),
    "livecodebench": lambda value: contests.from_livecodebench(
        value if isinstance(value, Mapping) else {"public_test_cases": value}
    ),
    "prime": lambda value: contests.from_prime(
        value if isinstance(value, Mapping) else {"test_cases": value}
    ),
    "codeforces": contests.from_codeforces,
    "sandboxfusion": lambda value: (
        from_sandboxfusion(value) if isinstance(value, Mapping) else stdin_objects(value)
    ),
    "am": from_am,
}
"""Converters by the name of their form. Each raises BadTests for a value that it cannot use."""


def read_tests(value: Any) -> CodeTests:
    """The tests of a value in any known form: text, or what its JSON holds.

    Raises:
        BadTests: it is in no known form, or broken.
    """
    value = _opened(value)
    return convert(value, form=detect(value))


def convert(value: Any, *, form: str) -> CodeTests:
    """The tests of a value in the form named.

    Raises:
        BadTests: there is no such form, or the value is broken.
    """
    if form not in FORMS:
        raise BadTests(f"no form of tests is called {form!r}; there are {', '.join(sorted(FORMS))}")
    try:
        return FORMS[form](_opened(value))
    except (AttributeError, TypeError, KeyError, IndexError, ValueError, RecursionError) as error:
        if isinstance(error, BadTests):
            raise
        # Other people's rows break in more ways than can be listed.
        raise BadTests(f"the tests cannot be read as {form}: {type(error).__name__}: {error}") from None


def detect(value: Any) -> str:
    """The name of the form of a value, one of `FORMS`.

    Raises:
        BadTests: it is in no known form.
    """
    value = _opened(value)
    if isinstance(value, str):
        return "livecodebench" if _PACKED.fullmatch(value.strip()) else "python"
    if isinstance(value, Mapping):
        return _form_of_keys(value)
    if isinstance(value, list) and value:
        return _form_of_items(value)
    raise BadTests(f"the tests are {'an empty list' if value == [] else type(value).__name__}")


def _opened(value: Any) -> Any:
    """What a text holds, where it is JSON; twice, since some rows are packed so."""
    for _ in range(2):
        if not isinstance(value, str):
            break
        if len(value) > MAX_CHARS:
            raise BadTests(f"the tests are {len(value)} characters long, more than {MAX_CHARS}")
        if value.lstrip()[:1] not in ("[", "{", '"'):
            break
        value = loaded(value)
    return value


def _form_of_keys(value: Mapping[str, Any]) -> str:
    if "type" in value or "kind" in value:
        if value.get("type", "code") != "code":
            raise BadTests(f"the tests are of another type than 'code': {value['type']!r}")
        return "code"
    for form, signs in _SIGNS:
        if signs <= value.keys():
            return form
    raise BadTests(f"no known form of tests has the keys {sorted(map(str, value))[:8]}")


_SIGNS: list[tuple[str, set[str]]] = [
    ("am", {"test_case"}),
    ("apps", {"input_output"}),
    ("apps", {"inputs", "outputs"}),
    ("code_contests", {"public_tests"}),
    ("code_contests", {"private_tests"}),
    ("livecodebench", {"public_test_cases"}),
    ("livecodebench", {"private_test_cases"}),
    ("prime", {"verification_info"}),
    ("prime", {"test_cases"}),
    ("codeforces", {"official_tests"}),
    ("functional", {"functional"}),
    ("sandboxfusion", {"content", "labels"}),
    ("sandboxfusion", {"code", "input", "output"}),
    ("mbpp", {"test_list"}),
    ("kodcode", {"test_code"}),
    ("kodcode", {"test", "test_info"}),
    ("kodcode", {"test", "test_entry_point"}),
    ("humaneval", {"test", "entry_point"}),
    ("code_contests", {"input", "output"}),
]
"""Keys by which a form is known; the first that fits is taken, so the telling ones come first."""


def _form_of_items(items: list[Any]) -> str:
    if all(isinstance(item, str) for item in items):
        return "mbpp"
    if not all(isinstance(item, Mapping) for item in items):
        raise BadTests("the tests are a list of neither texts nor objects")
    first = items[0]
    if "testtype" in first:
        return "livecodebench"
    if isinstance(first.get("input"), Mapping):
        return "sandboxfusion"
    if "type" in first or "fn_name" in first:
        return "prime"
    if {"input", "output"} <= first.keys():
        return "code_contests"
    raise BadTests(f"no known form of tests is a list of objects with the keys {sorted(first)[:8]}")
