"""Ten thousand mixed verifications, one in a hundred hostile, through source, replay and `verify` on Ray.

    FACTORY_TEST_DATA=... python tests/bench/mixed.py

The rows are real math completions with references, real programs with tests, and 100 hostile rows spread
among them: each input that hangs a symbolic checker, programs that exhaust (loops, sleepers, regular
expressions that never end, memory, floods), and programs that attack other processes (fork, kill, signals,
threads, files). Two processors, two workers that hold the verifiers open.

* mixed_rows_lost: rows that did not come out with their own verdict. Bar 0.
* mixed_actors_lost: workers that died, by the receipts: one process per worker, every shard at its first
  attempt. Bar 0.
* mixed_hostile_passed: hostile rows that passed although they answer wrongly. Bar 0.
* mixed_honest_harmed: right programs beside them that did not pass. Bar 0.
* mixed_poisoned_unjudged: share of the rows that hang or exhaust whose verdict says so. A program that breaks
  a limit is a `fail` by the code verifier's definition, since the limit is part of the problem: it counts
  when its detail names what stopped it (TLE, MLE, OLE, RE). An input that hangs a symbolic checker counts as
  `timeout` or `error`, or where the verifier could tell without hanging, with the verdict that is right.
  Bar 1.
* mixed_rows_per_s: without a bar.
"""

from __future__ import annotations

import os
import sys

# A script's folder comes first on the path, where the files beside this one hide standard modules.
sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import json  # noqa: E402
import random  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from dataclasses import dataclass, replace  # noqa: E402
from itertools import cycle, islice  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import pyarrow.parquet as pq  # noqa: E402
import ray  # noqa: E402

from factory.core import Resources  # noqa: E402
from factory.engine.run import run  # noqa: E402
from factory.engine.steps import Step, make_steps  # noqa: E402
from factory.stages.sampling.sample import Sample  # noqa: E402
from factory.stages.source.source import Source  # noqa: E402
from factory.stages.verification.verify import Verify  # noqa: E402
from sandbox.conformance import Program, load  # noqa: E402
from tests.bench._report import figure, finish  # noqa: E402
from tests.verifiers import code_data  # noqa: E402

