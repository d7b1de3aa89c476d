"""What the dedup stages share: which of several copies stays, and how a removal is written down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from factory.core import REVIEW, Flow, GlobalStage, Survey
from factory.core.paths import DataPath
from factory.stages.categories import category_column, numbers, values_of
from factory.stages.decisions import as_decision, flat, with_notes
from factory.stages.dedup.earlier_releases import EarlierRelease, earlier_release
from factory.stages.dedup.judged import Doubtful
from factory.stages.dedup.spill import ScratchTexts

__all__ = ["DedupStage", "Ranking"]

I64 = npt.NDArray[np.int64]


class DedupStage(GlobalStage):
    """The fields of every dedup stage: what is kept of several copies, and what counts as kept before."""

    requires: ClassVar[frozenset[str]] = frozenset(
        {"id", "source", "origin", "domain", "prompt", "reference", "tests"}
    )
    harder: str | None = None
    """Column, or `meta.KEY`, with a number that is larger for a harder problem: of copies that have tests and
    reference alike the hardest stays, one without the number last; null: difficulty does not count."""
    sources: tuple[str, ...] = ()
    """Values of `source` in the order in which their copies are kept; the rest follow as they come."""
    against: tuple[DataPath, ...] = ()
    """Folders of earlier releases (paths or URLs): a copy of one of their rows is removed as well."""

    doubtful: Doubtful = "review"
    """What becomes of a row that may be a copy, where neither the texts nor the answers decide, and of rows
    with one text and several answers none of which most copies have: `review` marks them in the column
    `review`, `keep` leaves them as they are, `reject` removes them."""

    def provides(self) -> pa.Schema:
        """`review`, where doubtful rows are marked."""
        return pa.schema([REVIEW] if self.doubtful == "review" else [])

    def settle(self, batch: pa.Table, decision: pa.Table) -> Flow:
        """Cuts the rows with a reason; the evidence of the others becomes a note in `review`."""
        if self.doubtful == "review":
            notes: list[str | None] = [None] * batch.num_rows
            kept = decision.filter(pc.is_null(decision["reason"]))
            for row, proof in zip(kept["row"].to_pylist(), kept["evidence"].to_pylist(), strict=True):
                notes[row] = proof
            batch = with_notes(batch, notes)
        return super().settle(batch, decision.filter(pc.is_valid(decision["reason"])))

    def needs(self) -> frozenset[str]:
        """What is compared, and what speaks for keeping a row."""
        return self.requires | ({category_column(self.harder)} if self.harder else set())

    def identity(self) -> dict[str, Any]:
        """Fields with the fingerprints of earlier releases in place of their paths."""
        return super().identity() | {"against": [release.fingerprint for release in self.earlier()]}

    def earlier(self) -> list[EarlierRelease]:
        """The releases named by `against`; PipelineError for a folder that is none."""
        return [earlier_release(url) for url in self.against]

    def surveyed(self, batch: pa.Table) -> dict[str, pa.Array]:
        """Columns of a survey that say who a row is and what speaks for keeping it."""
        columns = {name: flat(batch[name]) for name in ("id", "origin")}
        places = {name: place for place, name in enumerate(self.sources)}
        source = [places.get(name, len(places)) for name in batch["source"].to_pylist()]
        lacks = [pc.is_null(flat(batch[name])) for name in ("tests", "reference")]
        columns |= {"source": pa.array(source, pa.int32()), "no_tests": lacks[0], "no_reference": lacks[1]}
        if self.harder:
            columns["harder"] = pa.array(numbers(values_of(batch, self.harder)), pa.float64())
        return columns

    def labelled(
        self, surveys: Sequence[pa.Table], *, survey: Survey | None = None
    ) -> Iterator[tuple[str | None, pa.Table]]:
        """The surveys of the rows of earlier releases, each with the label of its release, then the given."""
        for release in self.earlier():
            for batch in release.batches(sorted(self.needs())):
                yield release.label, (survey or self.survey)(batch)
        for one in surveys:
            yield None, one


class Ranking:
    """Who the surveyed rows are and the order in which they are kept, filled survey by survey.

    Rows of earlier releases are added first and stay whatever they are like. Then a row with tests goes
    before one without, a row with a reference, the harder one, the sources in the order given, and the row
    that comes first. In memory stay some 30 bytes of each row.
    """

    def __init__(self) -> None:
        self.fixed = 0
        """Rows of earlier releases: rows 0 to fixed - 1."""
        self._ids, self._origins = ScratchTexts(), ScratchTexts()
        self._keys: list[tuple[npt.NDArray[Any], ...]] = []
        self._sizes: list[int] = []
        self._labels: list[str] = []
        self._ends: list[int] = []

    def __len__(self) -> int:
        return self.fixed + sum(self._sizes)

    @property
    def new_rows(self) -> int:
        """Rows that are not of an earlier release."""
        return sum(self._sizes)

    def append(self, survey: pa.Table, label: str | None = None) -> None:
        """Adds the next shard, or rows of the release `label`: all of those before the first shard."""
        self._ids.add(survey["id"])
        self._origins.add(survey["origin"])
        if label is not None:
            self.fixed += survey.num_rows
            self._labels.append(label)
            self._ends.append(self.fixed)
            return
        self._sizes.append(survey.num_rows)
        lacks = 2 * survey["no_tests"].to_numpy().astype(np.uint8) + survey["no_reference"].to_numpy()
        ease = np.zeros(0)
        if "harder" in survey.column_names:
            ease = -pc.fill_null(survey["harder"], -np.inf).to_numpy()
        self._keys.append((survey["source"].to_numpy().astype(np.int16), ease, lacks.astype(np.uint8)))

    def rank(self) -> I64:
        """Rank of each row; 0 is kept before all others."""
        source, ease, lacks = (np.concatenate([k[n] for k in self._keys] or [np.zeros(0)]) for n in range(3))
        keys = [source, ease, lacks] if ease.size else [source, lacks]
        rank = np.arange(len(self), dtype=np.int64)
        rank[self.fixed + np.lexsort(keys)] = np.arange(self.fixed, len(self))
        return rank

    def kept(self, rows: I64) -> list[dict[str, str]]:
        """What evidence says of rows that were kept: `kept` is an id, `release` the release that holds it."""
        proofs = [{"kept": row_id} for row_id in self.ids(rows)]
        for proof, row in zip(proofs, rows.tolist(), strict=True):
            if row < self.fixed:
                proof["release"] = self._labels[int(np.searchsorted(self._ends, row, "right"))]
        return proofs

    def ids(self, rows: I64) -> list[str]:
        """Ids of some rows."""
        return self._ids.take(rows)

    def origins(self, rows: I64) -> list[str]:
        """Where some rows came from."""
        return self._origins.take(rows)

    def decision(
        self,
        cut: I64,
        *,
        reason: str | Sequence[str | None],
        evidence: Sequence[Mapping[str, Any]],
        report: Mapping[str, Any],
    ) -> pa.Table:
        """The decision on some rows, none of an earlier release, with the run's report."""
        counts: dict[str, Any] = {"rows": self.new_rows}
        if self._labels:
            counts["earlier_rows"] = self.fixed
        return as_decision(
            self._sizes, cut - self.fixed, reason=reason, evidence=evidence, report={**counts, **report}
        )
