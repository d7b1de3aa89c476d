"""The packaged teacher as a judge in this process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pyarrow as pa
import pytest

from factory.core import Resources
from factory.models.resolve import TEACHER, resolve
from factory.stages.verification.verify import Verify
from tests.stages.tables import completions, site

LOAD_S = 400.0
"""Longest time a load may take on a busy machine with two cores; 40 s when it is idle."""


@pytest.mark.teacher
@pytest.mark.timeout(LOAD_S)
def test_the_packaged_teacher_judges_softly_and_is_asked_once(teacher_folder: Path, tmp_path: Path) -> None:
    """135M parameters judge badly, but what they say is read: scores between 0 and 1, errors are no fails."""
    assert resolve(TEACHER).path == teacher_folder
    entry = {
        "type": "judge",
        "teacher": {"type": "vllm", "model": TEACHER, "dtype": "float32", "max_model_len": 1024},
        "max_tokens": 64,
        "think": False,
    }
    at = replace(site(tmp_path), resources=Resources(max_in_flight=16))
    rows = completions(
        [{"content": f"I count two and three together, which comes to {n}."} for n in (5, 6, 7, 8)]
        + [{"content": "word " * 3000 + "comes to 5."}, {"content": ""}]
    )
    stage = Verify.model_validate({"verifiers": [entry], "max_unjudged_share": 1.0})
    # As a worker's thread does it: a model that only loads in the main thread is of no use.
    with stage.open(at) as apply, ThreadPoolExecutor(1) as pool:
        flow = pool.submit(apply, rows).result()
    verdicts = [row["verdicts"][0] for row in flow.kept.to_pylist()]
    read = [
        v for v in verdicts if v["verdict"] in ("pass", "fail") and not v["detail"].startswith("not asked")
    ]
    assert len(read) == 4, "an answer that is held to a verdict cannot be read"
    assert [v["verdict"] for v in verdicts[4:]] == ["error", "fail"]
    assert all(0.0 < v["score"] < 1.0 for v in read), "a soft score is the probability of a token"
    assert all((v["verdict"] == "pass") == (v["score"] >= 0.5) for v in read)
    again = Verify.model_validate({"verifiers": [{**entry, "threshold": 0.01}], "max_unjudged_share": 1.0})
    with again.open(at) as apply:
        # Without the one that the model could not take: it might be able to another time.
        second = apply(pa.concat_tables([rows.slice(0, 4), rows.slice(5)]))
        alive = [
            p for p in psutil.Process().children(recursive=True) if "EngineCore" in " ".join(p.cmdline())
        ]
    assert "judge_asked" not in (second.spent or {}), "another threshold asks the model again"
    assert not alive, "the model was loaded though nothing was asked"
    del verdicts[4]
    assert [row["verdicts"][0]["score"] for row in second.kept.to_pylist()] == [v["score"] for v in verdicts]
