"""Hostile probes run before a sandbox is handed out: one that gets through is a refusal."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.model import Limits, SandboxError, StdinTest

if TYPE_CHECKING:
    from sandbox.driver import Sandbox

__all__ = ["self_test"]

_PROBES = """
import ctypes, os, signal, socket
port, canary = input().split()
libc = ctypes.CDLL(None, use_errno=True)

def connect():
    with socket.socket() as s:
        s.settimeout(2); s.connect(("127.0.0.1", int(port)))
def read_host_file():
    open("/etc/passwd").read()
def read_canary():
    if open(canary).read() != "secret": raise FileNotFoundError
def start_process():
    if os.fork() == 0: os._exit(0)
def execute():
    try: os.execv("/bin/true", ["true"])
    except FileNotFoundError: raise PermissionError
def signal_parent():
    os.kill(os.getppid(), 0)
def trace():
    if libc.ptrace(16, os.getppid(), 0, 0) < 0: raise OSError(ctypes.get_errno(), "ptrace")
def new_namespace():
    if libc.unshare(0x10000000) < 0: raise OSError(ctypes.get_errno(), "unshare")
def allocate():
    bytearray(2 << 30)

try: open(canary, "a").write("touched")  # a private file may be written, the host's is checked
except OSError: pass
for probe in (connect, read_host_file, read_canary, start_process, signal_parent, trace, new_namespace,
              allocate, execute):
    try: probe()
    except (OSError, MemoryError): continue
    print("through", probe.__name__, flush=True)
print("done")
"""

_LIMITS = Limits(cpu_s=20, memory_mb=256)


def self_test(box: Sandbox, directory: str) -> None:
    """Runs the probes in a slot, with a file in `directory` that they must not reach.

    Raises:
        SandboxError: a probe got through, or the probes could not be run.
    """
    with tempfile.NamedTemporaryFile(dir=directory) as canary, socket.socket() as listener:
        canary.write(b"secret")
        canary.flush()
        os.chmod(canary.name, 0o666)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        result = box.run_stdin(_PROBES, [StdinTest(f"{port} {canary.name}\n", "done\n")], limits=_LIMITS)
        touched = Path(canary.name).read_bytes() != b"secret"
    if result.verdict == "AC" and not touched:
        return
    lines = (
        [line.removeprefix("through ") for line in result.tests[0].stdout.splitlines()]
        if result.tests
        else []
    )
    through = [line for line in lines if line != "done"] + ["write_outside"] * touched
    if through:
        raise SandboxError(
            f"tier '{box.tier}' does not hold on this machine: the probes {', '.join(through)} got through;"
            " run on a kernel whose seccomp and Landlock are enforced, or raise min_isolation"
        )
    detail = result.tests[0].reason + " " + result.tests[0].stderr if result.tests else result.reason
    raise SandboxError(f"the self-test of tier '{box.tier}' could not run: {result.verdict} {detail}".strip())
