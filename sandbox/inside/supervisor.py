"""The process of one solution: compiles it, starts one process per test, and writes down how each ended.

It runs under the sandbox's own file rules and filter from before it has seen a byte of the solution, holds no
expected output, and takes nothing from a test process but the bytes it left in its output files.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import types
from _socket import AF_UNIX, SOCK_STREAM, socketpair
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

from sandbox.inside import filters, kernel, landlock
from sandbox.inside.child import Cage, Confinement, finish, fresh_module, run_script
from sandbox.inside.frames import append, append_text, read_all
from sandbox.inside.scratch import Scratch
from sandbox.inside.watch import GRACE, Bounds, Ended, watch

__all__ = [
    "Home",
    "Job",
    "Runner",
    "compile_solution",
    "describe",
    "memory_file",
    "pair",
    "run_stdin",
    "supervise",
]

_STDERR_TAIL = 4_000
_TOTAL_OUTPUT_FACTOR = 4
_PYTHON_JOBS = ("stdin", "calls", "asserts")
_THREAD_ALLOWANCE = 8
"""Process slots for the sandbox's own processes under the same user id."""


class Home(NamedTuple):
    """What a slot knows about the place it runs in."""

    tier: str
    directory: str
    scratch: Scratch | None
    flat: bool
    """The scratch directory has no quota of its own and must be counted."""
    proc_fd: int | None
    base_bytes: int
    """Address space of the bare zygote."""
    resident_bytes: int
    """Memory of the bare zygote."""
    own_uid: bool
    listed: list[str]
    """Directories of Python modules, which are searched and so must be listed."""
    read: list[str]
    execute: list[str]
    compile_read: list[str]
    compile_execute: list[str]
    env: dict[str, str]


