from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from factory.storage.files import read_json, read_table, write_json, write_table


def test_writes_into_the_working_folder_by_a_bare_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = pa.table({"a": [1, 2]})
    assert write_table("bare.parquet", table).rows == 2
    write_json("bare.json", {"a": 1})
    assert read_table("bare.parquet").equals(table)
    assert read_json("bare.json") == {"a": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bare.json", "bare.parquet"]
