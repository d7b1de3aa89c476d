"""Code that the teacher writes is run inside its turn, by the real sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from factory.core import PipelineError, Refused
from factory.teachers import Request, Sampling
from factory.teachers.interpreter import Interpreted, Interpreter
from tests.teachers.faulty import faulty
from tests.teachers.writing import Writing, WritingSample, block, draw, noted, only, outputs, sample, shapes


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


def test_hostile_code_gives_a_short_text_and_the_turn_goes_on(tmp_path: Path) -> None:
    pieces = (
        block("safe = 7", "safe"),
        block("while True: pass"),
        block("import os", "while True: os.fork()"),
        block("open('/etc/passwd').read()"),
        block("import os", "os._exit(0)"),
        block("import os", "os.kill(os.getpid(), 9)"),
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
    assert said[5] == "killed by SIGKILL; nothing that it did remains"
    assert said[6] == "OSError: the code wrote too much; nothing that it did remains"
    assert said[7].startswith("MemoryError")
    assert said[8].startswith("killed by SIGSEGV")
    assert said[9].endswith("\n7"), "a hostile block took the state of the turn with it"
    assert row["content"].endswith("Still here.")
    assert max(map(len, said)) <= 2000


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
