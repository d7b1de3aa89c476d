"""The HTTP endpoint answers as its callers expect."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.http_server import Bounds, Refusal, Server
from sandbox.serve import answer, server


def test_a_run_that_ends_well(box: Sandbox) -> None:
    found = answer(box, {"code": "print(int(input()) + 1)", "language": "python", "stdin": "41\n"})
    assert found["status"] == "Success"
    assert found["run_result"]["status"] == "Finished"
    assert (found["run_result"]["return_code"], found["run_result"]["stdout"]) == (0, "42\n")


def test_a_run_that_does_not(box: Sandbox) -> None:
    failed = answer(box, {"code": "raise SystemExit(3)"})
    late = answer(box, {"code": "while True: pass", "run_timeout": 0.5})
    wrong = answer(box, {"code": "print("})
    assert (failed["status"], failed["run_result"]["return_code"]) == ("Failed", 3)
    assert (late["status"], late["run_result"]["status"]) == ("Failed", "TimeLimitExceeded")
    assert (wrong["status"], wrong["run_result"]["return_code"]) == ("Failed", 1)
    assert "SyntaxError" in wrong["run_result"]["stderr"]


def test_an_unknown_language_is_the_servers_failure(box: Sandbox) -> None:
    found = answer(box, {"code": "x", "language": "cobol"})
    assert found["status"] == "SandboxError"
    assert "not available" in found["message"]


def test_what_is_not_supported_is_refused(box: Sandbox) -> None:
    with pytest.raises(Refusal, match="not supported"):
        answer(box, {"code": "1", "files": {"a": "b"}})


BAD_NUMBERS = [float("inf"), float("nan"), -1.0, 0, 61, 10**30, "5", True, [1]]


@pytest.mark.parametrize("name", ["run_timeout", "compile_timeout", "memory_limit_MB"])
@pytest.mark.parametrize("value", BAD_NUMBERS, ids=str)
def test_a_number_that_makes_no_sense_is_refused_in_one_line(box: Sandbox, name: str, value: object) -> None:
    if name == "memory_limit_MB":
        value = {61: 4097, -1.0: -2}.get(value, value) if isinstance(value, (int, float)) else value
    with pytest.raises(Refusal, match=f"^'{name}' must be a number above 0 and at most") as refused:
        answer(box, {"code": "print(1)", name: value})
    assert refused.value.status == 400


def test_what_callers_send_by_default_is_answered(box: Sandbox) -> None:
    request = {
        "code": "print(1)",
        "compile_timeout": 10,
        "run_timeout": 10,
        "memory_limit_MB": -1,
        "stdin": None,
    }
    assert answer(box, {**request, "files": {}, "fetch_files": []})["status"] == "Success"


TOKEN = "a-token"
BOUNDS = Bounds(body_bytes=10_000, request_s=1.0, connections=8, runs=3)


@pytest.fixture
def served(box: Sandbox) -> Iterator[Server]:
    with server(box, port=0, token=TOKEN, bounds=BOUNDS) as made:
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield made
        made.shutdown()


def _ask(served: Server, request: object, **headers: str | None) -> tuple[int, Any]:
    """Status and answer; a header that is null is left out."""
    sent = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    connection = http.client.HTTPConnection("127.0.0.1", served.server_port, timeout=60)
    try:
        connection.request("POST", "/run_code", body, {k: v for k, v in sent.items() if v is not None})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_over_http(served: Server) -> None:
    status, found = _ask(served, {"code": "print(6 * 7)", "language": "python"})
    assert (status, found["run_result"]["stdout"]) == (200, "42\n")
    assert _ask(served, {"code": 7}) == (400, {"error": "'code' and 'language' must be text"})


REFUSED: dict[str, tuple[int, object, dict[str, str | None]]] = {
    "no token": (401, {"code": "1"}, {"Authorization": None}),
    "another token": (401, {"code": "1"}, {"Authorization": "Bearer b"}),
    "a name that leads here": (403, {"code": "1"}, {"Host": "rebound.example:80"}),
    "a page of another origin": (403, {"code": "1"}, {"Origin": "https://example.org"}),
    "a page without an origin": (403, {"code": "1"}, {"Sec_Fetch_Site": "cross-site"}),
    "no content type": (415, {"code": "1"}, {"Content_Type": None}),
    "the content type of a form": (415, {"code": "1"}, {"Content_Type": "text/plain"}),
    "a body that is too long": (413, b"x" * 10_001, {}),
    "a body in pieces": (411, b"", {"Transfer_Encoding": "chunked", "Content_Length": None}),
    "a body that is no JSON": (400, b"{", {}),
    "a body that is no object": (400, [1], {}),
    "a body that nests": (400, b"[" * 9_999, {}),
    "a number of JSON that is none": (400, b'{"code": "1", "run_timeout": Infinity}', {}),
    "a number too long to read": (400, b'{"code": "1", "run_timeout": ' + b"9" * 5_000 + b"}", {}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_in_one_line(served: Server, name: str) -> None:
    status, request, headers = REFUSED[name]
    found = _ask(served, request, **headers)
    assert found[0] == status, found
    assert "\n" not in found[1]["error"]


def _ping(served: Server) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", served.server_port, timeout=60)
    connection.request("GET", "/v1/ping")
    return connection.getresponse().status


def test_a_sign_of_life_beside_sleepers_and_no_more_runs_than_are_allowed(served: Server) -> None:
    sleeper = {"code": "import time; time.sleep(60)", "run_timeout": 2}
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(_ask(served, sleeper)[0])) for _ in range(6)]
    for thread in threads:
        thread.start()
    assert _ping(served) == 200
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 3 + [503] * 3


@pytest.mark.parametrize("begun", [b"POST /run", b"POST /run_code HTTP/1.1\r\nHost: localhost\r\n", b""])
def test_half_a_request_is_dropped_and_others_are_answered(served: Server, begun: bytes) -> None:
    held = [socket.create_connection(("127.0.0.1", served.server_port)) for _ in range(6)]
    for one in held:
        one.sendall(begun)
    assert _ping(served) == 200
    for one in held:
        one.settimeout(60)
        assert one.recv(1 << 16) == b"", "a connection on which nothing comes is closed"
        one.close()


def test_half_a_body_is_dropped_however_slowly_it_grows(served: Server) -> None:
    head = f"Host: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer {TOKEN}\r\n"
    with socket.create_connection(("127.0.0.1", served.server_port)) as one:
        one.sendall(f"POST /run_code HTTP/1.1\r\n{head}Content-Length: 9000\r\n\r\n".encode())
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 1000:
                one.sendall(b" ")
                sent += 1
                time.sleep(0.05)
        assert sent < 1000, "the server waits for as long as a byte comes now and then"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_when_told_to_though_runs_are_under_way(number: int) -> None:
    command = [sys.executable, "-m", "sandbox", "serve", "--port", "0", "--slots", "1"]
    environment = {**os.environ, "SANDBOX_TOKEN": TOKEN}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    port = int(process.stdout.readline().rpartition(":")[2])
    request = {"code": "import time; time.sleep(600)", "run_timeout": 60}

    def ask() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
            connection.request("POST", "/run_code", json.dumps(request), headers)
            connection.getresponse()

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    process.send_signal(number)
    try:
        assert process.wait(timeout=30) == 0, "a run of 60 s was waited for"
    finally:
        process.kill()
