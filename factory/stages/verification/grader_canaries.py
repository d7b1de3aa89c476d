"""Cases with a known verdict for the generic graders, made for the part of the answer that they grade."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from verifiers import Case
from verifiers.canaries import Canary
from verifiers.graders.base import AnswerPart

__all__ = ["CHOICES", "LIKE", "NUMBERS", "NUMBERS_NEAR", "SCHEMAS", "TEXTS", "WORDS", "Known", "canaries_of"]

Known = tuple[str, str, str, bool]
"""A question, its reference, an answer, and whether it must pass."""

_CAPITAL = "What is the capital of Kenya?"
_PICK = "Which is a metal?\nA) oxygen\nB) mercury\nC) argon"
TEXTS: Sequence[Known] = (
    (_CAPITAL, "Nairobi", "Nairobi", True),
    (_CAPITAL, "Nairobi", "  Nairobi ", True),
    (_CAPITAL, "Nairobi", "Mombasa", False),
    (_CAPITAL, "Nairobi", "Nairobi or Mombasa", False),
    (_CAPITAL, "Nairobi", "not Nairobi", False),
)
WORDS: Sequence[Known] = (
    *TEXTS,
    ("Who wrote it?", "The Sisters Bronte", "the sisters Bronte.", True),
    ("Who wrote it?", "The Sisters Bronte", "The Brothers Grimm", False),
)
_LONG = "The river rises in the hills, runs east for nine days and ends in the salt lake."
LIKE: Sequence[Known] = (
    ("Where does it run?", _LONG, _LONG, True),
    ("Where does it run?", _LONG, _LONG.lower().replace(",", ""), True),
    ("Where does it run?", _LONG, "Nobody has ever asked about that.", False),
    # Near misses, which a degree of likeness cannot tell: how many pass is what the manifest says.
    ("Where does it run?", _LONG, _LONG.replace("east", "west"), False),
    ("Where does it run?", _LONG, _LONG.replace("nine", "two").replace("ends", "never ends"), False),
)
NUMBERS: Sequence[Known] = (
    ("How long is it?", "1250 m", "1,250 m", True),
    ("How long is it?", "1250 m", "1250", True),
    ("How long is it?", "1250 m", "1250 km", False),
    ("How many?", "42", "42", True),
    ("How many?", "42", "-42", False),
    ("How many?", "42", "42 or 43", False),
    ("How many?", "42", "42 million", False),
)
NUMBERS_NEAR: Sequence[Known] = (
    ("How many?", "42", "42", True),
    ("How many?", "42", "9" * 300, False),
    ("How many?", "42", "42 or 43", False),
)
"""For wide tolerances."""
CHOICES: Sequence[Known] = (
    (_PICK, "B", "B", True),
    (_PICK, "B", "(B) mercury", True),
    (_PICK, "B", "mercury", True),
    (_PICK, "B", "A", False),
    (_PICK, "B", "B) argon", False),
    (_PICK, "B", "B or C", False),
)
_POINT = json.dumps(
    {
        "type": "json-schema",
        "schema": {
            "type": "object",
            "properties": {"x": {"type": "integer"}},
            "required": ["x"],
            "additionalProperties": False,
        },
    }
)
SCHEMAS: Sequence[Canary] = tuple(
    Canary(f"schema-{number}", Case("Give a point.", text, tests=_POINT), good)
    for number, (text, good) in enumerate(
        (
            ('{"x": 3}', True),
            ('```json\n{"x": -1}\n```', True),
            ('{"x": "3"}', False),
            ("{}", False),
            ("x", False),
        )
    )
)


def canaries_of(
    known: Sequence[Known], *, part: AnswerPart, references: Literal["one", "list"]
) -> tuple[Canary, ...]:
    """The cases with the answer where it is graded, and the reference in the form that is read."""
    planted = []
    for number, (question, reference, said, good) in enumerate(known):
        wanted = json.dumps([reference, reference]) if references == "list" else reference
        planted.append(Canary(f"known-{number}", Case(question, _placed(said, part), reference=wanted), good))
    empty = Case(known[0][0], "", reference=planted[0].case.reference)
    return (*planted, Canary("empty", empty, must_pass=False))


def _placed(said: str, part: AnswerPart) -> str:
    if part == "final":
        return f"After some thought:\n<answer>{said}</answer>"
    return f"After some thought:\n{said}" if part == "last_line" else said
