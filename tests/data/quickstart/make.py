"""Writes the quickstart's problems, benchmark set and planted truth from scenarios.yaml and benchmark.yaml.

    python tests/data/quickstart/make.py [FOLDER]

The same two YAML files always give the same bytes.
"""

from __future__ import annotations

import itertools
import json
import math
import random
import re
import string
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import yaml

__all__ = ["FILES", "Row", "build", "evaluate", "expressions", "words_of", "write"]

HERE = Path(__file__).parent
FILES = ("problems.jsonl", "benchmark.jsonl", "truth.jsonl")
SEED = "quickstart"
EXACT_COPIES = {"verbatim": 5, "whitespace": 4, "case": 3, "punctuation": 3}
PLAIN_WORDS = 8
"""Texts up to this many words embed so alike that only their numbers tell them apart."""
LONG_CHARACTERS = 8_400
"""Length of the over-long prompt: a little above the 8,000 characters that the quickstart allows."""

Kind = Literal[
    "honest",
    "exact",
    "near",
    "number_changed",
    "contaminated",
    "leaked",
    "empty",
    "not_text",
    "too_long",
    "broken",
]
OUTCOMES: Mapping[str, str | Mapping[str, str]] = {
    "exact": "dedup-exact:exact_duplicate",
    "near": "dedup-semantic:near_duplicate",
    "number_changed": "kept",
    "contaminated": "decontaminate:contaminated",
    "leaked": "decontaminate:answer_in_prompt",
    "empty": "clean:empty",
    "not_text": "clean:not_text",
    "too_long": "clean:too_long",
    "broken": {"invalid_json": "source:broken_json", "missing_question": "source:no_prompt"},
}
MATHS: Mapping[str, Any] = {
    name: getattr(math, name) for name in ("comb", "factorial", "gcd", "isqrt", "lcm", "prod")
} | {"Fraction": Fraction, "permutations": itertools.permutations}


@dataclass(frozen=True)
class Row:
    """One line of problems.jsonl before it is written, with what it was planted for."""

    name: str
    """Unique: the scenario's id and a counter, or what was planted and where."""
    line: str
    kind: Kind = "honest"
    how: str | None = None
    of: str | None = None
    """Name of the row that this one copies."""
    benchmark: int | None = None
    """1-based line of the benchmark item that this row copies."""
    scenario: str | None = None
    slots: tuple[tuple[str, Any], ...] = ()
    """What the scenario's text was filled with: numbers and words."""

    @property
    def fields(self) -> dict[str, Any]:
        """The JSON object of the line; raises ValueError on a broken one."""
        fields: dict[str, Any] = json.loads(self.line)
        return fields


def outcome(row: Row) -> str:
    """What becomes of a row: the step and reason that cut it, or `kept`."""
    found = OUTCOMES[row.kind]
    return found if isinstance(found, str) else found[row.how or ""]


def evaluate(expression: str | int, names: Mapping[str, Any]) -> Any:
    """Value of an arithmetic expression of the YAML files."""
    return eval(str(expression), dict(MATHS) | dict(names))


def words_of(text: str) -> list[str]:
    """Lower-case runs of letters and digits: what is left of a text when its formatting is ignored."""
    return re.findall(r"[^\W_]+", text.lower())


def expressions() -> dict[str, Any]:
    """What the two YAML files hold: `pools`, `scenarios` and `leaked`, and the benchmark's `items`."""
    texts = [(HERE / name).read_text(encoding="utf-8") for name in ("scenarios.yaml", "benchmark.yaml")]
    return {key: value for text in texts for key, value in yaml.safe_load(text).items()}


def build() -> tuple[list[Row], list[Row]]:
    """All rows of problems.jsonl in file order, and the rows of benchmark.jsonl."""
    source = expressions()
    scenarios, items = source["scenarios"], source["items"]
    rows: dict[str, Row] = {}
    taken: set[tuple[str, tuple[str, ...]]] = set()
    for scenario in scenarios:
        for row in _draw(scenario, pools=source["pools"], taken=taken):
            rows[row.name] = row
    honest = [row for row in rows.values() if row.kind == "honest"]
    planted = [
        *_near_copies(scenarios, rows=rows),
        *_exact_copies(honest, busy={row.of for row in rows.values()} | _reworded(scenarios)),
        *_contaminated(items),
        *_spoilt(source["leaked"]),
    ]
    ordered = [*rows.values(), *planted]
    random.Random(f"{SEED}:order").shuffle(ordered)
    benchmark = [
        Row(f"benchmark-{i}", _dump(item["question"], evaluate(item["answer"], {}), level=None, topic=None))
        for i, item in enumerate(items, 1)
    ]
    return _originals_first(ordered), benchmark


