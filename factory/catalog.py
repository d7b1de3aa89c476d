"""The union of all stages. A new stage is one new file and one line here."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from factory.core import Stage
from factory.stages.chain import Generate
from factory.stages.clean import Clean
from factory.stages.corpus_repetition import CorpusRepetition
from factory.stages.decontaminate import Decontaminate
from factory.stages.dedup_exact import DedupExact
from factory.stages.dedup_fuzzy import DedupFuzzy
from factory.stages.dedup_semantic import DedupSemantic
from factory.stages.difficulty import Difficulty
from factory.stages.downsample import Downsample
from factory.stages.fold import Fold
from factory.stages.language import Language
from factory.stages.length import Length
from factory.stages.mixture import Mixture
from factory.stages.pass_rate import PassRate
from factory.stages.perplexity import Perplexity
from factory.stages.prompt_filters import PromptFilters
from factory.stages.reference_repair import ReferenceRepair
from factory.stages.repetition import Repetition
from factory.stages.sample import Sample
from factory.stages.select import Select
from factory.stages.source import Source
from factory.stages.teacher_stats import TeacherStats
from factory.stages.think_format import ThinkFormat
from factory.stages.verify import Verify

__all__ = ["STAGES", "AnyStage"]

AnyStage = Annotated[
    Source
    | Clean
    | PromptFilters
    | Language
    | DedupExact
    | DedupFuzzy
    | DedupSemantic
    | Decontaminate
    | Downsample
    | Mixture
    | Sample
    | TeacherStats
    | ThinkFormat
    | Verify
    | Difficulty
    | Fold
    | Generate
    | ReferenceRepair
    | PassRate
    | Length
    | Repetition
    | CorpusRepetition
    | Perplexity
    | Select,
    Field(discriminator="type"),
]

STAGES: dict[str, type[Stage]] = {
    cls.model_fields["type"].default: cls for cls in get_args(get_args(AnyStage)[0])
}
"""Stage classes by the name they have in a pipeline file."""
