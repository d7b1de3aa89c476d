from __future__ import annotations

import pyarrow as pa

from factory.core import COMPLETION_COLUMNS, MEASURED_COLUMNS, PROBLEM_SCHEMA
from factory.stages.sampling.collapse_completions import Fold
from factory.stages.sampling.perplexity import PERPLEXITY_COLUMNS
from factory.stages.sampling.sample import OPTIONAL_COLUMNS
from factory.stages.verification.verify import Verify

SAID = pa.schema(
    [*COMPLETION_COLUMNS, *OPTIONAL_COLUMNS, *PERPLEXITY_COLUMNS, *Verify.adds, *MEASURED_COLUMNS]
)


def test_nothing_that_was_said_of_a_completion_stays_with_its_problem() -> None:
    of_the_problem = pa.schema([*PROBLEM_SCHEMA, ("level", pa.string())])
    left = Fold(prefix="student").schema_out(pa.schema([*of_the_problem, *SAID]))
    assert left.names == [
        *of_the_problem.names,
        "student_n_samples",
        "student_n_judged",
        "student_n_passed",
        "student_pass_rate",
    ]


def test_a_problem_that_was_folded_can_be_asked_again() -> None:
    left = Fold(prefix="student").schema_out(pa.schema([*PROBLEM_SCHEMA, *SAID]))
    again = Fold(prefix="teacher").schema_out(pa.schema([*left, *SAID]))
    assert len(set(again.names)) == len(again.names), "a column is there twice"
    assert "student_pass_rate" in again.names
