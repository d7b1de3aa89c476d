from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.verifiers.math_examples import EXAMPLES
from verifiers.base import Case, Judge
from verifiers.math import Math
from verifiers.math.compare import same_answer
from verifiers.math.estimate import clearly_different

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Math(deadline_s=10.0).open() as judge:
        yield judge


@pytest.mark.parametrize(("verdict", "reference", "content", "prompt"), EXAMPLES)
def test_judges_the_example(judge: Judge, verdict: str, reference: str, content: str, prompt: str) -> None:
    found = judge([Case(prompt=prompt, content=content, reference=reference)])[0]
    assert found.verdict == verdict, found.detail


@pytest.mark.parametrize("reference", [None, "", "proof", "NotFound", "N/A", r"\boxed{}", r"\text{none}"])
def test_a_reference_that_says_nothing_is_an_error_and_no_fail(judge: Judge, reference: str | None) -> None:
    found = judge([Case(prompt="", content=r"\boxed{4}", reference=reference)])[0]
    assert (found.verdict, found.score) == ("error", None)


def test_a_comparison_without_end_is_a_timeout_and_no_fail() -> None:
    hang = r"\boxed{\int_0^1 \sin(\frac{1}{x^9}) dx}"
    with Math(deadline_s=0.5).open() as judge:
        slow, quick = judge(
            [
                Case(prompt="", content=hang, reference="1"),
                Case(prompt="", content=r"\boxed{1}", reference="1"),
            ]
        )
    assert (slow.verdict, slow.score, quick.verdict) == ("timeout", None, "pass")
    assert slow.seconds < 10.0


@pytest.mark.parametrize("answer", ["9^{9^{9^9}}", "(10^9)!", "2^{100000}", r"\binom{100000000}{50000000}"])
def test_a_formula_too_large_to_evaluate_is_an_error_and_no_fail(judge: Judge, answer: str) -> None:
    found = judge([Case(prompt="", content=rf"\boxed{{{answer}}}", reference="1")])[0]
    assert (found.verdict, found.score) == ("error", None)


def test_a_verdict_names_both_answers_the_path_and_the_pinned_checker(judge: Judge) -> None:
    found = judge([Case(prompt="", content=r"so \boxed{\frac{1}{2}}", reference="0.5")])[0]
    assert found.verifier == "math"
    assert found.version.endswith("+math-verify-0.9.0")
    assert "'0.5'" in found.detail
    assert r"\\frac{1}{2}" in found.detail
    assert found.detail.endswith("exact")


def test_a_reference_may_be_plain_latex_boxed_or_a_worked_solution(judge: Judge) -> None:
    references = [
        "72",
        "$72$",
        r"\boxed{72}",
        "She sold 48 + 24 = 72 clips.\n#### 72",
        r"Thus $n=\boxed{72}$.",
    ]
    verdicts = judge([Case(prompt="", content=r"\boxed{72}", reference=one) for one in references])
    assert [verdict.verdict for verdict in verdicts] == ["pass"] * len(references)


def test_one_verdict_for_each_case_in_order(judge: Judge) -> None:
    cases = [Case(prompt="", content=rf"\boxed{{{n % 3}}}", reference="1") for n in range(30)]
    assert [verdict.verdict for verdict in judge(cases)] == [
        ("pass" if n % 3 == 1 else "fail") for n in range(30)
    ]


@pytest.mark.parametrize(
    "text", ["\x00", "\\boxed{" * 500, "{" * 3_000, "\\boxed{\ud800}", "$" * 999, "\\boxed{٣}"]
)
def test_broken_text_never_raises_and_never_passes(judge: Judge, text: str) -> None:
    assert judge([Case(prompt="", content=text, reference="5")])[0].verdict in ("fail", "error")


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet="0123456789.,+-/^_{}()[]\\boxedfrac$ \n\tand=<", max_size=60))
def test_any_text_gets_a_verdict_from_reading_alone(text: str) -> None:
    assert same_answer("7/3", text) in (True, False, None)


@settings(deadline=None)
@given(st.integers(-(10**9), 10**9), st.integers(1, 10**6))
def test_every_spelling_of_a_fraction_is_one_answer(above: int, below: int) -> None:
    spelled = [f"{above}/{below}", rf"\frac{{{above}}}{{{below}}}", rf"\dfrac{{{3 * above}}}{{{3 * below}}}"]
    assert all(same_answer(spelled[0], other) is True for other in spelled)
    assert same_answer(spelled[0], f"{above + 1}/{below}") is False


@settings(deadline=None)
@given(st.integers(-(10**15), 10**15))
def test_no_integer_equals_its_neighbour(number: int) -> None:
    assert same_answer(str(number), f"{number:,}") is True
    assert same_answer(str(number), str(number + 1)) is False
    assert same_answer(str(number), f"{number}.5") is False


@settings(deadline=None)
@given(st.lists(st.integers(-99, 99), min_size=2, max_size=6, unique=True))
def test_order_matters_in_a_tuple_and_not_in_a_set(values: list[int]) -> None:
    mixed = values[1:] + values[:1]
    first, second = (", ".join(map(str, one)) for one in (values, mixed))
    assert same_answer(rf"\{{{first}\}}", rf"\{{{second}\}}") is True
    assert same_answer(f"({first})", f"({second})") is False
    assert same_answer(rf"\{{{first}\}}", rf"\{{{first}, 100\}}") is False


@pytest.mark.parametrize(
    ("gold", "pred"),
    [(r"\sqrt{8}", r"2\sqrt{2}"), (r"\frac{x+2}{7}", r"\frac{x}{7}+\frac{2}{7}"), ("xy", "yx")],
)
def test_the_quick_look_never_parts_equal_formulas(gold: str, pred: str) -> None:
    assert not clearly_different(gold, pred)


def test_importing_the_verifiers_loads_no_heavy_library() -> None:
    code = (
        "import sys, verifiers, verifiers.math; verifiers.Math\n"
        "heavy = {'sympy', 'math_verify', 'torch', 'transformers', 'vllm', 'ray'} & set(sys.modules)\n"
        "sys.exit(f'importing verifiers loads {sorted(heavy)}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
