from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.core import DataError, WorkspaceError
from factory.storage.content_cache import KeyedRows, cached_bytes, key_array
from factory.storage.files import list_names, write_bytes
from factory.teachers.answer_cache import Memory
from tests.storage.stores import failing

KEY = st.binary(min_size=16, max_size=16)


def refuse_puts(operation: str, path: str) -> None:
    if operation == "put":
        raise OSError("no room in the store")


@settings(deadline=None, max_examples=40)
@given(st.lists(st.dictionaries(KEY, st.integers(0, 9), max_size=5), max_size=4), st.lists(KEY, max_size=5))
def test_rows_come_back_in_the_order_asked_for(batches: list[dict[bytes, int]], others: list[bytes]) -> None:
    url = f"memory://{uuid.uuid4().hex}"
    first: dict[bytes, int] = {}
    for batch in batches:
        fresh = {k: v for k, v in batch.items() if k not in first}
        KeyedRows(url).add(
            key_array(list(fresh)), pa.table({"v": pa.array(list(fresh.values()), pa.int64())})
        )
        first |= fresh
    wanted = list(dict.fromkeys([*others, *reversed(first)]))
    found, rows = KeyedRows(url).find(key_array(wanted))
    assert found.tolist() == [key in first for key in wanted]
    assert ([] if rows is None else rows["v"].to_pylist()) == [first[k] for k in wanted if k in first]


def test_what_another_worker_adds_is_seen(tmp_path: Path) -> None:
    mine, theirs = Memory(str(tmp_path)), Memory(str(tmp_path))
    assert mine.find([b"k" * 16]) == {}
    theirs.add({b"k" * 16: "four"})
    assert mine.find([b"k" * 16]) == {b"k" * 16: "four"}, "the question would be paid for a second time"


def test_a_paid_answer_that_cannot_be_kept_stops_the_run() -> None:
    memory = Memory(f"faulty://{uuid.uuid4().hex}")
    with failing(refuse_puts), pytest.raises(WorkspaceError, match="1 answers of a model were paid for"):
        memory.add({b"k" * 16: "four"})


def test_a_value_that_only_saves_time_may_be_lost() -> None:
    with failing(refuse_puts):
        assert cached_bytes(f"faulty://{uuid.uuid4().hex}/x", lambda: b"made") == b"made"


def test_a_value_is_made_once(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return b"value"

    assert [cached_bytes(str(tmp_path / "x"), make) for _ in range(3)] == [b"value"] * 3
    assert len(made) == 1


def test_a_broken_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    KeyedRows(str(tmp_path)).add(key_array([b"k" * 16]), pa.table({"v": [1]}))
    name = list_names(str(tmp_path))[0]
    write_bytes(str(tmp_path / name), b"PAR1 torn")
    with pytest.raises(DataError, match=f"{name}.*delete this file"):
        KeyedRows(str(tmp_path)).find(np.array([b"k" * 16]))
