"""Whether a completion follows the instructions that a program can check."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

from verifiers.base import Case, Judge, Outcome, Verdict, Verifier
from verifiers.ifeval.checks import CHECKS

__all__ = ["IFEval", "read_instructions"]

Instruction = tuple[str, Mapping[str, Any]]


class IFEval(Verifier):
    """All instructions of a case must be followed; the score is the share that is.

    A case's tests are JSON: `{"type": "ifeval", "instructions": [{"id": ..., "kwargs": {...}}]}`, or with the
    published fields `instruction_id_list` and `kwargs`, two lists side by side.
    """

    version: ClassVar[str] = "2"
    type: Literal["ifeval"] = "ifeval"
    mode: Literal["strict", "loose"] = "strict"
    """Loose forgives Markdown asterisks and a first or last line around the answer, as the paper does."""

    @contextmanager
    def open(self) -> Iterator[Judge]:
        """Holds nothing."""
        yield lambda cases: [self._verdict(case) for case in cases]

    def _verdict(self, case: Case) -> Verdict:
        start = time.perf_counter()
        outcome, score, detail = self._find(case)
        return Verdict("ifeval", self.version, outcome, score, detail, time.perf_counter() - start)

    def _find(self, case: Case) -> tuple[Outcome, float | None, str]:
        try:
            instructions = read_instructions(case.tests)
            broken = [
                name for name, arguments in instructions if not self._followed(case.content, name, arguments)
            ]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            return "error", None, f"the instructions cannot be checked: {type(error).__name__}: {error}"[:200]
        score = 1.0 - len(broken) / len(instructions)
        return ("fail" if broken else "pass"), score, f"not followed: {', '.join(broken)}" if broken else ""

    def _followed(self, text: str, name: str, arguments: Mapping[str, Any]) -> bool:
        check = CHECKS[name]
        variants = [text] if self.mode == "strict" else _variants(text)
        # The check runs on an empty text as well: arguments that are missing are an error whatever was said.
        return any(check(variant, arguments) and bool(variant.strip()) for variant in variants)


def _variants(text: str) -> list[str]:
    lines = text.split("\n")
    cut = [text, "\n".join(lines[1:]).strip(), "\n".join(lines[:-1]).strip(), "\n".join(lines[1:-1]).strip()]
    return [*cut, *(one.replace("*", "") for one in cut)]


def read_instructions(tests: str | None) -> list[Instruction]:
    """Names and arguments of a case's instructions; arguments that are null are left out.

    Raises ValueError when the tests are of another kind, name no instruction, or name an unknown one.
    """
    if tests is None:
        raise ValueError("the case has no instructions")
    read = json.loads(tests)
    if not isinstance(read, dict) or read.get("type", "ifeval") != "ifeval":
        raise ValueError("the tests are of another type than 'ifeval'")
    if "instruction_id_list" in read:
        names, arguments = (
            read["instruction_id_list"],
            read.get("kwargs") or [{}] * len(read["instruction_id_list"]),
        )
        listed = list(zip(names, arguments, strict=True))
    else:
        listed = [(one["id"], one.get("kwargs") or {}) for one in read.get("instructions", [])]
    if not listed:
        raise ValueError("the case has no instructions")
    return [(_known(name), _given(arguments)) for name, arguments in listed]


def _known(name: str) -> str:
    if name not in CHECKS:
        raise ValueError(f"unknown instruction {name!r}")
    return name


def _given(arguments: Any) -> dict[str, Any]:
    if isinstance(arguments, str):
        arguments = json.loads(arguments)
    given = {name: value for name, value in dict(arguments or {}).items() if value is not None}
    # Tables that keep numbers as floats hand back 3.0 where 3 was meant.
    return {
        key: int(value) if isinstance(value, float) and value.is_integer() else value
        for key, value in given.items()
    }