def write(folder: Path) -> None:
    """Write the three files into a folder."""
    rows, benchmark = build()
    at = {row.name: number for number, row in enumerate(rows, 1)}
    truth = [
        json.dumps(
            {
                "line": number,
                "kind": row.kind,
                "how": row.how,
                "of": at.get(row.of or ""),
                "benchmark": row.benchmark,
                "outcome": outcome(row),
            }
        )
        for number, row in enumerate(rows, 1)
        if row.kind != "honest"
    ]
    for name, lines in zip(FILES, ([r.line for r in rows], [r.line for r in benchmark], truth), strict=True):
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def _dump(question: str, answer: object, *, level: int | None, topic: str | None) -> str:
    fields = {"question": question, "answer": str(answer), "level": level, "topic": topic}
    return json.dumps({key: value for key, value in fields.items() if value is not None})


def _draw(
    scenario: Mapping[str, Any], *, pools: Mapping[str, list[str]], taken: set[tuple[str, tuple[str, ...]]]
) -> Iterator[Row]:
    """The scenario's problems and, where it asks for one, the number-changed copy of the first."""
    slots = {field for _, field, _, _ in string.Formatter().parse(scenario["text"]) if field}
    copies = 1 if scenario.get("renumber") else 0
    first: Row | None = None
    for k in range(scenario["count"] + copies):
        changed = k == scenario["count"]
        rng = random.Random(f"{SEED}:{scenario['id']}:words:{0 if changed else k}")
        words = {slot: rng.choice(pool) for slot, pool in pools.items() if slot in slots}
        unlike = first.fields["answer"] if changed and first else None
        row = _fill(scenario, k=k, words=words, taken=taken, unlike=unlike)
        first = first or row
        yield replace(row, kind="number_changed", how="numbers", of=f"{scenario['id']}-0") if changed else row


def _fill(
    scenario: Mapping[str, Any],
    *,
    k: int,
    words: Mapping[str, str],
    taken: set[tuple[str, tuple[str, ...]]],
    unlike: str | None,
) -> Row:
    """One problem with fresh numbers, whose reference is not `unlike` and can't be read off its own text.

    Numbers are fresh when no problem of the same scenario has them, nor, in a text of at most PLAIN_WORDS
    words, any other such text.
    """
    rng = random.Random(f"{SEED}:{scenario['id']}:numbers:{k}")
    for _ in range(5_000):
        numbers = {n: rng.randrange(s[0], s[1] + 1, *s[2:]) for n, s in scenario["draw"].items()}
        for name, expression in scenario.get("let", {}).items():
            numbers[name] = evaluate(expression, numbers)
        if not evaluate(scenario.get("where", "True"), numbers):
            continue
        text = scenario["text"].format(**words, **numbers)
        answer = str(evaluate(scenario["answer"], numbers))
        family = "plain" if len(words_of(text)) <= PLAIN_WORDS else scenario["id"]
        key = (family, tuple(sorted(re.findall(r"\d+", text))))
        if key in taken or answer in text or answer == unlike:
            continue
        taken.add(key)
        line = _dump(text, answer, level=scenario["level"], topic=scenario["topic"])
        used: tuple[tuple[str, Any], ...] = (*numbers.items(), *words.items())
        return Row(f"{scenario['id']}-{k}", line, scenario=scenario["id"], slots=used)
    raise ValueError(f"scenario {scenario['id']!r}: no fresh numbers in 5,000 draws; widen its `draw`")


def _reworded(scenarios: list[dict[str, Any]]) -> set[str]:
    return {f"{s['id']}-0" for s in scenarios if "reworded" in s or "typos" in s}


