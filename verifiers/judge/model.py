"""The judge's model as the verifier sees it, and the soft score in a verdict's token probabilities."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["JudgeCompletion", "Model", "Sampling", "TokenLogprobs", "soft_score", "stated_value"]

Message = Mapping[str, str]
"""One chat message: `role` and `content`."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """What a judge asks of its model, besides the messages."""

    temperature: float
    top_p: float
    max_tokens: int
    seed: int
    logprobs: int
    """How many alternatives per token to report."""
    choices: tuple[str, ...] = ()
    """JSON objects of one key, one of which the whole answer must be; none lets the model write freely."""


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """One generated token, with the log probabilities of the likeliest in its place, itself included."""

    text: str
    top: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class JudgeCompletion:
    """One completion. `tokens` join to `text`; empty when the model reports no probabilities."""

    text: str
    tokens: Sequence[TokenLogprobs] = ()


Model = Callable[[Sequence[Sequence[Message]], Sampling], Sequence[JudgeCompletion]]
"""Answers a batch of conversations, one completion each, in order. Raises when the model is out of reach."""

_VERDICT = re.compile(r'"correct"\s*:\s*("?)(true|false)\1', re.IGNORECASE)
_GRADE = re.compile(r'"score"\s*:\s*(\d+(?:\.\d+)?)')
_ITEMS = re.compile(r'(\{\s*"items"\s*:)')
_THINK_END = "</think>"


def stated_value(text: str, *, form: str) -> tuple[str, int] | None:
    """What the last verdict behind the thinking says, and where in the text; null when there is none."""
    pattern = {"correct": _VERDICT, "score": _GRADE, "rubric": _ITEMS}[form]
    start = text.rfind(_THINK_END) + len(_THINK_END) if _THINK_END in text else 0
    if "<think>" in text and _THINK_END not in text:
        return None
    found = list(pattern.finditer(text, start))
    if not found:
        return None
    group = 2 if form == "correct" else 1
    return found[-1][group].lower() if form == "correct" else found[-1][group], found[-1].start(group)


def soft_score(completion: JudgeCompletion, *, form: str, highest: int = 5) -> float | None:
    """A score between 0 and 1 from the probabilities at the verdict's own token; null when it cannot be read.

    `correct`: p(true) / (p(true) + p(false)). `score`: the expected grade over the digits, by `highest`.
    Without probabilities the stated value counts as certain, since a verdict
    was given; a text without a verdict has no score, which is not a score of 0 or 0.5.
    """
    stated = stated_value(completion.text, form=form)
    if stated is None:
        return None
    value, position = stated
    if not completion.tokens:
        return _certain(value, form=form, highest=highest)
    top = _top_at(completion.tokens, position)
    if top is None:
        return None
    if form == "score":
        return _expected_grade(top, highest=highest)
    weights = [_mass(top, side) for side in ("true", "false")]
    return weights[0] / sum(weights) if sum(weights) > 0 else None


def _certain(value: str, *, form: str, highest: int) -> float | None:
    if form == "score":
        grade = float(value) / highest
        return grade if 0 <= grade <= 1 else None
    return 1.0 if value == "true" else 0.0


def _top_at(tokens: Sequence[TokenLogprobs], position: int) -> Mapping[str, float] | None:
    """The alternatives to the token that holds the character at `position`."""
    end = 0
    for token in tokens:
        end += len(token.text)
        if end > position:
            return token.top
    return None


def _bare(token: str) -> str:
    return token.strip(" \n\t\"':▁Ġ").lower()


def _mass(top: Mapping[str, float], side: str) -> float:
    """Probability of all spellings of one side; a first piece such as `tr` or `fal` counts as its word."""
    total = 0.0
    for token, logprob in top.items():
        spelled = _bare(token)
        if spelled and (spelled == side or (len(side) > 1 and side.startswith(spelled))):
            total += math.exp(logprob)
    return total


def _expected_grade(top: Mapping[str, float], *, highest: int) -> float | None:
    weights = dict.fromkeys(range(highest + 1), 0.0)
    for token, logprob in top.items():
        spelled = _bare(token)
        if spelled.isdecimal() and spelled.isascii() and int(spelled) in weights:
            weights[int(spelled)] += math.exp(logprob)
    total = sum(weights.values())
    return sum(grade * weight for grade, weight in weights.items()) / (total * highest) if total else None
