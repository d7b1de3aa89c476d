"""Right and wrong verdicts of the math verifier on labelled rows, beside Math-Verify on the same rows.

    FACTORY_TEST_DATA=... python tests/bench/verdicts.py [rewrites per kind]

Every row on which the two disagree, or on which ours contradicts the label, goes to standard error with who
is right and why. The metamorphic suite has a figure per kind; the rules
were made on these kinds, so the figures say nothing of kinds that nobody has seen.
"""

from __future__ import annotations

import sys
from pathlib import Path

_HERE = str(Path(__file__).resolve().parent)
# A script's folder comes first on the path, where its neighbour would stand in for the standard `math`.
sys.path[:] = [entry for entry in sys.path if str(Path(entry or ".").resolve()) != _HERE]
sys.path[:0] = [str(Path(_HERE).parent.parent)]

import json  # noqa: E402
import os  # noqa: E402
from collections.abc import Iterator, Sequence  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from typing import Any  # noqa: E402

from tests.bench._report import figure, finish  # noqa: E402
from tests.verifiers.labels import why_disbelieved  # noqa: E402
from tests.verifiers.metamorphic.all_kinds import KINDS  # noqa: E402
from tests.verifiers.metamorphic.kinds import Kind, samples  # noqa: E402
from tests.verifiers.metamorphic.references import read_references  # noqa: E402
from verifiers.base import Case, Judge, Verdict  # noqa: E402
from verifiers.math import Math  # noqa: E402

