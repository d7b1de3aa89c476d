"""No run finds out from its surroundings what ran before it in the same slot."""

# ruff: noqa: E501 - the programs are kept as they would be written

from __future__ import annotations

import time

import pytest

from sandbox import CallTest, Limits, Sandbox, StdinTest

LEAVES_FILES = """
import os
for number in range(50):
    open(f"f{number}", "w").write("x" * 5000)
    if number % 2: os.unlink(f"f{number}")
try:
    os.mkdir("d"); os.symlink("/", "link")
except OSError: pass
print(int(input()) + 1)
"""

# What a program can read of its own place, without the clock.
SURROUNDINGS = {
    "files get the numbers that they get in a new directory": """
import os
if TIER == "namespaces":
    open("a", "w").close()
    print(os.stat(".").st_ino, os.stat("a").st_ino)
else: print()
""",
    "space that is free is that of a new directory": """
import os
found = os.statvfs(".")
print(found.f_blocks - found.f_bfree, found.f_files - found.f_ffree) if TIER == "namespaces" else print()
""",
    "no clock but one's own tells what others have used": """
import os, time
for pid in {1, os.getppid(), os.getppid() - 1, os.getpid() - 1}:
    for kind in (2, 6):
        try: print("through", pid, time.clock_gettime((~pid << 3) | kind))
        except OSError: pass
print(time.thread_time() >= 0, time.process_time() >= 0)
""",
    "environment and arguments are the same": "import os, sys\nprint(sorted(os.environ.items()), sys.argv, sys.orig_argv, os.getcwd())",
}


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_a_second_run_sees_what_the_first_one_saw(box: Sandbox, name: str) -> None:
    code = SURROUNDINGS[name].replace("TIER", repr(box.tier))
    limits = Limits(cpu_s=3, memory_mb=256)
    first = box.run_stdin(code, [StdinTest("")], limits=limits)
    assert "through" not in first.tests[0].stdout, first.tests[0].stdout
    for _ in range(2):
        assert box.run_stdin(LEAVES_FILES, [StdinTest("1\n", "2\n")]).verdict == "AC"
        again = box.run_stdin(code, [StdinTest("")], limits=limits)
        assert again.tests[0].stdout == first.tests[0].stdout, f"{name}: {again.tests[0].stderr}"


def test_the_directory_is_made_when_the_run_begins(box: Sandbox) -> None:
    """A directory made when the last run ended, or kept, would tell how long ago that was."""
    code = "import os\nbegun = float(input())\nfor s in os.stat('.'), os.stat('..'):\n    print(min(s.st_ctime, s.st_mtime) > begun)"
    wanted = "True True" if box.tier == "landlock" else "True"
    for _ in range(3):
        assert box.run_stdin("print(1)", [StdinTest("", "1")]).verdict == "AC"
        time.sleep(0.2)
        # The file system's clock lags behind by a tick of the kernel.
        result = box.run_stdin(code, [StdinTest(f"{time.time() - 0.1}\n")])
        assert result.tests[0].stdout.split()[: len(wanted.split())] == wanted.split(), result.tests[0]


def test_the_directory_is_the_same_place_and_writable_in_every_kind_of_run(box: Sandbox) -> None:
    code = "import os, tempfile\ndef f(text):\n    with tempfile.TemporaryFile('w+') as a:\n        a.write(text); a.seek(0); return a.read() + str(os.listdir('.'))"
    for _ in range(3):
        assert box.run_calls(code, [CallTest(["x"], "x[]")], entry="f").verdict == "AC"
        assert box.run_asserts(code, "assert f('x') == 'x[]'").verdict == "AC"
        assert box.run_stdin(LEAVES_FILES, [StdinTest("1\n", "2\n")]).verdict == "AC"


def test_the_command_line_does_not_say_where_the_sandbox_lies(box: Sandbox) -> None:
    code = "import sys\nprint([a for a in sys.orig_argv + sys.argv if 'boot' in a])\ntry: print(open('/proc/self/cmdline').read())\nexcept OSError: pass"
    assert box.run_stdin(code, [StdinTest("", "[]")]).verdict == "AC"


def test_nothing_can_be_put_beside_the_directory(box: Sandbox) -> None:
    code = """
import os
try: open("../left", "w"); print("through")
except OSError: pass
for attempt in (lambda: os.rename("../home", "../other"), lambda: os.mkdir("../made"), lambda: os.symlink("/", "../l"),
                lambda: os.rmdir("../home"), lambda: os.link("a", "../a")):
    open("a", "w").close()
    try: attempt(); print("through")
    except OSError: pass
"""
    result = box.run_stdin(code, [StdinTest("", "")])
    assert result.verdict == "AC", result.tests[0].stdout