class Job:
    """One request: its limits, the fds it came with, and the means to start processes for it."""

    def __init__(
        self,
        home: Home,
        scratch: Scratch,
        head: dict[str, Any],
        blobs: list[bytes],
        *,
        result_fd: int,
        control_fd: int,
        files: list[int],
        profile: str,
        execute: list[str],
        processors: set[int] | None,
    ):
        self.home = home
        self.scratch = scratch
        self.head = head
        self.blobs = blobs
        self.result_fd = result_fd
        self.control_fd = control_fd
        self.files = files
        self.limits: dict[str, Any] = head["limits"]
        self._output_left = _TOTAL_OUTPUT_FACTOR * self.limits["output_bytes"]
        self._rules: landlock.Ruleset | None = None
        self.profile, self.execute = profile, execute
        self.processors = processors
        self.trouble = memory_file("trouble")

    def rules(self) -> landlock.Ruleset | None:
        """A second layer of file rules for test processes, where the first had to let the supervisor see
        /proc."""
        if self.home.tier != "landlock":
            return None
        if self._rules is None:
            self._rules = _ruleset(self.home, self.profile, self.execute)
        return self._rules

    def cage(self, program: filters.Installer, **changes: Any) -> Confinement:
        """The bounds of one process."""
        limits = self.limits
        bounded = changes.pop("bounded", True)
        memory = changes.pop("memory_bytes", limits["memory_bytes"])
        values: dict[str, Any] = {
            "cpu_s": int(limits["cpu_s"] * GRACE) + 2,
            "address_space": self.home.base_bytes + memory if bounded else None,
            "file_bytes": limits["output_bytes"],
            "open_files": limits["open_files"],
            "processes": limits["threads"] + _THREAD_ALLOWANCE if self.home.own_uid else None,
            "stack_bytes": max(8 << 20, min(memory // 2, 100 << 20)),
            "directory": self.home.directory,
            "rules": self.rules(),
            "own_world": self.home.tier == "namespaces",
            "filter": None if self.home.tier == "rlimits" and not filters_work() else program,
        }
        return Confinement(Cage(**{**values, **changes}))

    def bounds(self, *, cpu_s: float | None = None, wall_s: float | None = None, **changes: Any) -> Bounds:
        """The bounds kept from outside."""
        limits = self.limits
        values: dict[str, Any] = {
            "cpu_s": cpu_s or limits["cpu_s"],
            "wall_s": wall_s or limits["wall_s"],
            "memory_bytes": limits["memory_bytes"],
            "processors": self.processors,
            "base_bytes": self.home.resident_bytes,
            "threads": limits["threads"] + 1,
            "proc_fd": self.home.proc_fd,
            "scratch": self.scratch if self.home.flat else None,
            "scratch_files": limits["scratch_files"],
            "scratch_bytes": limits["scratch_bytes"],
        }
        return Bounds(**{**values, **changes})

    def start(
        self, cage: Confinement, moves: list[kernel.Step], count: int, body: Callable[[], object]
    ) -> int:
        """Starts a process that confines itself and runs `body`; returns its id.

        `moves` give it `count` descriptors, and one more to report trouble with.
        """
        pid = kernel.fork()
        if pid:
            return pid
        try:
            cage.put_on(moves)
        except BaseException as error:
            _report_trouble((self.trouble, count), error)
        if not self.head.get("argv"):
            os.close(count)  # a program to be executed closes it by starting
        gc.enable()
        try:
            body()
        except kernel.KernelError as error:
            _report_trouble((count,), error)
        except BaseException:
            finish(1, wait=False)
        os._exit(1)

    def check_started(self) -> None:
        """Raises OSError when a process could not be confined or started: that is not the program's doing."""
        size = os.fstat(self.trouble).st_size
        if size:
            raise OSError(f"a test process did not start: {os.pread(self.trouble, size, 0).decode()}")

    def record(self, ended: Ended, out_fd: int, err_fd: int, *blobs: bytes, built: bool = False) -> bool:
        """Writes down how one test ended, with its output; returns whether it ended by itself with status
        0."""
        self.check_started()
        cap = self.limits["output_bytes"]
        out_size, err_size = os.fstat(out_fd).st_size, os.fstat(err_fd).st_size
        flooded = max(out_size, err_size) >= cap
        out = b"" if flooded else os.pread(out_fd, out_size, 0)
        if len(out) > self._output_left:
            flooded, out = True, b""
        self._output_left -= len(out)
        err = os.pread(err_fd, _STDERR_TAIL, max(0, err_size - _STDERR_TAIL)) if err_size else b""
        append_text(self.result_fd, _head(ended, flooded=flooded, built=built), out, err, *blobs)
        return ended.exit == 0 and ended.killed is None and not flooded

    def clean(self) -> None:
        """Empties the scratch directory between tests; a directory that resists ends the job."""
        if not self.scratch.empty():
            raise OSError("the scratch directory cannot be emptied")

    def go_on(self, *, passed: bool) -> bool:
        """Asks the driver whether the next test is wanted, when it has asked to be asked."""
        if not self.head.get("stop_on_first_failure"):
            return True
        if not passed:
            return False
        os.write(self.control_fd, b".")
        return os.read(self.control_fd, 1) == b"+"


Runner = Callable[[Job], None]
"""What runs one kind of job."""


def _head(ended: Ended, *, flooded: bool, built: bool) -> str:
    """The fields of `describe` and two more, spelt without the JSON encoder, which is not to be touched per
    test."""
    ended_by = "null" if ended.killed is None else f'"{ended.killed}"'
    code = "null" if ended.exit is None else ended.exit
    number = "null" if ended.signal is None else ended.signal
    return (
        f'"cpu_s": {ended.cpu_s}, "wall_s": {ended.wall_s}, "rss_bytes": {ended.rss_bytes}, "exit": {code},'
        f' "signal": {number}, "killed": {ended_by}, "flooded": {str(flooded).lower()},'
        f' "built": {str(built).lower()}'
    )


def describe(ended: Ended) -> dict[str, Any]:
    """The head of a frame about a process that ended."""
    return {
        "cpu_s": ended.cpu_s,
        "wall_s": ended.wall_s,
        "rss_bytes": ended.rss_bytes,
        "exit": ended.exit,
        "signal": ended.signal,
        "killed": ended.killed,
    }


def rewind(fd: int) -> None:
    """Empties a memory file that an earlier test has used."""
    os.ftruncate(fd, 0)
    os.lseek(fd, 0, os.SEEK_SET)


def fill(fd: int, content: bytes) -> None:
    """Puts content into an empty memory file and goes back to its start."""
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)


def memory_file(name: str, content: bytes = b"") -> int:
    """A file in memory that holds `content`, with its position at the start."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    if content:
        fill(fd, content)
    return fd


def filters_work() -> bool:
    """Whether this kernel takes filters at all (mode 2 answers EFAULT to a null filter where it does)."""
    try:
        kernel.prctl(kernel.PR_SET_SECCOMP, 2, 0)
    except kernel.KernelError as error:
        return error.errno == 14
    return True


def _ruleset(home: Home, profile: str, execute: list[str]) -> landlock.Ruleset:
    rules = landlock.Ruleset()
    rules.allow([home.directory], landlock.SCRATCH_FLAT if home.flat else landlock.SCRATCH)
    if home.tier == "namespaces":
        # The private root holds no file that may not be read, and its /dev nothing that may not be written;
        # the names of directories are another matter.
        rules.allow(["/"], landlock.READ_EXECUTE_FILES)
        rules.allow(["/dev"], landlock.WRITE_DEVICE)
        rules.allow(["/proc", *home.listed], landlock.READ)
    else:
        devices = [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom")]
        rules.allow(devices, landlock.WRITE_DEVICE)
        rules.allow([*home.listed, *home.read], landlock.READ)
        rules.allow([*home.execute, *execute], landlock.READ_EXECUTE)
    if profile == "build":
        rules.allow(home.compile_read, landlock.READ)
        rules.allow(home.compile_execute, landlock.READ_EXECUTE)
    return rules


def supervise(
    home: Home,
    scratch: Scratch,
    fds: list[int],
    *,
    profile: str,
    execute: list[str],
    jobs: dict[str, Runner],
) -> None:
    """Runs one request to its end; the caller leaves the process afterwards.

    `fds` are the request, the record to write, the line to the driver, and what else the job brings.
    `execute` are programs that the driver names for this job.
    """
    # A collection here would touch every page of the heap and copy each one that a test process shares.
    gc.disable()
    _confine_self(home, profile, execute)
    allowed = kernel.stay_on_this_processor() if profile in _PYTHON_JOBS else None
    request_fd, result_fd, control_fd, *files = fds
    head, blobs, _ = next(iter(read_all(request_fd)))
    os.close(request_fd)
    job = Job(
        home,
        scratch,
        head,
        blobs,
        result_fd=result_fd,
        control_fd=control_fd,
        files=files,
        profile=profile,
        execute=execute,
        processors=allowed,
    )
    jobs[head["job"]](job)
    append(result_fd, {"done": True})


def _confine_self(home: Home, profile: str, execute: list[str]) -> None:
    if home.tier != "namespaces":
        # What process 1 of a namespace does by itself: its children end with it, and all at once when it says
        # so.
        os.setpgid(0, 0)
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    kernel.drop_capabilities()
    if home.tier == "rlimits":
        return
    if landlock.abi() >= 1:
        rules = _ruleset(home, profile, execute)
        if home.proc_fd is not None:
            rules.allow_fd(home.proc_fd, landlock.READ)
        rules.restrict()
        rules.close()
    filters.SUPERVISOR.install()


def compile_solution(job: Job) -> types.CodeType:
    """Compiles Python source inside the limits; what goes wrong here is a compile error, and ends the
    process."""
    limits = job.limits
    budget = int(limits["compile_cpu_s"]) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (budget, hard))
    space = job.home.base_bytes + limits["compile_memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (space, resource.getrlimit(resource.RLIMIT_AS)[1]))
    append(job.result_fd, {"phase": "compile"})
    try:
        code = compile(job.blobs[0], f"{job.home.directory}/main.py", "exec", dont_inherit=True)
    except BaseException as error:
        reason = f"{type(error).__name__}: {error}"[:500]
        append(job.result_fd, {"phase": "rejected", "reason": reason}, b"", b"")
        os._exit(0)
    append(job.result_fd, {"phase": "run"})
    resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))
    return code


def run_stdin(job: Job) -> None:
    """A Python program: one process per test, with the compiled code in memory."""
    code = compile_solution(job)
    module = fresh_module(job.home.directory, name="__main__")
    each_test(job, job.cage(filters.SOLUTION), job.blobs[1:], lambda _: run_script(code, module))


def each_test(
    job: Job,
    cage: Confinement,
    inputs: list[bytes],
    body: Callable[[bytes], object],
    *,
    more: Sequence[int] = (),
    returned: int | None = None,
    before: Callable[[], None] | None = None,
) -> None:
    """Runs `body` in a process of its own for each input, which it finds on descriptor 0.

    Descriptors `more` come after the three standard ones; what is written to the file `returned` is recorded
    too.
    """
    files = [memory_file("stdin"), memory_file("stdout"), memory_file("stderr"), *more]
    own = files[:3] if returned is None else [*files[:3], returned]
    # This process holds the files under their final numbers already, so that a test process has only to
    # close.
    for place, fd in enumerate([*files, job.trouble]):
        os.dup2(fd, place, inheritable=place < 3)
    moves = cage.moves([], closing_from=len(files) + 1)
    bounds = job.bounds()
    for text in inputs:
        for fd in own:
            rewind(fd)
        if returned is None and text:
            fill(files[0], text)
        if before is not None:
            before()
        pid = job.start(cage, moves, len(files), lambda text=text: body(text))  # type: ignore[misc]
        (ended,) = watch([pid], bounds)
        blobs = () if returned is None else (os.pread(returned, job.limits["output_bytes"], 0),)
        passed = job.record(ended, files[1], files[2], *blobs)
        job.clean()
        if not job.go_on(passed=passed):
            return


def _report_trouble(places: tuple[int, ...], error: BaseException) -> NoReturn:
    """Tells the supervisor, by whichever number the file still has, that this process is not the program
    yet."""
    text = f"{getattr(error, 'call', '')} {error}".strip().encode()
    for place in places:
        try:
            os.write(place, text)
            break
        except OSError:
            continue
    os._exit(254)


def pair() -> tuple[int, int]:
    """Two connected stream descriptors."""
    left, right = socketpair(AF_UNIX, SOCK_STREAM)
    return left.detach(), right.detach()
