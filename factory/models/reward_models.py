"""A reward model's heads, by vLLM or by transformers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal

from factory.core import PipelineError, Resources
from factory.models.resolve import ModelFolder, resolve
from factory.models.vllm_process import BatchEngine, batch_engine, stored_dtype
from verifiers.reward import Scorer
from verifiers.reward_transformers import conversation_text, named_heads

__all__ = ["can_pool", "opened_scorer"]

Runner = Literal["auto", "vllm", "transformers"]

_CLASSIFIER = "ForSequenceClassification"
_BASES = ("ForCausalLM", "Model", "ForConditionalGeneration")
"""What vLLM makes a classifier of where it has none of the family."""


def opened_scorer(
    model: str, *, revision: str | None = None, runner: Runner = "auto", resources: Resources
) -> AbstractContextManager[Scorer]:
    """Loads a reward model and gives the raw scores of (prompt, answer) by head; no activation is applied.

    Heads have the names of the model's labels; a single head is called `score`. A conversation that does not
    fit into the model's context has no scores. `runner` "auto" is vLLM where it knows the architecture.

    Raises:
        PipelineError: there is no such model, it is no classification model, or it needs code of its own.
    """
    folder = resolve(model, revision=revision)
    if runner == "vllm" or (runner == "auto" and can_pool(_config(folder, revision).architectures or ())):
        return _pooled_scorer(folder, revision=revision, resources=resources)
    return _transformers_scorer(folder, revision)


def can_pool(architectures: Sequence[str]) -> bool:
    """Whether vLLM scores a model of this architecture, its own or made of the family's language model."""
    from vllm.model_executor.models import ModelRegistry

    known = ModelRegistry.get_supported_archs()
    families = [a.removesuffix(_CLASSIFIER) for a in architectures if a.endswith(_CLASSIFIER)]
    return any(f + suffix in known for f in families for suffix in (_CLASSIFIER, *_BASES))


@contextmanager
def _pooled_scorer(folder: ModelFolder, *, resources: Resources, revision: str | None) -> Iterator[Scorer]:
    """Loads the model into vLLM's pooling runner: on a processor 20 s and more."""
    config = _config(folder, revision)
    # Converted by name: of some reward architectures vLLM would otherwise make an embedder.
    with batch_engine(
        folder, resources=resources, revision=revision, runner="pooling", convert="classify",
        dtype=stored_dtype(folder, revision=revision),
    ) as engine:  # fmt: skip
        yield lambda pairs: _scores(engine, config, pairs)


def _scores(engine: BatchEngine, config: Any, pairs: Sequence[tuple[str, str]]) -> list[Mapping[str, float]]:
    from vllm import PoolingParams
    from vllm.outputs import ClassificationRequestOutput

    tokenizer = engine.tokenizer
    # The template has written the special tokens already.
    tokens = [
        tokenizer.encode(conversation_text(tokenizer, *pair), add_special_tokens=False) for pair in pairs
    ]
    fits = [place for place, ids in enumerate(tokens) if len(ids) <= engine.context]
    heads: list[Mapping[str, float]] = [{} for _ in pairs]
    raw = PoolingParams(task="classify", use_activation=False)
    outputs = engine.encode([tokens[place] for place in fits], raw) if fits else []
    for place, output in zip(fits, outputs, strict=True):
        heads[place] = named_heads(config, ClassificationRequestOutput.from_base(output).outputs.probs)
    return heads


@contextmanager
def _transformers_scorer(folder: ModelFolder, revision: str | None) -> Iterator[Scorer]:
    from verifiers.reward_transformers import opened_folder

    path = str(folder.path) if folder.path is not None else _fetched(folder.name, revision)
    with opened_folder(path) as scorer:
        yield scorer


def _fetched(name: str, revision: str | None) -> str:
    from huggingface_hub import snapshot_download

    try:
        return str(snapshot_download(name, revision=revision))
    except Exception as error:
        # The hub's client raises errors of many kinds for a hub that is away and for a name that is wrong.
        reason = " ".join(str(error).split())[:200]
        raise PipelineError(
            f"reward model '{name}' cannot be fetched ({type(error).__name__}: {reason}); check the name and "
            "the network, or name a local folder"
        ) from error


def _config(folder: ModelFolder, revision: str | None) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder.source, revision=revision, trust_remote_code=False)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise PipelineError(
            f"reward model '{folder.name}': its configuration cannot be read ({reason}); code that comes "
            "with a model is never run, wanted a model that transformers knows"
        ) from error
