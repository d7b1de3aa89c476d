"""The cache of compiled programs holds a bounded number of open files."""

from __future__ import annotations

import os

import pytest

from sandbox import toolbox
from sandbox.toolbox import Artifact, MemoryFile, Toolbox


def _artifact() -> Artifact:
    return Artifact({}, [], [MemoryFile(os.memfd_create("program"))])


def test_the_longest_unused_program_is_forgotten_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolbox, "_CACHE_BYTES", 100)
    tools = Toolbox()
    before = len(os.listdir("/proc/self/fd"))
    for number in range(5):
        tools.keep(str(number), _artifact(), 40)
        tools.cached("0")
    assert tools.cached("0") is not None, "a program in use stays"
    assert tools.cached("1") is None, "the one longest unused goes"
    assert len(os.listdir("/proc/self/fd")) == before + 2, "what was forgotten is closed"


def test_a_program_forgotten_while_it_runs_stays_open() -> None:
    artifact = _artifact()
    fd = artifact.files[0].fd
    held = artifact.files
    del artifact
    os.fstat(fd)
    held.clear()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
