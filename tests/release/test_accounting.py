from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from factory.core import DamagedFile, DataError, RowsLost
from factory.release.spec import FinishedStep
from factory.release.versions import list_releases
from tests.release.conftest import build
from tests.release.steps import make_steps


def altered(steps: list[FinishedStep], position: int, **values: Any) -> list[FinishedStep]:
    changed = list(steps)
    manifest = copy.deepcopy(dict(steps[position].manifest)) | values
    changed[position] = FinishedStep(steps[position].folder, manifest)
    return changed


@pytest.mark.parametrize(
    ("position", "values", "message"),
    [
        (1, {"rows_expected": 16}, r"step 2 'clean': 14 kept \+ 1 rejected is not the 16"),
        (1, {"reasons": {"empty": 2}}, r"its reasons count 2 rows, not 1"),
        (2, {"rows_in": 13}, r"was given 13 rows, but 'clean' kept 14"),
        (0, {"rows_kept": 14, "rows_expected": 14}, r"its files hold 15 kept rows, its manifest says 14"),
    ],
)
def test_a_row_that_is_lost_anywhere_stops_the_release(
    steps: list[FinishedStep], tmp_path: Path, position: int, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(RowsLost, match=message):
        build(altered(steps, position, **values), tmp_path)
    assert list_releases(str(tmp_path)) == [], "a release was made although rows are lost"


def test_a_file_that_is_not_the_one_its_step_wrote_stops_the_release(tmp_path: Path) -> None:
    steps = make_steps(tmp_path / "steps")
    path = steps[-1].parts("rejected")[0][0]
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(DamagedFile, match=r"rejected/part-00000.parquet: is not the file that was written"):
        build(steps, tmp_path / "r")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    steps = make_steps(tmp_path / "steps")
    Path(steps[-1].parts("kept")[1][0]).unlink()
    with pytest.raises(DataError, match=r"part-00001.parquet: cannot be read"):
        build(steps, tmp_path / "r")
