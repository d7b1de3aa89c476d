"""The cache of compiled programs holds a bounded number of bytes."""

from __future__ import annotations

import pytest

from sandbox import toolbox
from sandbox.toolbox import Artifact, Toolbox


def test_the_longest_unused_program_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolbox, "_CACHE_BYTES", 100)
    tools = Toolbox()
    for number in range(5):
        tools.keep(str(number), Artifact({}, [], [bytes(40)]), 40)
        tools.cached("0")
    assert tools.cached("0") is not None, "a program in use stays"
    assert tools.cached("4") is not None, "the newest stays"
    assert [tools.cached(str(number)) for number in (1, 2, 3)] == [None] * 3, "those longest unused go"
