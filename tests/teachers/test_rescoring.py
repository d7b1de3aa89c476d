"""The packaged teacher scores texts that it did not write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import pyarrow as pa
import pytest

from factory.core import Flow, Resources
from factory.models.resolve import TEACHER
from factory.stages.sampling.perplexity import Perplexity
from tests.stages.tables import completions, site

LOAD_S = 400.0
"""Longest time a load may take on a busy machine with two cores; 40 s when it is idle."""
STEP_TOKENS = 64
"""Tokens that the engine takes at once: the long texts here come in several chunks."""
CONTEXT = 512

FLUENT = "The cat sat on the mat because it was warm and the sun was shining through the window."
SHUFFLED = "window the was sun on and The because mat it cat through warm. shining the sat the was"
LONG = "To add two numbers, put them side by side and count all of them together. " * 10
ROWS = [
    {"content": FLUENT},
    {"content": SHUFFLED},
    {"content": LONG},
    {"content": LONG + "That is five."},
    {"content": "It is 5.", "reasoning_content": "2 and 3 make 5."},
    {"content": "x" * 5000},
    {"content": ""},
    {"content": "\n\nNaïve 数学 🙂 <|im_end|>"},
]


def scored(rows: pa.Table, at: Path, *, parts: int = 1, **fields: Any) -> Flow:
    """What the stage makes of some rows, in so many batches."""
    teacher = {"type": "vllm", "model": TEACHER, "dtype": "float32", "max_model_len": CONTEXT}
    stage = Perplexity.model_validate({"teacher": teacher, "token_logprobs": True, **fields})
    engine = {"max_num_batched_tokens": STEP_TOKENS, "max_num_seqs": 4}
    place = replace(site(at), resources=Resources(engine_args=engine))
    size = -(-rows.num_rows // parts)
    with stage.open(place) as apply:
        flows = [apply(rows.slice(start, size)) for start in range(0, rows.num_rows, size)]
        assert (flows[0].spent or {}).get("perplexity_asked") or not engines(), (
            "the model was loaded though nothing was asked"
        )
    spent = {name: sum((f.spent or {}).get(name, 0) for f in flows) for name in (flows[0].spent or {})}
    kept, rejected = ([getattr(f, side) for f in flows] for side in ("kept", "rejected"))
    return Flow(pa.concat_tables(kept), pa.concat_tables(rejected), spent=spent)


def engines() -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if "EngineCore" in " ".join(p.cmdline())]


def by_transformers(folder: Path, rows: list[Mapping[str, Any]]) -> list[tuple[list[int], npt.NDArray[Any]]]:
    """Tokens of each completion and their log probabilities, by another program and one text at a time.

    A completion begins with the first token that ends behind the prompt's last letter.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is 2 + 3?"}], tokenize=False, add_generation_prompt=True
    )
    found, over = [], False
    for row in rows:
        thinking = (
            f"<think>\n{row['reasoning_content']}\n</think>\n\n" if row.get("reasoning_content") else ""
        )
        read = tokenizer(
            prompt + thinking + row["content"], add_special_tokens=False, return_offsets_mapping=True
        )
        ids = read["input_ids"]
        places = read["offset_mapping"]
        start = next(n for n, (_, end) in enumerate(places) if end > len(prompt))
        over |= places[start][0] < len(prompt)
        with torch.no_grad():
            logprobs = network(torch.tensor([ids])).logits[0].log_softmax(-1)
        given = logprobs[range(start - 1, len(ids) - 1), ids[start:]]
        found.append((ids[start:], given.numpy()))
    assert over, "no token holds letters of both prompt and completion, so the boundary is not shown"
    return found


@pytest.mark.teacher
@pytest.mark.timeout(LOAD_S)
def test_scores_are_those_of_transformers_and_are_asked_for_once(
    teacher_folder: Path, tmp_path: Path
) -> None:
    """Within 1e-3 a token, whatever is batched together, cut into chunks, or shares its beginning."""
    rows = completions(ROWS)
    first = scored(rows, tmp_path, parts=2)
    kept = first.kept.to_pylist()
    [cut] = first.rejected.to_pylist()
    assert cut["reason"] == "too_long_for_teacher"
    assert cut["evidence"].endswith(f'"context": {CONTEXT}}}')
    [empty] = [row for row in kept if not row["content"]]
    assert [empty["perplexity"], empty["rescored_logprobs"]] == [None, None]
    kept.remove(empty)
    theirs = by_transformers(teacher_folder, kept)
    assert max(len(ids) for ids, _ in theirs) > 2 * STEP_TOKENS, "no text is cut into chunks"
    for row, (ids, logprobs) in zip(kept, theirs, strict=True):
        assert row["rescored_token_ids"] == ids
        assert row["rescored_logprobs"] == pytest.approx(logprobs.tolist(), abs=1e-3), row["content"][:40]
        assert row["perplexity"] == pytest.approx(np.exp(-logprobs.mean()), rel=1e-3)
    by_text = {row["content"]: row["perplexity"] for row in kept}
    assert by_text[FLUENT] < by_text[SHUFFLED] / 3, "shuffled words are no more surprising than a sentence"

    between = (by_text[FLUENT] + by_text[SHUFFLED]) / 2
    again = scored(rows, tmp_path, max=between)
    assert again.spent == {"perplexity_remembered": len(ROWS) - 1}
    assert SHUFFLED in again.rejected["content"].to_pylist()
    assert FLUENT in again.kept["content"].to_pylist()
