"""A teacher without a model, for laws about order, journals and crashes: its text depends on the request."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa

from factory.core import PROBLEM_SCHEMA, Busy, Resources, problem_id
from factory.stages.sampling.sample import Sample
from factory.teachers import AnyTeacher, Completion, LiveTeacher, Request, Teacher, TeacherDown

_RIGHT = re.compile(r"RIGHT (\[.*?\])")
"""A problem that names the samples which answer 2; the others answer 3."""


class Scripted(Teacher):
    """Answers after a time that depends on the request; notes every draw in a file of its own."""

    type: Literal["scripted"] = "scripted"
    notes: str
    """File that gets one line `problem index` per draw, so that a test can count them from outside."""
    delay_ms: int = 0
    """Longest time of an answer; the shortest is none."""
    dies_after: int | None = None
    """Draws of one opening after which the teacher is down."""
    busy: frozenset[int] = frozenset()
    """Sample indices that are busy the first time."""

    opened: ClassVar[list[str]] = []

    @property
    def name(self) -> str:
        return "scripted"

    def identity(self) -> dict[str, Any]:
        return {"type": "scripted"}

    @asynccontextmanager
    async def open(self, resources: Resources) -> AsyncIterator[LiveTeacher]:
        self.opened.append(self.notes)
        yield _Live(self, resources)


class _Live:
    slots = 16

    def __init__(self, teacher: Scripted, resources: Resources) -> None:
        self.timeout_s = resources.timeout_s
        self.teacher = teacher
        self.draws = 0
        self.under_way = 0
        self.refused: set[int] = set()

    async def complete(self, request: Request) -> Completion:
        last = request.messages[-1]["content"] if request.messages else ""
        if "UNANSWERABLE" in last:
            return Completion(
                "scripted", "", "error", paid=False, error="teacher_error", detail={"message": "no"}
            )
        if request.sample_index in self.teacher.busy and request.sample_index not in self.refused:
            self.refused.add(request.sample_index)
            raise Busy("too many requests")
        self.draws += 1
        if self.teacher.dies_after is not None and self.draws > self.teacher.dies_after:
            raise TeacherDown("the engine died")
        spread = int(request.problem[:4], 16) * 7919 + request.sample_index * 104729
        thinking = asyncio.sleep(self.teacher.delay_ms / 1000 * (spread % 101) / 100)
        try:
            async with asyncio.timeout(self.timeout_s):
                await thinking
        except TimeoutError as error:
            raise Busy(f"teacher 'scripted' gave no answer within {self.timeout_s} s") from error
        with open(self.teacher.notes, "a") as notes:
            notes.write(f"{request.problem} {request.sample_index}\n")
        ended = "length" if request.sample_index == 3 or last == "ECHO CUT" else "stop"
        if last.startswith("ECHO "):
            text = last.removeprefix("ECHO ")
        elif found := _RIGHT.match(last):
            text = f"The answer is {2 if request.sample_index in json.loads(found[1]) else 3}."
        else:
            text = f"{last[:20]} -> {request.sample_index} seed {request.seed} {len(request.messages)} turns"
        return Completion(
            teacher="scripted",
            content=text,
            finish_reason=ended,
            reasoning_content="hm" if request.sample_index % 2 else None,
            prompt_tokens=len(last),
            completion_tokens=10,
            seeded=request.seed is not None,
        )


class ScriptedSample(Sample):
    """The real stage, with one more kind of teacher."""

    teacher: Scripted | AnyTeacher


def problems(count: int, *, first: int = 0) -> pa.Table:
    """Problems that differ in one number."""
    rows = []
    for number in range(first, first + count):
        prompt = [{"role": "user", "content": f"What is {number} + {number}?"}]
        rows.append(_row(prompt))
    return pa.Table.from_pylist(rows, schema=PROBLEM_SCHEMA)


def asking(*texts: str) -> pa.Table:
    """Problems with the given texts."""
    rows = [_row([{"role": "user", "content": text}]) for text in texts]
    return pa.Table.from_pylist(rows, schema=PROBLEM_SCHEMA)


def _row(prompt: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "id": problem_id(prompt, "math"),
        "source": "made",
        "license": "CC0-1.0",
        "origin": "made:1",
        "domain": "math",
        "prompt": prompt,
        "reference": "2",
        "tests": None,
        "meta": "{}",
    }


def drawn(notes: str | os.PathLike[str]) -> list[str]:
    """Every draw that the teacher noted."""
    path = Path(notes)
    return path.read_text().splitlines() if path.exists() else []
