"""Removes rows whose prompt is the same text as another's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa

from factory.core import GlobalStage, Site, Spread, prompt_texts
from factory.stages.keeping import KEPT_COLUMNS, as_decision, keep_order, survey_columns

__all__ = ["DedupExact"]

_EXCLAMATION = re.compile(r"(?:(?<![\w)\]}])|(?<=[^\W\d_]{2}))!+(?=\s|$)")
"""An exclamation mark that ends a sentence; after a digit, a lone letter or a bracket it is a factorial."""


class DedupExact(GlobalStage):
    """Removes all but one of the rows whose prompts are equal but for case, spacing and punctuation.

    Numbers and operators count, so problems that differ in either both stay. Kept is the row with tests, then
    with a reference, then of the preferred source, then the first.
    """

    type: Literal["dedup-exact"] = "dedup-exact"
    requires: ClassVar[frozenset[str]] = KEPT_COLUMNS
    form: Literal["symbols", "alnum", "spaced", "nfc"] = "symbols"
    """What is compared: `symbols` letters, digits and operators; `alnum` letters and digits; `spaced` all but
    case and the kind of blanks; `nfc` everything."""
    sources: tuple[str, ...] = ()
    """Values of `source` in the order in which their copies are kept; the rest follow as they come."""

    def survey(self, batch: pa.Table) -> pa.Table:
        """One row per row: who it is, the hash of its prompt and of its reference."""
        from factory.curation.normalise import content_hash

        texts = prompt_texts(batch["prompt"])
        if self.form == "symbols":
            texts = pa.array(
                [_EXCLAMATION.sub(" ", t) if "!" in t else t for t in texts.to_pylist()], pa.string()
            )
        hashes = content_hash(texts, form=self.form)
        golds = [None if r is None else _gold(r) for r in batch["reference"].to_pylist()]
        return pa.table(survey_columns(batch) | {"hash": hashes, "gold": pa.array(golds, pa.binary(8))})

    def decide(self, surveys: Sequence[pa.Table], *, site: Site, spread: Spread) -> pa.Table:
        """Cuts all but the best of each group of equal hashes; reports copies whose references differ."""
        from factory.curation.keep import exact_duplicates

        rows = pa.concat_tables(surveys).combine_chunks()
        hashes = rows["hash"].combine_chunks()
        if rows.num_rows == 0:
            return as_decision(surveys, [], reason="exact_duplicate", evidence=[], report={})
        removed = exact_duplicates(hashes, rank=keep_order(rows, sources=self.sources))
        cut, heads = removed["row"].to_pylist(), removed["kept_row"].to_pylist()
        ids, origins, golds = (rows[name].to_pylist() for name in ("id", "origin", "gold"))
        evidence = [
            {"kept": ids[head], "origin": origins[head]}
            | (
                {"reference_differs": True}
                if golds[row] and golds[head] and golds[row] != golds[head]
                else {}
            )
            for row, head in zip(cut, heads, strict=True)
        ]
        report = {
            "rows": rows.num_rows,
            "groups": int(np.unique(heads).size),
            "reference_differs": sum("reference_differs" in e for e in evidence),
        }
        return as_decision(surveys, cut, reason="exact_duplicate", evidence=evidence, report=report)


def _gold(reference: str) -> bytes:
    return blake2b("".join(reference.split()).encode(), digest_size=8).digest()