def _near_copies(scenarios: list[dict[str, Any]], *, rows: Mapping[str, Row]) -> Iterator[Row]:
    """Rewordings and misspellings of a scenario's first problem, with its numbers untouched."""
    for scenario in scenarios:
        original = rows[f"{scenario['id']}-0"]
        texts = {}
        if "reworded" in scenario:
            texts["reworded"] = scenario["reworded"].format(**dict(original.slots))
        for word in scenario.get("typos", []):
            # Two letters inside the word change places, the commonest slip of the hand.
            slip = word[:3] + word[4] + word[3] + word[5:]
            texts["typos"] = texts.get("typos", original.fields["question"]).replace(word, slip)
        for how, text in texts.items():
            yield _copy(original, kind="near", how=how, question=text)


def _copy(original: Row, *, kind: Kind, how: str, question: str) -> Row:
    line = json.dumps(original.fields | {"question": question})
    return replace(original, name=f"{original.name}-{how}", line=line, kind=kind, how=how, of=original.name)


def _exact_copies(honest: list[Row], *, busy: set[str | None]) -> Iterator[Row]:
    """Copies of problems that nothing else was copied from, equal up to formatting."""
    rng = random.Random(f"{SEED}:exact")
    free = [
        row for row in honest if row.name not in busy and len(words_of(row.fields["question"])) > PLAIN_WORDS
    ]
    originals = iter(rng.sample(free, sum(EXACT_COPIES.values())))
    for how, count in EXACT_COPIES.items():
        for original in itertools.islice(originals, count):
            text = _reformat(original.fields["question"], how=how)
            # Exact dedup keeps what case may tell apart; the judgement of near copies sees both texts.
            yield _copy(original, kind="near" if how == "case" else "exact", how=how, question=text)


def _reformat(text: str, *, how: str) -> str:
    if how == "whitespace":
        return "  " + text.replace(". ", ".\n\n").replace(" how", "\thow").replace(" a ", "  a ") + " \n"
    if how == "case":
        return text.upper()
    if how == "punctuation":
        return text.rstrip("?.").replace(". ", "; ") + " ...?!"
    return text


def _contaminated(items: list[dict[str, Any]]) -> Iterator[Row]:
    for number, item in enumerate(items, 1):
        if "planted" not in item:
            continue
        how, text = item["planted"]["how"], item["planted"]["question"]
        line = _dump(text, evaluate(item["answer"], {}), level=3, topic="mixed")
        yield Row(f"contaminated-{number}", line, kind="contaminated", how=how, benchmark=number)


def _spoilt(leaks: list[dict[str, Any]]) -> Iterator[Row]:
    """Rows that give their answer away, and rows that are no problems at all."""
    for k, leak in enumerate(leaks):
        line = _dump(leak["question"], leak["answer"], level=2, topic="mixed")
        yield Row(f"leaked-{k}", line, kind="leaked")
    yield Row("empty", _dump("", 4, level=1, topic="mixed"), kind="empty")
    noise = "".join(chr(c) for c in (0, 1, 2, 0xFFFD, 7, 27, 0xFFFD, 16, 0)) * 12
    yield Row("not_text", _dump(f"\x89PNG\r\n\x1a\n{noise}", 8, level=1, topic="mixed"), kind="not_text")
    items = (f"On page {n} of the ledger there are {7 + n % 5} entries." for n in itertools.count(1))
    sizes = itertools.accumulate(itertools.islice(items, 400), lambda text, item: f"{text} {item}")
    book = next(text for text in sizes if len(text) > LONG_CHARACTERS)
    question = f"{book} How many entries does page 8 have?"
    yield Row("too_long", _dump(question, 10, level=5, topic="mixed"), kind="too_long")
    yield Row(
        "broken-json", '{"question": "A kite string is 40 metres long', kind="broken", how="invalid_json"
    )
    missing = {"answer": "12", "level": 2, "topic": "mixed"}
    yield Row("broken-field", json.dumps(missing), kind="broken", how="missing_question")


def _originals_first(rows: list[Row]) -> list[Row]:
    """The same rows with every copy behind its original, so that a copy is always the later of the two."""
    ordered = list(rows)
    at = {row.name: i for i, row in enumerate(ordered)}
    for row in rows:
        if row.of and at[row.of] > at[row.name]:
            i, j = at[row.of], at[row.name]
            ordered[i], ordered[j] = ordered[j], ordered[i]
            at[row.of], at[row.name] = j, i
    repeated = [name for name, times in Counter(row.of for row in rows if row.of).items() if times > 1]
    if repeated:
        raise ValueError(f"{repeated} have several copies each: putting one in order would move another")
    return ordered


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
