"""Verifiers that ask a model: a reward model's heads, and a language model as judge.

Both keep what the model said by the content of the question, so that another threshold or combination, or a
run after a crash, asks nothing twice and does not even load the model.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from factory.core import Resources, Site, digest
from factory.core.extras import lacking
from factory.core.paths import DataPath, ModelName, resolve_path
from factory.models.resolve import resolve
from factory.models.reward_models import opened_scorer
from factory.models.spending_caps import SpendingCaps, SpendingLedger
from factory.stages.verification.kept_judgements import SCORES, judgements
from factory.stages.verification.verifier_config import Asked, Opened, Route
from factory.storage.files import read_bytes
from factory.storage.lease import fence
from factory.teachers.answer_cache import Remembering, remembering
from factory.teachers.http import Http
from factory.teachers.judge_model import JudgeStopped, opened_judge
from factory.teachers.vllm import Vllm
from verifiers import Case, LLMJudge, Reward, Verdict
from verifiers.canaries import CANARIES, Canary
from verifiers.judge.model import JudgeCompletion, Model, Sampling
from verifiers.judge.own_prompt import variables_of

__all__ = ["JudgeRoute", "RewardRoute"]


class RewardRoute(Reward, Route):
    """The reward model: scores of the answer part, by heads.

    Combination and threshold are applied to the scores that are kept, so changing them scores nothing again.
    An answer that the model's context cannot hold is an error, since a cut one says little.
    """

    by_rules: ClassVar[bool] = False
    canaries: ClassVar[Sequence[Canary]] = CANARIES
    model: ModelName
    """Folder of a `...ForSequenceClassification` model in Hugging Face form, or its id on the hub."""
    revision: str | None = None
    """Commit on the hub; of no meaning for a folder."""
    runner: Literal["auto", "vllm", "transformers"] = "auto"
    """What runs the model; `auto` is vLLM where it knows the architecture, else transformers."""

    def identity(self) -> dict[str, Any]:
        """Fields, with the digest of the model in place of where it lies."""
        return super().identity() | {"model": self._digest()}

    def lacks(self, resources: Resources) -> str | None:
        """vLLM, or what runs the model in its place."""
        runner = ("vllm",) if self.runner == "vllm" else ("torch", "transformers")
        missing = lacking("vllm", *runner)
        return None if missing is None else f"verifier 'reward' {missing} (without a GPU: [cpu])"

    @contextmanager
    def opened(self, site: Site) -> Iterator[Opened]:
        """Holds the kept scores; the model is loaded when one is missing."""

        def model() -> AbstractContextManager[Callable[[Sequence[Any]], Sequence[Any]]]:
            return opened_scorer(
                self.model, revision=self.revision, runner=self.runner, resources=site.resources
            )

        scored_by = digest([self._digest(), self.runner])
        with remembering(
            f"{site.cache_url.rstrip('/')}/rewards/{scored_by}", SCORES, model=model, fence=fence(site)
        ) as ask:

            @contextmanager
            def source(_: str) -> Iterator[Any]:
                yield ask

            with self.open(source) as judge:
                yield _opened(judge, ask, name=self.type)

    def _digest(self) -> str:
        return resolve(self.model, revision=self.revision).digest


class JudgeRoute(LLMJudge, Route):
    """The language model as judge, behind any teacher that reports the probabilities of its tokens.

    After a verifier named in `rescues` it is asked only about what that one failed or could not judge, and
    only its pass counts; the verdict then begins with `rescued by the judge`. Elsewhere it is a verifier like
    any other. The score is soft: the probability of the verdict's own token.
    """

    by_rules: ClassVar[bool] = False
    canaries: ClassVar[Sequence[Canary]] = CANARIES
    teacher: Annotated[Vllm | Http, Field(discriminator="type")]
    """The model that judges."""
    model: str = ""
    """Not set: the teacher says which model it is."""
    prompt_file: DataPath | None = None
    """File of the Jinja template for `ask: own`, relative to the pipeline file."""
    rescues: tuple[str, ...] = ("math",)
    """Verifiers before this one whose fail, error or timeout a pass of the judge takes the place of."""
    resources: Resources = Field(default_factory=Resources)
    """Where this judge is reached and what it may cost, in place of what the step's `resources` say: a run
    option, never part of the identity."""

    @model_validator(mode="before")
    @classmethod
    def _reads_its_file(cls, given: Any, info: ValidationInfo) -> Any:
        if not isinstance(given, dict) or not given.get("prompt_file") or given.get("prompt_template"):
            return given
        path = resolve_path(str(given["prompt_file"]), (info.context or {}).get("base", "."))
        try:
            return {**given, "prompt_template": read_bytes(path).decode("utf-8")}
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"prompt_file '{path}' cannot be read as UTF-8 text ({error})") from error

    @field_validator("model")
    @classmethod
    def _is_the_teachers(cls, model: str) -> str:
        if model:
            raise ValueError("the model of a judge is its teacher's; set `teacher: {type: .., model: ..}`")
        return model

    @field_validator("teacher")
    @classmethod
    def _is_one_model(cls, teacher: Vllm | Http) -> Vllm | Http:
        if getattr(teacher, "lora", None) is not None:
            raise ValueError("a judge takes no `lora`; merge the adapter into the model's folder")
        return teacher

    def declines(self, case: Case) -> str | None:
        """Without a reference there is nothing to agree with; a grade needs none."""
        if self.ask == "reference" and not (case.reference and case.reference.strip()):
            return "there is no reference"
        if self.form == "rubric" and self.rubric is None and case.tests is None:
            return "there are no tests"
        return super().declines(case)

    def planted(self) -> Sequence[Canary]:
        """Known answers, where the question that is asked can tell right from wrong."""
        if self.form == "rubric" and self.rubric is None:
            return [replace(one, case=_with_rubric(one.case)) for one in self.canaries]
        asks = self.ask in ("reference", "grade") or "reference" in variables_of(self.prompt_template or "")
        return self.canaries if asks and self.rubric is None else ()

    def may_turn(self) -> frozenset[str]:
        """Those that it may rescue."""
        return frozenset(self.rescues)

    def lacks(self, resources: Resources) -> str | None:
        """What its model lacks."""
        missing = self.teacher.lacks(self._reached_by(resources))
        return None if missing is None else f"the judge's {missing}"

    def _reached_by(self, step: Resources) -> Resources:
        own = {name: getattr(self.resources, name) for name in self.resources.model_fields_set}
        return Resources.model_validate({**step.model_dump(), **own})

    def identity(self) -> dict[str, Any]:
        """Fields, with the identity of the teacher and the text of the template, not where they are."""
        elsewhere = ("resources", "prompt_file")
        fields = {name: value for name, value in super().identity().items() if name not in elsewhere}
        return fields | {"teacher": {**self.teacher.identity(), "name": self.teacher.name}}

    @contextmanager
    def opened(self, site: Site) -> Iterator[Opened]:
        """Holds the kept answers; the model is loaded when one is missing.

        A model in this process is known by its weights, so what it said of a canary stays true; who answers
        behind an endpoint is known by word alone, so canaries are asked anew in every run.
        """
        resources = self._reached_by(site.resources)
        form = judgements(self.form)
        url = f"{site.cache_url.rstrip('/')}/judgements/{digest(self.teacher.identity())}"
        bill = _Bill(f"{url}/spent", resources)

        def model() -> AbstractContextManager[Callable[[Sequence[Any]], Sequence[Any]]]:
            return _answering(self.teacher, resources, bill, ask)

        with (
            remembering(url, form, model=model, fence=fence(site)) as ask,
            self.open(_source(ask, anew=False)) as judge,
            self.open(_source(ask, anew=isinstance(self.teacher, Http))) as judge_canaries,
        ):
            yield _opened(judge, ask, name=self.type, judge_canaries=judge_canaries, bill=bill)


def _opened(
    judge: Asked,
    ask: Remembering[Any, Any],
    *,
    name: str,
    judge_canaries: Asked | None = None,
    bill: _Bill | None = None,
) -> Opened:
    """The judge with its costs counted, and with a failed machine raised instead of believed."""
    lock = threading.Lock()

    def careful(inner: Asked) -> Asked:
        def judged(cases: Sequence[Case]) -> Sequence[Verdict | None]:
            with lock:
                verdicts = inner(cases)
                ask.raise_failure()
                opened.spend(**(bill.since_last() if bill else {}))
                opened.spend(**{f"{name}_asked": ask.asked, f"{name}_remembered": ask.remembered})
                ask.asked = ask.remembered = 0
            return verdicts

        return judged

    opened = Opened(careful(judge), judge_canaries=careful(judge_canaries) if judge_canaries else None)
    return opened


def _source(ask: Remembering[Any, Any], *, anew: bool) -> Callable[[str], AbstractContextManager[Model]]:
    @contextmanager
    def source(_: str) -> Iterator[Model]:
        def model(
            conversations: Sequence[Sequence[Mapping[str, str]]], sampling: Sampling
        ) -> list[JudgeCompletion]:
            return ask([(conversation, sampling) for conversation in conversations], anew=anew)

        yield model

    return source


class _Bill:
    """What a judge has cost: over all runs in a ledger, against its caps, and since it was last asked for."""

    def __init__(self, url: str, resources: Resources) -> None:
        self._ledger, self._price = SpendingLedger(url), resources.price
        self._told = (0, 0)
        self.caps = SpendingCaps(
            resources,
            prompt_tokens=self._ledger.prompt_tokens,
            completion_tokens=self._ledger.completion_tokens,
        )

    def note(self) -> None:
        """Leaves what was paid for where later runs find it."""
        self._ledger.write(self.caps)

    def since_last(self) -> dict[str, int]:
        """Tokens, and millionths of a dollar where there is a price."""
        prompt, made = self.caps.prompt_tokens - self._told[0], self.caps.completion_tokens - self._told[1]
        self._told = (self.caps.prompt_tokens, self.caps.completion_tokens)
        if not prompt + made:
            return {}
        money = {} if self._price is None else {"micro_dollars": self._price.micro_dollars(prompt, made)}
        return {"judge_prompt_tokens": prompt, "judge_completion_tokens": made, **money}


def _with_rubric(case: Case) -> Case:
    items = [f"The answer commits to {case.reference}, and to nothing else, as what was asked for."]
    return replace(case, tests=json.dumps(items))


@contextmanager
def _answering(
    teacher: Vllm | Http, resources: Resources, bill: _Bill, ask: Remembering[Any, Any]
) -> Iterator[Callable[[Sequence[Any]], Sequence[Any]]]:
    """The judge's model for a list of (conversation, sampling), all with one and the same sampling."""
    with opened_judge(teacher, resources=resources, caps=bill.caps) as model:

        def answers(asked: Sequence[Any]) -> Sequence[JudgeCompletion]:
            try:
                return model([conversation for conversation, _ in asked], asked[0][1])
            except JudgeStopped as stop:
                # What was answered is kept first; then the cause is raised in place of the verdicts.
                ask.failure = stop.cause
                return [answer or JudgeCompletion("") for answer in stop.answers]
            finally:
                bill.note()

        yield answers
