"""Labelled programs of the real data: what each must get, and which labels are not believed, and why."""

from __future__ import annotations

import ast
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verifiers.base import Case, Judge, Verdict
from verifiers.code.blocks import find_program
from verifiers.testforms import AssertTests, PytestTests, read_tests

__all__ = [
    "Labelled",
    "as_script",
    "explanation",
    "gaming",
    "humaneval",
    "lookup_programs",
    "mbpp",
    "mutated",
    "reflexion",
    "sandboxfusion",
]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A completion with what its source says of it."""

    name: str
    case: Case
    should_pass: bool


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    yield from map(json.loads, text.rstrip("\n").split("\n"))


def _fenced(code: str) -> str:
    return f"Here is the solution.\n\n```python\n{code}\n```\n"


def humaneval(folder: Path) -> list[Labelled]:
    """The 164 canonical solutions."""
    return [
        Labelled(row["task_id"], _case(row["prompt"], row["prompt"] + row["canonical_solution"], row), True)
        for row in _rows(folder / "data/humaneval/HumanEval.jsonl.gz")
    ]


def mbpp(folder: Path) -> list[Labelled]:
    """The 974 canonical solutions."""
    return [
        Labelled(f"MBPP/{row['task_id']}", _case(row["text"], row["code"], row), True)
        for row in _rows(folder / "data/mbpp/mbpp.jsonl")
    ]


def _case(prompt: str, code: str, tests: Any) -> Case:
    return Case(prompt=prompt, content=_fenced(code), tests=json.dumps(tests), domain="code")


def reflexion(folder: Path) -> list[Labelled]:
    """Generations of two models on HumanEval and MBPP, with the label of their own run."""
    found = []
    for path in sorted((folder / "data/teacher_code_reflexion").glob("*.jsonl")):
        for row in _rows(path):
            tests = {key: row[key] for key in ("prompt", "entry_point", "test")}
            name = f"{path.stem}:{row.get('task_id') or row['name']}"
            found.append(Labelled(name, _case(row["prompt"], row["solution"], tests), row["is_solved"]))
    return found


_CANONICAL = {
    "EvoEval": "{content}\n{canonical_solution}",
    "bigcodebench": "{content}\n{canonical_solution}",
    "can_it_edit": "{canonical_solution}",
    "mbpp": "{canonical_solution}",
    "palmath": "{code}",
    "shadow_humaneval_python": "{content}\n{canonical_solution}",
    "cruxeval": "{code}",
}


def sandboxfusion(folder: Path) -> list[Labelled]:
    """The reference solutions of the samples; programs of theirs that solve nothing are labelled so."""
    found = []
    for name, shape in _CANONICAL.items():
        for row in _rows(folder / f"data/sandboxfusion_samples/{name}.jsonl"):
            parts = json.loads(row["canonical_solution"]) if name == "palmath" else row
            code = shape.format(**{"content": "", **parts})
            found.append(Labelled(f"{name}:{row['id']}", _case(row.get("content", ""), code, row), True))
    for row in _rows(folder / "data/sandboxfusion_samples/live_code_bench_v1.jsonl"):
        case = _case(row["content"], row["canonical_solution"], row)
        found.append(Labelled(f"live_code_bench_v1:{row['id']}", case, False))
    return found


def lookup_programs(folder: Path) -> list[Labelled]:
    """For problems without solutions: programs that print what the tests expect, and what they do not."""
    found = []
    contests = json.loads((folder / "data/code_contests/code_contests_test.json").read_text("utf-8"))
    for number, problem in enumerate(contests):
        tests = problem["tests"]
        found += _lookups(f"code_contests:{number}", tests["inputs"], tests["outputs"], tests)
    for row in _rows(folder / "data/sandboxfusion_samples/code_contests.jsonl"):
        tests = json.loads(row["test"])
        inputs = [test["input"]["stdin"] for test in tests]
        outputs = [test["output"]["stdout"] for test in tests]
        found += _lookups(f"sandboxfusion code_contests:{row['id']}", inputs, outputs, row)
    return found


def _lookups(name: str, inputs: list[str], outputs: list[str], tests: Any) -> list[Labelled]:
    known = dict(zip(inputs[:10], outputs[:10], strict=True))
    other = known | {inputs[0]: "mutated " + outputs[0]}
    return [
        Labelled(f"{name} {kind}", _case("", _LOOKUP.format(table=table), tests), right)
        for kind, table, right in (("right", known, True), ("wrong", other, False))
    ]


_LOOKUP = """
import sys
table = {table!r}
print(table[sys.stdin.read()])
"""


def gaming(folder: Path) -> list[Labelled]:
    """Completions that try to fool a code verifier, and honest ones that look like it."""
    return [
        Labelled(
            row["id"],
            Case(prompt=row["prompt"], content=row["response"], tests=row["gold"], domain="code"),
            row["should_pass"],
        )
        for row in _rows(folder / "cases/gaming.jsonl")
        if row["kind"] == "code"
    ]


class _Mutation(ast.NodeTransformer):
    """Turns what every function returns into something else."""

    def __init__(self) -> None:
        self.changed = 0

    def visit_Return(self, node: ast.Return) -> ast.Return:
        self.changed += 1
        wrong = ast.Tuple([ast.Constant("mutated"), node.value or ast.Constant(None)], ast.Load())
        return ast.copy_location(ast.Return(wrong), node)


def mutated(labelled: Labelled) -> Labelled | None:
    """The same problem with a solution that returns other values; null where it returns nothing."""
    fenced = labelled.case.content
    change = _Mutation()
    tree = change.visit(ast.parse(fenced.split("```python\n", 1)[1].rsplit("\n```", 1)[0]))
    if not change.changed:
        return None
    code = ast.unparse(ast.fix_missing_locations(tree))
    case = Case(prompt="", content=_fenced(code), tests=labelled.case.tests, domain="code")
    return Labelled(f"{labelled.name} mutated", case, False)


def explanation(labelled: Labelled, verdict: Verdict, judge: Judge) -> str | None:
    """Why a verdict may contradict a label; null when nothing excuses it.

    The verifier may say that it knows nothing; and a label is not believed where the same program and tests,
    put together into one script that any interpreter would run, end as the verifier says.
    """
    if verdict.verdict in ("error", "timeout"):
        return f"not judged: {verdict.detail}"
    script = as_script(labelled)
    if script is None:
        return None
    tests = {"type": "code", "kind": "stdin", "tests": [{"input": "", "output": "done"}]}
    ran = judge([Case(prompt="", content=_fenced(script), tests=json.dumps(tests))])[0]
    if ran.verdict != verdict.verdict:
        return None
    return f"the label is wrong: one script of program and tests says {ran.verdict} too; {ran.detail}"


def as_script(labelled: Labelled) -> str | None:
    """The program and its tests as one script that prints `done` at its end, for asserts and test files."""
    tests = read_tests(labelled.case.tests)
    program = find_program(labelled.case.content, tests)
    if isinstance(program, str):
        return None
    if isinstance(tests, AssertTests):
        call = f"check({tests.entry_point})" if tests.entry_point and "def check(" in tests.source() else ""
        return f"{program.code}\n{tests.source()}\n{call}\nprint('done')\n"
    if isinstance(tests, PytestTests):
        body = "\n".join(x for x in tests.tests.split("\n") if not x.startswith("from solution import"))
        end = "import unittest\nran = unittest.main(exit=False, verbosity=0)\n"
        return f"{program.code}\n{body}\n{end}print('done' if ran.result.wasSuccessful() else 'failed')\n"
    return None
