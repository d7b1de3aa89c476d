"""What the progress display sees of a journal."""

from __future__ import annotations

from pathlib import Path

from factory.teachers.base import Completion
from factory.teachers.journal import Journal
from factory.teachers.journal_files import encode_line
from factory.teachers.journal_progress import JournalWatch, journal_means


def test_only_completions_since_the_start_and_only_whole_lines_count(tmp_path: Path) -> None:
    segment = tmp_path / "a.jsonl"
    segment.write_bytes(encode_line({"problem": "p", "index": 0, "completion_tokens": 7}))
    watch = JournalWatch(str(tmp_path))
    assert watch() == {"completions": 0, "completion_tokens": 0}, "what was there before is not counted"
    line = encode_line({"problem": "p", "index": 1, "completion_tokens": 5})
    with segment.open("ab") as out:
        out.write(line + line[:20])
    (tmp_path / "b.jsonl").write_bytes(encode_line({"problem": "q", "index": 0, "completion_tokens": 3}))
    assert watch() == {"completions": 2, "completion_tokens": 8}
    with segment.open("ab") as out:
        out.write(line[20:])
    assert watch() == {"completions": 3, "completion_tokens": 13}, "a line counts once it is whole"


def test_a_folder_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert JournalWatch(str(tmp_path / "none"))() == {"completions": 0, "completion_tokens": 0}


def test_means_are_those_of_all_whole_lines(tmp_path: Path) -> None:
    assert journal_means(str(tmp_path)) is None
    with Journal(str(tmp_path)) as journal, journal.notebook("g") as notebook:
        for index, tokens in enumerate((10, 20, 60)):
            said = Completion(
                "t", 'says "completion_tokens":999', "stop", prompt_tokens=4, completion_tokens=tokens
            )
            notebook.write("p", index, said)
    [segment] = tmp_path.glob("*.jsonl")
    with segment.open("ab") as out:
        out.write(segment.read_bytes()[:50])
    known = journal_means(str(tmp_path))
    assert known is not None
    assert (known.completions, known.prompt_tokens, known.completion_tokens) == (3, 4.0, 30.0)
    with Journal(str(tmp_path)) as journal:
        assert (journal.prompt_tokens, journal.completion_tokens) == (12, 90)
