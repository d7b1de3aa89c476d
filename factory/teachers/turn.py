"""One turn that a teacher and an interpreter write together, piece by piece."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from factory.teachers.base import Completion, FinishReason, TurnSegment
from factory.teachers.cells import Ran

__all__ = ["Fences", "Turn"]

_LINE = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, slots=True)
class Fences:
    """What a block of code stands between."""

    opening: str
    """First word of the line before it."""
    closing: str
    """The line after it."""

    @property
    def stop(self) -> str:
        """Text at which a teacher stops: the end of a closing line, however far it is indented."""
        return f"{self.closing}\n"

    def last_block(self, text: str) -> tuple[int, str] | None:
        """Where the block that ends with the text begins, and its code; null: no block to run ends there."""
        start, opener, at = 0, "", 0
        ended = None
        for line in _LINE.findall(text):
            words = line.split()
            if not opener:
                ended = None
                # What closes on the line that it opened is no block.
                if line.lstrip().startswith(self.closing) and line.count(self.closing) == 1:
                    start, opener = at, words[0]
            elif words == [self.closing]:
                ended, opener = (start, at) if opener == self.opening else None, ""
            at += len(line)
        if ended is None:
            return None
        code = text[ended[0] : ended[1]].partition("\n")[2]
        return ended[0], textwrap.dedent(code)


class Turn:
    """The text so far, who wrote which part of it, and what it has cost."""

    def __init__(self, fences: Fences, *, max_calls: int) -> None:
        self.fences = fences
        self.calls = 0
        """Blocks that were run."""
        self.block: str | None = None
        """Code that was written and is to be run before the teacher is asked again."""
        self.cpu_s = 0.0
        """CPU seconds that `kept` took when it was last run."""
        self.pieces: list[Completion] = []
        """What the teacher wrote at each request."""
        self._max_calls = max_calls
        self._segments: list[TurnSegment] = []
        self._pending = ""
        self._hinted = ""
        self._kept: list[str] = []

    @property
    def text(self) -> str:
        """The whole turn so far."""
        return "".join(segment.text for segment in self._segments) + self._pending

    @property
    def exhausted(self) -> bool:
        """Whether no more code is run."""
        return self.calls >= self._max_calls

    @property
    def completion_tokens(self) -> int:
        """Tokens that the teacher has written."""
        return sum(piece.completion_tokens or 0 for piece in self.pieces)

    def take(self, piece: Completion) -> bool:
        """Add what the teacher wrote; returns whether the turn ends with it."""
        at_fence = not self.exhausted and piece.stopped_by == self.fences.stop
        self.pieces.append(piece)
        self._pending += piece.content + (self.fences.stop if at_fence else "")
        by_itself = piece.finish_reason == "stop" and piece.stopped_by is None
        if self.exhausted or not (at_fence or by_itself):
            return True
        found = self.fences.last_block(self._hinted + self._pending) if self._pending else None
        if found is None:
            return by_itself
        start, self.block = found
        start = max(0, start - len(self._hinted))
        code, self._pending = self._pending[start:], self._pending[:start]
        self.insert("code", code)
        return False

    def cells(self) -> list[str]:
        """The blocks whose effects the next one finds, and the next one."""
        return [*self._kept, self.block or ""]

    def ran(self, output: str, ran: Ran) -> None:
        """The block was run; its output stands on lines of its own."""
        if ran.stays:
            self._kept, self.cpu_s = self.cells(), ran.cpu_s
        self.block = None
        self.calls += 1
        self.insert("output", output if self.text.endswith("\n") else f"\n{output}")

    def insert(self, kind: Literal["code", "output", "hint"], text: str) -> None:
        """Add a part of its own. A hint may open the block that the teacher writes."""
        self._flush()
        self._hinted = self._hinted + text if kind == "hint" else ""
        if text:
            self._segments.append(TurnSegment(kind, text))

    def whole(self, reasoning: str | None, content: str, *, finish_reason: FinishReason) -> Completion:
        """The turn as one completion, split as given."""
        self._flush()
        return replace(
            self.paid_for(self.pieces[-1]),
            reasoning_content=reasoning,
            content=content,
            finish_reason=finish_reason,
            seeded=all(piece.seeded for piece in self.pieces),
            logprobs=_joined([piece.logprobs for piece in self.pieces]),
            segments=tuple(self._segments),
        )

    def paid_for(self, completion: Completion) -> Completion:
        """The completion with what all pieces have cost."""
        prompts = [piece.prompt_tokens or 0 for piece in self.pieces]
        return replace(
            completion,
            paid=True,
            prompt_tokens=self.pieces[0].prompt_tokens,
            completion_tokens=self.completion_tokens,
            reread_tokens=sum(prompts[1:]) or None,
        )

    def _flush(self) -> None:
        if self._pending:
            self._segments.append(TurnSegment("text", self._pending))
            self._pending = ""


def _joined(parts: Sequence[tuple[float, ...] | None]) -> tuple[float, ...] | None:
    known = [part for part in parts if part is not None]
    return tuple(value for part in known for value in part) if known else None
