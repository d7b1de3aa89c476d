"""The truth of what was paid for: every finished completion, on disk the moment it is finished.

    <journal>/<draw identity>/<group>-<time>-<writer>.jsonl

A draw identity holds all that decides a text but not how many are wanted or which rows came along, so more
samples, another filter upstream or other shards find every completion that was drawn before. A group is a
batch of problems: a batch that is tried again elsewhere finds the lines of its lost worker by that name.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

from factory.core import WorkspaceError
from factory.storage.file_system import local_path
from factory.storage.files import exists, join, list_names, read_bytes, write_json
from factory.storage.folders import make_folder
from factory.teachers.alternatives import Alternatives
from factory.teachers.base import Completion, TurnSegment
from factory.teachers.journal_files import (
    LocalSegment,
    ObjectSegment,
    Segment,
    decode_line,
    encode_line,
    line_facts,
    whole_lines,
)

__all__ = ["Journal", "Notebook", "batch_group"]

Key = tuple[str, int]
_FLUSH_S = 0.4
_BLOCK_BYTES = 1 << 24
_STORED = (
    "teacher",
    "reasoning_content",
    "content",
    "finish_reason",
    "prompt_tokens",
    "completion_tokens",
    "seeded",
)
_OPTIONAL = ("logprobs", "segments", "reread_tokens")
_ALTERNATIVES = "alternatives"


def batch_group(problems: Iterable[str]) -> str:
    """Name of a batch, 16 hex digits: the same problems in the same order have the same name."""
    return hashlib.blake2b("\n".join(problems).encode("utf-8", "replace"), digest_size=8).hexdigest()


class Journal:
    """The completions of one draw identity. Any number of processes may write beside each other."""

    def __init__(self, url: str, *, about: Mapping[str, Any] | None = None) -> None:
        """Read the whole folder at `url` once; `about` is what its `draw.json` tells a person."""
        path = local_path(url)
        self._local = path is not None
        self._root = (url if path is None else os.path.abspath(path)).rstrip("/")
        self._places: dict[Key, tuple[str, int, int]] = {}
        self._read_up_to: dict[str, int] = {}
        self._own: set[str] = set()
        self._open: set[Segment] = set()
        self._lock = threading.Lock()
        self._writer = f"{socket.gethostname()[:24]}-{os.getpid()}-{os.urandom(4).hex()}"
        self._stop = threading.Event()
        self.damaged: set[tuple[str, int]] = set()
        """File and offset of lines that were torn by a crash, or damaged since."""
        self.duplicates: set[Key] = set()
        """Completions that were drawn more than once; the first in file order counts."""
        self.prompt_tokens = self.completion_tokens = 0
        """Tokens of all that other writers have journalled, doubles too."""
        self._prepare(about)
        self.look_again()

    def __enter__(self) -> Journal:
        threading.Thread(target=self._flush_often, name="journal", daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()

    def __len__(self) -> int:
        return len(self._places)

    def look_again(self, group: str = "") -> None:
        """Read what other writers added since, in the files of one group or (no group) in all of them."""
        for path in self._paths(group):
            if path not in self._own:
                self._scan(path)

    def find(self, problem: str, sample_index: int) -> Completion | None:
        """The completion that was drawn, or null. Free to use: `paid` is false."""
        with self._lock:
            place = self._places.get((problem, sample_index))
        if place is None:
            return None
        path, offset, length = place
        line = self._read(path, offset, offset + length)
        facts = line_facts(line)
        if facts is None or facts[:2] != (problem, sample_index):
            raise WorkspaceError(f"journal {path}: the line at byte {offset} changed while the run went on")
        record = decode_line(line)
        known = {name: record[name] for name in _STORED}
        return Completion(
            **known,
            logprobs=tuple(record["logprobs"]) if "logprobs" in record else None,
            segments=tuple(TurnSegment(**s) for s in record["segments"]) if "segments" in record else None,
            reread_tokens=record.get("reread_tokens"),
            alternatives=Alternatives.from_json(record[_ALTERNATIVES]) if _ALTERNATIVES in record else None,
            paid=False,
        )

    @contextmanager
    def notebook(self, group: str) -> Iterator[Notebook]:
        """Where one batch writes its completions, a file of its own."""
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        path = f"{self._root}/{group}-{stamp}-{self._writer}-{os.urandom(2).hex()}.jsonl"
        segment: Segment = LocalSegment(path) if self._local else ObjectSegment(path)
        with self._lock:
            self._open.add(segment)
        try:
            yield Notebook(self, segment)
        finally:
            with self._lock:
                self._open.discard(segment)
            segment.close()

    def _prepare(self, about: Mapping[str, Any] | None) -> None:
        make_folder(self._root)
        card = join(self._root, "draw.json")
        if about is not None and not exists(card):
            write_json(card, about)

    def _enter(self, key: Key, place: tuple[str, int, int], *, own: bool = False) -> None:
        with self._lock:
            if own:
                self._own.add(place[0])
            known = self._places.setdefault(key, place)
            if known == place:
                return
            self.duplicates.add(key)
            self._places[key] = min(known, place)

    def _paths(self, group: str) -> list[str]:
        names = [n for n in list_names(self._root) if n.startswith(group) and n.endswith(".jsonl")]
        return [join(self._root, name) for name in names]

    def _scan(self, path: str) -> None:
        at = self._read_up_to.get(path, 0)
        if at and not self._local:
            return  # an object never grows
        while block := self._block(path, at):
            end = at
            for offset, line in whole_lines(block, start=at):
                if not line.endswith(b"\n"):
                    break
                end = offset + len(line)
                self._take(line, (path, offset, len(line)))
            if end == at:
                self.damaged.add((path, at))
                return
            at = self._read_up_to[path] = end
            if not self._local:
                return

    def _take(self, line: bytes, place: tuple[str, int, int]) -> None:
        facts = line_facts(line)
        if facts is None:
            self.damaged.add(place[:2])
            return
        self.damaged.discard(place[:2])  # it was half written when it was seen first
        self.prompt_tokens += facts.tokens - facts.completion_tokens
        self.completion_tokens += facts.completion_tokens
        self._enter(facts[:2], place)

    def _block(self, path: str, start: int) -> bytes:
        """Bytes from `start` on: some whole lines where there are any; the whole of an object."""
        if not self._local:
            return read_bytes(path)
        size = _BLOCK_BYTES
        block = self._read(path, start, start + size)
        while len(block) == size and b"\n" not in block:
            size *= 2
            block = self._read(path, start, start + size)
        return block

    def _read(self, path: str, start: int, end: int) -> bytes:
        if not self._local:
            if path in self._own:
                self._flush()
            return read_bytes(path, start=start, end=end)
        with open(path, "rb") as file:
            file.seek(start)
            return file.read(end - start)

    def _flush(self) -> None:
        with self._lock:
            segments = list(self._open)
        for segment in segments:
            segment.flush()

    def _flush_often(self) -> None:
        while not self._stop.wait(_FLUSH_S):
            self._flush()


class Notebook:
    """The open end of a journal."""

    def __init__(self, journal: Journal, segment: Segment) -> None:
        self._journal = journal
        self._segment = segment

    def write(self, problem: str, sample_index: int, completion: Completion) -> None:
        """Add a finished completion. Once this returns, a killed process does not lose it (local folders)."""
        known = asdict(replace(completion, alternatives=None))
        more = completion.alternatives
        line = encode_line(
            {
                "problem": problem,
                "index": sample_index,
                "tokens": completion.all_prompt_tokens + (completion.completion_tokens or 0),
                "completion_tokens": completion.completion_tokens,
                "finished": round(time.time(), 3),
                **{name: known[name] for name in _STORED},
                **{name: known[name] for name in _OPTIONAL if known[name] is not None},
                **({} if more is None else {_ALTERNATIVES: more.to_json()}),
            }
        )
        path, offset = self._segment.append(line)
        self._journal._enter((problem, sample_index), (path, offset, len(line)), own=True)
