"""Those who are learned from: a model in this process, an endpoint, or completions that exist already."""

from typing import Annotated

from pydantic import Field

from factory.teachers.base import (
    Completion,
    LiveTeacher,
    Request,
    Sampling,
    Teacher,
    TeacherDown,
    request_seed,
    split_reasoning,
)
from factory.teachers.http import Http
from factory.teachers.journal import Journal
from factory.teachers.replay import Replay
from factory.teachers.sampler import Drawn, Sampler
from factory.teachers.vllm import Vllm

__all__ = [
    "AnyTeacher",
    "Completion",
    "Drawn",
    "Http",
    "Journal",
    "LiveTeacher",
    "Replay",
    "Request",
    "Sampler",
    "Sampling",
    "Teacher",
    "TeacherDown",
    "Vllm",
    "request_seed",
    "split_reasoning",
]

AnyTeacher = Annotated[Vllm | Http | Replay, Field(discriminator="type")]
