"""The process of one slot: takes requests from the driver and starts one supervisor for each.

Started by `python -I -S`, never forked from the host. In the namespaces tier it becomes process 1 of its own
world; in the landlock tier it only gives up its user id if it has one to give up.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
import types
import warnings
from _socket import AF_UNIX, SOCK_SEQPACKET, socket
from typing import Any, NoReturn

from sandbox.inside import kernel, landlock, rootfs
from sandbox.inside.child import standard_streams
from sandbox.inside.kernel import KernelError
from sandbox.inside.supervisor_pool import ERRORS_FD, Crew, receive
from sandbox.inside.workspace import HOME, FixedGround, Home, MountedGround

__all__ = ["main"]

# Modules that solutions often import, so that a test finds them already loaded.
_PRELOAD = """
bisect collections contextlib functools heapq io itertools json linecache math operator os random re
struct sys threading time traceback types typing warnings
"""
_FIRST_FREE = 16
_ONE_PROCESSOR_MS = 250
_OURS: list[types.ModuleType] = []


def main(fd: int) -> NoReturn:
    """Settles in, tells the driver so, and serves until the driver's end closes."""
    # The module `socket` is not loaded: what a zygote holds is copied for every test.
    sock = socket(AF_UNIX, SOCK_SEQPACKET, 0, _reserve_numbers(fd))
    config: dict[str, Any] = json.loads(receive(sock)[0])
    try:
        # Loaded while the host's files are still in reach; a solution imports the same modules from what it
        # sees.
        _preload(config)
        home = _settle(config)
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        standard_streams()
        warnings.simplefilter("ignore")
        gc.collect()
        gc.freeze()
    except OSError as error:
        call = error.call if isinstance(error, KernelError) else (error.filename or "open")
        _send(sock, {"ok": False, "call": str(call), "errno": error.errno or 0})
        os._exit(1)
    except BaseException:
        _send(sock, {"ok": False, "call": "start", "errno": 0, "detail": traceback.format_exc(limit=5)})
        os._exit(1)
    _send(
        sock, {"ok": True, "landlock": landlock.abi(), "proc": home.proc_fd is not None, "uid": os.getuid()}
    )
    _serve(sock, home)


def _reserve_numbers(connection: int) -> int:
    """Fills the descriptors that test processes get as their own: nothing that is kept may stand there.

    Returns the number that the connection to the driver has moved to.
    """
    plug = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    while plug < _FIRST_FREE:
        plug = os.dup(plug)
    moved = os.dup(connection)
    os.dup2(plug, connection, inheritable=False)
    os.dup2(2, ERRORS_FD, inheritable=False)
    return moved


def _settle(config: dict[str, Any]) -> Home:
    with open("/proc/self/statm") as file:
        base_bytes, resident_bytes = (
            int(part) * os.sysconf("SC_PAGE_SIZE") for part in file.read().split()[:2]
        )
    tier = config["tier"]
    root = proc_fd = None
    if tier == "namespaces":
        root = rootfs.PrivateRoot(**config["root"])
        privileged = rootfs.enter()
        child = os.fork()
        if child:
            _stand_by(child)
        proc_fd = rootfs.become_init(root, privileged=privileged)
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        _lower(config)
        proc_fd = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    own: tuple[str, int, int] | None = tuple(config["own"]) if config.get("own") else None
    os.environ.clear()
    os.environ.update(config["env"])
    return Home(
        tier=tier,
        directory=f"{own[0]}/{HOME}" if own else "/tmp",
        kept=rootfs.names_below_tmp(root) if root else [],
        own=own,
        proc_fd=proc_fd,
        base_bytes=base_bytes + (32 << 20),
        resident_bytes=resident_bytes,
        processors=os.sched_getaffinity(0),
        own_uid=root is not None or config.get("uid") is not None,
        **config["paths"],
        env=config["env"],
    )


def _lower(config: dict[str, Any]) -> None:
    """The landlock and rlimits tiers: another user id if this one is root, and no way back up."""
    uid = config.get("uid")
    if uid is not None:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        except OSError as error:
            raise KernelError(f"setresuid({uid})", error.errno or 0) from error
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    if config["tier"] == "landlock":
        landlock.Ruleset().close()
        # An own filter must be possible: answers EFAULT where it is, EINVAL where the kernel has none.
        try:
            kernel.prctl(kernel.PR_SET_SECCOMP, 2, 0, call="prctl(PR_SET_SECCOMP)")
        except KernelError as error:
            if error.errno != 14:
                raise


