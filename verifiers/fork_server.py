"""The clean parent process of the workers: imports once, forks on order, outlives nobody.

Runs in its own interpreter and holds no threads. It ends as soon as the host closes the control socket
or dies; a worker dies with the nursery through the kernel's parent-death signal.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import resource
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

__all__ = ["main", "receive", "send"]

PR_SET_PDEATHSIG = 1
HOST_CHECK_S = 2.0
"""A process forked by the host may keep a copy of the socket open, so the parent's number is watched too."""
_LENGTH = struct.Struct("!I")


def send(channel: socket.socket, message: dict[str, Any], *, fds: list[int] | None = None) -> None:
    """Writes one message, a JSON object behind its length; file descriptors travel with the first byte."""
    body = json.dumps(message).encode()
    head = _LENGTH.pack(len(body))
    if fds:
        socket.send_fds(channel, [head], fds)
        channel.sendall(body)
    else:
        channel.sendall(head + body)


def receive(channel: socket.socket, *, deadline: float | None = None) -> dict[str, Any]:
    """Reads one message. Raises EOFError at a closed channel, TimeoutError past the monotonic deadline."""
    (length,) = _LENGTH.unpack(_read(channel, _LENGTH.size, deadline))
    message: dict[str, Any] = json.loads(_read(channel, length, deadline))
    return message


def _read(channel: socket.socket, size: int, deadline: float | None) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        if deadline is not None:
            channel.settimeout(max(deadline - time.monotonic(), 0.001))
        part = channel.recv(size - len(parts))
        if not part:
            raise EOFError("the other side closed the channel")
        parts += part
    return bytes(parts)


def main() -> None:
    """Serves fork and kill orders on the socket whose number is the second argument."""
    control = socket.socket(fileno=int(sys.argv[2]))
    setting = json.loads(sys.argv[3])
    host = os.getppid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a Ctrl-C meant for the host ends the nursery by the socket
    try:
        function = _load(setting)
    except BaseException:
        send(control, {"error": traceback.format_exc()})
        return
    send(control, {"ready": True})
    _serve(control, function, host=host, memory_bytes=setting["memory_bytes"])


def _load(setting: dict[str, Any]) -> Callable[..., Any]:
    module, _, name = setting["target"].partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    if setting["warm"] is not None:
        function(*setting["warm"])
    gc.collect()
    gc.freeze()  # keeps the collector from touching, and so copying, the pages shared with the workers
    return function


def _serve(control: socket.socket, function: Callable[..., Any], *, host: int, memory_bytes: int) -> None:
    children: set[int] = set()
    nursery = os.getpid()
    while os.getppid() == host:
        control.settimeout(HOST_CHECK_S)
        try:
            head, fds, _, _ = socket.recv_fds(control, _LENGTH.size, 1)
        except TimeoutError:
            continue
        if not head:
            return
        control.settimeout(None)
        rest = _read(control, _LENGTH.size - len(head), None) if len(head) < _LENGTH.size else b""
        order = json.loads(_read(control, _LENGTH.unpack(head + rest)[0], None))
        if order["order"] == "fork":
            pid = os.fork()
            if pid == 0:
                control.close()
                _work(socket.socket(fileno=fds[0]), function, nursery=nursery, memory_bytes=memory_bytes)
                os._exit(0)
            os.close(fds[0])
            children.add(pid)
            send(control, {"pid": pid})
        else:
            _end(order["pid"], children)
            send(control, {"ended": order["pid"]})


def _end(pid: int, children: set[int]) -> None:
    if pid not in children:
        return
    os.kill(pid, signal.SIGKILL)  # not yet waited for, so the number is still this child's
    os.waitpid(pid, 0)
    children.discard(pid)


def _work(channel: socket.socket, function: Callable[..., Any], *, nursery: int, memory_bytes: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != nursery:
        return  # the nursery died before the death signal was set
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        try:
            message = receive(channel)
        except (OSError, EOFError):
            return
        send(channel, _answer(function, message["arguments"]))


def _answer(function: Callable[..., Any], arguments: list[Any]) -> dict[str, Any]:
    try:
        return {"value": function(*arguments)}
    except (MemoryError, RecursionError) as error:
        # What was half built may still hold the memory: such a worker is not used again.
        return {"error": f"{type(error).__name__}: {error}", "usable": False}
    except BaseException as error:
        return {"error": f"{type(error).__name__}: {error}"[:500], "usable": True}
