"""Datasets by name, through the `datasets` library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from factory.core import PipelineError
from factory.core.extras import install_line
from factory.stages.source.records import Record

__all__ = ["HubDataset", "hub_dataset"]


@dataclass(frozen=True, slots=True)
class HubDataset:
    """A dataset on a hub, pinned to one commit."""

    name: str
    config: str | None
    split: str
    revision: str
    rows: int

    def records(self, *, start: int = 0) -> Iterator[Record]:
        """Rows from `start` (0-based) on; the numbers of records are 1-based."""
        data = _loaded(self.name, self.config, self.split, self.revision)
        for row in range(start, len(data)):
            yield Record(row + 1, dict(data[row]))


@lru_cache(maxsize=64)
def hub_dataset(name: str, *, config: str | None, split: str, revision: str | None) -> HubDataset:
    """Finds a dataset and the commit that `revision` (null: the main branch) stands for.

    Raises PipelineError when the `datasets` library is missing, the hub cannot be reached, or the hub knows
    no such dataset, configuration, split or revision.
    """
    commit = revision or "main"
    try:
        from huggingface_hub import HfApi

        commit = HfApi().dataset_info(name, revision=revision).sha or commit
        rows = len(_loaded(name, config, split, commit))
    except ImportError as error:
        raise PipelineError(
            f"dataset '{name}' needs {error.name}, which is not installed; run `{install_line('hub')}`, "
            "or name local copies under `files`"
        ) from error
    except Exception as error:
        # The libraries raise errors of many kinds for a hub that is away and for a name that is wrong.
        first = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise PipelineError(
            f"dataset '{name}' cannot be loaded ({type(error).__name__}: {first[:200]}); check name, config, "
            "split and revision, and that the hub is reachable; or name local copies under `files`"
        ) from error
    return HubDataset(name, config, split, commit, rows)


@lru_cache(maxsize=4)
def _loaded(name: str, config: str | None, split: str, revision: str) -> Any:
    from datasets import load_dataset

    return load_dataset(name, config, split=split, revision=revision)
