"""A small HTTP server on loopback that bounds what each client costs: bytes, seconds, connections, runs.

A thread answers each connection, so that a run which takes long holds up nobody but its client. Head and body
of a request must be there within `Bounds.request_s`, however slowly they come.
"""

from __future__ import annotations

import hmac
import io
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Bounds", "Refusal", "Server"]

Route = Callable[[dict[str, Any]], dict[str, Any]]
"""Answers the JSON object of a request by one of its own; raises `Refusal`."""

_OURS = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?", re.IGNORECASE)


class Refusal(Exception):
    """The request is not answered: `status` is that of HTTP, the text one line for whoever sent it."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Bounds:
    """What clients may cost."""

    body_bytes: int = 16 << 20
    request_s: float = 10.0
    """Within which a request must be there as a whole."""
    connections: int = 64
    """Open at once; further ones are closed."""
    runs: int = 16
    """Under way or waiting for a slot at once; further ones are answered 503."""


class Server(ThreadingHTTPServer):
    """Serves `run` at POST /run_code and a sign of life at GET /v1/ping.

    Args:
        port: On 127.0.0.1; 0 takes a free one, which `server_port` then is.
        token: What POST needs as `Authorization: Bearer`; null: nothing.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, run: Route, *, port: int, token: str | None, bounds: Bounds | None = None):
        self.run = run
        self.token = token
        self.bounds = bounds or Bounds()
        self._places = threading.BoundedSemaphore(self.bounds.connections)
        self.runs = threading.BoundedSemaphore(self.bounds.runs)
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Gives the connection a thread, unless there are too many."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answers what comes over the connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error of the server's."""


class _Timed(io.RawIOBase):
    """What a socket sends, up to a moment that `until` names."""

    def __init__(self, connection: socket.socket, seconds: float):
        self._connection = connection
        self.until = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request is not there in time")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    sys_version = ""
    server: Server

    def setup(self) -> None:
        super().setup()
        self._timed = _Timed(self.connection, self.server.bounds.request_s)
        self.rfile = io.BufferedReader(self._timed)

    def handle_one_request(self) -> None:
        self._timed.until = time.monotonic() + self.server.bounds.request_s
        super().handle_one_request()

    def do_GET(self) -> None:
        """The sign of life."""
        self._answered(self._ping)

    def do_POST(self) -> None:
        """A run."""
        self._answered(self._run)

    def _answered(self, route: Callable[[], Any]) -> None:
        try:
            status, said = 200, route()
        except Refusal as refusal:
            # What is left of the request is not read, so nothing can follow it.
            status, said, self.close_connection = refusal.status, {"error": str(refusal)}, True
        except TimeoutError:
            self.close_connection = True
            return
        body = json.dumps(said).encode()
        self.connection.settimeout(self.server.bounds.request_s)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _ping(self) -> str:
        self._require_ours()
        if self.path != "/v1/ping":
            raise Refusal(404, "there are POST /run_code and GET /v1/ping")
        return "pong"

    def _run(self) -> dict[str, Any]:
        self._require_ours()
        if self.path != "/run_code":
            raise Refusal(404, "there are POST /run_code and GET /v1/ping")
        self._require_token()
        if self.headers.get_content_type() != "application/json" or "Content-Type" not in self.headers:
            raise Refusal(415, "Content-Type must be application/json")
        request = self._json()
        if not self.server.runs.acquire(blocking=False):
            raise Refusal(503, f"{self.server.bounds.runs} runs are under way or waiting; ask again later")
        try:
            return self.server.run(request)
        finally:
            self.server.runs.release()

    def _require_ours(self) -> None:
        """Keeps out pages of a browser, which reach loopback by a name of their own or from their origin."""
        if _OURS.fullmatch(self.headers.get("Host", "")) is None:
            raise Refusal(403, "Host must be 127.0.0.1, localhost or [::1]")
        if "Origin" in self.headers or self.headers.get("Sec-Fetch-Site", "none") != "none":
            raise Refusal(403, "requests from web pages are not answered")

    def _require_token(self) -> None:
        token, given = self.server.token, self.headers.get("Authorization", "")
        if token is not None and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            raise Refusal(401, "Authorization must be 'Bearer' and the token of this server")

    def _json(self) -> dict[str, Any]:
        length, most = self.headers.get("Content-Length", ""), self.server.bounds.body_bytes
        if "Transfer-Encoding" in self.headers or re.fullmatch(r"[0-9]{1,12}", length) is None:
            raise Refusal(411, "Content-Length must say how long the body is")
        if int(length) > most:
            raise Refusal(413, f"a body has at most {most} bytes, not {length}")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise Refusal(400, "the body ends early")
        try:
            request = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Refusal(400, f"the body is no JSON: {type(error).__name__}: {str(error)[:200]}") from error
        if not isinstance(request, dict):
            raise Refusal(400, "the body must be a JSON object")
        return request

    def log_message(self, format: str, *args: Any) -> None:
        """Keeps no log: requests hold programs."""