def _stand_by(child: int) -> NoReturn:
    """What stays outside the namespaces: waits for process 1, whose death ends the whole slot."""
    # The driver's end must see the connection close when process 1 dies, so nothing of it stays open here.
    kernel.close_from(3)
    _, status = os.waitpid(child, 0)
    os._exit(0 if os.WIFEXITED(status) else 1)


def _preload(config: dict[str, Any]) -> None:
    for directory in config["site_dirs"]:
        sys.path.append(directory)
    for name in [*_PRELOAD.split(), *config["preload"]]:
        __import__(name)
    if config.get("stdlib"):
        _move_library(config["stdlib"])
        sys.path[:] = [config["stdlib"], config["stdlib"] + "/lib-dynload", *config["site_dirs"]]
    # The command line names where the sandbox itself lies.
    sys.orig_argv[:] = [sys.executable]
    atexit._clear()
    # Kept alive, but no longer there to be imported: a solution starts with the standard library alone.
    _OURS.extend(sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "sandbox")
    sys.modules.pop("__main__")


def _move_library(copy: str) -> None:
    """Has the packages that are loaded look for their other modules where a solution can read them."""
    original = os.path.dirname(os.__file__)
    for module in list(sys.modules.values()):
        path = getattr(module, "__path__", None)
        if isinstance(path, list):
            path[:] = [
                copy + place.removeprefix(original) if place.startswith(original + "/") else place
                for place in path
            ]


def _serve(sock: socket, home: Home) -> NoReturn:
    place = MountedGround(home) if home.tier == "namespaces" else FixedGround(home)
    crew = Crew(home, sock)
    crew.prepare()
    while True:
        message, fds = receive(sock)
        if not message:
            os._exit(0)
        request = json.loads(message)
        reply: dict[str, Any] = {"ok": True}
        try:
            place.lay(request)
            reply.update(_one(sock, home, crew.start(fds, request), request))
        except OSError as error:
            reply = {"ok": False, "detail": f"{getattr(error, 'call', '')} {error}"}
        for fd in fds:
            os.close(fd)
        _send(sock, reply)
        # While the driver judges the outputs. Should it fail, the slot ends; the next request starts another.
        place.clear()
        if reply["ok"]:
            crew.prepare()


def _one(sock: socket, home: Home, pid: int, request: dict[str, Any]) -> dict[str, Any]:
    """Waits for a supervisor, and for all that it started; says how it ended."""
    pidfd = os.pidfd_open(pid)
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    # Only the driver's hang-up matters while a request runs.
    poller.register(sock.fileno(), select.POLLHUP | select.POLLRDHUP)
    events = dict(poller.poll(_ONE_PROCESSOR_MS))
    if not events:
        # A supervisor stays where it starts, for the cache's sake; that is not worth waiting for a processor.
        with contextlib.suppress(OSError):
            os.sched_setaffinity(pid, home.processors)
        events = dict(poller.poll(int(float(request["deadline_s"]) * 1000)))
    if sock.fileno() in events:
        _end_all(pid, home)
        os._exit(0)
    late = pidfd not in events
    os.close(pidfd)
    if late:
        os.kill(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    _end_all(pid, home)
    return {
        "late": late,
        "exit": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        "cpu_s": usage.ru_utime + usage.ru_stime,
    }


def _end_all(supervisor: int, home: Home) -> None:
    """Kills and reaps all that a request may have left: everyone in the namespace, or the supervisor's
    group."""
    try:
        if home.tier == "namespaces":
            os.kill(-1, signal.SIGKILL)
        else:
            os.killpg(supervisor, signal.SIGKILL)
    except OSError:
        pass
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.001)
        except ChildProcessError:
            return
    raise OSError("a process does not die")


def _send(sock: socket, reply: dict[str, Any]) -> None:
    try:
        sock.send(json.dumps(reply).encode())
    except OSError:
        os._exit(0)
