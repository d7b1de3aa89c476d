"""Files that hold no rows, or not those that the pipeline names."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

from tests.wrong_inputs.cases import Case, good, write

__all__ = ["DATA"]


def _data(name: str, says: str, content: bytes, *, suffix: str = "jsonl", code: int = 1) -> Case:
    def spoil(folder: Path) -> None:
        pipeline = good()
        pipeline["stages"][0]["inputs"][0]["files"] = f"d.{suffix}"
        write(folder, pipeline)
        (folder / f"d.{suffix}").write_bytes(content)

    return Case(name, code, says, spoil=spoil)


def _gone(folder: Path) -> None:
    (folder / "problems.jsonl").unlink()


def _folder(folder: Path) -> None:
    _gone(folder)
    (folder / "problems.jsonl").mkdir()


def _link(folder: Path) -> None:
    _gone(folder)
    os.symlink(folder / "nowhere", folder / "problems.jsonl")


def _pipe(folder: Path) -> None:
    _gone(folder)
    os.mkfifo(folder / "problems.jsonl")


_ROW = b'{"question": "What is 1 + 1?", "answer": "2"}\n'
_PAGE = b"<!DOCTYPE html>\n<html><head><title>404</title></head>\n<body>Not found</body></html>\n"


def _each(question: object, answer: object = "2") -> bytes:
    return b"".join(json.dumps({"question": question, "answer": answer}).encode() + b"\n" for _ in range(3))


DATA = [
    Case("data-missing", 2, "problems.jsonl", spoil=_gone),
    Case("data-folder", 2, "problems.jsonl", spoil=_folder),
    Case("data-dangling-link", 2, "problems.jsonl", spoil=_link),
    Case("data-pipe", 2, "problems.jsonl", spoil=_pipe),
    _data("data-suffix", "d.doc", _ROW, suffix="doc", code=2),
    _data("data-empty", "d.jsonl", b""),
    _data("data-spaces", "kept 0 of 2 rows", b"  \n\n  \n"),
    _data("data-broken-lines", "kept 0 of 2 rows (broken_json 2)", b'{"question": \n{"question": \n'),
    _data("data-page", "broken_json 3", _PAGE),
    _data("data-arrays", "no_object 3", b'["What is 1 + 1?", "2"]\n' * 3),
    _data("data-numbers", "no_object 3", b"1\n2\n3\n"),
    _data("data-words", "no_object 3", b'"What is 1 + 1?"\n' * 3),
    _data("data-one-array", "above max_bad_share", b"[\n" + _ROW.strip() + b",\n" + _ROW.strip() + b"\n]\n"),
    _data("data-one-line-array", "no_object 1", b"[" + _ROW.strip() + b"]\n"),
    _data("data-pretty", "broken_json 4", json.dumps({"question": "q", "answer": "2"}, indent=1).encode()),
    _data("data-utf-16", "not_utf8 1", _ROW.decode().encode("utf-16")),
    _data("data-not-utf-8", "kept 0 of 1 rows (not_utf8 1)", b'{"question": "\xff\xfe", "answer": "1"}\n'),
    _data("data-binary", "not_utf8 20", bytes(range(256)) * 20),
    _data("data-packed", "not_utf8 2", gzip.compress(_ROW)),
    _data("data-half-packed", "d.jsonl.gz", gzip.compress(_ROW * 1000)[:40], suffix="jsonl.gz"),
    _data("data-not-packed", "d.jsonl.gz", _ROW, suffix="jsonl.gz"),
    _data("data-yaml", "broken_json 2", b"question: What is 1 + 1?\nanswer: 2\n"),
    _data(
        "data-other-columns",
        "'answer' is in no row",
        b'{"problem": "What is 1 + 1?", "solution": "2"}\n',
        code=2,
    ),
    _data("data-null-prompts", "kept 0 of 3", _each(None)),
    _data("data-number-prompts", "kept 0 of 3", _each(7)),
    _data("data-object-prompts", "kept 0 of 3", _each({"text": "What is 1 + 1?"})),
    _data("data-list-prompts", "kept 0 of 3", _each(["What is 1 + 1?"])),
    _data("data-turns-without-role", "kept 0 of 3", _each([{"content": "What is 1 + 1?"}])),
    _data("data-true-references", "kept 0 of 3", _each("What is 1 + 1?", answer=True)),
    _data("data-nan-references", "kept 0 of 3", _each("What is 1 + 1?", answer=float("nan"))),
    _data("data-list-references", "kept 0 of 3", _each("What is 1 + 1?", answer=["1", "2"])),
    _data("data-long-line", "line_too_long 1", _each("x" * 10_000_000)[: 10_000_000 + 40] + b"\n"),
    _data("json-open", "d.json", b'[{"question": "What is', suffix="json"),
    _data("json-word", "d.json", b'"no rows"', suffix="json"),
    _data("json-page", "d.json", _PAGE, suffix="json"),
    _data(
        "csv-open-quote",
        "broken_csv 1",
        b'question,answer\n"What is 1 + 1?,2\nWhat is 2 + 2?,4\n',
        suffix="csv",
    ),
    _data("csv-empty", "d.csv", b"", suffix="csv"),
    _data("csv-head-alone", "d.csv", b"question,answer\n", suffix="csv"),
    _data("csv-other-head", "'answer' is in no row", b"a,b\n1,2\n", suffix="csv", code=2),
    _data("csv-head-twice", "d.csv", b"question,question,answer\n1,2,3\n", suffix="csv"),
    _data("csv-page", "d.csv", _PAGE, suffix="csv", code=2),
    _data(
        "csv-semicolons",
        "'answer' is in no row",
        b"question;answer\nWhat is 1 + 1?;2\n",
        suffix="csv",
        code=2,
    ),
    _data("csv-utf-16", "d.csv", "question,answer\n1 + 1?,2\n".encode("utf-16"), suffix="csv", code=2),
    _data("parquet-empty", "d.parquet", b"", suffix="parquet"),
    _data("parquet-text", "d.parquet", _ROW, suffix="parquet"),
    _data("parquet-torn", "d.parquet", b"PAR1" + bytes(200), suffix="parquet"),
    _data("arrow-text", "d.arrow", _ROW, suffix="arrow", code=2),
]
