"""A worker of its own that samples from the packaged teacher, and is in the middle of a draw when killed."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import psutil
import pyarrow.parquet as pq

from factory.core import Busy, Flow, Resources, Site
from factory.models.resolve import TEACHER
from factory.stages.sampling.sample import Sample
from factory.teachers import LiveTeacher, Request, Sampling, TeacherDown, Vllm
from tests.teachers.scripted import asking

QUESTIONS = ("What is 2 + 2?", "Name a colour.", "word " * 9000, "Say hello.")
HEALTH_S = 20.0
"""Longest time without a sign of life from the engine; on a busy machine a step takes seconds."""
ADAPTER_ASKED = ({"role": "user", "content": "Name a colour."},)

SHORT = {
    "teacher": {"type": "vllm", "model": TEACHER},
    "system": "You answer briefly.",
    "seed": 17,
    "n": 3,
    "max_tokens": 24,
    "stop": ["."],
    "logprobs": True,
    "top_logprobs": 5,
}


def main(folder: Path) -> None:
    """Writes kept, rejected and top_logprobs.parquet, spent.json and `ready`; draws until it is killed."""
    site = Site(Resources(max_in_flight=64), str(folder / "cache"), str(folder / "journal"))
    with Sample.model_validate(SHORT).open(site) as apply:
        flow = apply(asking(*QUESTIONS))
        again = apply(asking(*QUESTIONS))
        pq.write_table(flow.kept, folder / "kept.parquet")
        pq.write_table(flow.rejected, folder / "rejected.parquet")
        pq.write_table(flow.side_tables["top_logprobs"], folder / "top_logprobs.parquet")
        from vllm.platforms import current_platform

        spent = {"first": flow.spent, "again": again.spent, "same": _same(again, flow)}
        spent["on_cpu"] = current_platform.is_cpu()
        (folder / "spent.json").write_text(json.dumps(spent))
        threading.Thread(target=apply, args=(asking(*(f"Tell story {i}." for i in range(400))),)).start()
        time.sleep(1.0)
        (folder / "ready").touch()
        time.sleep(600)


def _same(one: Flow, other: Flow) -> bool:
    tables = zip(
        (one.kept, *one.side_tables.values()), (other.kept, *other.side_tables.values()), strict=True
    )
    return all(a.equals(b) for a, b in tables)


def with_adapter(folder: Path) -> None:
    """Writes said.json: the likeliest tokens with the adapter in `folder`, then a text in each held form.

    And prefixed.json: for each start of the first text what `gone_on` gives; hung.json: what became of a
    request to an engine that hangs, and whether its process is left.
    """
    greedy = Sampling(temperature=0, max_tokens=12)
    forms = {"choice": ["violet", "ochre"]}, {"regex": "[0-9]{3}"}, {"json_schema": {"enum": [41]}}
    wanted = [greedy, *(Sampling(temperature=1, max_tokens=12, structure=form) for form in forms)]

    async def say() -> tuple[list[str], list[tuple[str, str, str | None]], tuple[str, bool]]:
        teacher = Vllm(model=TEACHER, dtype="float32", lora=str(folder))
        async with teacher.open(Resources(health_s=HEALTH_S)) as live:
            said = [(await live.complete(Request("p", 0, ADAPTER_ASKED, one))).content for one in wanted]
            pieces = [await gone_on(live, ADAPTER_ASKED, start) for start in starts(said[0])]
            return said, pieces, await _hung(live)

    said, prefixed, hung = asyncio.run(say())
    (folder / "said.json").write_text(json.dumps(said))
    (folder / "prefixed.json").write_text(json.dumps(prefixed))
    (folder / "hung.json").write_text(json.dumps(hung))


async def _hung(live: LiveTeacher) -> tuple[str, bool]:
    """Makes the engine hang, asks it, and gives the error and whether the engine is still there."""
    below = psutil.Process().children(recursive=True)
    [engine] = [process for process in below if "EngineCore" in " ".join(process.cmdline())]
    engine.suspend()
    try:
        await live.complete(Request("p", 0, ADAPTER_ASKED, Sampling(max_tokens=12)))
    except TeacherDown as error:
        return str(error), engine.is_running() and engine.status() != psutil.STATUS_ZOMBIE
    return "", True


def starts(text: str) -> list[str]:
    """The text up to the end of each of its words but the last, and no text."""
    return ["", *(text[: word.end()] for word in re.finditer(r"\S+(?=\s)", text))]


async def gone_on(
    live: LiveTeacher, messages: tuple[Mapping[str, str], ...], start: str
) -> tuple[str, str, str | None]:
    """The start, what the likeliest tokens after it are up to the next `e`, and the stop text."""
    how = Sampling(temperature=0, max_tokens=12, stop=("e",))
    made = await live.complete(Request("p", 0, messages, how, prefix=start))
    return start, made.content, made.stopped_by


def assert_goes_on(text: str, pieces: list[tuple[str, str, str | None]]) -> None:
    """The likeliest text after each start of a likeliest text is the rest of it, up to the stop text `e`."""
    assert len(pieces) > 3, "the text has too few words to begin with, so the test shows nothing"
    for start, content, stopped_by in pieces:
        wanted, stop, _ = text[len(start) :].partition("e")
        if stop:
            assert (start, content, stopped_by) == (start, wanted, "e")


if __name__ == "__main__":
    try:
        (with_adapter if sys.argv[2:] == ["adapter"] else main)(Path(sys.argv[1]))
    except Busy as error:
        sys.exit(str(error))
