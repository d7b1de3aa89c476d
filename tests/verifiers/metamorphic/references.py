"""Real references with their problems, sorted by the form of the answer."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Reference", "read_references"]


@dataclass(frozen=True, slots=True)
class Reference:
    """An answer as its source writes it, without outer dollars."""

    text: str
    prompt: str
    options: dict[str, str] = field(default_factory=dict)
    solution: str = ""
    """The worked solution around the answer, where the source has one."""


_VARIABLE = r"(?<![\\a-zA-Z])[a-zA-Z](?![a-zA-Z])"
_FORMS = {
    "int": r"-?\d{1,9}",
    "big": r"\d{4,9}",
    "frac": r"-?\\frac\{\d+\}\{\d+\}",
    "decimal": r"-?\d+\.\d+",
    "root": r"-?\d*\s*\\sqrt\{\d+\}",
    "pi": r"-?(?:\d+|\\frac\{\d+\}\{\d+\})\s*\\pi",
    "surd": r"\d+\s*[+-]\s*\d*\s*\\sqrt\{\d+\}",
    "complex": r"-?\d+\s*[+-]\s*\d+\s*i",
    "poly": r"-?(?:\d*\s*[a-z](?:\^\{?\d\}?)?|\d+)(?:\s*[+-]\s*(?:\d*\s*[a-z](?:\^\{?\d\}?)?|\d+)){1,4}",
    "product": r"\d*\(\w ?[+-] ?\d+\)\(\w ?[+-] ?\d+\)",
    "power": r"\d*[a-z]\^\{?\d+\}?",
    "pair": r"\(\s*-?\d+\s*,\s*-?\d+\s*\)",
    "triple": r"\(\s*-?\d+\s*,\s*-?\d+\s*,\s*-?\d+\s*\)",
    "list": r"-?\d+(?:\s*,\s*-?\d+){1,5}",
    "interval": r"[\[(]\s*-?\d+\s*,\s*-?\d+\s*[\])]",
    "ray": r"\(\s*-\\infty\s*,\s*-?\d+\s*[\])]|[\[(]\s*-?\d+\s*,\s*\\infty\s*\)",
    "union": r"[\[(][^()\[\]]+[\])]\s*\\cup\s*[\[(][^()\[\]]+[\])]",
    "line": r"y\s*=\s*-?\d*\s*x(?:\s*[+-]\s*\d+)",
    "equation": r"[^=<>,$]*[xy][^=<>,$]*=[^=<>,$]*",
    "degrees": r"-?\d+(?:\.\d+)?\s*\^\s*\{?\\circ\}?",
    "percent": r"\d+(?:\.\d+)?\s*\\?%",
    "money": r"\\?\$\s*\d[\d,]*(?:\.\d\d)?",
    "base": r"\d+_\{?\d\d?\}?",
    "word": r"(?!None)(?:\\text\{)?[A-Z][a-z]{3,12}\}?",
    "formula": rf"(?=.*{_VARIABLE})(?!.*(?:\\(?:geq?|leq?|neq?|in)\b|[-+*/]$))[^=<>,;:&$\"|]{{3,80}}",
    "matrix": r"\\begin\{pmatrix\}[^a-z]*\\end\{pmatrix\}",
    "constant": r".*\+\s*[Cc]",
}
_WORDY = re.compile(
    r"\\(?:text|mathrm|operatorname|begin|mbox|quad|pm|mp|circ|%|infty)|[a-zA-Z]{4,}(?<!frac)(?<!sqrt)"
)


def read_references(folder: Path) -> dict[str, list[Reference]]:
    """References by form; one may be of several forms. Doubles are left out."""
    found: dict[str, dict[str, Reference]] = defaultdict(dict)
    for one in _all(folder / "data"):
        if one.options:
            found["option"][one.prompt] = one
            continue
        if one.solution:
            found["worked"][one.solution] = one
        for form in _forms(one.text):
            found[form].setdefault(one.text, one)
    return {form: list(ones.values()) for form, ones in found.items()}


def _forms(text: str) -> Iterator[str]:
    for form, pattern in _FORMS.items():
        if not re.fullmatch(pattern, text):
            continue
        if form in ("formula", "equation", "constant") and _WORDY.search(
            re.sub(r"\\(?:left|right)", "", text)
        ):
            continue
        yield form


def _all(data: Path) -> Iterator[Reference]:
    for name in ("deepscaler_math_train", "deepscaler_math500"):
        for row in json.loads((data / f"math/{name}.json").read_text("utf-8")):
            yield Reference(_bare(row["answer"]), row["problem"])
    for name in ("aime_1983_2023", "aime24"):
        for row in json.loads((data / f"aime/{name}.json").read_text("utf-8")):
            solution = row["solution"] if row["solution"].count(r"\boxed{" + str(row["answer"])) == 1 else ""
            yield Reference(_bare(row["answer"]), row["problem"], solution=solution)
    for row in json.loads((data / "amc/amc.json").read_text("utf-8")):
        answer = float(row["answer"])
        yield Reference(str(int(answer)) if answer.is_integer() else str(answer), row["problem"])
    for row in _lines(data / "college_math/test.jsonl"):
        yield Reference(_bare(row["answer"]), row["question"])
    for row in _lines(data / "gsm8k/test.jsonl"):
        answer = row["answer"].rsplit("####", 1)[1].strip()
        yield Reference(answer, row["question"], solution=row["answer"])
    for row in _lines(data / "agieval/sat_math.jsonl"):
        options = {one[1]: one[3:].strip() for one in row["options"]}
        stem = "\n".join([row["passage"] or "", row["question"], *(f"({k}) {v}" for k, v in options.items())])
        if len(set(options.values())) == 4 and row["label"] in options:
            yield Reference(row["label"], stem.strip(), options)


def _lines(path: Path) -> Iterator[dict[str, str]]:
    for line in path.read_text("utf-8").splitlines():
        yield json.loads(line)


def _bare(answer: object) -> str:
    text = str(answer).strip()
    whole = re.fullmatch(r"\$([^$]+)\$\.?", text)
    return re.sub(r"\\left(?![a-z])|\\right(?![a-z])", "", whole[1] if whole else text).strip().rstrip(".")
