"""What a run with faults shows on a screen of 80 columns, in a terminal and in a pipe; kept to be read."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import time
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ
from typing import Any

import pytest
import yaml

from tests.teachers.faulty import faulty

ROOT = Path(__file__).parent.parent.parent
KEPT = ROOT / "build" / "recordings"
PROBLEMS, SAMPLES = 40, 4
FAULTS = ("429", "500", "garbage", "cut", *("ok",) * 12)
_STEER = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}

Seen = list[tuple[float, str]]


def write(folder: Path, url: str) -> None:
    rows = [{"question": f"What is {n} plus {n}? [bold]", "answer": str(2 * n)} for n in range(PROBLEMS)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "problems.jsonl").write_text(text + '{"half a \n')
    columns = {"prompt": "question", "reference": "answer"}
    inputs = [{"files": "problems.jsonl", "columns": columns, "domain": "math"}]
    stages: list[dict[str, Any]] = [
        {"type": "source", "inputs": inputs, "shard_rows": 20},
        {"type": "clean"},
        {"type": "sample", "n": SAMPLES, "max_tokens": 50, "teacher": {"type": "http", "model": "m"}},
        {"type": "verify", "verifiers": [{"type": "math"}]},
    ]
    caps = {"base_url": url, "price": {"prompt": 1, "completion": 2}, "max_in_flight": 4}
    content = {"pipeline": "recorded", "stages": stages, "resources": {"sample": caps}}
    (folder / "p.yaml").write_text(yaml.safe_dump(content))


def recorded(folder: Path, *, columns: int | None) -> tuple[int, Seen]:
    """Exit code, and what came at which second: on a terminal of so many columns, or in a pipe."""
    mine, its = pty.openpty() if columns else os.pipe()
    if columns:
        ioctl(its, TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm"}
    for name in ("COLUMNS", "LINES"):
        environment.pop(name, None)
    words = [sys.executable, "-m", "factory", "run", "p.yaml", "--local", "--workspace", "w"]
    process = subprocess.Popen(
        words, cwd=folder, env=environment, stdout=its, stderr=its, stdin=subprocess.DEVNULL
    )
    os.close(its)
    began, seen = time.monotonic(), []
    while True:
        ready, _, _ = select.select([mine], [], [], 0.2)
        try:
            block = os.read(mine, 65536) if ready else b""
        except OSError:
            block = b""
        if block:
            seen.append((time.monotonic() - began, block.decode("utf-8", "replace")))
        elif process.poll() is not None:
            os.close(mine)
            return process.returncode, seen


def told(seen: Seen) -> list[tuple[float, float]]:
    """Each moment at which a time left was told for `sample`, and how many seconds it said."""
    found = []
    for moment, text in seen:
        for line in _STEER.sub("", text).splitlines():
            match = re.search(r"sample.*?(\d[\d.]*) (s|min|h)\s*$", line)
            if match:
                found.append((moment, float(match[1]) * _SECONDS[match[2]]))
    return found


@pytest.mark.parametrize("columns", [80, None], ids=["terminal", "pipe"])
def test_a_run_with_faults_reads_well_and_tells_the_truth(tmp_path: Path, columns: int | None) -> None:
    def right(number: int, body: dict[str, Any]) -> tuple[str, int]:
        asked = str(body["messages"]).rsplit("What is ", 1)[-1].split()[0]
        return f"The answer is \\boxed{{{2 * int(asked)}}}.", 9

    with faulty(lambda n, body: FAULTS[n % len(FAULTS)], words=right, answer_s=0.3) as server:
        write(tmp_path, server.url)
        code, seen = recorded(tmp_path, columns=columns)
        answers = server.treatments.count("ok")
    text = "".join(part for _, part in seen)
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / f"{'terminal' if columns else 'pipe'}.txt").write_text(text)
    assert code == 0, text
    plain = _STEER.sub("", text)
    assert f"completions: {PROBLEMS * SAMPLES:,} drawn" in plain
    assert answers == PROBLEMS * SAMPLES, "the endpoint counts other answers than the run"
    assert "1 lines of the input are no rows (broken_json 1)" in " ".join(plain.split())
    if columns:
        shown = [line.rstrip() for line in plain.replace("\r", "\n").splitlines() if "note: " not in line]
        widest = max(map(len, shown))
        assert "…" not in plain, "a cell is cut short"
        assert widest <= columns, f"a line of {widest} columns is wrapped"
        check_eta(told(seen))
    else:
        assert "\x1b" not in text, "a pipe gets no control sequences"


def check_eta(said: list[tuple[float, float]]) -> None:
    """From a quarter of the work on, the time left is right within a factor of two, a second or two apart."""
    assert said, "no time left was told"
    end = said[-1][0] + said[-1][1]
    began = said[0][0] - 2
    late = [(t, eta) for t, eta in said if t - began > (end - began) / 4]
    for moment, eta in late:
        left = end - moment
        assert left / 2 - 2 <= eta <= 2 * left + 2, f"{eta:.0f} s were told, it was {left:.0f} s"
