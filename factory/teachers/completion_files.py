"""Reads completions that the data has already: JSONL (plain, .gz, .zst) and Parquet, by a map of columns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pyarrow.parquet as pq

from factory.core import DataError, PipelineError
from factory.storage.files import exists, open_read, sha256, stat
from factory.storage.folders import find_files

__all__ = ["answers_of", "content_digest", "question_of", "stored_files", "stored_rows", "value_at"]

_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson", ".parquet")
_ROW_GROUP = 1024


def stored_files(patterns: Sequence[str]) -> list[str]:
    """URLs of all files, in the order of the patterns and by name within one.

    Raises DataError when a pattern finds none.
    """
    found: list[str] = []
    for pattern in patterns:
        named = [url for url, _ in find_files(pattern)]
        files = [url for url in named if url.endswith(_SUFFIXES) and (url != pattern or exists(url))]
        if not files:
            raise PipelineError(
                f"no completions at {pattern}; wanted a file or folder of files that end in "
                f"{', '.join(_SUFFIXES)}"
            )
        found += files
    return found


def content_digest(urls: Sequence[str]) -> str:
    """SHA-256 over the content of the files in order, 64 hex digits; their names and places do not count."""
    whole = hashlib.sha256()
    for url in urls:
        about = stat(url)
        whole.update(_file_digest(url, about.size, about.stamp).encode())
    return whole.hexdigest()


@lru_cache(maxsize=1024)
def _file_digest(url: str, size: int, stamp: str) -> str:
    return sha256(url)


def stored_rows(url: str, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every row of a file with where it is (`file:row`, 1-based).

    `columns` (top-level names) are all that is read of a Parquet file. Raises DataError for a line that is no
    JSON object.
    """
    if url.endswith(".parquet"):
        with open_read(url) as file:
            parquet = pq.ParquetFile(file)
            wanted = [c for c in columns if c in parquet.schema_arrow.names]
            number = 0
            for batch in parquet.iter_batches(batch_size=_ROW_GROUP, columns=wanted):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{url}:{number}", row
        return
    with open_read(url, decompress=True) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield f"{url}:{number}", _json_object(line, f"{url}:{number}")


def _json_object(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"{where}: not JSON ({error}); mend or remove the line") from error
    if not isinstance(row, dict):
        raise DataError(f"{where}: wanted a JSON object, found {type(row).__name__}")
    return row


def value_at(row: Mapping[str, Any], path: str, *, where: str) -> Any:
    """The value under a column name, dots reaching into objects. Raises DataError when there is none."""
    found: Any = row
    if path in row:
        return row[path]
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise DataError(f"{where}: no column '{path}'; the row has {sorted(row)}")
        found = found[part]
    return found


def question_of(value: Any) -> str:
    """The user's part of a prompt (a text, or messages up to the first answer), as `prompt_text` gives it."""
    if isinstance(value, str):
        return value
    asked = []
    for role, content in _turns(value):
        if role in ("assistant", "gpt"):
            break
        if role in ("user", "human"):
            asked.append(content)
    return "\n".join(asked)


def answers_of(value: Any) -> list[str]:
    """The completions in a value: a text, a list of texts, or messages (the last answer); null holds none."""
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if all(isinstance(v, str) for v in value):
        return list(value)
    return [c for role, c in _turns(value) if role in ("assistant", "gpt")][-1:]


def _turns(value: Any) -> Iterator[tuple[str, str]]:
    for turn in value or ():
        yield (
            str(turn.get("role", turn.get("from", ""))),
            str(turn.get("content", turn.get("value", "")) or ""),
        )
