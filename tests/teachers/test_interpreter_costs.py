"""What turns with code cost, and that no piece of them is paid for twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from factory.core import BudgetSpent, Busy, Resources, Site
from factory.teachers.cells import Cells
from sandbox import Sandbox
from tests.teachers.runs import ROOT
from tests.teachers.scripted import asking
from tests.teachers.writing import block, draw, noted, only, outputs, sample, shapes


def test_the_limit_on_tokens_is_that_of_the_whole_turn(tmp_path: Path) -> None:
    pieces = ("one two three\n" + block("4"), "five six seven eight nine ten")
    row = only(draw(tmp_path, sample(tmp_path, *pieces, max_tokens=9)))
    assert row["finish_reason"] == "length"
    assert row["completion_tokens"] == 9
    assert row["content"].endswith("```output\n4\n```\nfive six seven ")
    exactly = only(draw(tmp_path, sample(tmp_path, *pieces, max_tokens=6)))
    assert (exactly["completion_tokens"], exactly["finish_reason"]) == (6, "length")
    assert shapes(exactly) == ["text", "code", "output"]


def test_every_request_of_a_turn_is_paid_for_and_counted(tmp_path: Path) -> None:
    stage = sample(tmp_path, block("1"), block("2"), "three", logprobs=True)
    flow = draw(tmp_path, stage)
    row, asked = only(flow), noted(tmp_path / "notes")
    read = [100 + len(note["prefix"].split()) for note in asked]
    assert row["prompt_tokens"] == 100
    assert row["completion_tokens"] == 7
    assert row["token_logprobs"] == [-1.0, -2.0, -3.0, -1.0, -2.0, -3.0, -1.0]
    assert flow.spent is not None
    assert flow.spent["prompt_tokens"] == sum(read) > 3 * 100
    assert flow.spent["completion_tokens"] == 7
    assert flow.spent["code_runs"] == 2
    assert len({note["seed"] for note in asked}) == 3, "every piece begins with the same luck"

    again = draw(tmp_path, stage)
    assert again.kept.equals(flow.kept)
    assert again.spent is not None
    assert again.spent["completions_drawn"] == again.spent["prompt_tokens"] == 0
    cap = sum(read) + 7
    with pytest.raises(BudgetSpent):
        draw(tmp_path, stage, "Another?", token_budget=cap)
    assert draw(tmp_path, stage, "Another?", token_budget=cap + 16 * 4096 + 1200).kept.num_rows == 1


@pytest.fixture
def boxes(monkeypatch: pytest.MonkeyPatch) -> list[Sandbox]:
    """The sandboxes that are opened, so that a test can break them from outside."""
    opened: list[Sandbox] = []
    real = Cells.__init__

    def seen(self: Cells, box: Sandbox, *args: Any, **more: Any) -> None:
        opened.append(box)
        real(self, box, *args, **more)

    monkeypatch.setattr(Cells, "__init__", seen)
    return opened


@contextmanager
def meanwhile(harm: Callable[[], bool]) -> Iterator[None]:
    """Does harm every 50 ms until it says that it is enough, or the context ends."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(0.05):
            with suppress(ProcessLookupError, psutil.NoSuchProcess):
                if harm():
                    return

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_sandbox_that_fails_is_no_output_and_what_was_written_is_not_paid_again(
    tmp_path: Path, boxes: list[Sandbox]
) -> None:
    stage = sample(tmp_path, block("import time", "time.sleep(3)", "5"), "Five.")

    def end_its_slots() -> bool:
        ours = boxes[0].processes() if boxes else []
        for slot in psutil.Process().children():
            # The one that stands by outside and the one that answers, but not the program itself.
            for process in (*slot.children(), slot) if slot.pid in ours else ():
                process.kill()
        return False

    with stage.open(Site(Resources(), str(tmp_path / "c"), str(tmp_path / "j"))) as apply:
        with meanwhile(end_its_slots), pytest.raises(Busy, match="sandbox failed"):
            apply(asking("What?"))
        assert len(noted(tmp_path / "notes")) == 1
        row = only(apply(asking("What?")))
    assert outputs(row) == ["5"]
    assert len(noted(tmp_path / "notes")) == 2, "a piece that was paid for is asked for again"


