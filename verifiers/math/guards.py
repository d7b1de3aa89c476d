"""What is not worth asking, and what must not be believed, before the symbolic check."""

from __future__ import annotations

import re

from verifiers.math.canonical import canonical, clean
from verifiers.math.number import MAX_DIGITS, read_number
from verifiers.math.scan import depth_exceeds

__all__ = ["copied_from_prompt", "missing_reference", "too_costly"]

MAX_NESTING = 60
MAX_FACTORIAL = 10_000
MAX_EXPONENT = 10_000
MAX_LENGTH = 2_000

_SENTINELS = frozenset(
    [
        *("", "proof", "notfound", "none", "null", "nil", "na", "n/a", "nan", "unknown", "noanswer", "error"),
        *("seesolution", "seeproof", "seeabove", "seebelow", "seeexplanation", "seetext", "seefigure"),
        *("omitted", "invalid", "tbd", "tba", "todo", "tobedetermined", "qed", "quoderatdemonstrandum"),
        *("answersvary", "answerswillvary", "answersmayvary", "prooffollows", "proofomitted", "missing"),
        *(
            "notavailable",
            "notprovided",
            "notapplicable",
            "empty",
            "blank",
            "placeholder",
            "answer",
            "solution",
        ),
    ]
)
"""Stand-ins for an answer, as letters alone."""
_PROOF = re.compile(
    r"(?i)(?:see|refer to|cf\.?)\b.{0,60}\b(?:proof|solution|explanation|figure|graph|text|above"
    r"|below|attached|appendix|image)\b|(?:proof|prove|show that)\b.*"
)
_EXPONENT = re.compile(r"\^\s*\{?\s*-?(\d{5,})")
_FACTORIAL = re.compile(r"(\d+)\s*!|!\s*\)\s*!|\d\s*\^[^()]*\)\s*!")
_CHAIN = re.compile(r"\d\s*\^\s*\{?\s*[\w\\]+\s*\}?\s*\^|\^\s*\{[^{}]*\^\s*\{[^{}]*\^")
_BINOMIAL = re.compile(r"\\[dt]?binom\s*\{\s*(\d+)\s*\}|C\(\s*(\d+)")


def missing_reference(reference: str | None) -> bool:
    """Whether a reference is absent or a stand-in for an answer that nobody wrote down."""
    if reference is None:
        return True
    if len(reference) > 120:
        return False
    spelled = canonical(reference).lower()
    if not any(symbol.isalnum() or symbol in "\\∅" for symbol in spelled):
        return True
    letters = re.sub(r"[\s.\[\]()\-_:!?\"']", "", spelled)
    return letters in _SENTINELS or _PROOF.fullmatch(spelled) is not None


def too_costly(latex: str) -> str | None:
    """Why a formula is not evaluated, or null. Only plain bounds: what slips through meets the deadline."""
    if len(latex) > MAX_LENGTH:
        return f"longer than {MAX_LENGTH} characters"
    if any(len(run) > MAX_DIGITS for run in re.findall(r"\d+", latex)):
        return f"more than {MAX_DIGITS} digits"
    if depth_exceeds(latex, MAX_NESTING) or latex.count("|") > 2 * MAX_NESTING:
        return f"nested deeper than {MAX_NESTING}"
    if any(len(digits) > 6 or int(digits) > MAX_EXPONENT for digits in _EXPONENT.findall(latex)):
        return f"an exponent above {MAX_EXPONENT}"
    if _CHAIN.search(latex):
        return "a tower of powers"
    for match in _FACTORIAL.finditer(latex):
        if match[1] is None or len(match[1]) > 6 or int(match[1]) > MAX_FACTORIAL:
            return f"a factorial above {MAX_FACTORIAL}"
    if any(len(a or b) > 5 for a, b in _BINOMIAL.findall(latex)):
        return "a binomial coefficient above 10^5"
    return None


_COMPUTES = re.compile(
    r"[+*/^]|\d\s*-|\\(?:cdot|times|div|frac|sqrt|int|sum|prod|lim|binom|log|ln|sin|cos|tan)"
)


def copied_from_prompt(answer: str, *, reference: str, prompt: str) -> bool:
    """Whether the answer is a formula of the prompt handed back unevaluated.

    A plain number may well be named in the prompt; only a formula that still computes something is a copy.
    """
    if not prompt or read_number(answer) is not None:
        return False
    key = canonical(answer)
    if key == canonical(reference) or not _COMPUTES.search(key):
        return False
    if prompt.isascii() and any(run not in prompt for run in re.findall(r"\d+", key)):
        return False  # not even its numbers are there
    # A copy may be wrapped in a trivial relation or bracket of its own, so compare without space and signs.
    asked = canonical(prompt.replace("$", " "))
    return _squeezed(key) in _squeezed(asked)


_TIMES = re.compile(r"\\(?:times|cdot|ast)(?![a-zA-Z])")


def _squeezed(key: str) -> str:
    return re.sub(r"[\s{}]|\\[,;!]", "", _TIMES.sub("*", clean(key)))
