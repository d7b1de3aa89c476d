"""A stage, a verifier, a layout and an export of a package of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import pyarrow as pa

from factory.core import Filter, prompt_texts
from factory.release.export import Options, Target
from factory.release.layouts import Layout
from factory.release.versions import Release
from factory.stages.verification.verifier_config import Route
from verifiers.base import Case, Judge, Verdict


class Shout(Filter):
    """Rejects prompts that shout."""

    type: Literal["shout"] = "shout"
    requires: ClassVar[frozenset[str]] = frozenset({"prompt"})
    examples: ClassVar[Sequence[tuple[Any, str | None]]] = (
        ({"prompt": [{"role": "user", "content": "What is 2 + 3?"}]}, None),
        ({"prompt": [{"role": "user", "content": "Now!!!"}]}, "shouts"),
    )
    marks: int = 3
    """Exclamation marks from which on a prompt shouts."""

    def reject(self, batch: pa.Table) -> pa.Array:
        """The reason is `shouts`."""
        texts = prompt_texts(batch["prompt"]).to_pylist()
        return pa.array(["shouts" if t.count("!") >= self.marks else None for t in texts], pa.string())


class EndsWith(Route):
    """Passes completions that end with the reference."""

    type: Literal["ends-with"] = "ends-with"
    wants = "reference"

    @contextmanager
    def open(self) -> Iterator[Judge]:
        """Nothing is held."""
        yield lambda cases: [self._verdict(case) for case in cases]

    def _verdict(self, case: Case) -> Verdict:
        right = case.content.rstrip(" .").endswith(case.reference or "")
        return Verdict(self.type, self.version, "pass" if right else "fail", detail="end of the text")


def _pair(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"ask": row["prompt"][-1]["content"], "say": row["content"]}


PAIR = Layout(
    pa.schema([("ask", pa.string()), ("say", pa.string())]), _pair, ("prompt", "content"), lambda prompt: True
)


def _texts(release: Release, options: Options, skipped: Counter[str]) -> Iterator[dict[str, Any]]:
    for row in release.frame().collect().iter_rows(named=True):
        yield {"text": f"{row['prompt'][-1]['content']}\n{row['content']}"}


PLAIN_TEXT = Target("jsonl", pa.schema([("text", pa.string())]), _texts)
