"""An endpoint on this machine that answers, refuses, fails, hangs, breaks off or talks nonsense as told."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Plan = Callable[[int, dict[str, Any]], str]
Words = Callable[[int, dict[str, Any]], tuple[str, int]]


def _echo(number: int, body: dict[str, Any]) -> tuple[str, int]:
    return f"<think>hm</think>\n\nanswer to {body['messages'][-1]['content']}", 5


@dataclass
class Faulty:
    """What was asked, and how the next request is treated."""

    plan: Plan
    """From the number of the request (0-based) and its body to one of the treatments below."""
    words: Words = _echo
    """From the same to the text of an answer and its tokens."""
    logprobs: bool = True
    stop_reason: Callable[[dict[str, Any]], Any] | None = None
    """From a body to the field by which vLLM's server says what ended an answer; null: it is absent."""
    answer_s: float = 0.0
    capacity: int | None = None
    """Requests at once above which it says 429."""
    retry_after: str | None = None
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    treatments: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    stop: threading.Event = field(default_factory=threading.Event)


class _Quiet(ThreadingHTTPServer):
    """Whoever gives up a request hears no answer to it."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def faulty(plan: Plan = lambda number, body: "ok", **settings: Any) -> Iterator[Faulty]:
    state = Faulty(plan, **settings)
    server = _Quiet(("127.0.0.1", 0), _handler(state))
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield state
    finally:
        state.stop.set()
        server.shutdown()
        server.server_close()


def _handler(state: Faulty) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with state.lock:
                number = len(state.bodies)
                state.bodies.append(body)
                state.keys.append(self.headers.get("Authorization", ""))
                state.times.append(time.monotonic())
                state.at_once += 1
                full = state.capacity is not None and state.at_once > state.capacity
                treatment = "429" if full else state.plan(number, body)
                state.treatments.append(treatment)
            try:
                self._treat(treatment, number, body)
            finally:
                with state.lock:
                    state.at_once -= 1

        def _treat(self, treatment: str, number: int, body: dict[str, Any]) -> None:
            if treatment == "hang":
                state.stop.wait(30)
                self.close_connection = True
            elif treatment == "cut":
                self.wfile.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"
                )
                self.close_connection = True
            elif treatment == "garbage":
                self._send(200, b"<html>a proxy was here</html>", kind="text/html")
            elif treatment == "nonsense":
                self._send(200, b'{"choices": []}')
            elif treatment == "ok":
                time.sleep(state.answer_s)
                answer = _answer(body, *state.words(number, body), logprobs=state.logprobs)
                if state.stop_reason is not None:
                    answer["choices"][0]["stop_reason"] = state.stop_reason(body)
                self._send(200, json.dumps(answer).encode())
                with state.lock:
                    state.answered.append(body["messages"][-1]["content"])
            else:
                error = {"error": {"message": f"refused, key {self.headers.get('Authorization')}"}}
                self._send(int(treatment), json.dumps(error).encode())

        def _send(
            self, status: int, body: bytes, *, kind: str = "application/json", length: int | None = None
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(length or len(body)))
            if state.retry_after is not None and status == 429:
                self.send_header("Retry-After", state.retry_after)
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _answer(body: dict[str, Any], text: str, tokens: int, *, logprobs: bool) -> dict[str, Any]:
    each = [
        {"token": "t", "bytes": None, "logprob": -0.5 * (n + 1), "top_logprobs": []} for n in range(tokens)
    ]
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text},
                "logprobs": {"content": each} if logprobs and body.get("logprobs") else None,
            }
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": tokens, "total_tokens": 7 + tokens},
    }
