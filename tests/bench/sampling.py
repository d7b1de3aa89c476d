"""What sampling costs beside the bare engine, and how full a long tail keeps the teacher's places.

    python tests/bench/sampling.py              # both parts: about 8 minutes on 2 idle cores
    python tests/bench/sampling.py tail         # the simulated long tail alone, 20 s
    python tests/bench/sampling.py adaptive     # what asking until one is right saves: 10 minutes

Throughput: two processes hold the packaged teacher, one behind `vllm.LLM`, one behind the stage `sample`. In
turn they answer the same problems, round by round, so that whatever else the machine does strikes both.

Long tail: a simulated teacher with 64 places answers in 50 ms, every twentieth time in 2 s. The bound is what
the same answers take when each is begun, in order, the moment a place is free.

Adaptive: see `_adaptive.py`.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from factory.core import PROBLEM_SCHEMA, Resources, Site, problem_id
from factory.models.resolve import TEACHER, resolve
from factory.stages.sampling.sample import Sample
from factory.teachers import AnyTeacher, Completion, LiveTeacher, Request, Teacher
from factory.teachers.journal_files import decode_line, line_facts
from tests.bench._adaptive import adaptive
from tests.bench._report import figure, finish

ROUNDS = 4
PROBLEMS = 24
N = 2
MAX_TOKENS = 64
SHARDS = 4
SYSTEM = "Answer in a few sentences."

SLOTS = 64
SHORT_S = 0.05
LONG_S = 2.0
TAIL_SHARDS = 20
TAIL_ROWS = 200


def main() -> None:
    """Runs the parts that the command line names, or both."""
    if sys.argv[1:2] in (["raw"], ["factory"], ["watch"]):
        {"raw": _raw, "factory": _factory, "watch": _watch}[sys.argv[1]](sys.argv[2])
        return
    parts = sys.argv[1:] or ["tail", "throughput"]
    if "tail" in parts:
        tail()
    if "throughput" in parts:
        throughput()
    if "adaptive" in parts:
        adaptive()
    finish()


def throughput() -> None:
    """Output tokens a second through the stage, as a share of the bare engine's."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _child("raw", folder) as raw,
        _child("factory", folder) as ours,
    ):
        _ask(raw, -1), _ask(ours, -1)  # the first answers of an engine are slow
        spent = {"raw": [0, 0.0], "factory": [0, 0.0]}
        for number in range(ROUNDS):
            # Who goes first changes, so that a load that grows or falls favours neither.
            order = [("raw", raw), ("factory", ours)]
            for name, child in order if number % 2 == 0 else order[::-1]:
                tokens, seconds = _ask(child, number)
                spent[name][0] += tokens
                spent[name][1] += seconds
    rates = {name: tokens / seconds for name, (tokens, seconds) in spent.items()}
    share = rates["factory"] / rates["raw"]
    figure(
        "output tokens through the stage, share of vllm.LLM",
        round(share, 4),
        unit="ratio",
        baseline=round(rates["raw"], 2),
        bar=0.97,
        holds=share >= 0.97,
    )


