"""A worker of its own that samples from the packaged teacher, and is in the middle of a draw when killed."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq

from factory.core import Busy, Resources, Site
from factory.models import TEACHER
from factory.stages.sample import Sample
from factory.teachers import Request, Sampling, Vllm
from tests.teachers.scripted import asking

QUESTIONS = ("What is 2 + 2?", "Name a colour.", "word " * 9000, "Say hello.")
ADAPTER_ASKED = ({"role": "user", "content": "Name a colour."},)

SHORT = {
    "teacher": {"type": "vllm", "model": TEACHER},
    "system": "You answer briefly.",
    "seed": 17,
    "n": 3,
    "max_tokens": 24,
    "stop": ["."],
    "logprobs": True,
}


def main(folder: Path) -> None:
    """Writes kept.parquet, rejected.parquet and spent.json, then `ready`, then draws until it is killed."""
    site = Site(Resources(max_in_flight=64), str(folder / "cache"), str(folder / "journal"))
    with Sample.model_validate(SHORT).open(site) as apply:
        flow = apply(asking(*QUESTIONS))
        again = apply(asking(*QUESTIONS))
        pq.write_table(flow.kept, folder / "kept.parquet")
        pq.write_table(flow.rejected, folder / "rejected.parquet")
        from vllm.platforms import current_platform

        spent = {"first": flow.spent, "again": again.spent, "same": again.kept.equals(flow.kept)}
        spent["on_cpu"] = current_platform.is_cpu()
        (folder / "spent.json").write_text(json.dumps(spent))
        threading.Thread(target=apply, args=(asking(*(f"Tell story {i}." for i in range(400))),)).start()
        time.sleep(1.0)
        (folder / "ready").touch()
        time.sleep(600)


def with_adapter(folder: Path) -> None:
    """Writes said.json: the likeliest tokens with the adapter in `folder`, then a text in each held form."""
    greedy = Sampling(temperature=0, max_tokens=12)
    forms = {"choice": ["violet", "ochre"]}, {"regex": "[0-9]{3}"}, {"json_schema": {"enum": [41]}}
    wanted = [greedy, *(Sampling(temperature=1, max_tokens=12, structure=form) for form in forms)]

    async def say() -> list[str]:
        async with Vllm(model=TEACHER, dtype="float32", lora=str(folder)).open(Resources()) as live:
            return [(await live.complete(Request("p", 0, ADAPTER_ASKED, one))).content for one in wanted]

    (folder / "said.json").write_text(json.dumps(asyncio.run(say())))


if __name__ == "__main__":
    try:
        (with_adapter if sys.argv[2:] == ["adapter"] else main)(Path(sys.argv[1]))
    except Busy as error:
        sys.exit(str(error))