FALSE_PASSES, FALSE_FAILS = 0.001, 0.01
"""Bars on real outputs: shares of the wrong answers that pass and of the right ones that fail."""
KEPT, KEPT_KIND, CHANGED, CHANGED_KIND = 0.985, 0.95, 0.998, 0.98
PER_KIND = 12
PATIENCE_S = 5
TEACHERS = [
    "teacher_qwen25math_cot100/math_cot_100.jsonl",
    "teacher_skythought/qwen2.5-math-7b_math500.jsonl",
    "teacher_skythought/sky-t1-27b_math500.jsonl",
]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A case, whether it is right, and for a real output the answer that its label was given for."""

    case: Case
    right: bool
    read: str | None = None


def main() -> None:
    """Prints the figures and exits 1 when a bar does not hold."""
    named = os.environ.get("FACTORY_TEST_DATA")
    if not named:
        sys.exit("FACTORY_TEST_DATA names the folder that holds data/ and cases/")
    folder = Path(named)
    per_kind = int(sys.argv[1]) if len(sys.argv) > 1 else PER_KIND
    with Math().open() as judge:
        real: list[tuple[Labelled, Verdict]] = []
        for name, rows in _sets(folder):
            real += _compared(name, rows, judge)
        _bars(real)
        _hangs(folder, judge)
        _metamorphic(folder, judge, per_kind=per_kind)
    finish()


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _sets(folder: Path) -> Iterator[tuple[str, list[Labelled]]]:
    pairs = [row for row in _lines(folder / "cases/math_pairs.jsonl") if "(policy)" not in row["source"]]
    yield "pairs", [Labelled(Case("", row["pred"], reference=row["gold"]), row["expected"]) for row in pairs]
    gaming = [row for row in _lines(folder / "cases/gaming.jsonl") if row["kind"] in ("math", "mcq")]
    yield (
        "gaming",
        [
            Labelled(Case(row["prompt"], row["response"], reference=row["gold"]), row["should_pass"])
            for row in gaming
        ],
    )
    for name in TEACHERS:
        yield (
            name.split("/")[1].removesuffix(".jsonl"),
            [
                Labelled(Case(row["question"], text, reference=row["answer"]), bool(label), str(read))
                for row in _lines(folder / "data" / name)
                for text, label, read in zip(row["code"], row["score"], row["pred"], strict=True)
            ],
        )
    models = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
    yield (
        "gsm8k_model_solutions",
        [
            Labelled(
                Case(row["question"], row[one]["solution"], reference=row["ground_truth"]),
                row[one]["is_correct"],
                "",
            )
            for row in _lines(folder / "data/gsm8k/example_model_solutions.jsonl")
            for one in models
        ],
    )


def _compared(name: str, rows: list[Labelled], judge: Judge) -> list[tuple[Labelled, Verdict]]:
    """Figures of one set; returns its rows where they are real outputs, with the labels set right."""
    ours = judge([row.case for row in rows])
    theirs = [_math_verify(row.case) for row in rows]
    settled: list[tuple[Labelled, Verdict]] = []
    overruled = 0
    for row, verdict, other in zip(rows, ours, theirs, strict=True):
        why = None
        passed = verdict.verdict == "pass"
        if passed != row.right and row.read is not None:
            why = why_disbelieved(row.case, verdict, label=row.right, read=row.read)
        right = row.right if why is None else passed
        overruled += why is not None
        settled.append((Labelled(row.case, right, row.read), verdict))
        if other != passed or passed != row.right:
            _tell(name, row, verdict, other=other, right=right, why=why)
    truths = [one.right for one, _ in settled]
    verdicts = [verdict.verdict for _, verdict in settled]
    _shares(name, verdicts, theirs, truths)
    if overruled:
        # Labels are overruled by rules that are partly the verifier's own, so they count as given too.
        _shares(f"{name}.labels_as_given", verdicts, theirs, [row.right for row in rows])
        figure(
            f"verdicts.{name}.labels_overruled", overruled, unit="rows", baseline=None, bar=None, holds=True
        )
    return settled if rows[0].read is not None else []


def _tell(name: str, row: Labelled, verdict: Verdict, *, other: bool, right: bool, why: str | None) -> None:
    sides = {"ours": verdict.verdict == "pass", "math-verify": other, "label": row.right}
    line = {
        "set": name,
        "right": [side for side, said in sides.items() if said == right],
        "why": why or f"the label: the answer is {'right' if right else 'wrong'}",
        "detail": verdict.detail,
        "end": row.case.content[-120:],
    }
    print(json.dumps(line, ensure_ascii=False), file=sys.stderr)


def _shares(name: str, ours: Sequence[str], theirs: Sequence[bool], truths: Sequence[bool]) -> None:
    verdicts = {"ours": [one == "pass" for one in ours], "theirs": list(theirs)}
    accuracy, passes, fails = {}, {}, {}
    for side, said in verdicts.items():
        both = list(zip(said, truths, strict=True))
        accuracy[side] = round(sum(one == truth for one, truth in both) / len(both), 4)
        passes[side] = sum(one and not truth for one, truth in both)
        fails[side] = sum(truth and not one for one, truth in both)
    for what, counted, unit in (
        ("accuracy", accuracy, "share"),
        ("false_passes", passes, f"of {truths.count(False)} wrong"),
        ("false_fails", fails, f"of {truths.count(True)} right"),
    ):
        figure(
            f"verdicts.{name}.{what}",
            counted["ours"],
            unit=unit,
            baseline=counted["theirs"],
            bar=None,
            holds=True,
        )


def _bars(real: list[tuple[Labelled, Verdict]]) -> None:
    wrong = [verdict.verdict for row, verdict in real if not row.right]
    right = [verdict.verdict for row, verdict in real if row.right]
    for what, share, bar in (
        ("false_passes", wrong.count("pass") / len(wrong), FALSE_PASSES),
        ("false_fails", right.count("fail") / len(right), FALSE_FAILS),
    ):
        figure(
            f"verdicts.real.{what}", round(share, 5), unit="share", baseline=None, bar=bar, holds=share <= bar
        )


def _math_verify(case: Case) -> bool:
    """What Math-Verify says at its defaults; what it cannot do in its own time is no."""
    from math_verify import parse, verify

    reference = case.reference or ""
    worked = "####" in reference or "\nA:" in reference
    gold = reference.rsplit("####", 1)[-1].rsplit("\nA:", 1)[-1].strip() if worked else reference
    try:
        return bool(
            verify(
                parse(rf"\boxed{{{gold.strip('$')}}}", parsing_timeout=PATIENCE_S),
                parse(case.content, parsing_timeout=PATIENCE_S),
                timeout_seconds=PATIENCE_S,
            )
        )
    except Exception:
        return False


def _hangs(folder: Path, judge: Judge) -> None:
    """Inputs that hang a symbolic checker: bounded, none believed, and the workers answer after each."""
    control = Case("", r"\boxed{3^{1/2}\sqrt{5}}", reference=r"\sqrt{15}")
    believed = lost = 0
    rows = _lines(folder / "cases/math_hang.jsonl")
    for row in rows:
        hung, after = judge([Case("", row["pred"], reference=row["gold"]), control])
        believed += hung.verdict == "pass" and not row["expected"]
        lost += after.verdict != "pass"
    for what, count in (("false_passes", believed), ("lost_after", lost)):
        figure(f"verdicts.hang.{what}", count, unit=f"of {len(rows)}", baseline=None, bar=0, holds=count == 0)


def _metamorphic(folder: Path, judge: Judge, *, per_kind: int) -> None:
    references = read_references(folder)
    good: dict[bool, list[bool]] = {}
    for kind in KINDS:
        cases = list(samples(kind, references, n=per_kind))
        verdicts = judge(cases)
        right = [(verdict.verdict == "pass") == kind.keeps for verdict in verdicts]
        good.setdefault(kind.keeps, []).extend(right)
        _of_kind(kind, right)
        for case, verdict, fine in zip(cases, verdicts, right, strict=True):
            if not fine:
                line = {
                    "kind": kind.name,
                    "keeps": kind.keeps,
                    "detail": verdict.detail,
                    "end": case.content[-120:],
                }
                print(json.dumps(line, ensure_ascii=False), file=sys.stderr)
    for keeps, bar in ((True, KEPT), (False, CHANGED)):
        right = good[keeps]
        share = sum(right) / len(right)
        figure(
            f"metamorphic.{'kept' if keeps else 'changed'}",
            round(share, 4),
            unit=f"of {len(right)}, kinds that the rules were made on",
            baseline=None,
            bar=bar,
            holds=share >= bar,
        )


def _of_kind(kind: Kind, right: list[bool]) -> None:
    bar = KEPT_KIND if kind.keeps else CHANGED_KIND
    share = sum(right) / len(right) if right else 1.0
    name = f"metamorphic.{'kept' if kind.keeps else 'changed'}.{kind.name}"
    figure(name, round(share, 3), unit=f"of {len(right)}", baseline=None, bar=bar, holds=share >= bar)


if __name__ == "__main__":
    main()
