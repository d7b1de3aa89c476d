"""A scorer over a local folder of a `*ForSequenceClassification` model, run with transformers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from verifiers.reward import Scorer

__all__ = ["conversation_text", "named_heads", "opened_folder"]

BATCH = 8


@contextmanager
def opened_folder(model: str) -> Iterator[Scorer]:
    """Loads a model folder with its tokenizer and yields its scorer; raw logits, one per label.

    A conversation that does not fit into the model's context has no heads. No code and no pickle of the
    folder is ever run. Raises ValueError when the name is no folder.
    """
    if not Path(model).is_dir():
        raise ValueError(f"the reward model {model!r} is no folder on this machine; download it first")
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    network = AutoModelForSequenceClassification.from_pretrained(
        model, trust_remote_code=False, use_safetensors=True, dtype="auto"
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network.to(device).eval()
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if network.config.pad_token_id is None:
        network.config.pad_token_id = tokenizer.pad_token_id

    longest = _context(network.config, tokenizer)

    def score(pairs: Sequence[tuple[str, str]]) -> list[Mapping[str, float]]:
        texts = [conversation_text(tokenizer, prompt, answer) for prompt, answer in pairs]
        # The template has written the special tokens already.
        tokens = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        fits = [place for place, ids in enumerate(tokens) if len(ids) <= longest]
        found: list[Mapping[str, float]] = [{} for _ in pairs]
        for start in range(0, len(fits), BATCH):
            places = fits[start : start + BATCH]
            batch = tokenizer.pad({"input_ids": [tokens[place] for place in places]}, return_tensors="pt")
            for place, row in zip(places, _logits(network, batch.to(device)), strict=True):
                found[place] = named_heads(network.config, row)
        return found

    yield score


def _logits(network: Any, batch: Any) -> list[list[float]]:
    import torch

    with torch.inference_mode():
        rows: list[list[float]] = network(**batch).logits.float().cpu().tolist()
    return rows


def _context(config: Any, tokenizer: Any) -> int:
    """The most tokens of a conversation; the tokenizer knows of places that the model keeps for itself."""
    return int(min(getattr(config, "max_position_embeddings", sys.maxsize), tokenizer.model_max_length))


def conversation_text(tokenizer: Any, prompt: str, answer: str) -> str:
    """What a model is shown, special tokens included: its own template, or plain text where it has none."""
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    if tokenizer.chat_template:
        text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=False)
        return text
    return f"{tokenizer.bos_token or ''}{prompt}\n\n{answer}{tokenizer.eos_token or ''}"


def named_heads(config: Any, logits: Sequence[float]) -> dict[str, float]:
    """Scores by the names of the model's labels, without spaces; a single head is called `score`."""
    if len(logits) == 1:
        return {"score": logits[0]}
    return {str(config.id2label[number]).replace(" ", "_"): logit for number, logit in enumerate(logits)}
