"""What a release is asked to be, and what a finished step hands to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from factory.core import Role
from factory.release.layouts import LAYOUTS
from factory.storage.step_layout import Side, StepLayout

__all__ = ["UNVERIFIED", "FinishedStep", "LayoutName", "ReleaseSpec", "VerdictWord", "layout_names"]


def layout_names() -> list[str]:
    """Every layout that a release can have; `rows` is every column as it is."""
    return [*LAYOUTS, "rows"]


def _known_layout(name: str) -> str:
    if name in layout_names():
        return name
    raise ValueError(
        LAYOUTS.broken.get(name)
        or f"no layout '{name}'; there are {', '.join(layout_names())}. Pairs and sets for RL come from a "
        "release: `factory export RELEASE --to trl-dpo --out FOLDER`"
    )


LayoutName = Annotated[
    str,
    AfterValidator(_known_layout),
    Field(json_schema_extra=lambda schema: schema.update(enum=list[Any](layout_names()))),
]
"""The layouts that turn one row into one row, so that data and rows stay aligned."""

UNVERIFIED = "unverified"
"""Name of the verdict of a completion that nothing judged, where there is a null in the rows."""
VerdictWord = Literal["pass", "fail", "error", "timeout", "unverified"]


@dataclass(frozen=True, slots=True)
class FinishedStep:
    """A step whose manifest exists: where its files lie, and what it says of them."""

    folder: str
    """Local path or fsspec URL of the step's folder."""
    manifest: Mapping[str, Any]
    """The parsed `manifest.json`."""

    @property
    def name(self) -> str:
        """The step's name in the pipeline."""
        return str(self.manifest["step"])

    @property
    def type(self) -> str:
        """The type of its stage."""
        return str(self.manifest["type"])

    @property
    def role(self) -> Role:
        """What it is to a reader of the release."""
        role: Role = self.manifest["role"]
        return role

    @property
    def fields(self) -> Mapping[str, Any]:
        """The stage's identity: every field that can change a byte of output."""
        fields: Mapping[str, Any] = self.manifest["fields"]
        return fields

    def parts(self, side: Side) -> list[tuple[str, int]]:
        """Path and promised rows of each Parquet file on one side, in shard order."""
        layout = StepLayout(self.folder)
        return [(layout.rows_url(side, shard), int(entry[side]["rows"])) for shard, entry in self._entries()]

    def side_tables(self) -> dict[str, list[tuple[str, int]]]:
        """Path and promised rows of each Parquet file beside the kept rows, by the table's name."""
        layout, found = StepLayout(self.folder), dict[str, list[tuple[str, int]]]()
        for shard, entry in self._entries():
            for name, written in entry.get("side_tables", {}).items():
                found.setdefault(name, []).append((layout.side_table_url(name, shard), int(written["rows"])))
        return found

    def digests(self, sides: Sequence[Side]) -> Iterator[tuple[str, str]]:
        """Path and SHA-256 of each Parquet file on these sides, and of those beside the kept rows."""
        layout = StepLayout(self.folder)
        for shard, entry in self._entries():
            for side in sides:
                yield layout.rows_url(side, shard), str(entry[side]["sha256"])
            for name, written in entry.get("side_tables", {}).items():
                yield layout.side_table_url(name, shard), str(written["sha256"])

    def _entries(self) -> list[tuple[int, Mapping[str, Any]]]:
        return sorted(((int(e["shard"]), e) for e in self.manifest["files"]), key=lambda pair: pair[0])


class ReleaseSpec(BaseModel):
    """The `release:` block of a pipeline file."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    layout: LayoutName = "am"
    """Form of the rows in `data/`; `rows/` always holds every column of the same rows in the same order."""
    columns: Annotated[list[str], Field(min_length=1)] | None = None
    """Columns of `data/` under the layout `rows`; null: all of them."""
    name: str | None = None
    """Title of the dataset card; null: the pipeline's name."""
    description: str = ""
    """One paragraph that opens the dataset card."""
    license: str | None = None
    """License of the release as an SPDX id; null: what the rows' own licenses say."""
    language: list[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]] = Field(default_factory=lambda: ["en"])
    """ISO 639 codes of the languages in the rows."""
    tags: list[str] = Field(default_factory=list)
    """More tags of the dataset card."""
    allow_truncated: bool = False
    """Whether completions that hit the token limit (`finish_reason` = `length`) are released."""
    verdicts: Annotated[tuple[VerdictWord, ...], Field(min_length=1)] = ("pass",)
    """Verdicts with which a completion is released, the others are held back; `unverified`, or null, is that
    of one that nothing judged, and of all where there is no `verify` step."""
    shard_rows: Annotated[int, Field(ge=1)] = 50_000
    """Most rows in one data file."""
    max_shard_mb: Annotated[int, Field(ge=1)] = 256
    """A data file is closed once the rows in it pass this size in memory, in MiB."""

    @field_validator("verdicts", mode="before")
    @classmethod
    def _null_is_unverified(cls, verdicts: Any) -> Any:
        named = [UNVERIFIED if one is None else one for one in verdicts] if isinstance(verdicts, list) else []
        # Only words can stand twice; what else there is the field itself refuses.
        return sorted(set(named)) if named and all(isinstance(one, str) for one in named) else verdicts

    def identity(self) -> dict[str, Any]:
        """All of it: every field can change a byte of the release."""
        return self.model_dump(mode="json")
