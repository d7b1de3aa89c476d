"""A teacher without a model that goes on with a turn: what it writes depends on the outputs that it sees."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from factory.core import Busy, Flow, Resources, Site
from factory.stages.sampling.sample import Sample
from factory.teachers import AnyTeacher, Completion, LiveTeacher, Request, Teacher, split_reasoning
from tests.teachers.scripted import asking

_TOKEN = re.compile(r"\S+\s*|\s+")


class Writing(Teacher):
    """Writes the n-th piece after n outputs, up to a stop text or the limit; notes each request in a file."""

    type: Literal["writing"] = "writing"
    notes: str
    """File that gets one JSON line per answered request: prefix, what was written, stop texts, seed."""
    pieces: tuple[str, ...]
    """What it writes until it ends its turn, by the number of outputs that stand in the turn."""
    busy_after: int | None = None
    """Outputs at which it is busy the first time."""
    broken_after: int | None = None
    """Outputs at which it answers that it cannot."""
    hangs_at: int | None = None
    """Sample index that is never answered."""
    context: int | None = None
    """Tokens of a turn at which its context is full."""

    @property
    def name(self) -> str:
        return "writing"

    def identity(self) -> dict[str, Any]:
        return {"type": "writing", "pieces": list(self.pieces)}

    @asynccontextmanager
    async def open(self, resources: Resources) -> AsyncIterator[LiveTeacher]:
        yield _Live(self)


class _Live:
    slots = 8

    def __init__(self, teacher: Writing) -> None:
        self.teacher = teacher
        self.was_busy = False

    async def complete(self, request: Request) -> Completion:
        teacher, prefix, how = self.teacher, request.prefix or "", request.sampling
        outputs, standing = prefix.count("```output\n"), len(_TOKEN.findall(prefix))
        if request.sample_index == teacher.hangs_at:
            await asyncio.sleep(600)
        if outputs == teacher.busy_after and not self.was_busy:
            self.was_busy = True
            raise Busy("too many requests")
        if outputs == teacher.broken_after:
            return _no({"message": "the template refuses the turn"})
        if teacher.context is not None and standing >= teacher.context:
            return _no({"message": "prompt over the context", "context": teacher.context})
        piece = teacher.pieces[min(outputs, len(teacher.pieces) - 1)]
        written = next(n for n in range(len(piece), -1, -1) if prefix.endswith(piece[:n]))
        text = piece[written:]
        places = [(text.index(stop), stop) for stop in how.stop if stop in text]
        at, stop = min(places, default=(len(text), None))
        paid = _TOKEN.findall(text[: at + len(stop or "")])
        if how.max_tokens is not None and len(paid) > how.max_tokens:
            paid, stop = paid[: how.max_tokens], None
            ended, said = "length", "".join(paid)
        else:
            ended, said = "stop", text[:at]
        with open(teacher.notes, "a") as notes:
            note = {"prefix": prefix, "said": said, "stop": stop, "stops": how.stop, "seed": request.seed}
            notes.write(json.dumps({**note, "index": request.sample_index}) + "\n")
        return Completion(
            teacher="writing",
            content=said,
            finish_reason=ended,  # type: ignore[arg-type]
            prompt_tokens=100 + standing,
            completion_tokens=len(paid),
            seeded=request.seed is not None,
            stopped_by=stop,
            logprobs=tuple(-float(n + 1) for n in range(len(paid))) if how.logprobs else None,
        )

    def split(self, turn: str, request: Request) -> tuple[str | None, str]:
        return split_reasoning(turn)


def _no(detail: dict[str, Any]) -> Completion:
    return Completion("writing", "", "error", paid=False, error="teacher_error", detail=detail)


class WritingSample(Sample):
    """The real stage, with one more kind of teacher."""

    teacher: Writing | AnyTeacher


def noted(notes: str | Path) -> list[dict[str, Any]]:
    """Every request that the teacher answered."""
    path = Path(notes)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def block(*lines: str) -> str:
    """A block of code that is run."""
    return "\n".join(["```python", *lines, "```", ""])


def sample(
    folder: Path, *pieces: str, interpreter: dict[str, Any] | None = None, **fields: Any
) -> WritingSample:
    """The stage over a teacher of these pieces; fields of the teacher may stand among those of the stage."""
    own = {name: fields.pop(name) for name in list(fields) if name in Writing.model_fields}
    teacher = {"type": "writing", "notes": str(folder / "notes"), "pieces": pieces, **own}
    run = {"packages": (), **(interpreter or {})}
    return WritingSample.model_validate({"teacher": teacher, "interpreter": run, "seed": 3, **fields})


def draw(folder: Path, stage: WritingSample, *questions: str, **options: Any) -> Flow:
    """What asking these questions gives, with journal and cache in the folder."""
    with stage.open(Site(Resources(**options), str(folder / "c"), str(folder / "j"))) as apply:
        return apply(asking(*(questions or ("What?",))))


def only(flow: Flow) -> dict[str, Any]:
    """The one row that was kept."""
    [row] = flow.kept.to_pylist()
    return dict(row)


def outputs(row: dict[str, Any]) -> list[str]:
    """What stands between the fences of each output."""
    found = [s["text"] for s in row["segments"] if s["type"] == "output"]
    assert all(text.startswith("```output\n") and text.endswith("\n```\n") for text in found)
    return [text[len("```output\n") : -len("\n```\n")] for text in found]


def shapes(row: dict[str, Any]) -> list[str]:
    """The types of a turn's parts."""
    return [s["type"] for s in row["segments"]]
