"""What stands beside the rows of an export, so that a trainer takes them as they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from factory.release.rewards import verifier_settings
from factory.release.templates import template
from factory.release.versions import Release

__all__ = ["Companions", "Written", "llamafactory_info", "reward_file"]


@dataclass(frozen=True, slots=True)
class Written:
    """What an export has written when the files beside it are made."""

    release: Release
    files: tuple[str, ...]
    """Data files of the training split, below the export's folder."""


Companions = Callable[[Written], Mapping[str, str]]
"""Name and text of each file that a target puts beside its rows."""


def reward_file(trainer: str) -> Companions:
    """A `reward.py` for `trl` or `verl`, with the verifiers of the release."""

    def companions(written: Written) -> Mapping[str, str]:
        verifiers, rule, _ = verifier_settings(written.release)
        text = template(f"reward_{trainer}.py.jinja").render(verifiers=verifiers, rule=rule)
        return {"reward.py": text}

    return companions


def llamafactory_info(written: Written) -> Mapping[str, str]:
    """LLaMA-Factory's `dataset_info.json` for a sharegpt file."""
    tags = {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"}
    columns = {"messages": "conversations", "system": "system"}
    file = written.files[0]
    entry = {"file_name": file, "formatting": "sharegpt", "columns": columns, "tags": tags}
    content = {file.rsplit(".", 1)[0]: entry}
    return {"dataset_info.json": json.dumps(content, indent=2) + "\n"}
