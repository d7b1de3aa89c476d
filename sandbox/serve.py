"""The `/run_code` endpoint of SandboxFusion, over this sandbox: same request, same response, loopback
only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sandbox.model import Result, SandboxError, StdinTest

if TYPE_CHECKING:
    from sandbox.driver import Sandbox

__all__ = ["answer", "application", "run"]

_COMPILED = ("cpp", "java", "rust")
_MAX_TIMEOUT_S = 60.0
_KEEP = 8 << 20


def answer(box: Sandbox, request: dict[str, Any]) -> dict[str, Any]:
    """The response to one request.

    `code` and `language` are required; `stdin`, `run_timeout`, `compile_timeout` (seconds), `memory_limit_MB`
    and `fetch_files` are honoured as far as they can be: `files` are not supported and are refused.

    Raises:
        ValueError: the request is not one that can be answered.
    """
    code, language = request.get("code"), request.get("language", "python")
    if not isinstance(code, str) or not isinstance(language, str):
        raise ValueError("'code' and 'language' must be text")
    if request.get("files") or request.get("fetch_files"):
        raise ValueError("'files' and 'fetch_files' are not supported")
    stdin = request.get("stdin") or ""
    if not isinstance(stdin, str):
        raise ValueError("'stdin' must be text")
    timeout = min(float(request.get("run_timeout") or 10), _MAX_TIMEOUT_S)
    compile_s = min(float(request.get("compile_timeout") or 10), _MAX_TIMEOUT_S)
    limits = replace(box.limits, cpu_s=timeout, wall_s=timeout, compile_cpu_s=compile_s)
    memory = int(request.get("memory_limit_MB") or -1)
    if memory > 0:
        limits = replace(limits, memory_mb=memory)
    try:
        result = box.run_stdin(code, [StdinTest(stdin)], language=language, limits=limits, keep_output=_KEEP)
    except SandboxError as error:
        return {"status": "SandboxError", "message": str(error), "compile_result": None, "run_result": None}
    return _response(result)


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


def application(box: Sandbox) -> Any:
    """The web application.

    Raises:
        SandboxError: the web framework is not installed.
    """
    try:
        from fastapi import FastAPI, HTTPException
    except ImportError as error:
        raise SandboxError(
            "`serve` needs fastapi and uvicorn: pip install 'ray[default]' or fastapi uvicorn"
        ) from error
    app = FastAPI(title="sandbox", docs_url=None, redoc_url=None)

    # A plain function, so that the framework runs it in a thread: a run blocks until its verdict.
    @app.post("/run_code")  # type: ignore[untyped-decorator, unused-ignore]
    def run_code(request: dict[str, Any]) -> dict[str, Any]:
        try:
            return answer(box, request)
        except (ValueError, TypeError) as error:
            raise HTTPException(status_code=422, detail=str(error)) from error

    @app.get("/v1/ping")  # type: ignore[untyped-decorator, unused-ignore]
    def ping() -> str:
        return "pong"

    return app


def run(box: Sandbox, *, port: int) -> None:
    """Serves on 127.0.0.1 until interrupted."""
    app = application(box)
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
