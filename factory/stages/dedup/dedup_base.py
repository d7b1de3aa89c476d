"""What the dedup stages share: which of several copies stays, and how a removal is written down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from factory.core import GlobalStage
from factory.core.paths import DataPath
from factory.stages.categories import category_column, numbers, values_of
from factory.stages.decisions import as_decision, flat
from factory.stages.dedup.earlier_releases import EarlierRelease, earlier_release
from factory.stages.dedup.spill import ScratchTexts

__all__ = ["DedupStage", "Ranking"]

I64 = npt.NDArray[np.int64]


class DedupStage(GlobalStage):
    """The fields of every dedup stage: what is kept of several copies, and what counts as kept before."""

    requires: ClassVar[frozenset[str]] = frozenset({"id", "source", "origin", "prompt", "reference", "tests"})
    harder: str | None = None
    """Column, or `meta.KEY`, with a number that is larger for a harder problem: of copies that have tests and
    reference alike the hardest stays, one without the number last; null: difficulty does not count."""
    sources: tuple[str, ...] = ()
    """Values of `source` in the order in which their copies are kept; the rest follow as they come."""
    against: tuple[DataPath, ...] = ()
    """Folders of earlier releases (paths or URLs): a copy of one of their rows is removed as well."""

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

    def earlier_batches(self) -> Iterator[tuple[str, pa.Table]]:
        """Batches of the rows of earlier releases, each with the label of its release."""
        for release in self.earlier():
            for batch in release.batches(sorted(self.needs())):
                yield release.label, batch


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

    def add_earlier(self, label: str, survey: pa.Table) -> None:
        """Adds rows of the release `label`; all of them before the first `add`."""
        self._name(survey)
        self.fixed += survey.num_rows
        self._labels.append(label)
        self._ends.append(self.fixed)

    def add(self, survey: pa.Table) -> None:
        """Adds the next shard."""
        self._name(survey)
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
        self, cut: I64, *, reason: str, evidence: Sequence[Mapping[str, Any]], report: Mapping[str, Any]
    ) -> pa.Table:
        """The decision that cuts some rows, none of an earlier release, with the run's report."""
        counts: dict[str, Any] = {"rows": self.new_rows}
        if self._labels:
            counts["earlier_rows"] = self.fixed
        return as_decision(
            self._sizes, cut - self.fixed, reason=reason, evidence=evidence, report={**counts, **report}
        )

    def _name(self, survey: pa.Table) -> None:
        self._ids.add(survey["id"])
        self._origins.add(survey["origin"])
