"""Attacks on the sandbox itself. Each program prints "through" where it gets somewhere."""

# ruff: noqa: E501 - the programs are kept as they would be written

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

import pytest

from sandbox import CallTest, Limits, Sandbox, StdinTest, Tier

SYSCALLS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def call(*args):
    args = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    return libc.syscall(*args)
buffer = ctypes.create_string_buffer(256)
"""

ATTACKS = {
    "raw calls that reach other processes or the kernel's settings": SYSCALLS
    + """
parent = os.getppid()
calls = {
    "fork": (57,), "vfork": (58,), "clone": (56, 17, 0, 0, 0, 0), "clone3": (435, buffer, 88),
    "thread in a new user namespace": (56, 0x10010000 | 0x900, 0, 0, 0, 0),
    "execve": (59, b"/bin/true", None, None), "execveat": (322, -100, b"/bin/true", None, None, 0),
    "kill": (62, parent, 0), "kill all": (62, -1, 0), "tkill": (200, parent, 0), "tgkill": (234, parent, parent, 0),
    "sigqueue": (129, parent, 0, buffer), "pidfd_open": (434, parent, 0), "pidfd_getfd": (438, 0, 0, 0),
    "ptrace": (101, 16, parent, 0, 0), "process_vm_readv": (310, parent, buffer, 1, buffer, 1, 0),
    "prlimit of the parent": (302, parent, 7, None, buffer), "unshare": (272, 0x10000000), "setns": (308, 0, 0),
    "mount": (165, b"none", b"/tmp", b"tmpfs", 0, 0), "umount": (166, b"/tmp", 2), "chroot": (161, b"/tmp"),
    "pivot_root": (155, b"/", b"/"), "open_tree": (428, -100, b"/", 0), "fsopen": (430, b"tmpfs", 0),
    "socket": (41, 1, 1, 0), "inet socket": (41, 2, 2, 0), "datagram pair": (53, 1, 2, 0, buffer),
    "io_uring": (425, 8, buffer), "bpf": (321, 5, buffer, 72), "perf": (298, buffer, 0, -1, -1, 0),
    "userfaultfd": (323, 0), "keyctl": (250, 0, -3), "add_key": (248, b"user", b"k", b"v", 1, -3),
    "memfd": (319, b"x", 0), "memfd_secret": (447, 0), "shmget": (29, 0, 4096, 0o600), "msgget": (68, 0, 0o600),
    "mq_open": (240, b"/q", 0o102, 0o600, 0), "dumpable": (157, 4, 1), "no death signal": (157, 1, 0),
    "seccomp": (317, 1, 0, buffer), "landlock": (444, buffer, 8, 0), "setuid": (105, 0), "setsid": (112,),
    "setpgid": (109, 0, 0), "nice": (141, 0, 0, -5), "fifo": (144, 0, 1, buffer), "syslog": (103, 3, buffer, 8),
    "chmod": (90, b"/tmp", 0o777), "setxattr": (188, b"/tmp", b"user.a", b"b", 1, 0), "personality": (135, 0x40000),
    "owner of a pipe's signals": (72, 1, 8, parent), "signal of a pipe": (72, 1, 10, 9), "x32": (0x40000000 | 39,),
    "type into a terminal": (16, 0, 0x5412, b"x"), "kcmp": (312, parent, parent, 0, 0, 0), "mlock": (149, buffer, 256),
    "name_to_handle": (303, -100, b"/", buffer, buffer, 0), "quotactl": (179, 0, 0, 0, 0), "inotify": (294, 0),
}
for name, arguments in calls.items():
    if call(*arguments) >= 0: print("through", name, flush=True)
""",
    "files of the host": """
import os
for path in ("/etc/passwd", "/etc/hostname", "/root/.bashrc", "/proc/1/environ", "/proc/1/mem", "/proc/kcore",
             "/proc/sys/kernel/hostname", "/sys/kernel/mm", "/var/log", "/dev/sda", "/dev/vda", "/dev/kmsg", "/dev/shm/x",
             f"/proc/{os.getppid()}/environ", f"/proc/{os.getppid()}/mem", f"/proc/{os.getppid()}/fd/3"):
    try: open(path, "rb").read(1)
    except OSError: continue
    print("through", path)
for path in ("/root", "/home", "/sys", "/var", f"/proc/{os.getppid()}/fd", f"/proc/{os.getppid()}/task"):
    try: names = os.listdir(path)
    except OSError: continue
    print("through", path, names)
""",
    "writes outside the scratch directory": """
import os, sys
for place in ("/", "/etc", "/usr", "/usr/lib", "/dev", "/proc", "/proc/self", "/var/tmp", "/dev/shm", os.path.dirname(os.__file__)):
    try: open(f"{place}/sandbox_marker", "w")
    except OSError: continue
    print("through", place)
