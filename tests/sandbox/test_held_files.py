"""Files that no directory lists count as those that it does; tests that sleep share one allowance."""

# ruff: noqa: E501 - the programs are kept as they would be written

from __future__ import annotations

import pytest

from sandbox import Limits, Sandbox, StdinTest

HOLDERS = {
    "removed and kept open": "f = open(name, 'wb'); f.write(block); f.flush(); os.unlink(name); held.append(f)",
    "replaced and kept open": "f = open('a', 'wb'); f.write(block); f.flush(); open('b', 'wb').close(); os.replace('b', 'a'); held.append(f)",
    "never named": "fd = os.open('.', os.O_TMPFILE | os.O_RDWR); os.write(fd, block); held.append(fd)",
    "removed, closed and kept mapped": "f = open(name, 'wb+'); f.write(block); f.flush(); os.unlink(name); held.append(mmap.mmap(f.fileno(), 4096)); f.close()",
    "removed and kept by a descriptor of its own": "f = open(name, 'wb'); f.write(block); f.flush(); os.unlink(name); held.append(os.dup(f.fileno())); f.close()",
    "kept in the directory": "f = open(name, 'wb'); f.write(block); f.close()",
}


@pytest.mark.parametrize("how", HOLDERS)
def test_the_files_of_a_test_are_bounded_however_they_are_held(box: Sandbox, how: str) -> None:
    code = f"import mmap, os, time\nheld, block = [], b'x' * (1 << 20)\ninput()\nfor n in range(80):\n    name = f'f{{n}}'\n    time.sleep(0.01)\n    {HOLDERS[how]}\nprint('through')\n"
    limits = Limits(cpu_s=10, output_mb=2, scratch_mb=16)
    result = box.run_stdin(code, [StdinTest("1\n")], limits=limits)
    assert "through" not in result.tests[0].stdout, f"80 MB where 16 are allowed: {how}"
    assert result.verdict in ("OLE", "RE"), result.tests[0]


def test_the_files_of_a_program_whose_first_thread_has_ended_are_counted(box: Sandbox) -> None:
    code = """
import ctypes, os, threading, time
held, block = [], b"x" * (1 << 20)
def fill():
    time.sleep(0.1)
    for n in range(80):
        fd = os.open(f"f{n}", os.O_CREAT | os.O_RDWR); os.write(fd, block); os.unlink(f"f{n}"); held.append(fd)
        time.sleep(0.01)
    os.write(1, b"through")
    os._exit(0)
threading.Thread(target=fill).start()
ctypes.CDLL(None).syscall(60, 0)
"""
    result = box.run_stdin(code, [StdinTest("")], limits=Limits(cpu_s=10, output_mb=2, scratch_mb=16))
    assert "through" not in result.tests[0].stdout, result.tests[0]


def test_no_open_file_is_sent_where_nothing_counts_it(box: Sandbox) -> None:
    code = """
import array, os, socket
a, b = socket.socketpair()
try: a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))]); print("through")
except OSError: pass
a.send(b"y"); print(b.recv(1))
"""
    assert box.run_stdin(code, [StdinTest("", "b'y'")]).verdict == "AC", "plain messages still pass"


def test_small_temporary_files_are_no_matter(box: Sandbox) -> None:
    code = """
import tempfile
files = [tempfile.TemporaryFile() for _ in range(30)]
for f in files: f.write(b"x" * 1000); f.seek(0)
with tempfile.NamedTemporaryFile() as named: named.write(b"y")
print(sum(len(f.read()) for f in files))
"""
    assert box.run_stdin(code, [StdinTest("", "30000")] * 3).verdict == "AC"


def test_sleepers_share_the_wall_time_of_one_test(box: Sandbox) -> None:
    limits = Limits(cpu_s=0.5, wall_s=1.0)
    result = box.run_stdin("import time; time.sleep(60)", [StdinTest("")] * 10, limits=limits)
    assert [test.verdict for test in result.tests] == ["TLE"] * 10
    asleep = sum(test.wall_s for test in result.tests)
    assert asleep < 4 * limits.effective_wall_s(), f"ten tests slept {asleep:.1f} s"
    assert "idle for more than 1 s" in result.tests[-1].reason


def test_short_sleeps_add_up(box: Sandbox) -> None:
    limits = Limits(cpu_s=2, wall_s=30, total_idle_s=0.5)
    result = box.run_stdin("import time; time.sleep(0.2); print(1)", [StdinTest("", "1")] * 8, limits=limits)
    verdicts = [test.verdict for test in result.tests]
    assert verdicts[0] == "AC"
    assert verdicts[-1] in ("TLE", "AC")
    asleep = Limits(cpu_s=2, wall_s=30)
    assert (
        box.run_stdin(
            "import time; time.sleep(0.2); print(1)", [StdinTest("", "1")] * 8, limits=asleep
        ).verdict
        == "AC"
    )


def test_tests_that_work_use_none_of_the_idle_time(box: Sandbox) -> None:
    code = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nprint(1)"
    limits = Limits(cpu_s=2, wall_s=30, total_idle_s=1.0)
    result = box.run_stdin(code, [StdinTest("", "1")] * 8, limits=limits)
    assert result.verdict == "AC", [test.reason for test in result.tests]
