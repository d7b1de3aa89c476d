from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.storage.files import join, write_json
from factory.storage.step_layout import StepLayout


@pytest.mark.parametrize("shards", [[0], [99_999, 100_000, 100_001], [7, 1_234_567, 12]])
def test_the_shards_of_a_folder_are_those_that_were_named(tmp_path: Path, shards: list[int]) -> None:
    layout = StepLayout(str(tmp_path))
    for shard in shards:
        write_json(layout.receipt_url(shard), {})
        write_json(layout.survey_receipt_url(shard), {})
    write_json(join(str(tmp_path), "receipts", "notes.json"), {})
    assert layout.receipts_done() == sorted(shards)
    assert layout.surveys_done() == sorted(shards)
    assert layout.rows_done("kept") == [layout.rows_url("kept", shard) for shard in sorted(shards)]


@settings(deadline=None)
@given(st.integers(0, 10**8), st.integers(0, 10**8))
def test_no_two_files_of_a_step_have_one_name(one: int, other: int) -> None:
    layout = StepLayout("step")

    def names(shard: int) -> list[str]:
        return [
            layout.rows_url("kept", shard),
            layout.rows_url("rejected", shard),
            layout.side_table_url("kept", shard),
            layout.survey_url(shard),
            layout.receipt_url(shard),
        ]

    fixed = [layout.decision_url, layout.description_url, layout.manifest_url]
    every = [*names(one), *(names(other) if other != one else []), *fixed]
    assert len(set(every)) == len(every)