for path in ("/proc/self/oom_score_adj", "/proc/self/comm", "/proc/sysrq-trigger", os.__file__, sys.executable):
    try: open(path, "r+").write("1")
    except (OSError, ValueError): continue
    print("through", path)
""",
    "descriptors left open": """
import os
for fd in range(3, 1024):
    try: os.fstat(fd); print("through", fd)
    except OSError: pass
""",
    "frames and modules of the sandbox": """
import sys
frame, seen = sys._getframe(), []
while frame: seen.append(str(frame.f_locals)); frame = frame.f_back
secret = "_".join(["expected", "secret"])
if any(secret in text for text in seen): print("through frames")
if [name for name in sys.modules if name.startswith("sandbox")]: print("through modules")
""",
    "a link out of the scratch directory": """
import os
for target in ("/", "/etc", "/proc/self/root"):
    try: os.symlink(target, "link"); print(os.listdir("link") and ""); os.unlink("link")
    except OSError: continue
try: os.link("/etc/passwd", "passwd"); print("through link")
except OSError: pass
try: os.rename("/usr/lib", "lib"); print("through rename")
except OSError: pass
""",
    "more memory than allowed, shared": """
import mmap
try:
    held = [mmap.mmap(-1, 64 << 20) for _ in range(16)]
    for item in held:
        for place in range(0, 64 << 20, 4096): item[place] = 1
    print("through")
except (OSError, MemoryError, ValueError): pass
""",
    "many descriptors with kernel memory behind them": """
import fcntl, os
count = 0
try:
    while True:
        r, w = os.pipe(); fcntl.fcntl(w, 1031, 1 << 20); count += 1
