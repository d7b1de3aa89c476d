"""Removes rows whose prompt is the same text as another's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.core import Site, Spread, prompt_texts
from factory.stages.dedup.dedup_base import DedupStage, Ranking
from factory.stages.dedup.lazy_calls import LazyCalls, fixed_binary, matrix_of

__all__ = ["DedupExact"]

I64 = npt.NDArray[np.int64]

_EXCLAMATION = re.compile(r"(?:(?<![\w)\]}])|(?<=[^\W\d_]{2}))!+(?=\s|$)")
"""An exclamation mark that ends a sentence; after a digit, a lone letter or a bracket it is a factorial."""
_PIECE_ROWS = 500_000
"""Mean rows of one range of hashes: 12 MB of hashes and ranks, a second of work."""


class DedupExact(DedupStage):
    """Removes all but one of the rows whose prompts are equal but for case, spacing and punctuation.

    Numbers and operators count, so problems that differ in either both stay. Kept is the row with tests, then
    with a reference, then the harder one, then of the preferred source, then the first. Each range of hashes
    is searched by itself; in memory stay some 60 bytes of each row.
    """

    type: Literal["dedup-exact"] = "dedup-exact"
    version: ClassVar[int] = 2
    form: Literal["symbols", "alnum", "spaced", "nfc"] = "symbols"
    """What is compared: `symbols` letters, digits and operators; `alnum` letters and digits; `spaced` all but
    case and the kind of blanks; `nfc` everything."""

    def survey(self, batch: pa.Table) -> pa.Table:
        """One row per row: who it is, the hash of its prompt and of its reference."""
        from factory.text.normalise import content_hash

        texts = prompt_texts(batch["prompt"])
        if self.form == "symbols":
            texts = pa.array(
                [_EXCLAMATION.sub(" ", t) if "!" in t else t for t in texts.to_pylist()], pa.string()
            )
        golds = pa.array([_gold(r) for r in batch["reference"].to_pylist()], pa.uint64())
        return pa.table(self.surveyed(batch) | {"hash": content_hash(texts, form=self.form), "gold": golds})

    def decide(self, surveys: Sequence[pa.Table], *, site: Site, spread: Spread) -> pa.Table:
        """Cuts all but the best of each group of equal hashes; reports copies whose references differ."""
        ranking, hashes, golds = self._read(surveys)
        rank = ranking.rank()
        calls, rows = _by_prefix(hashes, rank)
        cut, heads = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for piece, (copies, firsts) in enumerate(spread(_copies, calls)):
            cut.append(rows[piece][copies])
            heads.append(rows[piece][firsts])
        removed, kept = np.concatenate(cut), np.concatenate(heads)
        new = np.flatnonzero(removed >= ranking.fixed)
        new = new[np.argsort(removed[new])]
        removed, kept = removed[new], kept[new]
        return self._decision(ranking, removed, kept, golds)

    def _read(self, surveys: Sequence[pa.Table]) -> tuple[Ranking, npt.NDArray[np.uint8], I64]:
        ranking = Ranking()
        hashes, golds = [np.zeros((0, 16), np.uint8)], [np.zeros(0, np.uint64)]
        for label, batch in self.earlier_batches():
            survey = self.survey(batch)
            ranking.add_earlier(label, survey)
            hashes.append(matrix_of(survey["hash"], np.uint8))
            golds.append(survey["gold"].to_numpy())
        for survey in surveys:
            ranking.add(survey)
            hashes.append(matrix_of(survey["hash"], np.uint8))
            golds.append(survey["gold"].to_numpy())
        return ranking, np.concatenate(hashes), np.concatenate(golds)

    def _decision(self, ranking: Ranking, removed: I64, kept: I64, golds: Any) -> pa.Table:
        differs = (golds[removed] != golds[kept]) & (golds[removed] != 0) & (golds[kept] != 0)
        evidence: list[dict[str, Any]] = [
            proof | {"origin": origin} | ({"reference_differs": True} if other else {})
            for proof, origin, other in zip(
                ranking.kept(kept), ranking.origins(kept), differs.tolist(), strict=True
            )
        ]
        report = {"groups": int(np.unique(kept).size), "reference_differs": int(differs.sum())}
        return ranking.decision(removed, reason="exact_duplicate", evidence=evidence, report=report)


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


def _gold(reference: str | None) -> int:
    """64-bit hash of a reference without its blanks; 0 where there is none."""
    if reference is None:
        return 0
    return int.from_bytes(blake2b("".join(reference.split()).encode(), digest_size=8).digest(), "big")
