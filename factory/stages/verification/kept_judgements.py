"""How what a model said of an answer is kept, so that it is never asked twice."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from factory.teachers.answer_cache import Form
from verifiers.judge.model import JudgeCompletion, Sampling, TokenLogprobs, stated_value

__all__ = ["SCORES", "judgements"]

_BEFORE = 200
"""Characters kept before a verdict, enough for the key that names it."""


def _score_key(pair: tuple[str, str]) -> str:
    return json.dumps(pair, ensure_ascii=False)


SCORES: Form[tuple[str, str], Mapping[str, float]] = Form(
    key=_score_key, dump=lambda heads: json.dumps(dict(heads)), load=json.loads
)
"""How scores of a reward model are kept: by the question and the answer."""


def judgements(form: str) -> Form[tuple[Sequence[Mapping[str, str]], Sampling], JudgeCompletion]:
    """How judgements are kept: not the whole text, but the verdict with the likeliest tokens in its place."""

    def key(asked: tuple[Sequence[Mapping[str, str]], Sampling]) -> str:
        messages, how = asked
        drawn = [how.temperature, how.top_p, how.max_tokens, how.seed, how.logprobs, *how.choices]
        return json.dumps([form, [dict(m) for m in messages], drawn], ensure_ascii=False, sort_keys=True)

    return Form(
        key=key,
        # No text at all is a conversation that was refused, which another time may not be.
        dump=lambda answer: json.dumps(_kept(answer, form), ensure_ascii=False) if answer.text else None,
        load=lambda text: _restored(json.loads(text)),
    )


def _kept(answer: JudgeCompletion, form: str) -> list[Any]:
    """Text before the verdict, the verdict, the likeliest tokens in its place; empty where there is none."""
    stated = stated_value(answer.text, form=form)
    if stated is None:
        return []
    position = stated[1]
    start = max(0, position - _BEFORE)
    if not answer.tokens:
        return [answer.text[start:], "", None]
    begins = 0
    for token in answer.tokens:
        if begins + len(token.text) > position:
            start = min(start, begins)
            return [answer.text[start:begins], answer.text[begins:], dict(token.top)]
        begins += len(token.text)
    return []


def _restored(kept: Sequence[Any]) -> JudgeCompletion:
    if not kept:
        return JudgeCompletion("")
    before, rest, top = kept
    if top is None:
        return JudgeCompletion(before)
    return JudgeCompletion(before + rest, (TokenLogprobs(before, {}), TokenLogprobs(rest, top)))
