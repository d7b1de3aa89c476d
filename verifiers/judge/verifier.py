"""A language model as judge, kept on a short lead."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from verifiers.base import Case, Judge, Outcome, Verdict, Verifier
from verifiers.judge.model import JudgeCompletion, Message, Model, Sampling, soft_score
from verifiers.judge.own_prompt import check_template, rendered
from verifiers.judge.prompts import (
    answer_form,
    conversation_text,
    grade_messages,
    own_messages,
    reference_messages,
    rubric_messages,
)
from verifiers.judge.rubric import RubricItem, read_rubric, require_positive, rubric_score
from verifiers.judge.rules import early_finding, for_the_judge, shown_turns

__all__ = ["LLMJudge", "ModelSource", "may_rescue", "rescued"]

ModelSource = Callable[[str], AbstractContextManager[Model]]
"""Opens the model of a name; the caller who has the machines supplies it."""
SHOWN_CHARS = 12_000
"""Of the question and of the answer; longer ones keep their end."""
RESCUED = "rescued by the judge: "


class LLMJudge(Verifier):
    """Asks a model whether the answer part agrees with the reference, or how good it is.

    Rules come first: what is empty, copied or speaks to the judge fails unasked. The score is the mean over
    the votes of the verdict token's probability; a vote without a readable verdict does not count, and a case
    without any is an `error`.
    """

    version: ClassVar[str] = "2"
    type: Literal["judge"] = "judge"
    model: str
    """Name of the judge model, with its revision where it has one."""
    ask: Literal["reference", "grade", "rubric", "own"] = "reference"
    """Agreement with the reference, a grade from 0 to `highest_grade`, the items of a rubric one by one, or
    the question of `prompt_template`."""
    rubric: tuple[RubricItem, ...] | None = Field(default=None, min_length=1)
    """What every answer must meet; null: `ask: rubric` reads the items in each row's tests. The score is the
    weight of the items met over all weight."""
    prompt_template: str | None = None
    """A Jinja template that asks the question, for `ask: own`; it may name prompt, turns, answer, reference,
    rubric, mark and answer_form."""
    answer_form: Literal["verdict", "score", "rubric"] | None = None
    """How the answer to one's own template is written: true or false, a grade, or the items of the rubric."""
    votes: int = Field(default=1, ge=1)
    """Samples per case; above 1 they are drawn with `temperature`."""
    temperature: float = Field(default=0.6, ge=0, le=5)
    """Used for several votes; a single vote is greedy."""
    threshold: float = Field(default=0.5, gt=0, le=1)
    """Least mean score of a pass."""
    highest_grade: int = Field(default=5, ge=1, le=9)
    """Best grade, one digit so that it is one token."""
    max_tokens: int = Field(default=2_048, ge=16)
    """Budget of one vote; reasoning judges need at least 1,024."""
    think: bool = True
    """Whether the model may think before its verdict. If not, its answer is held to the verdict's JSON: cheap
    and always readable, but a worse judge than a model that reasons."""
    short_reference_words: int = Field(default=3, ge=0)
    """A reference of at most this many words must occur in the answer; 0 leaves that to the model."""
    seed: int = 0
    """Seed of the votes and of the marks around what is judged."""

    @model_validator(mode="after")
    def _asks_one_thing(self) -> LLMJudge:
        own = self.ask == "own"
        if own != (self.prompt_template is not None) or own != (self.answer_form is not None):
            raise ValueError("`ask: own` needs a template and an `answer_form`, and they need `ask: own`")
        if self.prompt_template is not None:
            check_template(self.prompt_template)
        if self.rubric is not None:
            require_positive(self.rubric)
            if self.form != "rubric":
                raise ValueError("a `rubric` is for `ask: rubric`, or for `answer_form: rubric`")
        return self

    @property
    def form(self) -> Literal["correct", "score", "rubric"]:
        """The form of the verdict that is read."""
        asked = self.answer_form or {"reference": "verdict", "grade": "score"}.get(self.ask, "rubric")
        return "correct" if asked == "verdict" else "score" if asked == "score" else "rubric"

    def items_of(self, case: Case) -> tuple[RubricItem, ...]:
        """The rubric for a case; empty where none is asked. Raises ValueError where it cannot be read."""
        if self.form != "rubric":
            return ()
        return self.rubric if self.rubric is not None else read_rubric(case.tests)

    def open(self, source: ModelSource | None = None) -> AbstractContextManager[Judge]:
        """Holds the model. Raises ValueError without a source: this package loads no language model."""
        if source is None:
            raise ValueError(f"the judge {self.model!r} needs a source that opens its model")
        return self._opened(source)

    @contextmanager
    def _opened(self, source: ModelSource) -> Iterator[Judge]:
        with source(self.model) as model:
            yield lambda cases: self._judged(cases, model)

    def _judged(self, cases: Sequence[Case], model: Model) -> list[Verdict]:
        start = time.perf_counter()
        found: dict[int, tuple[Outcome, float | None, str]] = {}
        asked: list[int] = []
        for number, case in enumerate(cases):
            early = self._early(case)
            if early is None:
                asked.append(number)
            else:
                found[number] = early
        found.update(zip(asked, self._voted([cases[number] for number in asked], model), strict=True))
        seconds = (time.perf_counter() - start) / max(1, len(cases))
        return [Verdict("judge", self.version, *found[number], seconds) for number in range(len(cases))]

    def _early(self, case: Case) -> tuple[Outcome, float | None, str] | None:
        if self.ask == "reference" and not (case.reference and case.reference.strip()):
            return "error", None, "no reference to compare with"
        try:
            self._messages(case, 0)
        except ValueError as error:
            return "error", None, str(error)[:200]
        fault = early_finding(
            case.content,
            prompt=case.prompt,
            reference=case.reference,
            short_reference_words=self.short_reference_words if self.ask in ("reference", "grade") else 0,
        )
        return None if fault is None else ("fail", 0.0, f"not asked: {fault}")

    def _voted(self, cases: Sequence[Case], model: Model) -> list[tuple[Outcome, float | None, str]]:
        if not cases:
            return []
        scores: list[list[float]] = [[] for _ in cases]
        for vote in range(self.votes):
            conversations = [self._messages(case, vote) for case in cases]
            try:
                completions = model(conversations, self._sampling(vote))
            except Exception as error:
                # The model's machine failing says nothing about the cases.
                return [("error", None, f"the judge model failed: {error!r}"[:200])] * len(cases)
            for votes, case, completion in zip(scores, cases, completions, strict=True):
                score = self._score(case, completion)
                votes += [] if score is None else [score]
        return [self._finding(votes) for votes in scores]

    def _score(self, case: Case, completion: JudgeCompletion) -> float | None:
        if self.form == "rubric":
            return rubric_score(completion.text, self.items_of(case))
        return soft_score(completion, form=self.form, highest=self.highest_grade)

    def _finding(self, votes: Sequence[float]) -> tuple[Outcome, float | None, str]:
        if not votes:
            return "error", None, f"no verdict can be read in {self.votes} votes"
        mean = statistics.fmean(votes)
        spread = statistics.pstdev(votes)
        detail = f"{len(votes)} of {self.votes} votes read, mean {mean:.3f}, spread {spread:.3f}"
        return ("pass" if mean >= self.threshold else "fail"), mean, detail

    def _messages(self, case: Case, vote: int) -> list[Message]:
        answer = for_the_judge(case.content, limit=SHOWN_CHARS)
        mark = _mark(self.seed, vote, case.prompt, case.content)
        prompt = conversation_text(shown_turns(case, limit=SHOWN_CHARS), mark=mark)
        items = self.items_of(case)
        if self.prompt_template is not None:
            return self._own(case, items, prompt=prompt, answer=answer, mark=mark)
        if self.ask == "rubric":
            listed = [item.criterion for item in items]
            return rubric_messages(
                prompt, reference=case.reference, answer=answer, mark=mark, items=listed, think=self.think
            )
        if self.ask == "reference":
            reference = case.reference or ""
            return reference_messages(prompt, reference=reference, answer=answer, mark=mark, think=self.think)
        return grade_messages(
            prompt,
            reference=case.reference,
            answer=answer,
            mark=mark,
            highest=self.highest_grade,
            think=self.think,
        )

    def _own(
        self, case: Case, items: Sequence[RubricItem], *, prompt: str, answer: str, mark: str
    ) -> list[Message]:
        turns = shown_turns(case, limit=SHOWN_CHARS)
        values = {
            "prompt": prompt,
            "turns": [{"role": role, "content": text} for role, text in turns],
            "answer": answer,
            "reference": case.reference or "",
            "rubric": [{"number": n, **item.model_dump()} for n, item in enumerate(items, 1)],
            "mark": mark,
            "answer_form": answer_form(self.form, highest=self.highest_grade, items=len(items)),
        }
        return own_messages(rendered(self.prompt_template or "", values), mark=mark, think=self.think)

    def _sampling(self, vote: int) -> Sampling:
        temperature = self.temperature if self.votes > 1 else 0.0
        return Sampling(
            temperature,
            top_p=0.95,
            max_tokens=self.max_tokens,
            seed=self.seed + vote,
            logprobs=20,
            choices=() if self.think else self._choices(),
        )

    def _choices(self) -> tuple[str, ...]:
        if self.form == "rubric":
            return ()
        if self.form == "correct":
            return '{"correct": true}', '{"correct": false}'
        return tuple(f'{{"score": {grade}}}' for grade in range(self.highest_grade + 1))


def _mark(seed: int, vote: int, prompt: str, answer: str) -> str:
    """A delimiter that the judged text cannot foresee, and that a second run draws again."""
    drawn = hashlib.sha256(f"{seed}\0{vote}\0{prompt}\0{answer}".encode("utf-8", "replace")).hexdigest()
    return f"=== {drawn[:16]} ==="


def may_rescue(rule: Verdict) -> bool:
    """Whether a judge may be asked after a rule's verdict: never to take a pass away."""
    return rule.verdict != "pass"


def rescued(rule: Verdict, judge: Verdict) -> Verdict:
    """The combined verdict of a rule and the judge asked after it; a rescue says so in its detail.

    A judge that fails or errs leaves the rule's verdict as it was.
    """
    if not may_rescue(rule) or judge.verdict != "pass":
        return rule
    detail = f"{RESCUED}{rule.verifier} said {rule.verdict}; {judge.detail}"
    return Verdict(judge.verifier, judge.version, "pass", judge.score, detail, rule.seconds + judge.seconds)
