from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.stages.decisions import as_decision
from factory.stages.dedup.exact import DedupExact
from factory.stages.dedup.fuzzy import DedupFuzzy
from factory.stages.dedup.lazy_calls import LazyCalls, fixed_binary, matrix_of
from factory.stages.dedup.spill import ScratchRows, ScratchTexts
from tests.stages.tables import problems, run_global, site


@pytest.mark.parametrize("stage", [DedupExact(harder="meta.level"), DedupFuzzy(harder="meta.level")])
@pytest.mark.parametrize(
    ("levels", "references", "winner"),
    [
        ([1, 3, 2], [None, None, None], 1),
        ([None, "2.5", 2], [None, None, None], 1),
        ([None, "hard", None], [None, None, None], 0),
        ([1, 5, 2], [None, None, "7"], 2),
        ([-1, None, -2], [None, None, None], 0),
    ],
)
def test_of_copies_with_a_reference_alike_the_hardest_stays(
    stage: DedupExact | DedupFuzzy,
    levels: list[object],
    references: list[str | None],
    winner: int,
    tmp_path: Path,
) -> None:
    text = "Ten lamps stand in a row and each of them is on or off. In how many ways can that be?"
    rows = problems([text] * 3, meta=[json.dumps({"level": v}) for v in levels], reference=references)
    kept, _, _ = run_global(stage, [rows.slice(0, 2), rows.slice(2)], at=site(tmp_path))
    assert pa.concat_tables(kept)["origin"].to_pylist() == [f"s.jsonl:{winner + 1}"]
    assert "meta" in stage.needs()


@given(sizes=st.lists(st.integers(0, 6), max_size=6), data=st.data())
def test_a_decision_names_shard_and_row_of_every_cut(sizes: list[int], data: st.DataObject) -> None:
    places = [(shard, row) for shard, size in enumerate(sizes) for row in range(size)]
    cut = sorted(data.draw(st.sets(st.integers(0, len(places) - 1)))) if places else []
    found = as_decision(sizes, cut, reason="r", evidence=[{"n": n} for n in cut], report={})
    assert list(zip(found["shard"].to_pylist(), found["row"].to_pylist(), strict=True)) == [
        places[n] for n in cut
    ]
    assert [json.loads(e)["n"] for e in found["evidence"].to_pylist()] == cut


@settings(max_examples=30)
@given(
    st.lists(st.lists(st.text(max_size=9) | st.none(), max_size=5), max_size=5),
    st.randoms(use_true_random=False),
)
def test_texts_put_aside_come_back_in_any_order(parts: list[list[str | None]], rng: object) -> None:
    aside, whole = ScratchTexts(), [t or "" for part in parts for t in part]
    for part in parts:
        aside.add(pa.array(part, pa.string()))
        rows = np.array([rng.randrange(len(whole)) for _ in range(7)] if whole else [], np.int64)  # type: ignore[attr-defined]
        rows = rows[rows < sum(map(len, parts[: parts.index(part) + 1]))]
        assert aside.take(rows) == [whole[r] for r in rows.tolist()]


def test_rows_put_aside_are_read_back_by_number_and_none_is_no_error() -> None:
    aside = ScratchRows(np.uint8)
    assert aside.mapped().shape[0] == 0
    rows = np.arange(60, dtype=np.uint8).reshape(20, 3)
    for first in range(0, 20, 6):
        aside.add(rows[first : first + 6])
    assert len(aside) == 20
    assert (aside.mapped()[[3, 0, 19]] == rows[[3, 0, 19]]).all()


def test_a_matrix_survives_a_column_and_its_slices() -> None:
    rows = np.arange(40, dtype=np.uint32).reshape(10, 4)
    column = fixed_binary(rows)
    assert (matrix_of(column, np.uint32) == rows).all()
    assert (
        matrix_of(pa.chunked_array([column.slice(2, 3), column.slice(7)]), np.uint32)
        == rows[[2, 3, 4, 7, 8, 9]]
    ).all()


def test_calls_are_made_only_when_they_are_asked_for() -> None:
    made: list[int] = []
    calls = LazyCalls(5, lambda i: (made.append(i) or i,))
    assert (len(calls), made) == (5, [])
    assert (calls[-1], calls[1:3], made) == ((4,), [(1,), (2,)], [4, 1, 2])
    with pytest.raises(IndexError):
        calls[5]
    assert [c for (c,) in calls] == list(range(5))