def test_code_that_something_else_has_killed_is_run_again(tmp_path: Path, boxes: list[Sandbox]) -> None:
    killed: list[int] = []

    def kill_the_program() -> bool:
        for process in reversed(boxes[0].processes() if boxes else []):
            # The sandbox itself takes a tenth of that to start.
            if sum(psutil.Process(process).cpu_times()[:2]) > 1:
                os.kill(process, signal.SIGKILL)
                killed.append(process)
        return bool(killed)

    stage = sample(tmp_path, block("import time", "while time.process_time() < 2: pass", "5"), "Five.")
    with meanwhile(kill_the_program):
        row = only(draw(tmp_path, stage))
    assert killed, "no program was killed, so the test shows nothing"
    assert outputs(row) == ["5"], "what the machine did to the program became its output"


def test_a_busy_teacher_is_asked_on_from_where_the_turn_is(tmp_path: Path) -> None:
    stage = sample(tmp_path, block("1"), "One.", busy_after=1)
    with stage.open(Site(Resources(), str(tmp_path / "c"), str(tmp_path / "j"))) as apply:
        with pytest.raises(Busy):
            apply(asking("What?"))
        flow = apply(asking("What?"))
    assert [note["said"] for note in noted(tmp_path / "notes")] == ["```python\n1\n", "One."]
    assert flow.spent is not None
    assert flow.spent["completion_tokens"] == only(flow)["completion_tokens"] == 4


def test_a_full_context_ends_the_turn_and_another_error_rejects_it(tmp_path: Path) -> None:
    pieces = (block("1"), "One.")
    row = only(draw(tmp_path, sample(tmp_path, *pieces, context=4)))
    assert (row["finish_reason"], shapes(row)) == ("length", ["code", "output"])
    flow = draw(tmp_path, sample(tmp_path, *pieces, broken_after=1), "Another?")
    assert flow.rejected["reason"].to_pylist() == ["teacher_error"]
    assert flow.spent is not None
    assert (flow.spent["completions_drawn"], flow.spent["completion_tokens"]) == (0, 3)


def test_a_killed_worker_pays_for_no_finished_turn_again(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.teachers.writing import *\n"
        "folder = Path(sys.argv[1])\n"
        "draw(folder, sample(folder, block('1 + 1'), 'Two.', hangs_at=2, n=3))\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT)
    deadline = time.monotonic() + 60
    while sum(path.read_bytes().count(b"\n") for path in tmp_path.rglob("j/*/*.jsonl")) < 2:
        assert worker.poll() is None, "the worker ended before it was killed"
        assert time.monotonic() < deadline, "the first two turns do not come to the journal"
        time.sleep(0.05)
    worker.kill()
    worker.wait()
    before = noted(tmp_path / "notes")
    flow = draw(tmp_path, sample(tmp_path, block("1 + 1"), "Two.", n=2))
    assert noted(tmp_path / "notes") == before, "a turn that is in the journal was drawn again"
    assert [outputs(row) for row in flow.kept.to_pylist()] == [["2"], ["2"]]
    assert flow.kept.schema.field("segments").type == pa.list_(
        pa.struct({"type": pa.string(), "text": pa.string(), "train": pa.bool_()})
    )
    assert flow.spent is not None
    assert flow.spent["completions_reused"] == 2


def test_an_interpreter_is_part_of_what_decides_a_text(tmp_path: Path) -> None:
    plain = sample(tmp_path, "x").model_copy(update={"interpreter": None})
    assert "segments" not in plain.provides().names
    identities = {
        sample(tmp_path, "x", interpreter=how).draw_identity()
        for how in ({}, {"max_calls": 3}, {"cpu_s": 2}, {"hints": [{"text": "Go.\n"}]}, {"last_hint": ""})
    }
    assert len(identities | {plain.draw_identity()}) == 6
    strict = sample(tmp_path, "x", interpreter={"min_isolation": "namespaces"})
    assert strict.draw_identity() in identities, "how strongly code is kept in changes no text"
