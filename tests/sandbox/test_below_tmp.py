"""Packages and interpreters that lie below /tmp, where the namespaces tier has its scratch directory."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from sandbox import Limits, Sandbox, StdinTest, Tier
from sandbox.slot_dir import Interpreter, base_interpreter, copy_stdlib

TIERS = ["namespaces", "landlock"]
IMPORTS = "import planted.late, beside\nprint(planted.late.VALUE, beside.VALUE)"


class Planted(NamedTuple):
    """Directories of packages, one of them deep below its first name, and a file that is none."""

    deep: Path
    flat: Path
    private: Path


@pytest.fixture(scope="module")
def planted() -> Iterator[Planted]:
    top, flat = (Path(tempfile.mkdtemp(dir="/tmp")) for _ in range(2))
    deep = top / "env" / "site"
    (deep / "planted").mkdir(parents=True)
    (deep / "planted" / "__init__.py").touch()
    (deep / "planted" / "late.py").write_text("VALUE = 4711\n")
    (flat / "beside.py").write_text("VALUE = 4712\n")
    (top / "private").write_text("secret")
    for path in (top, flat):
        path.chmod(0o755)
    yield Planted(deep, flat, top / "private")
    for path in (top, flat):
        shutil.rmtree(path)


@pytest.fixture(scope="module", params=TIERS)
def box(request: pytest.FixtureRequest, planted: Planted) -> Iterator[Sandbox]:
    """A sandbox in each tier that isolates, whose programs find the packages."""
    limits = Limits(cpu_s=1.0, memory_mb=256, output_mb=2.0)
    with Sandbox(tier=request.param, limits=limits, site_dirs=[planted.deep, planted.flat]) as made:
        yield made


def _first_names(planted: Planted) -> list[str]:
    return [planted.private.parent.name, planted.flat.name]


def _tree(planted: Planted) -> dict[str, tuple[int, bytes]]:
    """Everything in the directories, with mode and content."""
    tops = (planted.private.parent, planted.flat)
    paths = [Path(top, name) for top in tops for name in ["", *glob.glob("**", root_dir=top, recursive=True)]]
    return {str(path): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"") for path in paths}


def test_a_program_imports_them_for_the_first_time(box: Sandbox) -> None:
    result = box.run_stdin(IMPORTS, [StdinTest("", "4711 4712")] * 3)
    assert result.verdict == "AC", result.tests[0].stderr


def test_the_tests_of_a_solution_import_them_too(box: Sandbox) -> None:
    code = "def f():\n    import planted.late\n    return planted.late.VALUE"
    tests = "import beside, planted.late\nassert f() == planted.late.VALUE == beside.VALUE - 1"
    result = box.run_asserts(code, tests)
    assert result.verdict == "AC", result.tests


def test_nothing_else_of_the_hosts_tmp_is_seen(box: Sandbox, planted: Planted, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("secret")
    known = {"/tmp": _first_names(planted), str(planted.private.parent): ["env"]}
    code = f"""
import os
for path in {[str(planted.private), str(tmp_path / "other")]}:
    try: print("through", open(path).read())
    except OSError: pass
for path, known in {known}.items():
    try: print([name for name in os.listdir(path) if name not in known])
    except OSError: print([])
"""
    result = box.run_stdin(code, [StdinTest("", "[] []")])
    assert result.verdict == "AC", result.tests[0].stdout


WRITES = """
import ctypes, os
libc = ctypes.CDLL(None)
def by_kernel(failed):  # Python's own functions for modes and times only seem to work
    if failed: raise OSError
def tries(path):
    yield lambda: open(path, "r+").write("VALUE = 1")
    yield lambda: open(path + "/planted.py", "w").write("VALUE = 1")
    yield lambda: os.truncate(path, 0)
    yield lambda: os.mkdir(path + "/made")
    yield lambda: os.symlink("/", path + "/link")
    yield lambda: os.rename(path, "moved")
    yield lambda: os.rename("own", path)
    yield lambda: os.replace("file", path)
    yield lambda: os.link(path, "linked")
    yield lambda: os.unlink(path)
    yield lambda: os.rmdir(path)
    yield lambda: by_kernel(libc.chmod(path.encode(), 0o777))
    yield lambda: by_kernel(libc.utimes(path.encode(), None))
