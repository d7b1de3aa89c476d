"""Reward models by vLLM's pooling runner and by transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest

from factory.core import PipelineError, Resources
from factory.models.reward_models import can_pool, opened_scorer
from tests.stages.models import HEADS, reward_folder

LOAD_S = 400.0
"""Longest time a load may take on a busy machine with two cores; 40 s when it is idle."""

PAIRS = [
    ("what is two plus three", "two plus three is five"),
    ("what is two plus three", "bad"),
    ("question", "good " * 20),
    ("what is good", "the answer is good"),
]
TOO_LONG = ("question", "good " * 200)


@pytest.fixture(scope="module")
def reward_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reward_folder(tmp_path_factory.mktemp("reward"))


@pytest.mark.teacher
@pytest.mark.timeout(LOAD_S)
def test_vllm_scores_what_transformers_scores(reward_model: Path) -> None:
    """Within 1e-3 for every head, whatever is batched together; heads by their names."""
    scores: dict[str, list[Any]] = {}
    runners: tuple[Any, ...] = ("auto", "transformers")
    assert can_pool(["LlamaForSequenceClassification"]), "`auto` is not vLLM here, so the test shows nothing"
    for runner in runners:
        with opened_scorer(str(reward_model), runner=runner, resources=Resources()) as scorer:
            scores[runner] = [dict(heads) for heads in scorer(PAIRS)]
            if runner == "auto":
                assert scorer([TOO_LONG, PAIRS[0]])[0] == {}, "a conversation over the context has a score"
                engines = psutil.Process().children(recursive=True)
    for ours, theirs in zip(scores["auto"], scores["transformers"], strict=True):
        assert tuple(ours) == HEADS
        assert list(ours.values()) == pytest.approx(list(theirs.values()), abs=1e-3)
    spread = [heads["correctness"] for heads in scores["transformers"]]
    assert max(spread) - min(spread) > 0.05, "the scores are all alike, so their agreement shows nothing"
    alive = [p for p in engines if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    left = [p for p in alive if "EngineCore" in " ".join(p.cmdline())]
    assert not left, f"engines outlive their scorer: {left}"


@pytest.mark.teacher
def test_knows_which_architectures_vllm_scores() -> None:
    assert can_pool(["Qwen3ForSequenceClassification"])
    assert can_pool(["LlamaForSequenceClassification"])
    assert not can_pool(["LlamaForDecisionTreeRewardModel"]), "its tree is no head that vLLM knows"
    assert not can_pool(["LlamaForCausalLM"])
    assert not can_pool([])


def test_a_model_with_code_of_its_own_is_refused(tmp_path: Path) -> None:
    config = '{"model_type": "mine", "auto_map": {"AutoConfig": "mine.Mine"}, "architectures": ["Mine"]}'
    (tmp_path / "config.json").write_text(config)
    (tmp_path / "mine.py").write_text("raise SystemExit('the code of a model was run')\n")
    with pytest.raises(PipelineError, match="code that comes with a model is never run"):
        opened_scorer(str(tmp_path), resources=Resources())
