"""One stage over one file, from the command line."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factory.catalog import STAGES
from factory.cli import main
from tests.engine.noop import Beside


def test_what_a_stage_writes_beside_its_rows_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STAGES._ours, "beside", Beside)
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    pq.write_table(pa.table({"id": [2, 3]}), tmp_path / "in.parquet")
    words = ["stage", "beside", "--in", str(tmp_path / "in.parquet"), "--out", str(tmp_path / "out.parquet")]
    monkeypatch.setattr("sys.argv", ["factory", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert pq.read_table(tmp_path / "out.parquet")["id"].to_pylist() == [2, 3]
    assert pq.read_table(tmp_path / "out.squares.parquet")["square"].to_pylist() == [4, 9]
