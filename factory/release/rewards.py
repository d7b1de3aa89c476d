"""Rewards for reinforcement learning: a release's own verifiers, called by a trainer."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import pyarrow as pa
import yaml

from factory.core import MESSAGE, Apply, DataError, Resources, Site
from factory.release.store import Folder
from factory.release.versions import Release
from factory.teachers.base import split_reasoning

__all__ = ["Rewards", "verifier_settings"]

_SCHEMA = pa.schema(
    [
        ("prompt", pa.list_(MESSAGE)),
        *((name, pa.string()) for name in ("reference", "tests", "domain")),
        *((name, pa.string()) for name in ("reasoning_content", "content", "finish_reason")),
    ]
)
_USUAL: tuple[Mapping[str, Any], ...] = ({"type": "math", "domains": ["math"]}, {"type": "code"})
_SCORES = {"pass": 1.0, "fail": 0.0}


class Rewards:
    """Scores completions as a `verify` step judges them. Opened at the first call, held until the end."""

    def __init__(self, verifiers: Sequence[Mapping[str, Any]], *, rule: str = "all") -> None:
        """`verifiers` and `rule` as a `verify` step has them."""
        from factory.stages.verification.verify import Verify  # a package's verifier may import this module

        settings = {"verifiers": list(verifiers), "rule": rule, "max_unjudged_share": 1.0}
        self._stage = Verify.model_validate({"type": "verify", **settings})
        self._lock = threading.Lock()
        self._held = ExitStack()
        self._apply: Apply | None = None

    def score(self, problems: Sequence[Mapping[str, Any]], texts: Sequence[str]) -> list[float | None]:
        """1.0 right, 0.0 wrong, null where nothing is known, in order.

        Args:
            problems: per text its `prompt` (messages), `reference`, `tests`, `domain`; any may be missing.
            texts: what the student wrote, thinking included. Thinking that never ends has no answer: 0.0.
        """
        rows = [_row(problem, text) for problem, text in zip(problems, texts, strict=True)]
        judged = self._opened()(pa.Table.from_pylist(rows, schema=_SCHEMA)).kept
        return [
            0.0 if not row["content"].strip() else _SCORES.get(verdict)
            for row, verdict in zip(rows, judged["verdict"].to_pylist(), strict=True)
        ]

    def close(self) -> None:
        """Ends the processes that judge; the next call starts them again."""
        with self._lock:
            self._held.close()
            self._apply = None

    def _opened(self) -> Apply:
        with self._lock:
            if self._apply is None:
                aside = self._held.enter_context(tempfile.TemporaryDirectory(prefix="rewards-"))
                site = Site(Resources(), f"{aside}/cache", f"{aside}/journal")
                self._apply = self._held.enter_context(self._stage.open(site))
            return self._apply


def _row(problem: Mapping[str, Any], text: str) -> dict[str, Any]:
    thought, answer = split_reasoning(text)
    known = {name: problem.get(name) for name in ("prompt", "reference", "tests", "domain")}
    return {**known, "reasoning_content": thought, "content": answer, "finish_reason": "stop"}


def verifier_settings(release: Release) -> tuple[list[dict[str, Any]], str, list[str]]:
    """Verifiers and rule of the release's last `verify` step, and the types that a reward leaves out.

    A reward takes rules alone: a judge or reward model needs a machine of its own, and a majority needs all
    completions of a problem at once. A release without such a step is judged as math and code.
    """
    try:
        stages = (yaml.safe_load(Folder(release.url).read_text("pipeline.yaml")) or {}).get("stages") or ()
    except (DataError, yaml.YAMLError):
        stages = ()
    steps = [one for one in stages if isinstance(one, dict) and one.get("type") == "verify"]
    step = steps[-1] if steps else {}
    told = [dict(one) for one in step.get("verifiers") or _USUAL]
    taken = [one for one in told if _is_rule(str(one.get("type")))]
    left_out = [str(one.get("type")) for one in told if one not in taken]
    return taken or [dict(one) for one in _USUAL], str(step.get("rule") or "all"), left_out


def _is_rule(name: str) -> bool:
    from factory.stages.verification.verifier_configs import VERIFIERS

    return name in VERIFIERS and VERIFIERS[name].by_rules and not VERIFIERS[name].together
