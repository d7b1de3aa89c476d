"""Functions that copy files, or set their modes and times, in the scratch directory."""

# ruff: noqa: E501 - the programs are kept as they would be written

from __future__ import annotations

import pytest

from sandbox import Sandbox

WAYS = {
    "copied": "import shutil\nshutil.copy('a.txt', 'b.txt')",
    "copied with its times": "import shutil\nshutil.copy2('a.txt', 'b.txt')\nshutil.copystat('a.txt', 'b.txt')",
    "its mode set": "import os\nos.chmod('a.txt', 0o644)\nos.rename('a.txt', 'b.txt')",
    "its times set": "import os, pathlib\nos.utime('a.txt', (1, 2))\npathlib.Path('a.txt').touch()\nos.rename('a.txt', 'b.txt')",
    "put in a tar": "import tarfile, os\nwith tarfile.open('t.tar', 'w') as t: t.add('a.txt', 'b.txt')\nwith tarfile.open('t.tar') as t: t.extractall('.')",
    "put in a zip": "import zipfile, os\nwith zipfile.ZipFile('t.zip', 'w') as t: t.write('a.txt', 'b.txt')\nwith zipfile.ZipFile('t.zip') as t: t.extractall('.')",
}  # fmt: skip


@pytest.mark.parametrize("name", WAYS)
def test_a_file_is_handled_as_elsewhere(box: Sandbox, name: str) -> None:
    body = "\n    ".join(WAYS[name].split("\n"))
    code = f"def f():\n    with open('a.txt', 'w') as file: file.write('hello')\n    {body}\n    return open('b.txt').read()"
    assert box.run_asserts(code, "assert f() == 'hello'").verdict == "AC", name
    tests = f"{code}\nassert f() == g()"
    assert box.run_asserts("def g(): return 'hello'", tests).verdict == "AC", f"{name}, by the tests"


def test_what_is_not_there_is_still_missing(box: Sandbox) -> None:
    code = "import os\ndef f(): os.chmod('none', 0o600)"
    tests = "try:\n    f()\nexcept FileNotFoundError:\n    missing = True\nassert missing"
    assert box.run_asserts(code, tests).verdict == "AC"
