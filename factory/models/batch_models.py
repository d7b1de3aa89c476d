"""Models in this process that take batches: a teacher, or a reward model's heads by vLLM or transformers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal

from factory.core import PipelineError, Resources
from factory.models.engine_environment import engine_environment
from factory.models.orphan_reaper import guarded
from factory.models.resolve import ModelFolder, resolve
from factory.teachers.vllm import Vllm
from verifiers.reward import Scorer
from verifiers.reward_transformers import conversation_text, named_heads

__all__ = ["can_pool", "loaded_llm", "loaded_teacher", "opened_scorer", "own_dtype", "pooled_scorer"]

Runner = Literal["auto", "vllm", "transformers"]

_CLASSIFIER = "ForSequenceClassification"
_BASES = ("ForCausalLM", "Model", "ForConditionalGeneration")
"""What vLLM makes a classifier of where it has none of the family."""
_IDENTITY_ARGUMENTS = frozenset(
    {
        *("model", "tokenizer", "revision", "tokenizer_revision", "dtype", "quantization", "max_model_len"),
        *("seed", "runner", "convert", "hf_overrides", "pooler_config"),
    }
)
_SHUTDOWN_S = 20.0
"""Time for the engine to end by itself, in seconds, before it is killed."""


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
        return pooled_scorer(folder, revision=revision, resources=resources)
    return _transformers_scorer(folder, revision)


def can_pool(architectures: Sequence[str]) -> bool:
    """Whether vLLM scores a model of this architecture, its own or made of the family's language model."""
    from vllm.model_executor.models import ModelRegistry

    known = ModelRegistry.get_supported_archs()
    families = [a.removesuffix(_CLASSIFIER) for a in architectures if a.endswith(_CLASSIFIER)]
    return any(f + suffix in known for f in families for suffix in (_CLASSIFIER, *_BASES))


@contextmanager
def pooled_scorer(
    folder: ModelFolder, *, resources: Resources, revision: str | None = None
) -> Iterator[Scorer]:
    """Loads the model into vLLM's pooling runner: on a processor 20 s and more."""
    config = _config(folder, revision)
    # Converted by name: of some reward architectures vLLM would otherwise make an embedder.
    with loaded_llm(
        folder, resources=resources, revision=revision, runner="pooling", convert="classify",
        dtype=own_dtype(config),
    ) as llm:  # fmt: skip
        yield lambda pairs: _scores(llm, config, pairs)


def _scores(llm: Any, config: Any, pairs: Sequence[tuple[str, str]]) -> list[Mapping[str, float]]:
    from vllm import PoolingParams, TokensPrompt

    tokenizer = llm.get_tokenizer()
    # The template has written the special tokens already.
    tokens = [
        tokenizer.encode(conversation_text(tokenizer, *pair), add_special_tokens=False) for pair in pairs
    ]
    fits = [place for place, ids in enumerate(tokens) if len(ids) <= llm.model_config.max_model_len]
    heads: list[Mapping[str, float]] = [{} for _ in pairs]
    if not fits:
        return heads
    outputs = llm.classify(
        [TokensPrompt(prompt_token_ids=tokens[place]) for place in fits],
        pooling_params=PoolingParams(use_activation=False),
        use_tqdm=False,
    )
    for place, output in zip(fits, outputs, strict=True):
        heads[place] = named_heads(config, output.outputs.probs)
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


def own_dtype(config: Any) -> str:
    """The number type a model is stored in: vLLM's own `auto` makes another of float32 on some machines."""
    stored = getattr(config, "dtype", None) or getattr(config, "torch_dtype", None)
    return "auto" if stored is None else str(stored).removeprefix("torch.")


@contextmanager
def loaded_teacher(teacher: Vllm, *, resources: Resources, **arguments: Any) -> Iterator[Any]:
    """vLLM's batch interface over a teacher's model, without its adapter; errors as of `loaded_llm`."""
    from transformers import AutoConfig

    folder = resolve(teacher.model, revision=teacher.revision)
    dtype: str = teacher.dtype
    if dtype == "auto":
        dtype = own_dtype(AutoConfig.from_pretrained(folder.source, revision=teacher.revision))
    with loaded_llm(
        folder,
        resources=resources,
        revision=teacher.revision,
        dtype=dtype,
        quantization=teacher.quantization,
        max_model_len=teacher.max_model_len,
        **arguments,
    ) as llm:
        yield llm


@contextmanager
def loaded_llm(
    folder: ModelFolder, *, resources: Resources, revision: str | None = None, **arguments: Any
) -> Iterator[Any]:
    """vLLM's batch interface over a model; its processes never outlive this one.

    Raises PipelineError when `engine_args` of the step hold what can change an answer, or what vLLM refuses.
    """
    fixed = sorted((_IDENTITY_ARGUMENTS | arguments.keys()) & resources.engine_args.keys())
    if fixed:
        raise PipelineError(f"engine_args must not hold {fixed}: they can change what the model says")
    with guarded(), engine_environment(folder):
        from vllm import LLM
        from vllm.platforms import current_platform

        given = {**arguments, **resources.engine_args}
        if current_platform.is_cpu():
            given.setdefault("enforce_eager", True)
        try:
            llm = LLM(
                model=folder.source,
                revision=revision if folder.path is None else None,
                tensor_parallel_size=resources.tensor_parallel_size,
                **given,
            )
        except (TypeError, ValueError) as error:
            reason = " ".join(str(error).split())[:300]
            raise PipelineError(f"model '{folder.name}': vLLM does not load it ({reason})") from error
    try:
        yield llm
    finally:
        llm.llm_engine.engine_core.shutdown(timeout=_SHUTDOWN_S)