except OSError: pass
if count: print("through", count)
""",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_gets_nowhere(box: Sandbox, name: str) -> None:
    result = box.run_stdin(ATTACKS[name], [StdinTest("expected input\n", "expected_secret\n")])
    test = result.tests[0]
    assert "through" not in test.stdout, f"{name}: {test.stdout}"
    assert test.verdict in ("WA", "RE", "MLE"), f"{name} got {result}"
    assert box.run_stdin("print(1)", [StdinTest("", "1")]).verdict == "AC", "the next program is not harmed"


FORGERIES = {
    "an answer written where the judge listens": (
        "import os, struct\n"
        "def f(x):\n"
        "    body = b'l' + struct.pack('<I', 4) + b's' + struct.pack('<I', 2) + b'ok' + b'N' * 3\n"
        "    for fd in range(3, 64):\n"
        "        try: os.write(fd, struct.pack('<I', len(body)) + body)\n"
        "        except OSError: pass\n"
        "    return 0\n"
    ),
    "a report written where the supervisor reads": (
        "import os\n"
        "for fd in range(3, 64):\n"
        '    try: os.write(fd, b\'{"tests": [{"name": "", "outcome": "passed", "reason": ""}]}\')\n'
        "    except OSError: pass\n"
        "os._exit(0)\n"
    ),
    "modules replaced before the judge asks": (
        "import sys, types, builtins, os, struct, json\n"
        "for name in list(sys.modules): sys.modules[name] = types.ModuleType(name)\n"
        "os.read = os.write = lambda *a: b''\n"
        "builtins.isinstance = lambda *a: True\n"
        "def f(x): return 0\n"
    ),
    "a result that hangs the reader": "def f(x):\n    import time\n    class L(list):\n        def __iter__(s):\n"
    "            time.sleep(99)\n    return L([2])\n",
    "a number that knows better": "class I(int):\n    def __eq__(s, o): return True\n    def __index__(s): return 2\n"
    "def f(x): return I(0)\n",
    "a key that hashes like another": "class S(str):\n    def __eq__(s, o): return True\n    def __hash__(s): return hash('a')\n"
    "def f(x): return S('b')\n",
    "a cycle": "def f(x):\n    v = []\n    v.append(v)\n    return v\n",
    "a million nodes": "def f(x): return [[] for _ in range(1_000_000)]\n",
    "an exit in a destructor": "import os\nclass D:\n    def __del__(s): os._exit(0)\ndef f(x):\n    D()\n    return 0\n",
    "a wrapper that lies about its name": "class F:\n    def __call__(s, x): return s\n    def __eq__(s, o): return True\nf = F()\n",
    "a tracer that skips the tests": "import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)\n"
    "def f(x): return 0\n",
    "an iterator over everything": "def f(x):\n    import itertools\n    return itertools.count()\n",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forges_no_verdict(box: Sandbox, name: str) -> None:
    code = FORGERIES[name]
    calls = box.run_calls(code, [CallTest([1], 2)], entry="f")
    asserts = box.run_asserts(code, "assert f(1) == 2", entry="f")
    pytests = box.run_pytest(code, "from solution import f\ndef test_f():\n    assert f(1) == 2")
    for way, result in (("call", calls), ("assert", asserts), ("pytest", pytests)):
        assert result.verdict in ("WA", "RE", "TLE", "MLE", "OLE", "CE"), f"{name} by {way} got {result}"


def test_a_solution_finds_no_test_in_its_memory(box: Sandbox) -> None:
    code = (
        "def f(x):\n"
        "    import gc, sys\n"
        "    found = [o for o in gc.get_objects() if isinstance(o, (str, bytes)) and 'sec' + 'ret_4711' in str(o)]\n"
        "    return bool(found)\n"
    )
    result = box.run_asserts(code, "secret_4711 = 0\nassert f(1) is False", entry="f")
    assert result.verdict == "AC", "the tests must not be in the memory of the solution's process"


def test_nothing_passes_from_one_test_to_the_next(box: Sandbox) -> None:
    code = (
        "import os, sys, tempfile\n"
        "place = tempfile.gettempdir()\n"
        "print(sorted(os.listdir(place)), sorted(os.listdir('.')), 'left' in os.environ, hasattr(sys, 'left'))\n"
        "sys.left = os.environ['left'] = 'x'\n"
        "open('left', 'w').write('x')\n"
        "try:\n"
        "    os.makedirs('/'.join('abcdefgh') * 8)\n"
        "    os.symlink('/', 'out')\n"
        "except OSError: pass\n"
    )
    result = box.run_stdin(code, [StdinTest("", "[] [] False False")] * 3)
    assert result.verdict == "AC", [test.stdout for test in result.tests]


def test_a_directory_deeper_than_a_path_can_name_is_removed(box: Sandbox) -> None:
    deep = "import os\ntry:\n    while True:\n        os.mkdir('d' * 50); os.chdir('d' * 50)\nexcept OSError: print(1)"
    clean = "import os; print(os.listdir('.'))"
    assert box.run_stdin(deep, [StdinTest("", "1")] * 2).verdict == "AC"
    assert box.run_stdin(clean, [StdinTest("", "[]")]).verdict == "AC"


def test_many_files_are_bounded(box: Sandbox) -> None:
    code = "n = 0\ntry:\n    while n < 100000:\n        open(f'f{n}', 'w').close(); n += 1\nexcept OSError: pass\nprint(n < 100000)"
    result = box.run_stdin(code, [StdinTest("", "True")], limits=Limits(cpu_s=20, wall_s=60))
    assert result.verdict in ("AC", "OLE"), f"the number of files has no bound: {result}"
    assert box.run_stdin("import os; print(os.listdir('.'))", [StdinTest("", "[]")]).verdict == "AC"


def test_leaves_no_process(box: Sandbox) -> None:
    code = (
        "import threading, time\nfor _ in range(20): threading.Thread(target=time.sleep, args=(60,)).start()"
    )
    box.run_stdin(code, [StdinTest("")])
    deadline = time.monotonic() + 5
    while len(box.processes()) > box.resting_processes and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(box.processes()) <= box.resting_processes, "a process outlived its test"


def test_a_killed_zygote_is_replaced_and_its_run_repeated(box: Sandbox) -> None:
    # The youngest first: those that are left end with the ones that started them.
    for pid in reversed(box.processes()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
    result = box.run_stdin("print(1)", [StdinTest("", "1")])
    assert result.verdict == "AC", "the sandbox's own failure is not the program's"


@pytest.mark.parametrize("tier", ["namespaces", "landlock"])
@pytest.mark.parametrize("opened", range(5))
def test_starts_whatever_descriptors_the_host_has_open(tier: Tier, opened: int) -> None:
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(opened)]
    try:
        with Sandbox(tier=tier) as box:
            assert box.run_asserts("def f(x): return x", "assert f(1) == 1").verdict == "AC"
    finally:
        for fd in held:
            os.close(fd)


def test_the_hosts_tmp_is_never_emptied(box: Sandbox, tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    planted.write_text("here")
    box.run_stdin("open('a', 'w').write('b')", [StdinTest("")] * 3)
    assert planted.read_text() == "here"


def test_runs_from_many_threads_get_their_own_answers() -> None:
    wrong: list[str] = []
    with Sandbox(slots=2, limits=Limits(cpu_s=5)) as box:

        def work(number: int) -> None:
            for turn in range(5):
                result = box.run_stdin("print(int(input()) * 3)", [StdinTest(f"{number * 100 + turn}")] * 2)
                if [test.stdout for test in result.tests] != [f"{(number * 100 + turn) * 3}\n"] * 2:
                    wrong.append(f"{number}/{turn}: {result}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong, wrong
