"""The teacher that gives back completions which the data has already; another one may answer for the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from factory.core import Resources, prompt_text
from factory.core.paths import DataPath
from factory.teachers.base import Completion, FinishReason, LiveTeacher, Request, Teacher, split_reasoning
from factory.teachers.completion_files import (
    answers_of,
    content_digest,
    question_of,
    stored_files,
    stored_rows,
    value_at,
)
from factory.teachers.http import Http
from factory.teachers.vllm import Vllm

__all__ = ["Replay"]

_OURS = ("id", "prompt", "content", "reasoning_content", "finish_reason", "teacher", "completion_tokens")


class Replay(Teacher):
    """Completions out of files, found by the problem's id or by the text of its prompt.

    The first row of a problem is its sample 0, and so on. Nothing is drawn, so nothing is journalled. A
    sample that the files do not have is rejected with the reason `no_completion`, or asked of `fallback`.
    """

    continues: ClassVar[bool] = False

    type: Literal["replay"] = "replay"
    files: DataPath | tuple[DataPath, ...]
    """JSONL or Parquet files: file, folder, wildcard or fsspec URL, or a list of them."""
    columns: Mapping[str, str] = Field(default_factory=lambda: {"prompt": "prompt", "content": "content"})
    """Our column: their column. `content` and one of `prompt` and `id` are wanted; `reasoning_content`,
    `finish_reason`, `teacher` and `completion_tokens` may be there. `content` may be a list of texts."""
    label: str = "replay"
    """Name that completions carry where the files name no teacher."""
    reasoning_tags: tuple[str, str] | None = ("<think>", "</think>")
    """Tags around the thinking inside `content`; null: it holds none. Not used with `reasoning_content`."""
    fallback: Annotated[Vllm | Http, Field(discriminator="type")] | None = None
    """Who is asked for what the files do not have."""

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, columns: Mapping[str, str]) -> Mapping[str, str]:
        unknown = sorted(columns.keys() - set(_OURS))
        if unknown:
            raise ValueError(
                f"unknown column {unknown[0]!r}; wanted ours: theirs with ours of {', '.join(_OURS)}"
            )
        if "content" not in columns or ("prompt" in columns) == ("id" in columns):
            raise ValueError("wanted `content`, and either `prompt` or `id`")
        return columns

    @property
    def name(self) -> str:
        """The label."""
        return self.label

    def lacks(self, resources: Resources) -> str | None:
        """What the fallback lacks."""
        return None if self.fallback is None else self.fallback.lacks(resources)

    def identity(self) -> dict[str, Any]:
        """The fields, with the digest of the files in place of their names."""
        fields = self.model_dump(mode="json", exclude={"files", "label", "fallback"})
        fallback = None if self.fallback is None else self.fallback.identity()
        return {**fields, "files": content_digest(self._urls()), "fallback": fallback}

    @asynccontextmanager
    async def open(self, resources: Resources) -> AsyncIterator[LiveTeacher]:
        """Read all files into memory; the fallback is opened when it is first needed."""
        async with AsyncExitStack() as stack:
            yield _Shelf(self, self._read(), resources=resources, stack=stack)

    def _urls(self) -> list[str]:
        return stored_files([self.files] if isinstance(self.files, str) else self.files)

    def _read(self) -> dict[str, list[Completion]]:
        shelf: dict[str, list[Completion]] = {}
        top = sorted({c for path in self.columns.values() for c in (path, path.split(".")[0])})
        by_id = "id" in self.columns
        for url in self._urls():
            for where, row in stored_rows(url, top):
                found = {ours: value_at(row, theirs, where=where) for ours, theirs in self.columns.items()}
                key = str(found["id"]) if by_id else question_of(found["prompt"]).strip()
                shelf.setdefault(key, []).extend(self._completions(found))
        return shelf

    def _completions(self, found: Mapping[str, Any]) -> list[Completion]:
        ended: FinishReason = "length" if found.get("finish_reason") == "length" else "stop"
        made = []
        for text in answers_of(found["content"]):
            reasoning, content = found.get("reasoning_content"), text
            if reasoning is None and self.reasoning_tags is not None:
                reasoning, content = split_reasoning(text, tags=self.reasoning_tags)
            made.append(
                Completion(
                    teacher=found.get("teacher") or self.label,
                    content=content,
                    finish_reason=ended,
                    reasoning_content=reasoning,
                    completion_tokens=found.get("completion_tokens"),
                    paid=False,
                )
            )
        return made


class _Shelf:
    """Stored completions by problem, and the teacher behind them."""

    slots = 256

    def __init__(
        self,
        teacher: Replay,
        shelf: Mapping[str, list[Completion]],
        *,
        resources: Resources,
        stack: AsyncExitStack,
    ) -> None:
        self._teacher = teacher
        self._shelf = shelf
        self._resources = resources
        self._stack = stack
        self._opening = asyncio.Lock()
        self._fallback: LiveTeacher | None = None

    async def complete(self, request: Request) -> Completion:
        """The stored completion, the fallback's, or an error completion."""
        by_id = "id" in self._teacher.columns
        key = request.problem if by_id else prompt_text(request.messages).strip()
        stored = self._shelf.get(key, [])
        if request.sample_index < len(stored):
            return stored[request.sample_index]
        if self._teacher.fallback is not None:
            return await (await self._opened(self._teacher.fallback)).complete(request)
        return Completion(
            teacher=self._teacher.label,
            content="",
            finish_reason="error",
            paid=False,
            error="no_completion",
            detail={"stored": len(stored)},
        )

    async def _opened(self, fallback: Teacher) -> LiveTeacher:
        async with self._opening:
            if self._fallback is None:
                self._fallback = await self._stack.enter_async_context(fallback.open(self._resources))
            return self._fallback
