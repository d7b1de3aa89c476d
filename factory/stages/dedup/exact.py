"""Removes rows whose prompt is the same text as another's."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.core import Site, Spread
from factory.sameness.difference import Difference
from factory.sameness.exact_form import exact_form
from factory.sameness.judgement import settled_by_answers
from factory.stages.dedup.compared_rows import ComparedRows, compared_columns
from factory.stages.dedup.decided import decided
from factory.stages.dedup.dedup_base import DedupStage, Ranking
from factory.stages.dedup.judged import Doubtful, Link, Outcome, settle_conflicts
from factory.stages.dedup.lazy_calls import LazyCalls, fixed_binary, matrix_of

__all__ = ["DedupExact"]

I64 = npt.NDArray[np.int64]

_ONE_TEXT = Difference("harmless", ("typing",))
_PIECE_ROWS = 500_000
"""Mean rows of one range of hashes: 12 MB of hashes and ranks, a second of work."""


class DedupExact(DedupStage):
    """Removes all but one of the rows whose prompts are one text but for what typing changes.

    That is the kinds of blanks, the punctuation behind words of prose and the case of function words;
    brackets, marks, accents, signs, line breaks of code, the domain and all other turns count. Kept is the
    row with tests, then with a reference, then the harder one, then of the preferred source, then the first.
    Copies with different answers are a conflict: the answer of most of them stays. Each range of hashes is
    searched by itself; in memory stay some 100 bytes of each row.
    """

    type: Literal["dedup-exact"] = "dedup-exact"
    version: ClassVar[int] = 3
    form: Literal["harmless", "nfc"] = "harmless"
    """What is compared: `harmless` all but what typing changes; `nfc` everything."""

    def survey(self, batch: pa.Table) -> pa.Table:
        """One row per row: who it is, the hash of its prompt, and what it is compared by where they meet."""
        from factory.text.normalise import content_hash

        compared = compared_columns(batch)
        texts = compared["text"].to_pylist()
        forms = texts if self.form == "nfc" else [exact_form(t) for t in texts]
        settings = compared["setting"].to_pylist()
        keyed = pa.array([f"{s:x} {t}" for s, t in zip(settings, forms, strict=True)], pa.large_string())
        golds = zip(batch["reference"].to_pylist(), compared["tests"].to_pylist(), strict=True)
        columns = {"hash": content_hash(keyed, form="nfc"), "gold": pa.array(map(_gold, golds), pa.uint64())}
        return pa.table(self.surveyed(batch) | compared | columns)

    def decide(self, surveys: Sequence[pa.Table], *, site: Site, spread: Spread) -> pa.Table:
        """Cuts all but the best of each group of equal hashes; groups whose answers differ are settled."""
        ranking, rows, hashes, golds = self._read(surveys)
        rank = ranking.rank()
        calls, places = _by_prefix(hashes, rank)
        cut, heads = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for piece, (copies, firsts) in enumerate(spread(_copies, calls)):
            cut.append(places[piece][copies])
            heads.append(places[piece][firsts])
        removed, kept = np.concatenate(cut), np.concatenate(heads)
        split = np.isin(kept, np.unique(kept[golds[removed] != golds[kept]]))
        found = _settled(rows, rank, removed[split], kept[split], fixed=ranking.fixed, doubtful=self.doubtful)
        groups = int(np.unique(kept).size)
        return decided(
            ranking, rows, found, plain=(removed[~split], kept[~split]), doubtful=self.doubtful,
            report={"groups": groups},
        )  # fmt: skip

    def _read(self, surveys: Sequence[pa.Table]) -> tuple[Ranking, ComparedRows, npt.NDArray[np.uint8], I64]:
        ranking, rows = Ranking(), ComparedRows()
        hashes, golds = [np.zeros((0, 16), np.uint8)], [np.zeros(0, np.uint64)]
        for label, survey in self.labelled(surveys):
            ranking.append(survey, label)
            rows.add(survey)
            hashes.append(matrix_of(survey["hash"], np.uint8))
            golds.append(survey["gold"].to_numpy())
        return ranking, rows, np.concatenate(hashes), np.concatenate(golds)


def _settled(
    rows: ComparedRows, rank: I64, removed: I64, kept: I64, *, fixed: int, doubtful: Doubtful
) -> Outcome:
    """What becomes of groups of one text in which answers differ: each answer is a group of its own first."""
    found = Outcome()
    order = np.lexsort((rank[removed], kept))
    classes: dict[int, list[int]] = {}
    for row, head in zip(removed[order].tolist(), kept[order].tolist(), strict=True):
        heads = classes.setdefault(head, [head])
        for other in heads:
            said = settled_by_answers(rows.problem(other), rows.problem(row), _ONE_TEXT)
            if said.verdict == "same":
                found.removed[row] = Link(other, said, 1.0, "exact_duplicate")
                break
        else:
            found.conflicts += [(other, row) for other in heads]
            heads.append(row)
    return settle_conflicts(found, rows.problem, rank=rank.tolist(), fixed=fixed, doubtful=doubtful)


def _by_prefix(hashes: npt.NDArray[np.uint8], rank: I64) -> tuple[LazyCalls, list[I64]]:
    """Calls of `_copies`, one per range of hash prefixes, and the rows of each."""
    pieces = -(-len(hashes) // _PIECE_ROWS)
    prefix = hashes[:, 0].astype(np.int64) << 8 | hashes[:, 1]
    place = (prefix * pieces >> 16).astype(np.uint16)
    order = np.argsort(place, kind="stable")
    cuts = np.searchsorted(place[order], np.arange(pieces + 1))
    rows = [order[cuts[i] : cuts[i + 1]] for i in range(pieces)]
    return LazyCalls(len(rows), lambda i: (hashes[rows[i]], rank[rows[i]])), rows


def _copies(hashes: npt.NDArray[np.uint8], rank: I64) -> tuple[I64, I64]:
    """Places of the copies and of what is kept in their stead."""
    from factory.stages.dedup.keep_order import exact_duplicates

    found = exact_duplicates(fixed_binary(hashes), rank=rank)
    return found["row"].to_numpy(), found["kept_row"].to_numpy()


def _gold(answers: tuple[str | None, str | None]) -> int:
    """64-bit hash of a reference without its blanks, and of tests; 0 where there is neither."""
    reference, tests = answers
    if reference is None and tests is None:
        return 0
    plain = "".join((reference or "").split())
    return int.from_bytes(blake2b(f"{plain} {tests}".encode(), digest_size=8).digest(), "big")
