"""Rejects prompts that are no usable text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from factory.core import Filter, prompt_text

__all__ = ["Clean"]

_ODD = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ufdd0-\ufdef\ufffe\uffff\ue000-\uf8ff]")
"""Control characters but tab and line ends, the replacement character, non-characters and private use."""
_ROLES = ("system", "user", "assistant")


def _row(text: str, role: str = "user") -> dict[str, Any]:
    return {"prompt": [{"role": role, "content": text}]}


class Clean(Filter):
    """Rejects prompts that are empty, too long, not text, or whose turns do not end with the user."""

    type: Literal["clean"] = "clean"
    requires: ClassVar[frozenset[str]] = frozenset({"prompt"})
    examples: ClassVar[Sequence[tuple[Any, str | None]]] = (
        (_row("What is 2 + 3?"), None),
        (_row("１＋１は？"), None),
        (_row("$\\frac{1}{2}$"), None),
        (_row(" \n\t"), "empty"),
        (_row("a" * 8001), "too_long"),
        (_row("caf\ufffd \ufffd\ufffd \ufffd"), "not_text"),
        (_row("....!!!!----"), "not_text"),
        (_row("Is it 4?", "assistant"), "no_user_turn"),
        ({"prompt": None}, "empty"),
    )
    max_chars: Annotated[int, Field(ge=1)] = 8000
    """Most characters kept, all user turns together; about 2,000 tokens, so that a long answer still fits."""
    max_odd_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Largest share of control, replacement and private-use characters."""
    min_word_share: Annotated[float, Field(ge=0, le=1)] = 0.25
    """Smallest share of letters and digits of any script among the characters that are not blank.

    Gopher (2112.11446) asks for alphabetic characters in 80 % of words; formulas have far fewer.
    """

    def reject(self, batch: pa.Table) -> pa.Array:
        """One of empty, no_user_turn, too_long, not_text."""
        return pa.array([self._reason(p or ()) for p in batch["prompt"].to_pylist()], pa.string())

    def _reason(self, prompt: Sequence[Mapping[str, str]]) -> str | None:
        text = prompt_text(prompt)
        if not prompt or any(m["role"] not in _ROLES for m in prompt) or prompt[-1]["role"] != "user":
            return "no_user_turn" if prompt else "empty"
        if not text.strip():
            return "empty"
        if len(text) > self.max_chars:
            return "too_long"
        if len(_ODD.findall(text)) > self.max_odd_share * len(text):
            return "not_text"
        visible = "".join(text.split())
        words = sum(map(str.isalnum, visible))
        return None if words >= self.min_word_share * len(visible) else "not_text"
