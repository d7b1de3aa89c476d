"""Run options: how a step is executed. None of them can change a byte of output, none is in a fingerprint."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from factory.core.paths import expand

__all__ = ["Price", "Resources"]


class Price(BaseModel):
    """What an endpoint asks for, in US dollars per million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    prompt: Annotated[float, Field(ge=0)]
    """Dollars per million prompt tokens."""
    completion: Annotated[float, Field(ge=0)]
    """Dollars per million completion tokens, thinking included."""

    def micro_dollars(self, prompt_tokens: float, completion_tokens: float) -> int:
        """Price of so many tokens, in millionths of a dollar."""
        return round(prompt_tokens * self.prompt + completion_tokens * self.completion)


class Resources(BaseModel):
    """What one step may use."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    workers: Annotated[int, Field(ge=1)] | None = None
    """Workers (actors, or parallel tasks) of the step; null: one for a model, one per CPU for the rest."""
    cpus: Annotated[float, Field(gt=0)] = 1.0
    """CPUs that Ray reserves for one task; also the cap on the threads of numeric libraries. A worker that
    holds a model goes to a node of at least so many and reserves none, or tasks would wait for its end."""
    gpus: Annotated[float, Field(ge=0)] = 0.0
    """GPUs that Ray reserves for one worker."""
    accelerator_type: str | None = None
    """Ray's name of a GPU kind, e.g. `H100`."""
    wait_for_nodes: bool = False
    """Whether nodes that can hold a worker may come later, as with an autoscaler; else a run whose request no
    node of the cluster can ever meet is refused at its start."""
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    """Memory that Ray reserves for one worker, in GiB."""
    retries: Annotated[int, Field(ge=0)] = 3
    """Times a shard is tried again after a lost worker, node or busy teacher."""
    timeout_s: Annotated[float, Field(gt=0)] = 600.0
    """Wall-clock limit of one request to an endpoint, in seconds: 10 minutes. Then it is sent again, to
    another replica where there is one. Long thinking on a busy server may want more."""
    max_in_flight: Annotated[int, Field(ge=1)] | None = None
    """Teacher requests under way at once in one worker."""
    tensor_parallel_size: Annotated[int, Field(ge=1)] = 1
    """GPUs one vLLM engine spans."""
    engine_args: dict[str, Any] = Field(default_factory=dict)
    """More arguments of the vLLM engine that change speed or memory, never the text."""
    health_s: Annotated[float, Field(gt=0)] = 600.0
    """Time without a sign of life from a vLLM engine, in seconds, after which it is ended and started again;
    more than its longest step takes."""
    base_url: str | list[str] | None = None
    """Endpoint, or replicas, of an HTTP teacher, each with http:// or https://; mostly it ends in /v1."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the HTTP teacher's key."""
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Cap on an HTTP teacher's requests."""
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Cap on an HTTP teacher's prompt and completion tokens."""
    token_budget: Annotated[int, Field(ge=1)] | None = None
    """Most tokens, of prompts and completions, that one teacher or judge, asked in one way, may cost over all
    runs. Each request reserves its `max_tokens` and a token for every byte of its prompt, so the cap is never
    passed and less than one such request stays unspent; without `max_tokens` 32,768 are reserved. At the cap
    the run stops as incomplete and goes on when the cap is raised."""
    price: Price | None = None
    """What the HTTP teacher's endpoint asks for; null: nothing is counted in money."""
    money_budget: Annotated[float, Field(gt=0)] | None = None
    """Most US dollars that the same may cost over all runs, by `price`; works as `token_budget`."""

    @field_validator("base_url")
    @classmethod
    def _addresses(cls, base_url: str | list[str] | None) -> str | list[str] | None:
        for url in [base_url] if isinstance(base_url, str) else base_url or ():
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(
                    f"'{url}' is no address of an endpoint; wanted http:// or https:// with a host, as in "
                    "http://localhost:8000/v1"
                )
        return base_url

    @model_validator(mode="before")
    @classmethod
    def _expanded(cls, given: Any) -> Any:
        """`${NAME}` and `${NAME:-default}` stand for environment variables in every run option."""
        return {key: _expanded(value) for key, value in given.items()} if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _priced(self) -> Resources:
        if self.money_budget is not None and self.price is None:
            raise ValueError(
                "`money_budget` wants `price`: {prompt: .., completion: ..}, dollars per million tokens"
            )
        return self


def _expanded(value: Any) -> Any:
    if isinstance(value, list):
        return [_expanded(one) for one in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    found = expand(value)
    return int(found) if found.isdecimal() else found
