"""The HTTP endpoint answers as its callers expect."""

from __future__ import annotations

import pytest

from sandbox import Sandbox
from sandbox.serve import answer, application


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
    with pytest.raises(ValueError, match="not supported"):
        answer(box, {"code": "1", "files": {"a": "b"}})


def test_over_http(box: Sandbox) -> None:
    testing = pytest.importorskip("fastapi.testclient", reason="the web framework is not installed")
    client = testing.TestClient(application(box))
    found = client.post("/run_code", json={"code": "print(6 * 7)", "language": "python"}).json()
    assert found["run_result"]["stdout"] == "42\n"
    assert client.post("/run_code", json={"code": 7}).status_code == 422
