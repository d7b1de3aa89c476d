from __future__ import annotations

from pathlib import Path

import pytest

from factory.core import PipelineError
from factory.pipeline import load_pipeline

PIPELINE = """pipeline: stored
stages:
  - {{type: source, inputs: [{{files: a.jsonl, columns: {{prompt: q, reference: a}}, domain: math}}]}}
  - {{type: sample, teacher: {{type: http, model: m}}, max_tokens: 16, stored_system: {system}}}
  - {{type: verify, verifiers: [{{type: math}}]}}
release: {{layout: {layout}}}
"""


def write(folder: Path, *, layout: str, system: str) -> str:
    (folder / "a.jsonl").write_text('{"q": "1+1?", "a": "2"}\n')
    (folder / "pipeline.yaml").write_text(PIPELINE.format(layout=layout, system=system))
    return str(folder / "pipeline.yaml")


@pytest.mark.parametrize("layout", ["am", "light-r1"])
def test_a_stored_system_turn_that_the_layout_cannot_hold_is_refused_before_anything_is_paid(
    layout: str, tmp_path: Path
) -> None:
    with pytest.raises(
        PipelineError, match=f"step 'sample' stores a system turn.*layout '{layout}'.*trl-sft"
    ):
        load_pipeline(write(tmp_path, layout=layout, system="Be kind."))
    load_pipeline(write(tmp_path, layout=layout, system="null"))


@pytest.mark.parametrize("layout", ["rows", "trl-sft", "trl-sft-completion", "axolotl", "llamafactory"])
def test_a_layout_with_a_place_for_it_takes_it(layout: str, tmp_path: Path) -> None:
    load_pipeline(write(tmp_path, layout=layout, system="Be kind."))