@contextmanager
def _child(part: str, folder: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
    environment |= {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.sampling", part, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(Path(folder) / f"{part}.log").open("w"),
        env=environment,
        text=True,
    )
    try:
        yield child
    finally:
        assert child.stdin is not None
        child.stdin.close()
        child.wait(60)


def _ask(child: subprocess.Popen[str], number: int) -> tuple[int, float]:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(f"{number}\n")
    child.stdin.flush()
    for line in child.stdout:
        if line.startswith("{"):
            answer = json.loads(line)
            return answer["tokens"], answer["seconds"]
    raise SystemExit("a process of the benchmark ended before it answered")


def _raw(folder: str) -> None:
    from vllm import LLM, SamplingParams

    model = LLM(resolve(TEACHER).source, dtype="float32", enforce_eager=True, enable_prefix_caching=True)
    params = SamplingParams(n=N, max_tokens=MAX_TOKENS, temperature=0.6, top_p=0.95)
    for line in sys.stdin:
        turns = [
            [{"role": "system", "content": SYSTEM}, p[0]] for p in _round(int(line))["prompt"].to_pylist()
        ]
        began = time.perf_counter()
        outputs = model.chat(turns, params, use_tqdm=False)
        seconds = time.perf_counter() - began
        tokens = sum(len(made.token_ids) for output in outputs for made in output.outputs)
        print(json.dumps({"tokens": tokens, "seconds": seconds}), flush=True)


def _factory(folder: str) -> None:
    sample = Sample.model_validate(
        {"teacher": {"type": "vllm", "model": TEACHER}, "n": N, "max_tokens": MAX_TOKENS, "system": SYSTEM}
    )
    site = Site(Resources(), f"{folder}/cache", f"{folder}/journal")
    with sample.open(site) as apply, ThreadPoolExecutor(sample.concurrency) as threads:
        for line in sys.stdin:
            batch = _round(int(line))
            rows = PROBLEMS // SHARDS
            began = time.perf_counter()
            flows = list(threads.map(apply, [batch.slice(at, rows) for at in range(0, PROBLEMS, rows)]))
            seconds = time.perf_counter() - began
            tokens = sum((f.spent or {})["completion_tokens"] for f in flows)
            print(json.dumps({"tokens": tokens, "seconds": seconds}), flush=True)


def _round(number: int) -> pa.Table:
    """The problems of one round; no problem is in two rounds, so nothing is found in a cache."""
    first = 100 + number * PROBLEMS
    return _table(
        [
            f"A shop has {boxes} boxes of {boxes % 7 + 3} pencils and sells {boxes % 11 + 2} pencils a day. "
            "For how many days do they last, and how do you find out?"
            for boxes in range(first, first + PROBLEMS)
        ]
    )


def _table(texts: list[str]) -> pa.Table:
    rows = []
    for text in texts:
        prompt = [{"role": "user", "content": text}]
        row: dict[str, Any] = dict.fromkeys(PROBLEM_SCHEMA.names)
        rows.append(row | {"id": problem_id(prompt, "math"), "domain": "math", "prompt": prompt})
    return pa.Table.from_pylist(rows, schema=PROBLEM_SCHEMA)


class LongTail(Teacher):
    """Answers after the time that the problem's own text names, on a fixed number of places."""

    type: Literal["long-tail"] = "long-tail"

    @property
    def name(self) -> str:
        return "long-tail"

    def identity(self) -> dict[str, Any]:
        return {"type": "long-tail"}

    @asynccontextmanager
    async def open(self, resources: Resources) -> AsyncIterator[LiveTeacher]:
        yield _Places()


class _Places:
    slots = 2 * SLOTS
    busy_s = 0.0

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(SLOTS)

    async def complete(self, request: Request) -> Completion:
        async with self._places:
            began = time.perf_counter()
            await asyncio.sleep(_seconds(request.messages[0]["content"]))
            _Places.busy_s += time.perf_counter() - began
            return Completion("long-tail", repr(time.time()), "stop", completion_tokens=1, prompt_tokens=1)


class TailSample(Sample):
    """The real stage with the simulated teacher."""

    teacher: LongTail | AnyTeacher


def _seconds(text: str) -> float:
    return LONG_S if int(text) % 20 == 7 else SHORT_S


def tail() -> None:
    """Occupancy under a long tail, and the time from a finished completion to its being on disk."""
    texts = [str(number) for number in range(TAIL_SHARDS * TAIL_ROWS)]
    shards = [_table(texts[at : at + TAIL_ROWS]) for at in range(0, len(texts), TAIL_ROWS)]
    sample = TailSample.model_validate({"teacher": {"type": "long-tail"}})
    with tempfile.TemporaryDirectory() as folder:
        watcher = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.sampling", "watch", folder], stdout=subprocess.PIPE, text=True
        )
        assert watcher.stdout is not None
        watcher.stdout.readline()
        site = Site(Resources(), f"{folder}/cache", f"{folder}/journal")
        with sample.open(site) as apply, ThreadPoolExecutor(sample.concurrency) as threads:
            began = time.perf_counter()
            rows = sum(flow.kept.num_rows for flow in threads.map(apply, shards))
            seconds = time.perf_counter() - began
        (Path(folder) / "stop").touch()
        late = json.loads(watcher.stdout.readline())
        watcher.wait()
    assert rows == len(late) == len(texts), f"{rows} rows and {len(late)} lines of {len(texts)}"
    bound = sum(map(_seconds, texts)) / (SLOTS * _ideal_s(texts))
    occupancy = _Places.busy_s / (SLOTS * seconds)
    figure(
        "places in use under a long tail, share of the bound",
        round(occupancy / bound, 4),
        unit="ratio",
        baseline=round(bound, 4),
        bar=0.95,
        holds=occupancy / bound >= 0.95,
    )
    worst = max(late)
    figure(
        "finished to on disk, longest", round(worst, 4), unit="s", baseline=None, bar=1.0, holds=worst < 1.0
    )


def _ideal_s(texts: list[str]) -> float:
    """Time of all answers when each begins, in order, the moment a place is free."""
    free_at = [0.0] * SLOTS
    for text in texts:
        heapq.heappush(free_at, heapq.heappop(free_at) + _seconds(text))
    return max(free_at)


def _watch(folder: str) -> None:
    """Another process that reads the journal as it grows: seconds from finished to seen, of every line."""
    print("ready", flush=True)
    late: list[float] = []
    read: dict[Path, int] = {}
    last_look = False
    while not last_look:
        last_look = (Path(folder) / "stop").exists()
        for file in Path(folder).glob("journal/*/*.jsonl"):
            with file.open("rb") as lines:
                lines.seek(read.get(file, 0))
                for line in lines:
                    if line_facts(line) is None:
                        break
                    read[file] = read.get(file, 0) + len(line)
                    late.append(time.time() - float(decode_line(line)["content"]))
        time.sleep(0.01)
    print(json.dumps(late), flush=True)


if __name__ == "__main__":
    main()
