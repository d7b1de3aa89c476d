"""Rejects prompts that are no usable text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from factory.core import Filter, prompt_texts

__all__ = ["Clean"]

_ODD = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ufdd0-\ufdef\ufffe\uffff\ue000-\uf8ff]")
"""Control characters but tab and line ends, the replacement character, non-characters and private use."""
_NO_WORD = bytes(b for b in range(128) if not chr(b).isalnum())
_BLANK = bytes(b for b in range(128) if chr(b).isspace())
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
        turns = turn_faults(batch["prompt"])
        texts = prompt_texts(batch["prompt"]).to_pylist()
        return pa.array(
            [fault or self._reason(text) for fault, text in zip(turns, texts, strict=True)], pa.string()
        )

    def _reason(self, text: str) -> str | None:
        if not text.strip():
            return "empty"
        if len(text) > self.max_chars:
            return "too_long"
        if _ODD.search(text) and len(_ODD.findall(text)) > self.max_odd_share * len(text):
            return "not_text"
        words, visible = _counts(text)
        return None if words >= self.min_word_share * visible else "not_text"


def turn_faults(prompts: pa.ChunkedArray) -> list[str | None]:
    """Per row `empty` without a turn, `no_user_turn` where the turns do not end with the user; else null."""
    whole = prompts.combine_chunks()
    roles, ends = (
        whole.flatten().field("role").to_pylist(),
        np.cumsum(pc.list_value_length(whole).fill_null(0)),
    )
    faults: list[str | None] = []
    for start, end in pairwise([0, *ends.tolist()]):
        if start == end:
            faults.append("empty")
        else:
            good = roles[end - 1] == "user" and all(role in _ROLES for role in roles[start:end])
            faults.append(None if good else "no_user_turn")
    return faults


def _counts(text: str) -> tuple[int, int]:
    """Letters and digits of any script, and characters that are not blank."""
    if text.isascii():
        data = text.encode()
        return len(data.translate(None, _NO_WORD)), len(data.translate(None, _BLANK))
    visible = "".join(text.split())
    return sum(map(str.isalnum, visible)), len(visible)
