"""The math verifier's rate on real responses, against Math-Verify alone in the same run.

    FACTORY_TEST_DATA=... python tests/bench/math_verifier.py

Both sides see the same responses, warm, and are timed by the processor time of this process, to which ours
adds the wall time that it waits for its workers. Where they disagree and Math-Verify demonstrably judged
something else than the answer that the response gives, the disagreement is printed with its reason and
counted apart.
"""

from __future__ import annotations

import sys
from pathlib import Path

_HERE = str(Path(__file__).resolve().parent)
_BENCH_ENTRIES = [entry for entry in sys.path if str(Path(entry or ".").resolve()) == _HERE]
# A script's folder comes first on the path, where this file would stand in for the standard `math`.
sys.path[:] = [entry for entry in sys.path if entry not in _BENCH_ENTRIES]
if __name__ == "math":
    del sys.modules["math"]
    import math

    sys.modules["math"] = math
    sys.path[:0] = _BENCH_ENTRIES
    # A script beside this one asked for the standard module, and has it now.
else:
    sys.path[:0] = [str(Path(_HERE).parent.parent)]

import json  # noqa: E402
import os  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

BAR = 20.0
ROUNDS = 5
SLOW_S = 10.0
FILES = [
    "teacher_qwen25math_cot100/math_cot_100.jsonl",
    "teacher_skythought/qwen2.5-math-7b_math500.jsonl",
    "teacher_skythought/sky-t1-27b_math500.jsonl",
]
BARRED = FILES[:2]
"""Responses that end in an answer. Of the third file's, half end without one: there both sides mostly search
long texts, and the few that are compared by algebra decide the rate."""


def main() -> None:
    """Prints the figures and exits 1 when a bar does not hold."""
    from tests.bench._report import figure, finish

    folder = os.environ.get("FACTORY_TEST_DATA")
    if not folder:
        sys.exit("FACTORY_TEST_DATA names the folder that holds data/")
    for name in FILES:
        cases = read_cases(Path(folder) / "data" / name)
        ours, our_rate = run_ours(cases)
        theirs, their_rate = run_math_verify(cases)
        open_questions, explained = disagreements(cases, ours, theirs)
        label = name.split("/")[1].removesuffix(".jsonl")
        ratio = our_rate / their_rate
        barred = name in BARRED
        bar = BAR if barred else None
        holds = ratio >= BAR or not barred
        figure(f"math.{label}.speedup", round(ratio, 1), unit="x", baseline=1.0, bar=bar, holds=holds)
        figure(
            f"math.{label}.rate",
            round(our_rate),
            unit="responses/s",
            baseline=round(their_rate),
            bar=None,
            holds=True,
        )
        figure(
            f"math.{label}.disagreements",
            open_questions,
            unit="rows",
            baseline=None,
            bar=0,
            holds=open_questions == 0,
        )
        figure(f"math.{label}.math_verify_wrong", explained, unit="rows", baseline=None, bar=None, holds=True)
    finish()


def read_cases(path: Path) -> list[Any]:
    """All responses of one file with the reference of their problem."""
    from verifiers.base import Case

    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [
        Case(prompt=row["question"], content=text, reference=row["answer"])
        for row in rows
        for text in row["code"]
    ]


def run_ours(cases: list[Any]) -> tuple[list[Any], float]:
    """Verdicts and responses per second; the workers' start is not counted, as their imports are not."""
    from verifiers.base import Case
    from verifiers.math import Math

    verdicts, best = [], float("inf")
    for _ in range(ROUNDS):
        clear_caches()
        with Math().open() as judge:
            judge([Case(prompt="", content=r"\boxed{\sqrt{8}}", reference=r"2\sqrt{2}")] * 2)
            start = time.process_time()
            verdicts = judge(cases)
            waited = sum(one.seconds for one in verdicts if one.detail.endswith("symbolic"))
            best = min(best, time.process_time() - start + waited)
    return verdicts, len(cases) / best


def clear_caches() -> None:
    """Each round reads every answer anew."""
    from verifiers.math import answer_form as shape
    from verifiers.math import canonical, choice, estimate, number, reference, units, verifier

    for module in (canonical, choice, estimate, number, shape, reference, units, verifier):
        for function in vars(module).values():
            if hasattr(function, "cache_clear"):
                function.cache_clear()


def run_math_verify(cases: list[Any]) -> tuple[list[bool], float]:
    """What Math-Verify alone says, and its rate: each reference is parsed once, as a boxed answer."""
    from math_verify import parse, verify

    golds = {reference: parse(rf"\boxed{{{reference}}}") for reference in {case.reference for case in cases}}
    verify(golds[cases[0].reference], parse(cases[0].content))
    said, best = [], float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        said = [verify(golds[case.reference], parse(case.content)) for case in cases]
        best = min(best, time.process_time() - start)
        if best > SLOW_S:
            break  # one round of this file is long enough to be steady
    return said, len(cases) / best


def disagreements(cases: list[Any], ours: list[Any], theirs: list[bool]) -> tuple[int, int]:
    """Counts of the disagreements that are open and of those that Math-Verify alone answers for."""
    open_questions = explained = 0
    for case, verdict, said in zip(cases, ours, theirs, strict=True):
        if verdict.verdict in ("pass", "fail") and (verdict.verdict == "pass") == said:
            continue
        reason = why_math_verify_errs(case, verdict, said)
        if reason is None:
            open_questions += 1
        else:
            explained += 1
        line = {"ours": verdict.verdict, "math_verify": said, "why": reason, "detail": verdict.detail}
        print(json.dumps({**line, "end": case.content[-160:]}), file=sys.stderr)
    return open_questions, explained


def why_math_verify_errs(case: Any, verdict: Any, said: bool) -> str | None:
    """The reason, checked on the row itself; null leaves the disagreement open."""
    from math_verify import parse, verify

    from verifiers.math.extract import answer_part, find_answer

    text = answer_part(case.content) or ""
    if verdict.detail.endswith("same text"):
        return "the answer and the reference are one text"
    if "several boxes" in verdict.detail and said:
        return "the response boxes several different answers, and any of them is taken"
    answer = find_answer(text).answer
    if answer is None:
        return "the response ends without an answer, and a value on the way is taken" if said else None
    # With the answer alone in front of it, Math-Verify agrees: it had picked another part of the text.
    alone = verify(parse(rf"\boxed{{{case.reference}}}"), parse(rf"\boxed{{{answer}}}"))
    if alone == (verdict.verdict == "pass"):
        return "another part of the text than its answer is taken"
    return None


if __name__ == "__main__":
    main()
