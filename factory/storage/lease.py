"""One run per pipeline folder: a second one is refused while the first is alive.

Every run that holds the folder has a generation number, one higher than the run before. It fences off what is
left of an earlier run: a worker whose driver died, or slept through its lease, asks before it pays and finds
that another run holds the folder.

On a disk the lease is a lock on `lease.json`, which ends with its process. On an object store it is the file
`lease/<generation>.json`, created by a conditional put, so that of two runs one alone gets the number.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psutil

from factory.core import DataError, Site, WorkspaceError
from factory.storage.file_system import local_path
from factory.storage.files import create_bytes, exists, join, list_names, read_bytes, read_json, write_json
from factory.storage.folders import remove

__all__ = ["STALE_S", "Fence", "Lease", "fence", "is_alive", "lease"]

HEARTBEAT_S = 10.0
STALE_S = 60.0
"""On an object store a lease is free when its heart has not beaten for this long. One whose process is known
to be dead, as it ran on this very machine, is free at once."""
_ASK_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Lease:
    """A folder that is held."""

    url: str
    generation: int


class Fence:
    """Asks whether a run still holds its folder, before something is paid for; cheap when called often."""

    def __init__(self, held: Lease, *, every_s: float = _ASK_EVERY_S) -> None:
        """The store is asked every so many seconds."""
        self._held, self._every_s = held, every_s
        self._next = 0.0

    def __call__(self) -> None:
        """Raises WorkspaceError when a later run holds the folder."""
        if time.monotonic() < self._next:
            return
        now = _generation(self._held.url)
        if now > self._held.generation:
            raise WorkspaceError(
                f"{self._held.url}: another run holds the folder (its number is {now}, this run's "
                f"{self._held.generation}); what is left of this run stops before it pays for more"
            )
        self._next = time.monotonic() + self._every_s


def fence(site: Site) -> Fence:
    """The fence of the run that a stage is opened for; one that never stops where there is no lease."""
    held = Lease(site.lease_url, site.generation)
    return Fence(held, every_s=_ASK_EVERY_S if held.url else float("inf"))


@contextmanager
def lease(root: str) -> Iterator[Lease]:
    """Holds the pipeline's folder; a WorkspaceError names the run that holds it already."""
    path = local_path(root)
    with _remote(root) if path is None else _local(root, path) as generation:
        yield Lease(root, generation)


def is_alive(root: str) -> bool | None:
    """Whether the run that took the folder last still lives; null where only another machine knows."""
    path = local_path(root)
    if path is None:
        taken = _taken(root)
        held = _read_holder(root, taken[-1]) if taken else {}
        return time.time() - held.get("beat", 0) < STALE_S and not _is_dead(held)
    try:
        held = _first_document(read_bytes(join(path, "lease.json")))
    except FileNotFoundError:
        return False
    if not held.get("pid") or _is_dead(held):
        return False
    return True if held.get("machine") == _machine() else None


def _generation(root: str) -> int:
    """The number of the run that took the folder last; 0: none ever did."""
    path = local_path(root)
    if path is None:
        return max(_taken(root), default=0)
    try:
        return int(_first_document(read_bytes(join(path, "lease.json"))).get("generation", 0))
    except FileNotFoundError:
        return 0


def _taken(root: str) -> list[int]:
    names = (name.partition(".")[0] for name in list_names(join(root, "lease")))
    return sorted(int(name) for name in names if name.isdecimal())


def _first_document(content: bytes) -> dict[str, Any]:
    """What a file holds whose writer may have been killed before it cut off the end of an older one."""
    try:
        found: dict[str, Any] = json.JSONDecoder().raw_decode(content.decode())[0]
    except ValueError:
        return {}
    return found


def _holder() -> dict[str, Any]:
    return {
        "host": platform.node(),
        "machine": _machine(),
        "pid": os.getpid(),
        "started": psutil.Process().create_time(),
        "since": time.time(),
    }


def _machine() -> str:
    """The boot and the process namespace in which a process number means something; empty: not known."""
    with suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot:
        return f"{boot.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    return ""


def _is_dead(holder: dict[str, Any]) -> bool:
    """Whether the process is known to be gone; false where another machine would have to be asked."""
    if not holder.get("machine") or holder["machine"] != _machine():
        return False
    try:
        found = psutil.Process(int(holder["pid"]))
        another = abs(found.create_time() - float(holder["started"])) > 1
        return another or bool(found.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _refusal(root: str, holder: dict[str, Any]) -> WorkspaceError:
    who = f"process {holder.get('pid', '?')} on {holder.get('host', '?')}"
    return WorkspaceError(
        f"{root}: in use by another run ({who}); wait for it, stop it, or choose another --workspace"
    )


@contextmanager
def _local(root: str, path: str) -> Iterator[int]:
    try:
        os.makedirs(path, exist_ok=True)
        handle = os.open(os.path.join(path, "lease.json"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise WorkspaceError(
            f"{root}: cannot be written ({error.strerror}); choose a writable --workspace"
        ) from error
    try:
        before = _first_document(os.read(handle, 4096))
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _refusal(root, before) from error
        before = _first_document(os.pread(handle, 4096, 0))
        generation = int(before.get("generation", 0)) + 1
        content = json.dumps({"generation": generation, **_holder()}).encode()
        os.pwrite(handle, content, 0)
        os.ftruncate(handle, len(content))
        os.fsync(handle)
        try:
            yield generation
        finally:
            content = json.dumps({"generation": generation, "pid": 0}).encode()
            with suppress(OSError):
                os.pwrite(handle, content, 0)
                os.ftruncate(handle, len(content))
    finally:
        os.close(handle)


@contextmanager
def _remote(root: str) -> Iterator[int]:
    generation, mine = _taken_over(root)
    url = _lease_url(root, generation)
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(HEARTBEAT_S):
            # A beat that fails is made up by the next one; a store that stays away makes the lease stale.
            with suppress(WorkspaceError):
                write_json(url, mine | {"beat": time.time()})

    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    try:
        yield generation
    finally:
        stop.set()
        heart.join()
        write_json(url, mine | {"beat": 0})


def _taken_over(root: str) -> tuple[int, dict[str, Any]]:
    """Creates the file of the next generation where the last one's holder is gone."""
    before = _taken(root)
    if before:
        held = _read_holder(root, before[-1])
        if time.time() - held.get("beat", 0) < STALE_S and not _is_dead(held):
            raise _refusal(root, held)
    generation = before[-1] + 1 if before else 1
    mine = {"generation": generation, **_holder()}
    content = json.dumps(mine | {"beat": time.time()}).encode()
    won = create_bytes(_lease_url(root, generation), content)
    last = _taken(root)[-1]  # who looked long before it wrote may have created a number long past
    if not won or last != generation:
        raise _refusal(root, _read_holder(root, last))
    for number in before:
        remove(_lease_url(root, number))
    return generation, mine


def _read_holder(root: str, generation: int) -> dict[str, Any]:
    url = _lease_url(root, generation)
    try:
        held: dict[str, Any] = read_json(url)
        return held
    except DataError:
        if exists(url):
            raise
        return {"beat": time.time()}  # a later run has tidied it up, and holds the folder


def _lease_url(root: str, generation: int) -> str:
    return join(root, "lease", f"{generation:08d}.json")
