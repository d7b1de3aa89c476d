"""A sample of the metamorphic suite; the bench of verdicts runs it whole, with a figure per kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verifiers.metamorphic.all_kinds import KINDS
from tests.verifiers.metamorphic.kinds import samples
from tests.verifiers.metamorphic.references import read_references
from verifiers.math import Math

pytestmark = pytest.mark.realdata

KEPT, CHANGED = 0.985, 0.998
"""Least shares of rewrites that pass where the answer is kept, and that do not where it is changed."""


def test_there_are_a_hundred_kinds_of_either_sort_and_no_name_twice() -> None:
    assert min(sum(kind.keeps for kind in KINDS), sum(not kind.keeps for kind in KINDS)) >= 100
    assert len({(kind.name, kind.keeps) for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("keeps", [True, False], ids=["kept", "changed"])
def test_rewrites_pass_where_the_answer_is_kept_and_only_there(test_data: Path, keeps: bool) -> None:
    references = read_references(test_data)
    drawn = [
        (kind, case)
        for kind in KINDS
        if kind.keeps == keeps
        for case in samples(kind, references, n=1, seed=5)
    ]
    with Math(deadline_s=10.0).open() as judge:
        verdicts = judge([case for _, case in drawn])
    wrong = [
        f"{kind.name}: {verdict.verdict}; {verdict.detail}"
        for (kind, _), verdict in zip(drawn, verdicts, strict=True)
        if (verdict.verdict == "pass") != keeps
    ]
    assert 1 - len(wrong) / len(drawn) >= (KEPT if keeps else CHANGED), "\n".join(wrong)
