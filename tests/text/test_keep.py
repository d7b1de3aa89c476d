from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from factory.stages.dedup.keep_order import exact_duplicates
from factory.text.normalise import content_hash


def test_one_row_of_each_group_stays_with_its_evidence():
    hashes = content_hash(pa.array(["x", "y", "X"[0], "x", None, None]), form="nfc")
    rank = np.array([3, 1, 2, 0, 4, 5])
    rows = exact_duplicates(hashes, rank=rank).to_pylist()
    assert {(r["row"], r["kept_row"]) for r in rows} == {(0, 3)}, "rows without a hash stay"


def test_ranks_must_match_the_hashes():
    with pytest.raises(ValueError, match="one rank per hash"):
        exact_duplicates(content_hash(pa.array(["a"])), rank=np.arange(2))
