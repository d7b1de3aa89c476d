"""A scorer over a local folder of a `*ForSequenceClassification` model, run with transformers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from verifiers.reward import Scorer

__all__ = ["opened_folder"]

BATCH = 8


@contextmanager
def opened_folder(model: str) -> Iterator[Scorer]:
    """Loads a model folder with its tokenizer and yields its scorer; raw logits, one per label.

    Heads have the names of the model's labels; a single head is called `score`. No code and no pickle of the
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

    def score(pairs: Sequence[tuple[str, str]]) -> list[Mapping[str, float]]:
        found: list[Mapping[str, float]] = []
        for start in range(0, len(pairs), BATCH):
            texts = [_rendered(tokenizer, prompt, answer) for prompt, answer in pairs[start : start + BATCH]]
            # The template has written the special tokens already.
            batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False).to(device)
            with torch.inference_mode():
                logits = network(**batch).logits.float().cpu()
            found += [_named(network.config, row) for row in logits.tolist()]
        return found

    yield score


def _rendered(tokenizer: Any, prompt: str, answer: str) -> str:
    """The conversation in the model's own template, or plain where it has none."""
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    if tokenizer.chat_template:
        text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=False)
        return text
    return f"{tokenizer.bos_token or ''}{prompt}\n\n{answer}{tokenizer.eos_token or ''}"


def _named(config: Any, logits: Sequence[float]) -> dict[str, float]:
    if len(logits) == 1:
        return {"score": logits[0]}
    return {str(config.id2label[number]).replace(" ", "_"): logit for number, logit in enumerate(logits)}
