"""The tree of errors. Each message says what, where, what is wanted, and what to do next, in one line."""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BudgetSpent",
    "Busy",
    "DamagedFile",
    "DataError",
    "FactoryError",
    "Interrupted",
    "PipelineError",
    "Refused",
    "RowsLost",
    "StageError",
    "TeacherError",
    "WorkspaceError",
]


class FactoryError(Exception):
    """Anything that ends a run and that a person must act on."""

    exit_code: ClassVar[int] = 1


class Interrupted(FactoryError):
    """The run was ended by its user; what was finished is kept."""

    exit_code = 130


class PipelineError(FactoryError):
    """The pipeline file is wrong. Raised before anything runs."""

    exit_code = 2


class DataError(FactoryError):
    """The data is not as the pipeline declares it."""


class DamagedFile(DataError):
    """A file of the workspace is missing, torn or not the one that was written; a run makes it again."""


class WorkspaceError(FactoryError):
    """The workspace cannot be written, or another run holds it. Nothing ran."""


class StageError(FactoryError):
    """A stage's own code failed on a shard; the cause is chained."""


class RowsLost(StageError):
    """A stage gave back fewer or more rows than it was given: the law of conservation broke."""


class TeacherError(FactoryError):
    """The model side failed."""


class Busy(TeacherError):
    """The teacher cannot take the request now; the same request may be tried again."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BudgetSpent(TeacherError):
    """A cap on tokens or money is reached: what was finished is in the journal, nothing more is drawn."""


class Refused(TeacherError):
    """The teacher will never take the request: trying again is of no use."""
