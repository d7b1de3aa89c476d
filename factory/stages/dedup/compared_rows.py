"""What a pair of rows is judged by: texts, answers, the other turns and the domain, on disk until wanted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from factory.core import prompt_texts
from factory.sameness.judgement import Problem
from factory.stages.decisions import flat
from factory.stages.dedup.spill import ScratchTexts
from factory.text.scripts import script_of

__all__ = ["ComparedRows", "compared_columns", "setting_of"]

_HELD = 20_000
"""Problems that are held with their tokens: some 100 MB."""


def compared_columns(batch: pa.Table) -> dict[str, pa.Array]:
    """Columns of a survey that say what a row is compared by."""
    texts = prompt_texts(batch["prompt"])
    domains = batch["domain"].to_pylist()
    prompts = batch["prompt"].to_pylist()
    return {
        "text": texts,
        "domain": flat(batch["domain"]).cast(pa.string()),
        "from": flat(batch["source"]).cast(pa.string()),
        "reference": flat(batch["reference"]).cast(pa.string()),
        "tests": pa.array([_tests_key(t) for t in batch["tests"].to_pylist()], pa.string()),
        "setting": pa.array([setting_of(p, d) for p, d in zip(prompts, domains, strict=True)], pa.uint64()),
        "script": pa.array([script_of(t) for t in texts.to_pylist()], pa.string()),
    }


def setting_of(prompt: Sequence[Mapping[str, str]] | None, domain: str | None) -> int:
    """64-bit hash of the domain, the roles in order, and all turns that are not the user's."""
    turns = [
        [m["role"], None if m["role"] == "user" else " ".join((m["content"] or "").split())]
        for m in prompt or ()
    ]
    return _hash(json.dumps([domain, turns]))


def _tests_key(tests: str | None) -> str | None:
    """A short key of tests, the same for any order of keys and blanks."""
    if tests is None:
        return None
    try:
        tests = json.dumps(json.loads(tests), sort_keys=True)
    except ValueError:
        tests = tests.strip()
    return f"{_hash(tests):x}"


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


class ComparedRows:
    """The surveyed rows as problems, read back one by one; in memory stay some 40 bytes of each."""

    def __init__(self) -> None:
        self._texts, self._references, self._tests = ScratchTexts(), ScratchTexts(), ScratchTexts()
        self._answered: list[npt.NDArray[np.bool_]] = [np.zeros(0, bool)]
        self._settings: list[npt.NDArray[np.uint64]] = [np.zeros(0, np.uint64)]
        self._names: dict[str, dict[str, int]] = {"domain": {}, "from": {}, "script": {}}
        self._codes: dict[str, list[npt.NDArray[np.int32]]] = {name: [] for name in self._names}
        self.problem = lru_cache(maxsize=_HELD)(self._problem)
        """The problem of a row."""

    def add(self, survey: pa.Table) -> None:
        """Appends the rows of a survey."""
        self._texts.add(survey["text"])
        self._references.add(pa.array([_kept(t) for t in survey["reference"].to_pylist()], pa.string()))
        self._tests.add(pa.array([_kept(t) for t in survey["tests"].to_pylist()], pa.string()))
        self._settings.append(survey["setting"].to_numpy())
        known = pc.or_(pc.is_valid(survey["reference"]), pc.is_valid(survey["tests"]))
        self._answered.append(known.to_numpy())
        for name, known in self._names.items():
            values = [known.setdefault(v or "", len(known)) for v in survey[name].to_pylist()]
            self._codes[name].append(np.array(values, np.int32))

    @property
    def settings(self) -> npt.NDArray[np.uint64]:
        """Hash of domain and other turns of each row."""
        self._settings = [np.concatenate(self._settings)]
        return self._settings[0]

    def answered(self) -> npt.NDArray[np.bool_]:
        """Whether each row has a reference or tests."""
        self._answered = [np.concatenate(self._answered)]
        return self._answered[0]

    def codes(self, name: str) -> tuple[npt.NDArray[np.int32], list[str]]:
        """`domain`, `from` (the source) or `script` of each row as numbers, and their names."""
        self._codes[name] = [np.concatenate([np.zeros(0, np.int32), *self._codes[name]])]
        return self._codes[name][0], list(self._names[name])

    def counts(self, name: str, rows: npt.NDArray[np.int64]) -> dict[str, int]:
        """How many of some rows have each name."""
        codes, names = self.codes(name)
        return dict(Counter(names[c] for c in codes[rows].tolist()).most_common())

    def text(self, row: int) -> str:
        """The user turns of a row."""
        return self._texts.get(row)

    def _problem(self, row: int) -> Problem:
        codes, names = self.codes("domain")
        reference, tests = self._references.get(row), self._tests.get(row)
        return Problem(
            self._texts.get(row),
            reference=reference[1:] if reference else None,
            tests=tests[1:] if tests else None,
            domain=names[codes[row]] or None,
            setting=str(self.settings[row]),
        )


def _kept(text: str | None) -> str | None:
    """A text that is told from a missing one when it is empty."""
    return None if text is None else f"={text}"
