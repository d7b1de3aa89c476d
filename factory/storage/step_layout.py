"""How a step lies on disk: the name of every file in its folder, and which shards those that exist stand for.

<step>/step.json  manifest.json  decision.parquet
<step>/{shards,rejected,surveys}/part-00003.parquet  side_tables/<table>/part-00003.parquet
<step>/{receipts,survey_receipts}/00003.json  decision_receipt.json
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from factory.storage.files import join, list_names

__all__ = ["Side", "StepLayout"]

Side = Literal["kept", "rejected"]
_FOLDERS: dict[Side, str] = {"kept": "shards", "rejected": "rejected"}
_NUMBER = re.compile(r"(?:part-)?([0-9]{5,})\.(?:parquet|json)")


@dataclass(frozen=True, slots=True)
class StepLayout:
    """The files of one step. A shard is a number from 0 on; its name has five digits or more."""

    folder: str
    """Local path or fsspec URL."""

    def rows_url(self, side: Side, shard: int) -> str:
        """Parquet file of a shard's kept or rejected rows."""
        return join(self.folder, _FOLDERS[side], _part(shard))

    def side_table_url(self, table: str, shard: int) -> str:
        """Parquet file of what a shard holds in a table beside its kept rows."""
        return join(self.folder, "side_tables", table, _part(shard))

    def survey_url(self, shard: int) -> str:
        """Parquet file of what a global stage saw of a shard."""
        return join(self.folder, "surveys", _part(shard))

    def survey_receipt_url(self, shard: int) -> str:
        """JSON file whose presence says that the shard is surveyed."""
        return join(self.folder, "survey_receipts", f"{shard:05d}.json")

    def receipt_url(self, shard: int) -> str:
        """JSON file whose presence says that the shard is done."""
        return join(self.receipts_folder, f"{shard:05d}.json")

    @property
    def receipts_folder(self) -> str:
        """Folder of the receipts: without it nothing of the step counts as done."""
        return join(self.folder, "receipts")

    @property
    def decision_url(self) -> str:
        """Parquet file of what a global stage decided over all shards."""
        return join(self.folder, "decision.parquet")

    @property
    def decision_receipt_url(self) -> str:
        """JSON file whose presence says that it is decided."""
        return join(self.folder, "decision_receipt.json")

    @property
    def description_url(self) -> str:
        """JSON file that says what the step is."""
        return join(self.folder, "step.json")

    @property
    def manifest_url(self) -> str:
        """JSON file whose presence says that the step is done."""
        return join(self.folder, "manifest.json")

    def receipts_done(self) -> list[int]:
        """Shards whose receipt exists, in order."""
        return self.shards_in("receipts")

    def surveys_done(self) -> list[int]:
        """Shards whose survey has a receipt, in order."""
        return self.shards_in("survey_receipts")

    def rows_done(self, side: Side) -> list[str]:
        """Parquet files of the shards that are done, in order."""
        return [self.rows_url(side, shard) for shard in self.receipts_done()]

    def shards_in(self, below: str) -> list[int]:
        """Shards that a folder of the step has a file of, in order."""
        found = (_NUMBER.fullmatch(name) for name in list_names(join(self.folder, below)))
        return sorted(int(match[1]) for match in found if match)


def _part(shard: int) -> str:
    return f"part-{shard:05d}.parquet"
