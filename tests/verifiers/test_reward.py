from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from verifiers import Case, Reward, Verdict
from verifiers.reward import Scorer, combine, passes

HEADS = {"helpfulness": 3.0, "correctness": 4.0, "coherence": 2.5, "complexity": 1.0, "verbosity": 9.0}


def scored(heads: Mapping[str, float], *, content: str = "an answer", **fields: Any) -> Verdict:
    @contextmanager
    def source(name: str) -> Iterator[Scorer]:
        yield lambda pairs: [heads for _ in pairs]

    with Reward(model="given", **fields).open(source) as judge:
        return judge([Case(prompt="a question", content=content)])[0]


def test_the_am_score_is_the_mean_of_three_heads_over_their_highest() -> None:
    assert combine(HEADS, combination="am") == (2.5 + 4.0 + 3.0) / 12
    assert scored(HEADS, combination="am", threshold=0.7).verdict == "pass"
    assert scored(HEADS, combination="am", threshold=0.8).verdict == "fail"


def test_keeps_a_score_exactly_at_the_threshold() -> None:
    assert passes(0.7, threshold=0.7)
    assert not passes(math.nextafter(0.7, 0), threshold=0.7)


def test_the_verdict_keeps_every_raw_score_to_the_last_bit() -> None:
    heads = {"correctness": 0.1 + 0.2, "helpfulness": -1e-17, "coherence": 3.0}
    kept = scored(heads, combination="am")
    assert raw_heads(kept) == heads
    assert combine(raw_heads(kept), combination="am") == kept.score


def raw_heads(verdict: Verdict) -> dict[str, float]:
    """The scores in a verdict's detail, as its text is documented: `name=score` with spaces between."""
    return {name: float(score) for name, score in (part.split("=") for part in verdict.detail.split(" "))}


@pytest.mark.parametrize(
    ("heads", "combination"),
    [
        ({"correctness": 4.0}, "am"),
        (HEADS, "single"),
        ({"score": math.nan}, "single"),
        ({"score": math.inf}, "single"),
    ],
)
def test_heads_that_do_not_fit_are_an_error_and_no_fail(heads: Mapping[str, float], combination: str) -> None:
    assert scored(heads, combination=combination).verdict == "error"


def test_a_scorer_that_breaks_is_an_error_and_no_fail() -> None:
    @contextmanager
    def source(name: str) -> Iterator[Scorer]:
        def broken(pairs: Sequence[tuple[str, str]]) -> list[Mapping[str, float]]:
            raise ConnectionError("refused")

        yield broken

    with Reward(model="given").open(source) as judge:
        verdicts = judge([Case(prompt="a", content="b"), Case(prompt="a", content="c")])
    assert [(one.verdict, one.score) for one in verdicts] == [("error", None)] * 2


def test_an_empty_answer_fails_unscored_and_the_others_keep_their_places() -> None:
    @contextmanager
    def source(name: str) -> Iterator[Scorer]:
        yield lambda pairs: [{"score": float(len(answer))} for _, answer in pairs]

    with Reward(model="given").open(source) as judge:
        verdicts = judge([Case(prompt="a", content=content) for content in ("one", " ", "three")])
    assert [one.score for one in verdicts] == [3.0, None, 5.0]
    assert verdicts[1].verdict == "fail"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny randomly initialised classification model with three named heads, and its tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast

    torch.manual_seed(5)
    words = [
        "<s>",
        "</s>",
        "<pad>",
        "<unk>",
        "question",
        "answer",
        "good",
        "bad",
        "two",
        "four",
        "is",
        "plus",
    ]
    core = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=64, pad_token_id=2,
        bos_token_id=0, eos_token_id=1, num_labels=3,
        id2label={0: "helpfulness", 1: "correctness", 2: "coherence"},
        label2id={"helpfulness": 0, "correctness": 1, "coherence": 2},
    )  # fmt: skip
    path = tmp_path_factory.mktemp("reward")
    LlamaForSequenceClassification(config).eval().save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def test_a_local_folder_is_scored_by_its_own_logits(folder: Path) -> None:
    """The verdicts equal the network's logits, whatever the batch pads."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    cases = [
        Case(prompt="two plus two is", content="four"),
        Case(prompt="question", content="answer is good good good bad two plus two is four"),
        Case(prompt="question", content="bad"),
    ]
    with Reward(model=str(folder), combination="am").open() as judge:
        verdicts = judge(cases)
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for case, verdict in zip(cases, verdicts, strict=True):
        text = f"<s>{case.prompt}\n\n{case.content}</s>"
        with torch.inference_mode():
            ids = tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids
            logits = network(input_ids=ids).logits[0].tolist()
        kept = raw_heads(verdict)
        assert list(kept) == ["helpfulness", "correctness", "coherence"]
        assert list(kept.values()) == pytest.approx(logits, abs=1e-5)
        assert verdict.score == pytest.approx(sum(logits) / 12, abs=1e-5)


@pytest.mark.parametrize(("words", "verdict"), [(60, "fail"), (61, "error")])
def test_a_conversation_beyond_the_models_context_has_no_score(
    folder: Path, words: int, verdict: str
) -> None:
    """Beside the answer stand two special tokens, a word of the prompt, and a last place."""
    cases = [
        Case(prompt="two", content=" ".join(["four"] * words) + " is"),
        Case(prompt="two", content="four"),
    ]
    with Reward(model=str(folder), combination="am", threshold=99).open() as judge:
        found, beside = judge(cases)
    assert found.verdict == verdict, found.detail
    assert beside.verdict == "fail", "the conversations beside it are scored all the same"
    if verdict == "error":
        assert found.detail == "the conversation does not fit into the model's context"


def test_a_model_that_is_no_folder_is_refused_with_the_cure() -> None:
    judge = Reward(model="nobody/nothing").open()
    with pytest.raises(ValueError, match="download it first"):
        judge.__enter__()
