from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from factory.core import Resources, Site, WorkspaceError
from factory.storage.files import list_names, read_json, write_json
from factory.storage.lease import Fence, Lease, fence, lease
from tests.storage.stores import failing

HOLDER = """
import sys, time
from factory.storage.lease import lease
with lease(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(params=["disk", "store"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "p") if request.param == "disk" else f"faulty://{uuid.uuid4().hex}"


def test_a_second_run_is_refused_and_told_who_holds_the_folder(root: str) -> None:
    with lease(root), pytest.raises(WorkspaceError, match=f"in use by another run .process {os.getpid()} "):
        take(root)
    assert take(root) == 2, "a lease that was given back can be taken"


def take(root: str) -> int:
    with lease(root) as held:
        return held.generation


def test_every_run_has_a_higher_number(root: str) -> None:
    assert [take(root) for _ in range(4)] == [1, 2, 3, 4]


def test_what_is_left_of_an_earlier_run_may_not_pay(root: str) -> None:
    with lease(root) as first:
        Fence(first, every_s=0)()
    with lease(root) as second:
        with pytest.raises(WorkspaceError, match=r"its number is 2, this run's 1"):
            Fence(first, every_s=0)()
        Fence(second, every_s=0)()


def test_where_there_is_no_run_nothing_is_fenced_off(tmp_path: Path) -> None:
    fence(Site(Resources(), cache_url=str(tmp_path), journal_url=str(tmp_path)))()


def test_of_many_that_take_a_folder_at_once_exactly_one_gets_it(root: str) -> None:
    gate, done, held = threading.Barrier(6), threading.Event(), list[int]()
    refused: list[WorkspaceError] = []

    def contend() -> None:
        gate.wait()
        try:
            with lease(root) as mine:
                held.append(mine.generation)
                done.wait(30)
        except WorkspaceError as error:
            refused.append(error)
            if len(refused) == 5:
                done.set()

    threads = [threading.Thread(target=contend) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(held), len(refused)) == (1, 5), f"{len(held)} runs believe that the folder is theirs"


def remote_holder(root: str, **more: object) -> None:
    """A lease as a run on another machine leaves it."""
    write_json(f"{root}/lease/00000007.json", {"host": "far", "machine": "other", "pid": 1} | more)


@pytest.mark.parametrize(("age_s", "free"), [(5, False), (59, False), (61, True), (10_000, True)])
def test_a_store_frees_a_lease_whose_heart_has_stopped(age_s: float, free: bool) -> None:
    root = f"faulty://{uuid.uuid4().hex}"
    remote_holder(root, beat=time.time() - age_s)
    if free:
        assert take(root) == 8
    else:
        with pytest.raises(WorkspaceError, match="process 1 on far"):
            take(root)


def test_who_looked_before_the_folder_was_taken_and_given_on_does_not_get_it() -> None:
    root = f"faulty://{uuid.uuid4().hex}"
    remote_holder(root, beat=0)
    runs: list[int] = []

    def overtake(operation: str, path: str) -> None:
        # The slow one has read number 7 and is about to create number 8.
        if operation == "put" and path.endswith("00000008.json") and not runs:
            runs.append(0)
            runs.extend([take(root), take(root)])
            write_json(f"{root}/lease/00000009.json", {"host": "far", "pid": 1, "beat": time.time()})

    with failing(overtake), pytest.raises(WorkspaceError, match="in use by another run"):
        take(root)
    assert runs == [0, 8, 9]


def test_a_beat_that_cannot_be_written_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("factory.storage.lease.HEARTBEAT_S", 0.01)
    root, beats = f"faulty://{uuid.uuid4().hex}", threading.Event()

    def away(operation: str, path: str) -> None:
        if operation == "put":
            beats.set()
            raise OSError("away")

    with lease(root) as held:
        with failing(away):
            assert beats.wait(30), "no heart beats"
        Fence(held, every_s=0)()
    assert take(root) == 2


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[dict[str, object]]:
    """What a run that was killed with -9 on this machine leaves in a lease."""
    place = tmp_path / "theirs"
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(place)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    with pytest.raises(WorkspaceError, match=f"process {child.pid} "):
        take(str(place))
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie, which is as dead
    yield json.loads((place / "lease.json").read_text())
    child.wait()


def test_a_run_that_was_killed_on_this_machine_holds_nothing(
    killed: dict[str, object], tmp_path: Path
) -> None:
    assert take(str(tmp_path / "theirs")) == 2
    root = f"faulty://{uuid.uuid4().hex}"
    write_json(f"{root}/lease/00000001.json", killed | {"beat": time.time()})
    assert take(root) == 2, "the rerun waits for a process that is known to be dead"
    assert list_names(f"{root}/lease") == ["00000002.json"]


def test_a_process_number_that_another_process_has_now_is_dead_too() -> None:
    root = f"faulty://{uuid.uuid4().hex}"
    with lease(root):
        mine = read_json(f"{root}/lease/00000001.json")
    write_json(f"{root}/lease/00000001.json", mine | {"started": mine["started"] - 100, "beat": time.time()})
    assert take(root) == 2


def test_a_generation_outlives_a_lease_file_that_was_cut_short(tmp_path: Path) -> None:
    (tmp_path / "lease.json").write_text('{"generation": 41, "pid": 1}{"older and longer": 1}')
    assert take(str(tmp_path)) == 42
    assert Lease(str(tmp_path), 42).generation == 42
