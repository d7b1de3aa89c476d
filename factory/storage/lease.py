"""One run per pipeline folder: a second one is refused while the first is alive."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from factory.core import WorkspaceError
from factory.core.paths import is_url
from factory.storage.files import exists, join, read_json, write_json

__all__ = ["lease"]

HEARTBEAT_S = 10.0
STALE_S = 60.0
"""On an object store a lease is free when its heart has not beaten for this long; a local one ends with
its process."""


@contextmanager
def lease(root: str) -> Iterator[None]:
    """Holds the pipeline's folder; a WorkspaceError names the run that holds it already."""
    if is_url(root):
        with _remote(root):
            yield
        return
    with _local(root):
        yield


def _holder() -> dict[str, Any]:
    return {"id": uuid.uuid4().hex, "host": platform.node(), "pid": os.getpid(), "since": time.time()}


def _refusal(root: str, holder: dict[str, Any]) -> WorkspaceError:
    who = f"process {holder.get('pid', '?')} on {holder.get('host', '?')}"
    return WorkspaceError(
        f"{root}: in use by another run ({who}); wait for it, stop it, or choose another --workspace"
    )


@contextmanager
def _local(root: str) -> Iterator[None]:
    path = os.path.join(root, "lease.json")
    try:
        os.makedirs(root, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise WorkspaceError(
            f"{root}: cannot be written ({error.strerror}); choose a writable --workspace"
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _refusal(root, json.loads(os.read(handle, 4096) or b"{}")) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(_holder()).encode(), 0)
        yield
    finally:
        os.close(handle)


@contextmanager
def _remote(root: str) -> Iterator[None]:
    url = join(root, "lease.json")
    if exists(url):
        held = read_json(url)
        if time.time() - held.get("beat", 0) < STALE_S:
            raise _refusal(root, held)
    mine = _holder()
    stop = threading.Event()

    def beat() -> None:
        while True:
            write_json(url, mine | {"beat": time.time()})
            if stop.wait(HEARTBEAT_S):
                return

    write_json(url, mine | {"beat": time.time()})
    time.sleep(1.0)  # two runs that start together both write; the last writer holds
    if read_json(url)["id"] != mine["id"]:
        raise _refusal(root, read_json(url))
    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    try:
        yield
    finally:
        stop.set()
        heart.join()
        write_json(url, mine | {"beat": 0})
