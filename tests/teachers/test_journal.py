"""What was paid for stays: torn lines, damage, doubles, object stores, full disks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.core import WorkspaceError
from factory.teachers import Completion, Journal
from factory.teachers import journal_files as segment_files
from factory.teachers.base import TurnSegment
from factory.teachers.journal_files import LocalSegment, decode_line, encode_line, line_facts


def completion(text: str = "four", **more: object) -> Completion:
    known = {"teacher": "t", "content": text, "finish_reason": "stop", "completion_tokens": 3}
    return Completion(**{**known, **more})  # type: ignore[arg-type]


def write(journal: Journal, *keys: tuple[str, int], group: str = "g", text: str = "four") -> None:
    with journal.notebook(group) as notebook:
        for problem, index in keys:
            notebook.write(problem, index, completion(text))


def only_file(folder: Path) -> Path:
    (file,) = folder.glob("*.jsonl")
    return file


def test_finds_again_what_was_written_in_every_field(tmp_path: Path) -> None:
    wanted = completion('4\u2028\n\0 "x" \\ ä', reasoning_content="<hm>", prompt_tokens=7, seeded=True)
    with Journal(str(tmp_path)) as journal, journal.notebook("g") as notebook:
        notebook.write("p", 3, wanted)
        found = journal.find("p", 3)
    assert found is not None
    assert not found.paid
    assert found == completion(
        wanted.content, reasoning_content="<hm>", prompt_tokens=7, seeded=True, paid=False
    )
    assert Journal(str(tmp_path)).find("p", 3) == found
    assert Journal(str(tmp_path)).find("p", 4) is None


def test_finds_again_the_parts_of_a_turn_and_counts_what_was_read_again(tmp_path: Path) -> None:
    parts = (
        TurnSegment("code", "```python\n1\n```\n"),
        TurnSegment("output", '"x"\0'),
        TurnSegment("text", "ä"),
    )
    wanted = completion(prompt_tokens=7, reread_tokens=20, segments=parts, logprobs=(-0.5, -1.0))
    with Journal(str(tmp_path)) as journal, journal.notebook("g") as notebook:
        notebook.write("p", 0, wanted)
        notebook.write("p", 1, completion(prompt_tokens=7))
    again = Journal(str(tmp_path))
    assert again.find("p", 0) == replace(wanted, paid=False)
    assert again.find("p", 1) == completion(prompt_tokens=7, paid=False)
    assert (again.prompt_tokens, again.completion_tokens) == (7 + 20 + 7, 3 + 3)


@settings(max_examples=60, deadline=None)
@given(st.text(), st.integers(0, 10**6), st.text())
def test_a_line_gives_back_its_record(problem: str, index: int, content: str) -> None:
    record = {"problem": problem, "index": index, "tokens": 12, "content": content}
    line = encode_line(record)
    facts = line_facts(line)
    assert facts is not None
    assert facts[:3] == (problem, index, 12)
    assert decode_line(line) == record
    assert line.count(b"\n") == 1


def test_any_damaged_byte_is_noticed() -> None:
    line = encode_line({"problem": "p", "index": 0, "content": "four"})
    for place in range(len(line)):
        damaged = line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :]
        assert line_facts(damaged) is None, f"a flipped bit at byte {place} is not noticed"


@pytest.mark.parametrize("lost", [1, 2, 40])
def test_a_torn_tail_is_left_out_and_the_rest_kept(tmp_path: Path, lost: int) -> None:
    with Journal(str(tmp_path)) as journal:
        write(journal, ("a", 0), ("b", 0))
    file = only_file(tmp_path)
    os.truncate(file, file.stat().st_size - lost)
    again = Journal(str(tmp_path))
    assert len(again) == 1
    assert again.find("b", 0) is None
    assert len(again.damaged) == 1


def test_a_line_damaged_in_the_middle_costs_that_line_alone(tmp_path: Path) -> None:
    with Journal(str(tmp_path)) as journal:
        write(journal, ("a", 0), ("b", 0), ("c", 0))
    file = only_file(tmp_path)
    file.write_bytes(file.read_bytes().replace(b'"problem":"b"', b'"problem":"x"'))
    again = Journal(str(tmp_path))
    assert [again.find(p, 0) is not None for p in "abc"] == [True, False, True]
    assert len(again.damaged) == 1


def test_doubles_are_reported_and_the_first_counts_for_every_reader(tmp_path: Path) -> None:
    with Journal(str(tmp_path)) as one, Journal(str(tmp_path)) as two:
        write(one, ("a", 0), group="g1", text="first")
        write(two, ("a", 0), group="g2", text="second")
        for reader in (one, two, Journal(str(tmp_path))):
            reader.look_again()
            found = reader.find("a", 0)
            assert found is not None
            assert found.content == "first"
            assert reader.duplicates == {("a", 0)}


def test_another_writers_lines_are_seen_by_their_group(tmp_path: Path) -> None:
    with Journal(str(tmp_path)) as one, Journal(str(tmp_path)) as two:
        with one.notebook("g1") as notebook:
            notebook.write("a", 0, completion())
            assert two.find("a", 0) is None
            two.look_again("g1")
            assert two.find("a", 0) is not None, "a line is not there for others while its file is still open"
            notebook.write("b", 0, completion())
        two.look_again("g2")
        assert two.find("b", 0) is None
        two.look_again("g1")
        assert two.find("b", 0) is not None


def test_a_line_seen_half_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    line = encode_line(_stored("a"))
    file = tmp_path / "g-x.jsonl"
    file.write_bytes(line[:30])
    journal = Journal(str(tmp_path))
    assert len(journal.damaged) == 1
    file.write_bytes(line)
    journal.look_again()
    assert journal.find("a", 0) is not None
    assert not journal.damaged


def test_lines_longer_than_a_block_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("factory.teachers.journal._BLOCK_BYTES", 64)
    with Journal(str(tmp_path)) as journal:
        write(journal, *((f"p{i}", 0) for i in range(20)), text="x" * 1000)
    again = Journal(str(tmp_path))
    assert len(again) == 20
    assert not again.damaged


def test_is_on_disk_when_write_returns_even_if_the_process_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from factory.teachers import Completion, Journal\n"
        "with Journal(sys.argv[1]) as j, j.notebook('g') as n:\n"
        "    n.write('a', 0, Completion('t', 'four', 'stop'))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert Journal(str(tmp_path)).find("a", 0) is not None


def test_an_object_store_has_every_line_within_a_second() -> None:
    url = f"memory://journal-{os.urandom(4).hex()}"
    with Journal(url) as journal, journal.notebook("g") as notebook:
        for number in range(5):
            notebook.write("a", number, completion())
        found = journal.find("a", 4)
        assert found is not None, "what this process wrote is not found before it is put"
        notebook.write("b", 0, completion())
        time.sleep(1.0)
        assert Journal(url).find("b", 0) is not None, "a finished line is not in the store after a second"
        notebook.write("c", 0, completion())
    again = Journal(url)
    assert len(again) == 7
    fs, path = fsspec.core.url_to_fs(url)
    assert len(fs.glob(f"{path}/*.jsonl")) == 3, "an object per line, where one per flush is wanted"


def test_a_store_that_refuses_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"memory://journal-{os.urandom(4).hex()}"
    fs, _ = fsspec.core.url_to_fs(url)
    with Journal(url) as journal:

        def no(*args: object) -> None:
            raise OSError("no room in the store")

        monkeypatch.setattr(type(fs), "pipe_file", no)
        with pytest.raises(WorkspaceError, match="no room"):
            write(journal, ("a", 0))


def test_a_full_disk_is_said_and_costs_only_its_own_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = LocalSegment(str(tmp_path / "g.jsonl"))
    lines = [encode_line(_stored(p)) for p in "abc"]
    segment.append(lines[0])
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(segment_files.os, "write", lambda file, line: real(file, line[:20]))
        with pytest.raises(WorkspaceError, match="free some space"):
            segment.append(lines[1])
    segment.append(lines[2])
    segment.close()
    journal = Journal(str(tmp_path))
    assert [journal.find(p, 0) is not None for p in "abc"] == [True, False, True]


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        Journal(str(tmp_path / "file" / "journal"))


def test_many_threads_write_beside_each_other(tmp_path: Path) -> None:
    with Journal(str(tmp_path)) as journal:
        threads = [
            threading.Thread(
                target=write, args=(journal, *((f"p{t}", i) for i in range(50))), kwargs={"group": f"g{t}"}
            )
            for t in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    again = Journal(str(tmp_path))
    assert len(again) == 400
    assert not again.damaged
    assert not again.duplicates


def _stored(problem: str) -> dict[str, object]:
    return {
        "problem": problem,
        "index": 0,
        "teacher": "t",
        "reasoning_content": None,
        "content": "four",
        "finish_reason": "stop",
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "seeded": False,
    }
