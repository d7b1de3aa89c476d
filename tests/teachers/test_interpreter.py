"""Code that the teacher writes is run inside its turn, by the real sandbox."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from factory.core import BudgetSpent, Busy, Flow, PipelineError, Refused, Resources, Site
from factory.teachers import Completion, Request, Sampling
from factory.teachers.cells import Cells, Ran, shortened
from factory.teachers.interpreter import Interpreted, Interpreter
from factory.teachers.turn import Fences, Turn
from tests.teachers.faulty import faulty
from tests.teachers.runs import ROOT
from tests.teachers.scripted import asking
from tests.teachers.writing import Writing, WritingSample, noted


def block(*lines: str) -> str:
    return "\n".join(["```python", *lines, "```", ""])


def sample(
    folder: Path, *pieces: str, interpreter: dict[str, Any] | None = None, **fields: Any
) -> WritingSample:
    own = {name: fields.pop(name) for name in list(fields) if name in Writing.model_fields}
    teacher = {"type": "writing", "notes": str(folder / "notes"), "pieces": pieces, **own}
    run = {"packages": (), **(interpreter or {})}
    return WritingSample.model_validate({"teacher": teacher, "interpreter": run, "seed": 3, **fields})


def draw(folder: Path, stage: WritingSample, *questions: str, **options: Any) -> Flow:
    with stage.open(Site(Resources(**options), str(folder / "c"), str(folder / "j"))) as apply:
        return apply(asking(*(questions or ("What?",))))


def only(flow: Flow) -> dict[str, Any]:
    [row] = flow.kept.to_pylist()
    return dict(row)


def outputs(row: dict[str, Any]) -> list[str]:
    """What stands between the fences of each output."""
    found = [s["text"] for s in row["segments"] if s["type"] == "output"]
    assert all(text.startswith("```output\n") and text.endswith("\n```\n") for text in found)
    return [text[len("```output\n") : -len("\n```\n")] for text in found]


def shapes(row: dict[str, Any]) -> list[str]:
    return [s["type"] for s in row["segments"]]


def test_runs_what_is_written_and_goes_on_with_what_it_printed(tmp_path: Path) -> None:
    first = "Let me count.\n" + block("x = 20", "print('so far', x)", "x + 1")
    row = only(draw(tmp_path, sample(tmp_path, first, block("x += 22", "x"), "It is 42.")))
    assert outputs(row) == ["so far 20\n21", "42"]
    assert shapes(row) == ["text", "code", "output", "code", "output", "text"]
    assert row["content"] == "".join(s["text"] for s in row["segments"])
    assert row["content"].endswith("```output\n42\n```\nIt is 42.")
    assert row["finish_reason"] == "stop"
    assert noted(tmp_path / "notes")[1]["prefix"] == first + "```output\nso far 20\n21\n```\n"


def test_a_student_trains_on_what_the_teacher_wrote_and_on_nothing_else(tmp_path: Path) -> None:
    hints = [{"text": "<think>\nI may use code.\n"}, {"after_calls": 1, "text": "Check it.\n"}]
    pieces = ("Well.\n" + block("6 * 7"), "So </think>\n\n42.")
    row = only(draw(tmp_path, sample(tmp_path, *pieces, interpreter={"hints": hints})))
    assert {s["type"] for s in row["segments"] if s["train"]} == {"text", "code"}
    assert {s["type"] for s in row["segments"] if not s["train"]} == {"output", "hint"}
    assert "".join(s["text"] for s in row["segments"] if s["train"]) == "".join(pieces)
    assert shapes(row) == ["hint", "text", "code", "output", "hint", "text"]
    assert (row["reasoning_content"], row["content"]) == (
        "I may use code.\nWell.\n" + block("6 * 7") + "```output\n42\n```\nCheck it.\nSo ",
        "42.",
    )


def test_a_hint_may_open_the_block_that_the_teacher_writes(tmp_path: Path) -> None:
    hints = [
        {"text": "I compute it.\n```python\nx = 6\n"},
        {"after_calls": 1, "text": "```python\nx + 1\n```\n"},
    ]
    row = only(draw(tmp_path, sample(tmp_path, "x * 7\n```\n", "", interpreter={"hints": hints})))
    assert [(s["type"], s["text"]) for s in row["segments"]] == [
        ("hint", hints[0]["text"]),
        ("code", "x * 7\n```\n"),
        ("output", "```output\n42\n```\n"),
        ("hint", hints[1]["text"]),
    ]


def test_an_error_is_said_in_its_last_lines_and_what_came_before_it_stays(tmp_path: Path) -> None:
    pieces = (block("a = 1", "print('one')", "1 / 0", "a = 2"), block("a"), block("b ="), "Done.")
    row = only(draw(tmp_path, sample(tmp_path, *pieces)))
    assert outputs(row)[:2] == ["one\nZeroDivisionError: division by zero", "1"]
    assert outputs(row)[2].startswith('File "<code>", line 1')
    assert outputs(row)[2].endswith("SyntaxError: invalid syntax")


def test_chance_and_files_are_the_same_when_earlier_blocks_run_again(tmp_path: Path) -> None:
    pieces = (
        block("import random", "x = random.random()", "open('f', 'w').write(str(x))", "x"),
        block("assert open('f').read() == str(x)", "x"),
        block("x", "x == float(open('f').read())"),
        "Done.",
    )
    row = only(draw(tmp_path, sample(tmp_path, *pieces)))
    assert outputs(row)[0].splitlines()[-1] == outputs(row)[1]
    assert outputs(row)[2] == "True"


def test_a_long_output_keeps_its_start_and_its_end(tmp_path: Path) -> None:
    short = {"max_output_chars": 200}
    stage = sample(tmp_path, block("for n in range(10**5): print(n)"), "ok", interpreter=short)
    [text] = outputs(only(draw(tmp_path, stage)))
    assert len(text) <= 200
    assert text.startswith("0\n1\n")
    assert text.endswith("\n99999")
    assert "left out" in text


@given(st.text(max_size=400), st.integers(100, 300))
def test_a_shortened_text_is_never_longer_than_allowed(text: str, most: int) -> None:
    cut = shortened(text, most=most)
    assert len(cut) <= most
    assert (cut == text) == (len(text) <= most)


def test_after_the_last_call_no_code_is_run_and_the_teacher_is_told_once(tmp_path: Path) -> None:
    last = "Again.\n" + block("3") + block("4") + "End."
    pieces = (block("1"), block("2"), last)
    how = {"max_calls": 2, "last_hint": "No more.\n"}
    row = only(draw(tmp_path, sample(tmp_path, *pieces, interpreter=how)))
    assert outputs(row) == ["1", "2"]
    assert shapes(row) == ["code", "output", "code", "output", "hint", "text"]
    assert row["segments"][-1]["text"] == last
    assert row["content"].count("No more.\n") == 1
    assert noted(tmp_path / "notes")[-1]["stops"] == []


def test_a_block_at_the_end_of_a_turn_is_run_too(tmp_path: Path) -> None:
    row = only(draw(tmp_path, sample(tmp_path, "```python\n1 + 1\n```", "")))
    assert row["content"] == "```python\n1 + 1\n```\n```output\n2\n```\n"
    assert row["finish_reason"] == "stop"


def test_other_blocks_and_stop_texts_are_left_alone(tmp_path: Path) -> None:
    text = "```text\n1\n```\nand\n```\nplain\n```\nThen ```x```\nand.HALT never said"
    row = only(draw(tmp_path, sample(tmp_path, text, stop=["HALT"])))
    assert row["content"] == text.partition("HALT")[0]
    assert shapes(row) == ["text"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a\n```python\nx\n```\n", "x\n"),
        ("1. so\n   ```python\n   if x:\n       y\n   ```\n", "if x:\n    y\n"),
        ("```text\n```\n```python\nx\n```", "x\n"),
        ("```python\nx\n\n```  \n", "x\n\n"),
        ("```python\n'\u2028'\n```\n", "'\u2028'\n"),
        ("```python\nx\n```\nthen\n", None),
        ("```python\nx = '```'\n", None),
        ("```python3\nx\n```\n", None),
        ("```\nx\n```\n", None),
        ("x\n```\n", None),
        ("", None),
    ],
)
def test_finds_the_block_that_ends_with_the_text(text: str, code: str | None) -> None:
    found = Fences("```python", "```").last_block(text)
    assert (found[1] if found else None) == code


WORDS = ["word ", "\n", "```python\n", "```\n", "```", "x = 1\n", "    ", "<think>", "</think>", "ä"]
PARTS = st.lists(st.sampled_from(WORDS), max_size=12).map("".join)


@given(st.lists(st.tuples(PARTS, st.text(max_size=5)), min_size=1, max_size=6), st.text(max_size=3))
def test_the_parts_of_a_turn_are_the_turn_and_those_trained_on_are_the_teachers(
    steps: list[tuple[str, str]], hint: str
) -> None:
    turn, written, ended = Turn(Fences("```python", "```"), max_calls=2), "", False
    turn.insert("hint", hint)
    for text, output in steps:
        head, stop, _ = text.partition("```\n")
        stopped = bool(stop) and not turn.exhausted
        said = head if stopped else text
        ended = turn.take(Completion("t", said, "stop", stopped_by="```\n" if stopped else None))
        written += said + ("```\n" if stopped else "")
        if turn.block is not None:
            turn.ran(output, Ran(output, True, 0.1))
        if ended:
            break
    whole = turn.whole(None, "", finish_reason="stop")
    assert whole.segments is not None
    assert "".join(s.text for s in whole.segments) == turn.text
    assert "".join(s.text for s in whole.segments if s.train) == written
    assert all(s.text for s in whole.segments)
    assert sum(s.type == "output" for s in whole.segments) <= 2


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
    assert draw(tmp_path, stage, "Another?", token_budget=2 * cap + 5000).kept.num_rows == 1


def test_hostile_code_gives_a_short_text_and_the_turn_goes_on(tmp_path: Path) -> None:
    pieces = (
        block("safe = 7", "safe"),
        block("while True: pass"),
        block("import os", "while True: os.fork()"),
        block("open('/etc/passwd').read()"),
        block("import os", "os._exit(0)"),
        block("while True: print('x' * 10**6)"),
        block("safe = [0] * 10**10"),
        block("__import__('ctypes').string_at(0)"),
        block("print('\\0' * 3, '```', chr(0xdc80))", "safe"),
        "Still here.",
    )
    row = only(draw(tmp_path, sample(tmp_path, *pieces, interpreter={"cpu_s": 0.5})))
    said = outputs(row)
    assert said[1] == "TimeoutError: the code took more than 0.5 s; nothing that it did remains"
    assert "PermissionError" in said[2] or "BlockingIOError" in said[2]
    assert "FileNotFoundError" in said[3] or "PermissionError" in said[3]
    assert said[4] == "SystemExit: the code ended its own process; nothing that it did remains"
    assert said[5] == "OSError: the code wrote too much; nothing that it did remains"
    assert said[6].startswith("MemoryError")
    assert said[7].startswith("killed by SIGSEGV")
    assert said[8].endswith("\n7"), "a hostile block took the state of the turn with it"
    assert row["content"].endswith("Still here.")
    assert max(map(len, said)) <= 2000


def test_a_sandbox_that_fails_is_no_output_and_what_was_written_is_not_paid_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes: list[Cells] = []
    real = Cells.__init__

    def seen(self: Cells, *args: Any, **more: Any) -> None:
        real(self, *args, **more)
        boxes.append(self)

    monkeypatch.setattr(Cells, "__init__", seen)
    stage = sample(tmp_path, block("import time", "time.sleep(1)", "5"), "Five.")
    over = threading.Event()

    def kill() -> None:
        while not over.wait(0.05):
            for process in boxes[0]._box.processes() if boxes else []:
                os.kill(process, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    with stage.open(Site(Resources(), str(tmp_path / "c"), str(tmp_path / "j"))) as apply:
        killer.start()
        try:
            with pytest.raises(Busy, match="sandbox failed"):
                apply(asking("What?"))
        finally:
            over.set()
            killer.join()
        assert len(noted(tmp_path / "notes")) == 1
        row = only(apply(asking("What?")))
    assert outputs(row) == ["5"]
    assert len(noted(tmp_path / "notes")) == 2, "a piece that was paid for is asked for again"


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
        "import sys; from pathlib import Path; from tests.teachers.test_interpreter import *\n"
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


def test_an_interpreter_is_part_of_what_decides_a_text_only_where_there_is_one(tmp_path: Path) -> None:
    plain = sample(tmp_path, "x").model_copy(update={"interpreter": None})
    assert "interpreter" not in plain.draw_fields()
    assert "segments" not in plain.provides().names
    identities = {
        sample(tmp_path, "x", interpreter=how).draw_identity()
        for how in ({}, {"max_calls": 3}, {"cpu_s": 2}, {"hints": [{"text": "Go.\n"}]}, {"last_hint": ""})
    }
    assert len(identities | {plain.draw_identity()}) == 6
    strict = sample(tmp_path, "x", interpreter={"min_isolation": "namespaces"})
    assert strict.draw_identity() in identities, "how strongly code is kept in changes no text"


def test_wrong_fields_are_said_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="never comes: max_calls is 2"):
        Interpreter.model_validate({"max_calls": 2, "hints": [{"after_calls": 3, "text": "x"}]})
    with pytest.raises(ValidationError, match="'replay' has finished texts"):
        sample(tmp_path, "x", teacher={"type": "replay", "files": "x.jsonl"})
    with pytest.raises(ValidationError, match="`structure` holds a whole completion"):
        sample(tmp_path, "x", structure={"regex": "x"})


def test_a_machine_that_cannot_run_code_stops_the_run_with_the_cure(tmp_path: Path) -> None:
    stage = sample(tmp_path, "x", interpreter={"packages": ["no_such_package"]})
    with pytest.raises(PipelineError, match="'no_such_package' is not installed; install it"):
        draw(tmp_path, stage)


def test_an_endpoint_goes_on_after_what_stands_there(tmp_path: Path) -> None:
    fields = {"teacher": {"type": "http", "model": "m"}, "interpreter": {"packages": ()}, "max_tokens": 50}
    stage = WritingSample.model_validate(fields)

    def words(number: int, body: dict[str, Any]) -> tuple[str, int]:
        return ("<think>So</think>One.", 4) if number else ("```python\n1 + 1\n", 7)

    def stop_reason(body: dict[str, Any]) -> Any:
        return 151645 if body["messages"][-1]["role"] == "assistant" else "```\n"

    with faulty(words=words, stop_reason=stop_reason) as server:
        row = only(draw(tmp_path, stage, base_url=server.url))
    first, second = server.bodies
    assert "continue_final_message" not in first
    assert (second["continue_final_message"], second["add_generation_prompt"]) == (True, False)
    standing = "```python\n1 + 1\n```\n```output\n2\n```\n"
    assert second["messages"][-1] == {"role": "assistant", "content": standing}
    assert (first["stop"], second["max_tokens"]) == (["```\n"], 43)
    assert "".join(s["text"] for s in row["segments"]) == standing + "<think>So</think>One."
    assert (row["content"], row["finish_reason"]) == ("One.", "stop")


def test_an_endpoint_that_cannot_say_what_stopped_it_is_refused(tmp_path: Path) -> None:
    fields = {"teacher": {"type": "http", "model": "m"}, "interpreter": {"packages": ()}}
    with faulty() as server, pytest.raises(Refused, match="wants vLLM's server"):
        draw(tmp_path, WritingSample.model_validate(fields), base_url=server.url)


def test_an_interpreted_teacher_answers_as_the_one_inside(tmp_path: Path) -> None:
    inside = Writing(notes=str(tmp_path / "n"), pieces=("x",))
    teacher = Interpreted(teacher=inside, interpreter=Interpreter())
    assert teacher.name == "writing"
    assert teacher.identity()["pieces"] == ["x"]
    assert Request("p", 0, (), Sampling()).prefix is None