ROWS, MATH_ROWS, HOSTILE_ROWS = 10_000, 6_900, 100
SHARD_ROWS = 200
WORKERS = 2
EXHAUSTING = frozenset({"052", "054", "056", "057", "059", "062", "066", "067", "071", "072"})
"""Numbers of the hostile programs that loop, wait, or use up memory or the place for output."""
STOPPED = (": TLE ", ": MLE ", ": OLE ", ": RE ")
_LOST = (None, "")
MATH_FILES = (
    "teacher_qwen25math_cot100/math_cot_100.jsonl",
    "teacher_skythought/qwen2.5-math-7b_math500.jsonl",
    "teacher_skythought/sky-t1-27b_math500.jsonl",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the source, and the completion that the replay teacher has for it."""

    prompt: str
    content: str
    domain: str
    reference: str | None = None
    tests: str | None = None
    kind: str = "honest"
    """`hang` (a checker), `exhaust`, `attack` or `honest`."""
    right: bool = False
    """Whether a `pass` is the right verdict of a hostile row."""


def main() -> None:
    """Prints the figures and exits 1 when a bar does not hold."""
    data = os.environ.get("FACTORY_TEST_DATA")
    if not data:
        sys.exit("FACTORY_TEST_DATA names the folder that holds data/, hostile/ and cases/")
    rows = mixed(Path(data))
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, namespace="factory")
    with tempfile.TemporaryDirectory() as scratch:
        steps = pipeline(Path(scratch), rows)
        started = time.monotonic()
        run(steps, root=scratch, run_id="mixed", quiet=True)
        seconds = time.monotonic() - started
        report(rows, steps[-1], seconds)
    ray.shutdown()
    finish()


def pipeline(folder: Path, rows: list[Row]) -> list[Step]:
    """Source, replay and verify over the rows, written as files."""
    problems, replies = folder / "problems.jsonl", folder / "completions.jsonl"
    with problems.open("w", encoding="utf-8") as first, replies.open("w", encoding="utf-8") as second:
        for row in rows:
            fields = {
                "prompt": row.prompt,
                "domain": row.domain,
                "reference": row.reference,
                "tests": row.tests,
            }
            first.write(json.dumps(fields) + "\n")
            second.write(json.dumps({"prompt": row.prompt, "content": row.content}) + "\n")
    names = {name: name for name in ("prompt", "domain", "reference", "tests")}
    code = {"type": "code", "domains": ["code"], "time_limit_s": 4.0, "stop_at_first_failure": True}
    stages = [
        Source.model_validate(
            {"inputs": [{"files": str(problems), "columns": names}], "shard_rows": SHARD_ROWS}
        ),
        Sample.model_validate({"teacher": {"type": "replay", "files": str(replies)}}),
        Verify.model_validate({"verifiers": [{"type": "math", "domains": ["math"]}, code]}),
    ]
    resources = {"verify": Resources(workers=WORKERS)}
    return make_steps(stages, resources=resources, root=str(folder / "steps"), workspace=str(folder))


def mixed(data: Path) -> list[Row]:
    """All rows, in every hundred of them one hostile row."""
    programs = [one.case for read in (code_data.humaneval, code_data.mbpp) for one in read(data)]
    code = [Row(case.prompt, case.content, "code", tests=case.tests) for case in programs]
    honest = [*islice(worked(data), MATH_ROWS), *islice(cycle(code), ROWS - MATH_ROWS - HOSTILE_ROWS)]
    random.Random(0).shuffle(honest)
    poison = list(islice(hostile(data), HOSTILE_ROWS))
    gap = len(honest) // HOSTILE_ROWS
    rows = [row for n, bad in enumerate(poison) for row in (*honest[n * gap : (n + 1) * gap], bad)]
    if len(rows) != ROWS:
        raise SystemExit(f"the data gives {len(rows)} rows, wanted {ROWS}")
    # Letters, since a number in the prompt could be taken for one of its values.
    letters = str.maketrans("0123456789", "abcdefghij")
    return [
        replace(row, prompt=f"{row.prompt}\n\n(row {n})".translate(letters)) for n, row in enumerate(rows)
    ]


def worked(data: Path) -> Iterator[Row]:
    """Real responses to math problems: short ones of GSM8K, and long ones that box their answer."""
    for name in MATH_FILES:
        for row in _read(data / "data" / name):
            for text in row["code"]:
                yield Row(row["question"], text, "math", reference=row["answer"])
    for row in _read(data / "data/gsm8k/example_model_solutions.jsonl"):
        for model in (key for key, value in row.items() if isinstance(value, dict)):
            gold = row["ground_truth"].rpartition("A:")[2].strip()
            yield Row(row["question"], row[model]["solution"], "math", reference=gold)


def hostile(data: Path) -> Iterator[Row]:
    """Inputs that hang a checker, programs that attack others, and in turn those that exhaust."""
    for row in _read(data / "cases/math_hang.jsonl"):
        yield Row("", row["pred"], "math", reference=row["gold"], kind="hang", right=row["expected"])
    programs = [one for one in load(data / "hostile") if one.mode == "stdin" and one.path.suffix == ".py"]
    yield from (_attack(one, "attack") for one in programs if _attacks(one))
    yield from cycle([_attack(one, "exhaust") for one in programs if one.path.name[:3] in EXHAUSTING])


def _attacks(program: Program) -> bool:
    """Whether it goes for the machine and not for its own verdict, and prints nothing right."""
    number = program.path.name[:3]
    return "049" <= number < "107" and number not in EXHAUSTING and "AC" not in program.expect


def _attack(program: Program, kind: str) -> Row:
    pairs = [{"input": stdin, "output": expected} for stdin, expected in program.tests["stdin"]]
    tests = json.dumps({"type": "code", "kind": "stdin", "tests": pairs})
    content = f"```python\n{program.path.read_text('utf-8')}\n```\n"
    return Row("Add one to the number that you read.", content, "code", tests=tests, kind=kind)


def _read(path: Path) -> Iterator[dict[str, Any]]:
    yield from map(json.loads, path.read_text("utf-8").rstrip("\n").split("\n"))


def report(rows: list[Row], step: Step, seconds: float) -> None:
    """Prints all figures of the finished step."""
    told = verdicts(step)
    lost = [row for row in rows if told.get(row.prompt, _LOST)[0] is None]
    bad = [row for row in rows if row.kind != "honest" and row not in lost]
    passed = [row for row in bad if told[row.prompt][0] == "pass" and not row.right]
    harmed = [
        row for row in rows if row.kind == "honest" and row.tests and told.get(row.prompt, _LOST)[0] != "pass"
    ]
    poisoned = [row for row in bad if row.kind in ("hang", "exhaust")]
    known = [row for row in poisoned if accounted(row, *told[row.prompt])]
    for row in [*passed, *harmed, *(row for row in poisoned if row not in known)]:
        print(json.dumps({"kind": row.kind, "told": told[row.prompt], "content": row.content[:80]}))
    figure("mixed_rows_lost", len(lost), unit="rows", baseline=ROWS, bar=0, holds=not lost)
    dead = workers_lost(step)
    figure("mixed_actors_lost", dead, unit="workers", baseline=WORKERS, bar=0, holds=dead == 0)
    figure("mixed_hostile_passed", len(passed), unit="rows", baseline=len(bad), bar=0, holds=not passed)
    figure("mixed_honest_harmed", len(harmed), unit="rows", baseline=None, bar=0, holds=not harmed)
    share = len(known) / max(1, len(poisoned))
    figure(
        "mixed_poisoned_unjudged", share, unit="share", baseline=len(poisoned), bar=1.0, holds=share >= 1.0
    )
    figure("mixed_rows_per_s", round(ROWS / seconds, 1), unit="rows/s", baseline=None, bar=None, holds=True)


def verdicts(step: Step) -> dict[str, tuple[str | None, str]]:
    """The verdict of each prompt, and its detail."""
    told = {}
    for shard in range(ROWS // SHARD_ROWS):
        columns = ["prompt", "verdict", "verdicts"]
        for row in pq.read_table(step.files.rows_url("kept", shard), columns=columns).to_pylist():
            detail = " ".join(one["detail"] for one in row["verdicts"])
            told[row["prompt"][-1]["content"]] = (row["verdict"], detail)
    return told


def accounted(row: Row, verdict: str | None, detail: str) -> bool:
    """Whether a row that hangs or exhausts was seen for what it is."""
    if verdict in ("timeout", "error"):
        return True
    if row.kind == "hang":
        return verdict == ("pass" if row.right else "fail")
    return verdict == "fail" and any(name in detail for name in STOPPED)


def workers_lost(step: Step) -> int:
    """Processes beyond one per worker, and shards that were tried again."""
    receipts = [json.loads(Path(step.files.receipt_url(n)).read_text()) for n in range(ROWS // SHARD_ROWS)]
    again = sum(1 for receipt in receipts if receipt["attempt"] > 1)
    return max(again, len({receipt["pid"] for receipt in receipts}) - WORKERS)


if __name__ == "__main__":
    main()
