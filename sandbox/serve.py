"""The `/run_code` endpoint of SandboxFusion, over this sandbox: same request, same response, loopback
only."""

from __future__ import annotations

import math
import signal
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sandbox.http_server import Bounds, Refusal, Server
from sandbox.model import Result, SandboxError, StdinTest

if TYPE_CHECKING:
    from sandbox.driver import Sandbox

__all__ = ["Caps", "answer", "run", "server"]

_COMPILED = ("cpp", "java", "rust")
_KEEP = 8 << 20


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that a request may ask for; more is refused, not cut down."""

    seconds: float = 60.0
    """Of a run, and of a compilation."""
    memory_mb: int = 4096


def answer(box: Sandbox, request: dict[str, Any], *, caps: Caps | None = None) -> dict[str, Any]:
    """The response to one request.

    `code` and `language` are required; `stdin`, `run_timeout`, `compile_timeout` (seconds), `memory_limit_MB`
    (-1: as much as the sandbox gives) are honoured; `files` and `fetch_files` are not supported and are
    refused.

    Raises:
        Refusal: the request is not one that can be answered (400).
    """
    most = caps or Caps()
    code, language = request.get("code"), request.get("language", "python")
    if not isinstance(code, str) or not isinstance(language, str):
        raise Refusal(400, "'code' and 'language' must be text")
    if request.get("files") or request.get("fetch_files"):
        raise Refusal(400, "'files' and 'fetch_files' are not supported")
    stdin = request.get("stdin") or ""
    if not isinstance(stdin, str):
        raise Refusal(400, "'stdin' must be text")
    run_s = _number(request, "run_timeout", default=10.0, most=most.seconds)
    compile_s = _number(request, "compile_timeout", default=10.0, most=most.seconds)
    limits = replace(box.limits, cpu_s=run_s, wall_s=run_s, compile_cpu_s=compile_s)
    if request.get("memory_limit_MB") != -1:
        memory = _number(request, "memory_limit_MB", default=box.limits.memory_mb, most=most.memory_mb)
        limits = replace(limits, memory_mb=math.ceil(memory))
    try:
        result = box.run_stdin(code, [StdinTest(stdin)], language=language, limits=limits, keep_output=_KEEP)
    except SandboxError as error:
        return {"status": "SandboxError", "message": str(error), "compile_result": None, "run_result": None}
    return _response(result)


def _number(request: dict[str, Any], name: str, *, default: float, most: float) -> float:
    value = request.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= most:
        raise Refusal(400, f"'{name}' must be a number above 0 and at most {most:g}, not {str(value)[:40]}")
    return float(value)


def _response(result: Result) -> dict[str, Any]:
    if result.verdict == "INFRA":
        return {
            "status": "SandboxError",
            "message": result.reason,
            "compile_result": None,
            "run_result": None,
        }
    response: dict[str, Any] = {"status": "Success", "message": "", "executor_pod_name": None, "files": {}}
    if result.verdict == "CE":
        failed = _part("Finished", return_code=1, stderr=result.reason)
        # An interpreter's syntax error is a failed run to the callers of this interface.
        compiled = result.language in _COMPILED
        parts = {"compile_result": failed, "run_result": None} if compiled else {"run_result": failed}
        return {**response, "status": "Failed", "compile_result": None, **parts}
    test = result.tests[0]
    late = test.verdict == "TLE"
    run = _part(
        "TimeLimitExceeded" if late else "Finished",
        return_code=None if late else test.exit_code,
        stdout=test.stdout,
        stderr=test.stderr or test.reason,
        execution_time=test.wall_s,
    )
    built = _part("Finished", return_code=0) if result.language in _COMPILED else None
    status = "Success" if test.verdict == "AC" else "Failed"
    return {**response, "status": status, "compile_result": built, "run_result": run}


def _part(
    status: str,
    *,
    return_code: int | None,
    stdout: str = "",
    stderr: str = "",
    execution_time: float = 0.0,
) -> dict[str, Any]:
    return {
        "status": status,
        "execution_time": execution_time,
        "return_code": return_code,
        "stdout": stdout,
        "stderr": stderr,
    }


def server(
    box: Sandbox, *, port: int, token: str | None, caps: Caps | None = None, bounds: Bounds | None = None
) -> Server:
    """The endpoint, listening and not yet served."""
    return Server(lambda request: answer(box, request, caps=caps), port=port, token=token, bounds=bounds)


def run(box: Sandbox, *, port: int, token: str | None, caps: Caps) -> None:
    """Serves on 127.0.0.1 until SIGINT or SIGTERM; runs under way are ended then, unanswered."""
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    with server(box, port=port, token=token, caps=caps) as made:
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        print(f"listening on http://127.0.0.1:{made.server_port}", flush=True)
        told.wait()
        box.abandon()
        made.shutdown()
