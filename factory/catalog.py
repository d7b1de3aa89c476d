"""All stages: those of the factory, one line each here, and those of other installed packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field

from factory.core import Stage
from factory.core.plugins import models
from factory.stages.answers.corpus_repetition import CorpusRepetition
from factory.stages.answers.difficulty import Difficulty
from factory.stages.answers.length import Length
from factory.stages.answers.pass_rate import PassRate
from factory.stages.answers.repetition import Repetition
from factory.stages.answers.select import Select
from factory.stages.answers.think_format import ThinkFormat
from factory.stages.columns.filter import FilterRows
from factory.stages.decontamination.decontaminate import Decontaminate
from factory.stages.dedup.exact import DedupExact
from factory.stages.dedup.fuzzy import DedupFuzzy
from factory.stages.dedup.semantic import DedupSemantic
from factory.stages.prompts.clean import Clean
from factory.stages.prompts.downsample import Downsample
from factory.stages.prompts.language import Language
from factory.stages.prompts.mixture import Mixture
from factory.stages.prompts.prompt_filters import PromptFilters
from factory.stages.sampling.collapse_completions import Fold
from factory.stages.sampling.generate import Generate
from factory.stages.sampling.perplexity import Perplexity
from factory.stages.sampling.sample import Sample
from factory.stages.sampling.teacher_stats import TeacherStats
from factory.stages.source.source import Source
from factory.stages.verification.reference_repair import ReferenceRepair
from factory.stages.verification.verify import Verify

__all__ = ["STAGES", "AnyStage"]

_OURS: tuple[type[Stage], ...] = (
    Source,
    Clean,
    PromptFilters,
    Language,
    DedupExact,
    DedupFuzzy,
    DedupSemantic,
    Decontaminate,
    FilterRows,
    Downsample,
    Mixture,
    Sample,
    TeacherStats,
    ThinkFormat,
    Verify,
    Difficulty,
    Fold,
    Generate,
    ReferenceRepair,
    PassRate,
    Length,
    Repetition,
    CorpusRepetition,
    Perplexity,
    Select,
)


STAGES = models(
    "factory.stages",
    _OURS,
    base=Stage,
    wanted="a subclass of factory.core.Stage with a docstring for itself and for every field",
)
"""Stage classes by the name they have in a pipeline file."""

if TYPE_CHECKING:
    AnyStage = Stage
else:
    AnyStage: Any = Annotated[Union[tuple(STAGES.values())], Field(discriminator="type")]  # noqa: UP007
