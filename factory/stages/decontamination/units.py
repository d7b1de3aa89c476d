"""What of a benchmark item a text can be a copy of: all of it, its stem, its question, its docstring."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from factory.stages.decontamination.benchmarks import BenchmarkItem
from factory.stages.decontamination.passages import prose_of_code
from factory.stages.decontamination.reading import Reading
from factory.text.plain import plain

__all__ = ["Unit", "units"]

_OPTIONS = re.compile(r"\n\s*\(?[Aa][).:]\s+\S.*?\n\s*\(?[Bb][).:]\s+\S", re.DOTALL)
_END = re.compile(r"(?<=[.?!\"'”])\s+|\n+")
_LONG_WORDS, _LEAST_WORDS, _MOST_QUESTION = 110, 5, 60


@dataclass(frozen=True, slots=True)
class Unit:
    """One part of an item that stands for it."""

    name: tuple[str, str]
    """Benchmark and item."""
    part: Literal["whole", "stem", "question", "docstring"]
    reading: Reading


def units(items: Sequence[BenchmarkItem]) -> Iterator[Unit]:
    """The parts of all items: each whole item, and what of it is asked where it holds more than that."""
    for item in items:
        name = (item.benchmark, item.item)
        text = plain(item.text)
        yield Unit(name, "whole", Reading(text))
        said = prose_of_code(item.text)
        if said is not None:
            yield Unit(name, "docstring", Reading(said))
            continue
        options = _OPTIONS.search(text)
        stem = text[: options.start()] if options else text
        if options and len(stem.split()) >= _LEAST_WORDS:
            yield Unit(name, "stem", Reading(stem.strip()))
        question = _question(stem)
        if question is not None:
            yield Unit(name, "question", Reading(question))


def _question(text: str) -> str | None:
    """The last sentence of a long text; null where it is short itself or says too little."""
    if len(text.split()) < _LONG_WORDS:
        return None
    last = [part for part in _END.split(text.strip()) if part.strip()][-1:]
    words = len(last[0].split()) if last else 0
    return last[0].strip() if _LEAST_WORDS <= words <= _MOST_QUESTION else None