for path in PATHS:
    for number, attempt in enumerate(tries(path)):
        open("file", "w").close()
        try: os.mkdir("own")
        except OSError: pass
        try: attempt()
        except OSError: continue
        print("through", path, number)
"""


def test_they_can_be_neither_changed_nor_moved_nor_replaced(box: Sandbox, planted: Planted) -> None:
    before = _tree(planted)
    code = WRITES.replace("PATHS", repr(list(before)))
    result = box.run_stdin(code, [StdinTest("", "")])
    assert result.verdict == "AC", f"{result.tests[0].stdout} {result.tests[0].stderr}"
    asserts = "import planted.late\nassert f() == 0\nassert planted.late.VALUE == 4711"
    result = box.run_asserts(f"{code}\ndef f(): return 0", asserts)
    assert result.verdict == "AC", "the tests find the package as it was, whatever the solution has tried"
    assert _tree(planted) == before


def test_the_scratch_directory_is_emptied_around_them(box: Sandbox, planted: Planted) -> None:
    known = _first_names(planted)
    code = f"""
import os
print([name for name in os.listdir() if name not in {known}])
open("left", "w").write("x")
try: os.makedirs("a/b/" + {known[0]!r}); os.symlink({str(planted.deep)!r}, "link")
except OSError: pass
{IMPORTS}
"""
    for limits in (None, Limits(scratch_files=64), None):
        result = box.run_stdin(code, [StdinTest("", "[] 4711 4712")] * 2, limits=limits)
        assert result.verdict == "AC", f"{result.tests[0].stdout} {result.tests[0].stderr}"
        assert box.run_stdin(f"{code}\nos._exit(1)", [StdinTest("")]).verdict == "RE"


def test_the_tests_import_nothing_from_beside_them(box: Sandbox, planted: Planted) -> None:
    code = (
        f"import os\nfor name in ('helpers.py', 'planted.py'): open(name, 'w').write('VALUE = 1')\n"
        f"try: os.symlink({str(planted.deep)!r}, 'link')\nexcept OSError: pass\ndef f(): return 2"
    )
    tests = (
        "import os, sys\nsys.path[:0] = [os.getcwd(), '/tmp', '.', 'link']\n"
        "try:\n    import helpers\nexcept ImportError:\n    helpers = None\n"
        "import planted.late\nassert f() == 2 and helpers is None and planted.late.VALUE == 4711"
    )
    result = box.run_asserts(code, tests)
    assert result.verdict == "AC", result.tests


@pytest.fixture
def moved_interpreter() -> Iterator[Interpreter]:
    """The interpreter with its library, once more below /tmp."""
    base = base_interpreter()
    top = Path(tempfile.mkdtemp(dir="/tmp"))
    top.chmod(0o755)
    (top / "bin").mkdir()
    (top / "lib").mkdir()
    shutil.copy(base.executable, top / "bin")
    for library in glob.glob(f"{os.path.dirname(base.stdlib)}/libpython*.so*"):
        shutil.copy(library, top / "lib")
    stdlib = copy_stdlib(base, str(top / "lib" / os.path.basename(base.stdlib)))
    yield Interpreter(str(top / "bin" / os.path.basename(base.executable)), stdlib)
    shutil.rmtree(top)


@pytest.mark.parametrize("tier", TIERS)
def test_an_interpreter_below_tmp_finds_its_library(tier: Tier, moved_interpreter: Interpreter) -> None:
    code = "import colorsys, os\nprint(os.path.dirname(colorsys.__file__))"
    with Sandbox(tier=tier, limits=Limits(cpu_s=4), interpreter=moved_interpreter) as box:
        result = box.run_stdin(code, [StdinTest("", moved_interpreter.stdlib)] * 2)
    assert result.verdict == "AC", result.tests[0].stderr
