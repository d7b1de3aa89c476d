"""Completions made from a problem's own reference: one that must pass, one that must not."""

from __future__ import annotations

import re
from dataclasses import replace

from factory.stages.verification.verifier_config import Proof
from verifiers import Case
from verifiers.code.controls import null_solution
from verifiers.math.reference import read_reference

__all__ = ["code_proof", "math_proof", "mutated"]

_NUMBER = re.compile(r"\d+(?:,\d{3})*")
_OPPOSITES = {"yes": "no", "no": "yes", "true": "false", "false": "true"}


def math_proof(case: Case) -> Proof | None:
    """A box with the reference's answer, and one with another."""
    answer = next(iter(read_reference(case.reference, prompt=case.prompt).answers), None)
    if not answer:
        return Proof(replace(case, content=case.reference or ""), replace(case, content=r"\boxed{0}"))
    return Proof(_boxed(case, answer), _boxed(case, mutated(answer)))


def code_proof(case: Case) -> Proof | None:
    """The reference as a program, where the problem has one; and a program that does nothing."""
    program = (case.reference or "").strip()
    nothing = "pass\n"
    if not program:
        return Proof(None, _fenced(case, nothing))
    if "#include" in program:
        return Proof(_fenced(case, program, "cpp"), _fenced(case, "int main() { return 0; }", "cpp"))
    if "```" in program:
        return Proof(replace(case, content=program), _fenced(case, nothing))
    return Proof(_fenced(case, program), _fenced(case, null_solution(program)))


def mutated(answer: str) -> str:
    """Another answer of the same kind: the next letter, the opposite, one more than its last number."""
    plain = answer.strip()
    letter = re.fullmatch(r"(\(?)([A-Z])(\)?\.?)", plain)
    if letter:
        following = chr((ord(letter[2]) - ord("A") + 1) % 26 + ord("A"))
        return f"{letter[1]}{following}{letter[3]}"
    opposite = _OPPOSITES.get(plain.lower().rstrip("."))
    if opposite:
        return opposite
    numbers = list(_NUMBER.finditer(plain))
    # The digits behind a point decide too little: a tolerance may forgive the last of them.
    whole = [m for m in numbers if not plain[: m.start()].endswith(".")]
    if not whole:
        return f"{plain} + 1"
    last = whole[-1]
    return f"{plain[: last.start()]}{int(last[0].replace(',', '')) + 1}{plain[last.end() :]}"


def _boxed(case: Case, answer: str) -> Case:
    return replace(case, content=f"The answer is \\boxed{{{answer}}}.", finish_reason="stop")


def _fenced(case: Case, program: str, language: str = "python") -> Case:
    return replace(case, content=f"```{language}\n{program}\n```", finish_reason="stop")
