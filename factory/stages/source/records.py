"""The records of one file, whatever its form; a record that cannot be read says why instead of raising."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from factory.core import DataError
from factory.stages.source.files import DataFile

__all__ = ["Mark", "Record", "records"]

_STEP_BYTES = 1 << 20
_STEP_ROWS = 1000
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file from which it can be read: bytes for JSON lines, rows for Parquet."""

    offset: int
    line: int
    """1-based number of the record that starts here."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its 1-based line (JSON lines, CSV) or row, and its columns or the error that hides them."""

    line: int
    columns: dict[str, Any] | None
    error: str = ""
    text: str = ""
    """Start of the text that could not be read."""
    reason: str = "bad_line"
    """The error in one word."""


def records(file: DataFile, *, max_bytes: int, start: Mark | None = None) -> Iterator[Record]:
    """Reads a file record by record; blank lines are no records.

    `start` is for JSON lines without compression and for Parquet. `max_bytes` is the longest record that is
    read. Raises DataError when the file as a whole cannot be read.
    """
    if file.form == "parquet":
        yield from _parquet(file, start.offset if start else 0)
        return
    with file.plain_bytes() as stream:
        if file.form in ("csv", "tsv"):
            delimiter = "," if file.form == "csv" else "\t"
            yield from _csv(stream, max_bytes, delimiter=delimiter, name=file.url)
        elif file.form == "json" and not _holds_lines(stream):
            yield from _array(_text(stream), max_bytes, name=file.url)
        else:
            if start:
                stream.seek(start.offset)
            yield from _lines(stream, max_bytes, line=start.line if start else 1)


def _holds_lines(stream: BinaryIO) -> bool:
    # A file named .json that starts with an object holds JSON lines: a lone object is a line too.
    head = stream.read(_STEP_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    stream.seek(0)
    return head.startswith(b"{") and not head.startswith((b"{\n", b"{\r\n"))


def _lines(stream: BinaryIO, max_bytes: int, *, line: int) -> Iterator[Record]:
    while raw := stream.readline(max_bytes + 1):
        if line == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if len(raw) > max_bytes and not raw.endswith(b"\n"):
            yield Record(line, None, _too_long(max_bytes), _shown(raw), "line_too_long")
            while (raw := stream.readline(_STEP_BYTES)) and not raw.endswith(b"\n"):
                pass
        elif stripped := raw.rstrip(b"\r\n"):
            yield _parsed(stripped, line)
        line += 1


def _parsed(raw: bytes, line: int) -> Record:
    try:
        value = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        said = f"not UTF-8: byte 0x{raw[error.start]:02x} at {error.start}"
        return Record(line, None, said, _shown(raw), "not_utf8")
    except (ValueError, RecursionError) as error:
        return Record(line, None, f"broken JSON: {error}", _shown(raw), "broken_json")
    return _checked(value, line)


def _checked(value: Any, line: int) -> Record:
    if not isinstance(value, dict):
        said = f"wanted a JSON object, found {type(value).__name__}"
        return Record(line, None, said, str(value)[:_SHOWN], "no_object")
    return Record(line, value)


def _array(stream: io.TextIOBase, max_bytes: int, *, name: str) -> Iterator[Record]:
    """Decodes a JSON array element by element; holds one element, and what was read ahead."""
    decoder = json.JSONDecoder()
    buffer, row, step, ended = stream.read(_STEP_BYTES).removeprefix("\ufeff").lstrip(), 0, _STEP_BYTES, False
    if not buffer.startswith("["):
        raise DataError(f"input file '{name}' holds no JSON array; wanted a list of objects, or JSON lines")
    at = 1
    while True:
        while at < len(buffer) and buffer[at] in " \t\r\n,":
            at += 1
        try:
            if buffer[at : at + 1] == "]":
                return
            value, end = decoder.raw_decode(buffer, at)
            if end < len(buffer) or ended:
                row += 1
                yield _checked(value, row)
                at, step = end, _STEP_BYTES
                continue
        except (ValueError, RecursionError) as error:
            if ended or len(buffer) - at > max_bytes:
                raise DataError(
                    f"input file '{name}' breaks off in element {row + 1} ({error}); mend it or use lines"
                ) from error
        # The buffer ends inside an element, or at its last character: read on, twice as far each time.
        more = stream.read(step)
        buffer, at, step, ended = buffer[at:] + more, 0, step * 2, not more


def _csv(stream: BinaryIO, max_bytes: int, *, delimiter: str, name: str) -> Iterator[Record]:
    csv.field_size_limit(max_bytes)
    rows = csv.reader(_text(stream), delimiter=delimiter)
    header = next(rows, [])
    if twice := next((column for column in header if header.count(column) > 1), None):
        raise DataError(f"input file '{name}' has two columns '{twice}'; name each differently")
    while True:
        line = rows.line_num + 1
        try:
            cells = next(rows, None)
        except csv.Error as error:
            yield Record(line, None, f"broken CSV: {error}", reason="broken_csv")
            continue
        if cells is None:
            return
        if not cells:
            continue
        if len(cells) != len(header):
            error_text = f"wanted {len(header)} cells, found {len(cells)}"
            yield Record(line, None, error_text, delimiter.join(cells)[:_SHOWN], "broken_csv")
            continue
        yield Record(line, dict(zip(header, cells, strict=True)))


def _parquet(file: DataFile, first: int) -> Iterator[Record]:
    with file.raw() as stream:
        try:
            reader = pq.ParquetFile(stream)
            groups = [reader.metadata.row_group(g).num_rows for g in range(reader.metadata.num_row_groups)]
            row = 0
            while groups and row + groups[0] <= first:
                row += groups.pop(0)
            skipped = reader.metadata.num_row_groups - len(groups)
            wanted = list(range(skipped, reader.metadata.num_row_groups))
            for batch in reader.iter_batches(batch_size=_STEP_ROWS, row_groups=wanted) if wanted else ():
                values = batch.slice(max(0, first - row)).to_pylist()
                row += batch.num_rows
                yield from (Record(n, v) for n, v in enumerate(values, row - len(values) + 1))
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"input file '{file.url}' is not a whole Parquet file ({error})") from error


def _text(stream: BinaryIO) -> io.TextIOWrapper:
    # Bytes that are not UTF-8 become lone surrogates here; the row that holds them is rejected later.
    return io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="")


def _too_long(max_bytes: int) -> str:
    return f"longer than {max_bytes / 1e6:g} MB"


def _shown(raw: bytes) -> str:
    return raw[:_SHOWN].decode("utf-8", "replace")
