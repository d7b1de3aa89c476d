"""Rejects rows that hold a stretch of text which many rows of the corpus hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field

from factory.core import Flow, GlobalStage, Site, Spread, prompt_texts
from factory.stages.answers.corpus_counts import parts_for, repeated_grams
from factory.stages.decisions import as_decision

__all__ = ["CorpusRepetition"]

U64 = npt.NDArray[np.uint64]


class CorpusRepetition(GlobalStage):
    """Rejects rows with a stretch of words that more than `max_rows` problems hold: a teacher's boilerplate.

    AM-DeepSeek-Distilled-40M (2504.17565) drops what holds 20 tokens seen more than 20 times in the set. The
    counting is exact, and its memory is bounded: a survey holds the hashed stretches of a shard, and the
    decision reads the surveys three times, one at a time.
    """

    type: Literal["corpus-repetition"] = "corpus-repetition"
    version: ClassVar[int] = 2
    of: Annotated[
        tuple[Literal["prompt", "reasoning_content", "content"], ...], Field(min_length=1)
    ] = ("reasoning_content", "content")  # fmt: skip
    """Texts of a row that are searched, each by itself."""
    ngram: Annotated[int, Field(ge=1)] = 20
    """Words of a stretch: runs of letters and digits in any case, each CJK character a word."""
    max_rows: Annotated[int, Field(ge=1)] = 20
    """Most problems, or rows by `count`, that may hold the same stretch."""
    count: Literal["problems", "rows"] = "problems"
    """Whether the completions of one problem count once or each: all of them may restate its prompt."""

    def needs(self) -> frozenset[str]:
        """The texts, and the problem of each where problems are counted."""
        return frozenset(self.of) | ({"id"} if self.count == "problems" else set())

    def survey(self, batch: pa.Table) -> pa.Table:
        """One line per row and stretch: `row`, `gram`, and `counts`, whether it adds to the stretch's count.

        The schema's metadata has the number of rows.
        """
        grams = self._grams(batch)
        sizes = [found.size for found in grams]
        row = np.repeat(np.arange(batch.num_rows, dtype=np.int32), sizes)
        gram = np.concatenate([np.zeros(0, np.uint64), *grams])
        first = np.ones(row.size, np.bool_)
        if self.count == "problems":
            problem = batch["id"].combine_chunks().dictionary_encode().indices.to_numpy()[row]
            order = np.lexsort((row, problem, gram))
            same = (np.diff(gram[order]) == 0) & (np.diff(problem[order]) == 0)
            first[order[1:][same]] = False
        table = pa.table({"row": row, "gram": gram, "counts": first})
        return table.replace_schema_metadata({"rows": str(batch.num_rows)})

    def decide(self, surveys: Sequence[pa.Table], *, site: Site, spread: Spread) -> pa.Table:
        """Rejects every row with a repeated stretch; evidence names the one that most rows hold."""
        parts = parts_for(sum(survey.num_rows for survey in surveys))
        calls = [(surveys, self.max_rows, part, parts) for part in range(parts)]
        found = list(spread(repeated_grams, calls))
        repeated = np.concatenate([gram for gram, _ in found])
        held_by = np.concatenate([count for _, count in found])
        order = np.argsort(repeated)
        repeated, held_by = repeated[order], held_by[order]
        sizes: list[int] = []
        cut, evidence = [np.zeros(0, np.int64)], list[dict[str, Any]]()
        for survey in surveys:
            rows, best = _worst(survey, repeated, held_by)
            evidence += [{"gram": f"{repeated[k]:016x}", self.count: int(held_by[k])} for k in best.tolist()]
            cut.append(rows + sum(sizes))
            sizes.append(int(survey.schema.metadata[b"rows"]))
        report = {"stretches": int(repeated.size), "most": int(held_by.max(initial=0))}
        return as_decision(
            sizes, np.concatenate(cut), reason="corpus_repetition", evidence=evidence, report=report
        )

    def settle(self, batch: pa.Table, decision: pa.Table) -> Flow:
        """Cuts one shard; evidence has the repeated text in place of its hash."""
        shown = []
        for row, proof in zip(decision["row"].to_pylist(), decision["evidence"].to_pylist(), strict=True):
            shown.append(json.dumps(self._shown(batch.slice(row, 1), json.loads(proof)), ensure_ascii=False))
        place = decision.schema.get_field_index("evidence")
        return super().settle(batch, decision.set_column(place, "evidence", pa.array(shown, pa.string())))

    def _shown(self, row: pa.Table, proof: dict[str, Any]) -> dict[str, Any]:
        from factory.text.repeated_windows import RepeatedStrings, repeated_rows

        gram = np.array([int(proof.pop("gram"), 16)], np.uint64)
        strings = RepeatedStrings(self.ngram, "alnum", gram, np.ones(1, np.int64))
        for column in self.of:
            text = self._texts(row, column)
            for hit in repeated_rows(text, strings=strings).to_pylist():
                span = [hit["span_start"], hit["span_end"]]
                return proof | {"column": column, "span": span, "text": text[0].as_py()[slice(*span)]}
        return proof

    def _texts(self, batch: pa.Table, column: str) -> pa.Array:
        return prompt_texts(batch[column]) if column == "prompt" else batch[column].combine_chunks()

    def _grams(self, batch: pa.Table) -> list[U64]:
        """The distinct hashed stretches of each row."""
        from factory.text.shingles import shingle_sets

        found = [shingle_sets(self._texts(batch, column), words=self.ngram) for column in self.of]
        return [np.unique(np.concatenate(parts)) for parts in zip(*found, strict=True)]


def _worst(survey: pa.Table, repeated: U64, held_by: npt.NDArray[np.int64]) -> tuple[Any, Any]:
    """Rows with a repeated stretch, ascending, and for each the place of the one that most rows hold."""
    row, gram = survey["row"].to_numpy(), survey["gram"].to_numpy()
    if repeated.size == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    place = np.minimum(np.searchsorted(repeated, gram), repeated.size - 1)
    hit = np.flatnonzero(repeated[place] == gram)
    order = hit[np.lexsort((place[hit], -held_by[place[hit]], row[hit]))]
    opens = np.flatnonzero(np.diff(row[order], prepend=-1))
    return row[order[opens]].astype(np.int64), place[order[opens]]
