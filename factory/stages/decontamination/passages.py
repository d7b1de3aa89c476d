"""The texts of a row that a student will see, and the passages of them that an item may hide in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from factory.stages.decontamination.reading import Reading, Weights, content_stem
from factory.text.plain import plain_texts

__all__ = [
    "Part",
    "Segments",
    "chunks",
    "densest",
    "prose_of_code",
    "segments",
    "sentence_windows",
    "trimmed",
]

Part: TypeAlias = Literal["prompt", "reasoning_content", "content"]

_SENTENCE = re.compile(r"(?<=[.?!。？！])[\"')\]]*\s+|(?<=[。？！])|\n+")
_WORD = re.compile(r"\S+|[\u3040-\u30ff\u3400-\u9fff]")
_CHUNK_WORDS, _CHUNK_CHARS = 110, 800
_COMMENT = re.compile(
    r'"""(.*?)(?:"""|\Z)|\'\'\'(.*?)(?:\'\'\'|\Z)|/\*(.*?)(?:\*/|\Z)|((?:^[ \t]*(?://+|\#(?!include|!|define)|--|;;)[^\n]*\n?)+)',
    re.DOTALL | re.MULTILINE,
)
_LEAD = re.compile(r"^[ \t]*(?:\*+|//+|#+|--|;;)[ \t!]*", re.MULTILINE)
_EXAMPLE = re.compile(
    r"^\s*(?:>>>|\.\.\.|@?examples?\b|assert\b|for example|for instance|e\.g\.|input:)", re.IGNORECASE
)
_LEAST_COMMENT = 20
_MARKER = re.compile(
    r"\s*(?:[A-Za-z]+\s*)?\(?\d{1,3}[.):]\s+|\s*(?:question|problem|q)\s*:\s*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Segments:
    """Every turn of every prompt, and every part of every completion of a batch, as one column."""

    rows: npt.NDArray[np.int64]
    """Row of the batch that each is of."""
    parts: list[Part]
    turns: list[int | None]
    """Place of the turn in its prompt; null for a completion."""
    roles: list[str]
    original: pa.Array
    plain: pa.Array

    def __len__(self) -> int:
        return len(self.parts)


def segments(batch: pa.Table, *, of: Sequence[Part]) -> Segments:
    """The texts of a batch, in the order of its rows within each part."""
    rows: list[npt.NDArray[np.int64]] = []
    parts: list[Part] = []
    turns: list[int | None] = []
    roles: list[str] = []
    texts: list[pa.Array] = []
    for part in of:
        column = batch[part].combine_chunks() if batch[part].num_chunks != 1 else batch[part].chunk(0)
        if part == "prompt":
            owner = pc.list_parent_indices(column).to_numpy().astype(np.int64)
            said = column.flatten()
            opens = np.searchsorted(owner, owner)
            turns += (np.arange(owner.size) - opens).tolist()
            roles += said.field("role").to_pylist()
            texts.append(pc.fill_null(said.field("content"), ""))
        else:
            owner = np.arange(batch.num_rows)
            turns += [None] * batch.num_rows
            roles += ["assistant"] * batch.num_rows
            texts.append(pc.fill_null(column, ""))
        rows.append(owner)
        parts += [part] * owner.size
    whole = pa.concat_arrays([text.cast(pa.large_string()) for text in texts])
    return Segments(np.concatenate(rows), parts, turns, roles, whole, plain_texts(whole))


def sentence_windows(text: str, *, sizes: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Passages of whole sentences, of about each size in words, each begun halfway through the one before.

    A text that is not much longer than the largest size is one of them; `most` bounds their number: of a very
    long text only its first windows are taken.
    """
    spans = list(_sentences(text))
    total = sum(count for _, _, count in spans)
    if total == 0:
        return []
    found = {(spans[0][0], spans[-1][1])} if total <= 2 * max(sizes) else set()
    for size in sizes:
        if size >= total:
            continue
        first = 0
        while first < len(spans) and len(found) < most:
            last, words = first, spans[first][2]
            while last + 1 < len(spans) and words < size:
                if words >= size / 2 and words + spans[last + 1][2] > 1.3 * size:
                    break
                last += 1
                words += spans[last][2]
            found.add((spans[first][0], spans[last][1]))
            if last + 1 == len(spans):
                break
            step = words // 2
            first += 1
            while step > spans[first - 1][2] and first <= last:
                step -= spans[first - 1][2]
                first += 1
    return sorted(found)


def chunks(text: str) -> list[str]:
    """A text in runs of whole sentences that a sentence model reads to the end; one where it is short."""
    if len(text) <= _CHUNK_CHARS and len(text.split()) <= _CHUNK_WORDS:
        return [text]
    found: list[str] = []
    start, words, end = 0, 0, 0
    for first, last, count in _sentences(text):
        if words and (words + count > _CHUNK_WORDS or last - start > _CHUNK_CHARS):
            found.append(text[start:end])
            start, words = first, 0
        words, end = words + count, last
    return [*found, text[start:end]]


def trimmed(text: str, start: int, end: int, *, item: Reading, weights: Weights) -> tuple[int, int]:
    """The passage without the sentences at its ends that share nothing with the item, and without its number
    in a list: what stands beside a copy is no part of it."""
    spans = [(start + first, start + last) for first, last, _ in _sentences(text[start:end])]
    telling = [weights.sum(Reading(text[a:b]).stems & item.stems) > 0 for a, b in spans]
    if not any(telling):
        return start, end
    first, last = telling.index(True), len(telling) - 1 - telling[::-1].index(True)
    begin = spans[first][0]
    marked = _MARKER.match(text, begin, spans[first][1])
    return (marked.end() if marked else begin), spans[last][1]


def densest(passage: Reading, item: Reading, *, weights: Weights) -> tuple[int, int] | None:
    """Characters of the passage's stretch that holds most of the item's words, whole sentences of it.

    The stretch is at most 1.7 times as long as the item; null where the passage holds none of the words.
    """
    room = int(1.7 * max(8, len(item.words)))
    wanted = item.stems
    numbers = {word for word in item.words if word[0].isdigit()}
    held: list[tuple[int, str]] = []
    place = 0
    for word, _, _ in passage.places:
        place += word[0].isalnum()
        stem = word if word in numbers else content_stem(word)
        if stem is not None and (stem in wanted or stem in numbers):
            held.append((place, stem))
    if not held:
        return None
    first, last = _best_run(held, room=room, weights=weights)
    words = [(start, end) for word, start, end in passage.places if word[0].isalnum()]
    start, end = words[max(0, first - 1)][0], words[last - 1][1]
    return _whole_sentences(passage.text, start, end, room=room)


def _best_run(held: Sequence[tuple[int, str]], *, room: int, weights: Weights) -> tuple[int, int]:
    """First and last word of the run within `room` that holds the most weight of distinct words."""
    counts: dict[str, int] = {}
    best, span, weight, left = -1.0, (0, 0), 0.0, 0
    for place, stem in held:
        counts[stem] = counts.get(stem, 0) + 1
        weight += weights.of(stem) if counts[stem] == 1 else 0.0
        while place - held[left][0] > room:
            gone = held[left][1]
            counts[gone] -= 1
            weight -= weights.of(gone) if counts[gone] == 0 else 0.0
            left += 1
        if weight > best + 1e-9:
            best, span = weight, (held[left][0], place)
    return span


def _whole_sentences(text: str, start: int, end: int, *, room: int) -> tuple[int, int]:
    """The span widened to the sentences at its ends, where these are not much longer than it."""
    wide = start, end
    for first, last, count in _sentences(text):
        if first <= start < last and count <= 1.5 * room:
            wide = first, wide[1]
        if first < end <= last and count <= 1.5 * room:
            wide = wide[0], last
    return wide


def _sentences(text: str) -> Iterator[tuple[int, int, int]]:
    """First and last character and number of words of each sentence; very long ones are cut."""
    start = 0
    for gap in [*_SENTENCE.finditer(text), None]:
        end = gap.start() if gap else len(text)
        if end > start and text[start:end].strip():
            yield from _cut(text, start, end)
        start = gap.end() if gap else end


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    count = len(_WORD.findall(text, start, end))
    if count <= _CHUNK_WORDS and end - start <= _CHUNK_CHARS:
        yield start, end, count
        return
    begun, words, last = start, 0, start
    for word in _WORD.finditer(text, start, end):
        if words and (words >= _CHUNK_WORDS or word.end() - begun > _CHUNK_CHARS):
            yield begun, last, words
            begun, words = word.start(), 0
        words, last = words + 1, word.end()
    yield begun, end, words


def prose_of_code(text: str) -> str | None:
    """What the comments and docstrings of a program say, without examples; null for a text that has none."""
    said = []
    for match in _COMMENT.finditer(text):
        body = _LEAD.sub("", next(group for group in match.groups() if group is not None))
        kept = []
        for line in body.splitlines():
            if _EXAMPLE.match(line):
                break
            kept.append(line.strip())
        said.append(" ".join(kept))
    prose = " ".join(" ".join(said).split())
    return prose if len(prose) >= _LEAST_COMMENT else None
