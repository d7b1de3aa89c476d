from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from verifiers.workers import WorkerPool

DEEDS = "tests.verifiers.faults:act"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(DEEDS, size=2, deadline_s=0.5) as pool:
        yield pool


def test_gives_back_what_the_function_returned(pool: WorkerPool) -> None:
    value = {"a": [1, 2.5, None, "é"], "b": True}
    assert pool.call("echo", value).value == value


def test_an_exception_is_an_error_and_the_worker_lives_on(pool: WorkerPool) -> None:
    before = pool.call("pid").value
    reply = pool.call("raise", "no")
    assert (reply.status, reply.detail) == ("error", "ValueError: no")
    assert pool.call("pid").value == before


@pytest.mark.parametrize("deed", ["power", "sleep"])
def test_a_hanging_call_is_killed_at_the_deadline_and_the_next_one_answers(
    pool: WorkerPool, deed: str
) -> None:
    start = time.monotonic()
    reply = pool.call(deed, 60)
    assert reply.status == "timeout"
    assert time.monotonic() - start < 5.0, "a hanging call holds its caller far beyond the deadline"
    assert pool.call("echo", 1, deadline_s=5.0).value == 1


def test_a_dead_worker_is_an_error_and_is_replaced(pool: WorkerPool) -> None:
    assert pool.call("die").status == "error"
    assert pool.call("echo", 1, deadline_s=5.0).value == 1


@pytest.mark.parametrize(("deed", "value"), [("eat", 4_000_000_000), ("recurse", None)])
def test_memory_and_recursion_end_as_errors_and_a_fresh_worker_follows(
    pool: WorkerPool, deed: str, value: int | None
) -> None:
    assert pool.call(deed, value, deadline_s=10.0).status == "error"
    assert pool.call("echo", 1, deadline_s=5.0).value == 1


def test_many_threads_share_the_workers_and_each_gets_its_own_answer(pool: WorkerPool) -> None:
    with ThreadPoolExecutor(8) as threads:
        replies = list(threads.map(lambda number: pool.call("echo", number, deadline_s=10.0), range(200)))
    assert [reply.value for reply in replies] == list(range(200))


def test_calls_run_in_parallel_up_to_the_size() -> None:
    with WorkerPool(DEEDS, size=2, deadline_s=10.0) as pool, ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: pool.call("sleep", 0.2), range(2)))  # both workers are up
        start = time.monotonic()
        list(threads.map(lambda _: pool.call("sleep", 1.0), range(2)))
        assert time.monotonic() - start < 1.9, "two calls on two workers ran one after the other"


def test_a_worker_is_replaced_after_its_share_of_jobs() -> None:
    with WorkerPool(DEEDS, size=1, deadline_s=10.0, max_jobs=3) as pool:
        pids = [pool.call("pid").value for _ in range(7)]
    assert pids[0] == pids[1] == pids[2] != pids[3]
    assert len(set(pids)) == 3


def test_nothing_is_left_after_close() -> None:
    pool = WorkerPool(DEEDS, size=2, deadline_s=10.0)
    pid = pool.call("pid").value
    nursery = psutil.Process(pid).ppid()
    pool.close()
    assert all(map(_gone, (pid, nursery))), "a worker or its nursery outlives the pool"
    with pytest.raises(RuntimeError, match="closed"):
        pool.call("echo", 1)


def test_nothing_survives_a_host_that_is_killed() -> None:
    code = (
        "import time\n"
        "from verifiers.workers import WorkerPool\n"
        f"pool = WorkerPool({DEEDS!r}, size=1, deadline_s=600.0)\n"
        "print(pool.call('pid').value, flush=True)\n"
        "pool.call('power')\n"
    )
    host = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert host.stdout is not None
    pid = int(host.stdout.readline())
    nursery = psutil.Process(pid).ppid()
    host.kill()
    host.wait()
    assert all(map(_gone, (pid, nursery))), "a busy worker outlives its killed host"


def test_a_killed_nursery_is_started_again() -> None:
    with WorkerPool(DEEDS, size=1, deadline_s=10.0) as pool:
        pid = pool.call("pid").value
        psutil.Process(psutil.Process(pid).ppid()).kill()
        assert _gone(pid), "a worker outlives its nursery"
        assert pool.call("echo", 1).status == "error"
        assert pool.call("echo", 2).value == 2


def test_an_import_that_fails_is_told_with_its_traceback() -> None:
    with (
        WorkerPool("tests.verifiers.missing:act") as pool,
        pytest.raises(RuntimeError, match=r"tests\.verifiers\.missing"),
    ):
        pool.call("echo")


def test_the_host_keeps_its_threads_and_signals_to_itself() -> None:
    """Called off the main thread, as in an actor, and without touching SIGALRM."""
    import signal

    before = signal.getsignal(signal.SIGALRM)
    seen: list[object] = []
    with WorkerPool(DEEDS, size=1, deadline_s=0.3) as pool:
        thread = threading.Thread(target=lambda: seen.append(pool.call("sleep", 9).status))
        thread.start()
        thread.join(20)
    assert seen == ["timeout"]
    assert signal.getsignal(signal.SIGALRM) is before
    assert os.getpid() == psutil.Process().pid


def _gone(pid: int) -> bool:
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False
