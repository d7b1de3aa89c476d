"""A hub on this machine: as much of its HTTP API as one commit with a tag needs, and a plan of refusals."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import yaml


class Hub:
    """The state of one dataset repository."""

    def __init__(self) -> None:
        self.url = ""
        self.commits: list[dict[str, bytes]] = [{}]
        self.tags: dict[str, str] = {}
        self.requests: list[str] = []
        self.refusals: list[tuple[str, int, dict[str, str]]] = []
        """Part of a path, status and headers: each is used once, in order."""

    @property
    def files(self) -> dict[str, bytes]:
        """The files at the head of main."""
        return self.commits[-1]

    def oid(self, number: int = -1) -> str:
        """The id of a commit."""
        return hashlib.sha1(str(number % len(self.commits)).encode()).hexdigest()

    def at(self, revision: str) -> dict[str, bytes]:
        """The files of a branch, tag or commit."""
        oid = self.tags.get(revision, revision)
        return next((f for i, f in enumerate(self.commits) if self.oid(i) == oid), self.files)

    def commit(self, lines: list[dict[str, Any]]) -> None:
        """Adds one commit from the lines of its request."""
        files = dict(self.files)
        for line in lines:
            if line["key"] == "file":
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            if line["key"] == "deletedFile":
                del files[line["value"]["path"]]
        self.commits.append(files)


def _blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the test output clean."""

    def _answer(self, value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _refused(self) -> bool:
        self.hub.requests.append(f"{self.command} {self.path}")
        if self.hub.refusals and self.hub.refusals[0][0] in self.path:
            _, status, headers = self.hub.refusals.pop(0)
            self._answer({"error": "not now"}, status=status, headers=headers)
            return True
        return False

    def do_GET(self) -> None:
        if self._refused():
            return
        if self.path.endswith("/refs"):
            tags = [{"name": n, "ref": f"refs/tags/{n}", "targetCommit": o} for n, o in self.hub.tags.items()]
            self._answer({"branches": [], "converts": [], "tags": tags})
        elif "/tree/" in self.path:
            files = self.hub.files.items()
            self._answer([{"type": "file", "path": p, "size": len(c), "oid": _blob_id(c)} for p, c in files])
        elif found := re.search(r"/resolve/([^/]+)/(.+)$", self.path):
            content = self.hub.at(found[1])[found[2]]
            self._answer(content, headers={"ETag": f'"{_blob_id(content)}"', "X-Repo-Commit": "c" * 40})
        else:
            self._answer({"id": "org/sums", "sha": self.hub.oid(), "siblings": []})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self._refused():
            return
        if self.path.endswith("/validate-yaml"):
            yaml.safe_load(json.loads(body)["content"].split("---\n")[1])
            self._answer({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            there = self.hub.files
            files = [
                {
                    "path": file["path"],
                    "uploadMode": "regular",
                    "shouldIgnore": False,
                    "oid": _blob_id(there[file["path"]]) if file["path"] in there else None,
                }
                for file in json.loads(body)["files"]
            ]
            self._answer({"files": files})
        elif "/commit/" in self.path:
            self.hub.commit([json.loads(line) for line in body.splitlines()])
            self._answer(
                {"commitUrl": f"{self.hub.url}/datasets/org/sums/commit/x", "commitOid": self.hub.oid()}
            )
        elif found := re.search(r"/tag/([^/]+)$", self.path):
            self.hub.tags[json.loads(body)["tag"]] = found[1]
            self._answer({})
        else:
            self._answer({"url": f"{self.hub.url}/datasets/org/sums", "name": "org/sums"})


@contextmanager
def serve() -> Iterator[Hub]:
    """Serves a fresh hub on a free port of the loopback address."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
