"""What a wrong input is: a folder that is spoilt, the words that are called, and what must be said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

__all__ = ["RUN", "Case", "Content", "changed", "good", "write"]

Content = dict[str, Any]
RUN = ("run", "p.yaml", "--local", "--workspace", "w")


@dataclass(frozen=True)
class Case:
    """One wrong input. The current folder holds a good pipeline `p.yaml` and its `problems.jsonl`."""

    name: str
    code: int
    says: str
    """Must stand in the line, in any case of letters."""
    words: tuple[str, ...] = RUN
    spoil: Callable[[Path], None] = lambda folder: None
    environment: dict[str, str | None] = field(default_factory=dict)
    released: bool = False
    """Whether a finished release lies in `w` before."""


def good() -> Content:
    """A pipeline that runs."""
    source = {
        "type": "source",
        "inputs": [{"files": "problems.jsonl", "columns": {"prompt": "question", "reference": "answer"}}],
    }
    return {"pipeline": "table", "stages": [source, {"type": "clean"}], "release": {"layout": "rows"}}


def write(folder: Path, content: Any = None) -> None:
    """The pipeline file with its data beside it."""
    rows = [{"question": f"What is {i} + {i}?", "answer": str(2 * i)} for i in range(5)]
    (folder / "problems.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (folder / "p.yaml").write_text(yaml.safe_dump(good() if content is None else content))


def changed(name: str, says: str, path: str, value: Any, *, code: int = 2, **more: Any) -> Case:
    """A good pipeline in which one value is another; `path` has dots between keys, `...` drops it."""

    def spoil(folder: Path) -> None:
        content = good()
        here: Any = content
        *keys, last = list(_keys(path))
        for key in keys:
            here = here[key]
        if value is ...:
            del here[last]
        elif isinstance(here, list) and last == len(here):
            here.append(value)
        else:
            here[last] = value
        write(folder, content)

    return Case(name, code, says, spoil=spoil, **more)


def _keys(path: str) -> Iterator[int | str]:
    for key in path.split("."):
        yield int(key) if key.isdecimal() else key
