"""Agreement of the code verifier with labelled programs, and every disagreement with its explanation.

    FACTORY_TEST_DATA=... python tests/bench/code_verifier.py [SET ...]

A disagreement is explained in one of two ways, both checked on the row: the verifier says that it knows
nothing (`error`, counted as `unjudged`), or the same program and tests, put together into one script that any
interpreter would run, end as the verifier says, so that the label is wrong (`label_wrong`). What is left is
`unexplained`.

What stands behind the disagreements of each set:

* humaneval, mbpp and their mutated solutions: none.
* reflexion: six rows of MBPP are labelled unsolved although their programs pass the very tests in the row.
* sandboxfusion: BigCodeBench asks the network, needs packages that are not installed, and one of its
  references runs longer than the limit of six seconds. Of the shadow HumanEval rows one test does not parse,
  two use names that nobody defines, and two contradict their own reference.
* contests: the rows hold tests and no solutions, so programs that print what the tests expect, and the same
  with one output changed, stand for them: no disagreement.
"""

from __future__ import annotations

import os
import sys

# A script's folder comes first on the path, where the files beside this one hide standard modules.
sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import json  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Callable, Mapping  # noqa: E402
from pathlib import Path  # noqa: E402

from tests.bench._report import figure, finish  # noqa: E402
from tests.verifiers import code_data  # noqa: E402
from tests.verifiers.code_data import Labelled  # noqa: E402
from verifiers.base import Judge  # noqa: E402
from verifiers.code.verifier import Code  # noqa: E402


def _mutated(rows: list[Labelled]) -> list[Labelled]:
    return [found for row in rows if (found := code_data.mutated(row)) is not None]


SETS: Mapping[str, Callable[[Path], list[Labelled]]] = {
    "gaming": code_data.gaming,
    "humaneval": code_data.humaneval,
    "humaneval_mutated": lambda folder: _mutated(code_data.humaneval(folder)),
    "mbpp": code_data.mbpp,
    "mbpp_mutated": lambda folder: _mutated(code_data.mbpp(folder)),
    "reflexion": code_data.reflexion,
    "sandboxfusion": code_data.sandboxfusion,
    "contests": code_data.lookup_programs,
}
ALL_JUDGED = frozenset(SETS) - {"sandboxfusion"}
"""Sets of which no row may end in `error`."""


def main() -> None:
    """Prints the figures and exits 1 when a bar does not hold."""
    folder = os.environ.get("FACTORY_TEST_DATA")
    if not folder:
        sys.exit("FACTORY_TEST_DATA names the folder that holds data/")
    with Code().open() as judge:
        for name in sys.argv[1:] or SETS:
            measure(name, SETS[name](Path(folder)), judge)
    finish()


def measure(name: str, rows: list[Labelled], judge: Judge) -> None:
    """Judges the rows of one set, and prints its figures and disagreements."""
    counts = Counter[str]()
    for row, verdict in zip(rows, judge([row.case for row in rows]), strict=True):
        label = "pass" if row.should_pass else "fail"
        if verdict.verdict == label:
            counts["agree"] += 1
            continue
        why = code_data.explanation(row, verdict, judge)
        kind = "unexplained" if why is None else "label_wrong"
        counts["unjudged" if verdict.verdict in ("error", "timeout") else kind] += 1
        if kind == "unexplained":
            counts["false_pass" if verdict.verdict == "pass" else "false_fail"] += 1
        line = {
            "row": row.name,
            "label": label,
            "verdict": verdict.verdict,
            "detail": verdict.detail,
            "why": why,
        }
        print(json.dumps({"disagreement": line}), flush=True)
    bars = {
        "agree": None,
        "label_wrong": None,
        "unjudged": 0 if name in ALL_JUDGED else None,
        "unexplained": 0,
        "false_pass": 0,
        "false_fail": 0,
    }
    for kind, bar in bars.items():
        figure(
            f"code.{name}.{kind}",
            counts[kind],
            unit="rows",
            baseline=len(rows),
            bar=bar,
            holds=bar is None or counts[kind] <= bar,
        )
    judged = len(rows) - counts["unjudged"]
    right = judged - counts["unexplained"]
    share = round(right / judged, 4) if judged else 1.0
    figure(f"code.{name}.accuracy", share, unit="of judged rows", baseline=judged, bar=None, holds=True)


if __name__ == "__main__":
    main()
