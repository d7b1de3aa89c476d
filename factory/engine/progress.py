"""What a person sees of a run: a live table on a terminal, one plain line every 30 seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from factory.engine.schedule import Schedule, StepState

__all__ = ["Board", "snapshot"]

PLAIN_EVERY_S = 30.0


def snapshot(schedule: Schedule) -> list[dict[str, Any]]:
    """One record per step: state, shards, rows and cost so far."""
    return [_record(schedule, i, s) for i, s in enumerate(schedule.states)]


def _record(schedule: Schedule, index: int, state: StepState) -> dict[str, Any]:
    counts = state.manifest or _sums(list(state.receipts.values()))
    reused = index < schedule.first
    working = bool(state.flying or state.done or state.surveyed)
    return {
        "step": state.step.name,
        "state": "reused" if reused else "done" if state.manifest else "running" if working else "waiting",
        "shards_done": counts.get("shards", 0) if state.manifest else len(state.done),
        "shards": counts.get("shards", schedule.shards) if state.manifest else schedule.shards,
        "rows_kept": counts.get("rows_kept", 0),
        "rows_rejected": counts.get("rows_rejected", 0),
        "spent": counts.get("spent", {}),
    }


def _sums(receipts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    spent: Counter[str] = Counter()
    for receipt in receipts:
        spent.update(receipt["spent"])
    return {
        "rows_kept": sum(r["kept"]["rows"] for r in receipts),
        "rows_rejected": sum(r["rejected"]["rows"] for r in receipts),
        "spent": dict(spent),
    }


class Board:
    """Shows a schedule while it is worked off. Use as a context manager; call `show` as often as you like."""

    def __init__(self, title: str, *, quiet: bool = False) -> None:
        self._title, self._quiet = title, quiet
        self._watches: dict[int, Callable[[], Mapping[str, int]] | None] = {}
        self._started = self._shown = time.monotonic()
        self._console = Console(stderr=True)
        self._live: Live | None = None

    def __enter__(self) -> Board:
        if self._console.is_terminal and not self._quiet:
            self._live = Live(console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, schedule: Schedule) -> None:
        """Redraws the table, or prints a line when the last is 30 s old."""
        if self._live:
            self._live.update(self._table(self._seen(schedule)))
            return
        now = time.monotonic()
        if self._quiet or now - self._shown < PLAIN_EVERY_S:
            return
        self._shown = now
        print(self.line(self._seen(schedule)), file=sys.stderr, flush=True)

    def _seen(self, schedule: Schedule) -> list[dict[str, Any]]:
        """The snapshot, with what is finished inside shards under way."""
        records = snapshot(schedule)
        for index, record in enumerate(records):
            if record["state"] != "running":
                continue
            step = schedule.states[index].step
            if index not in self._watches:
                self._watches[index] = step.stage.watch(step.site)
            watch = self._watches[index]
            record["inside"] = dict(watch()) if watch else {}
            before = records[index - 1] if index else None
            if before and before["state"] in ("done", "reused"):
                record["at_most"] = dict(step.stage.cost(before["rows_kept"]))
        return records

    def line(self, records: Sequence[dict[str, Any]]) -> str:
        """`12:00:31 sample 3/8 shards, kept 96 %, 145 tok/s, ETA 130 s` for each step under way."""
        elapsed = time.monotonic() - self._started
        busy = [r for r in records if r["state"] == "running"]
        stamp = datetime.now(UTC).strftime("%H:%M:%S")
        return f"{stamp} " + ("; ".join(_words(r, elapsed) for r in busy) or "starting")

    def _table(self, records: Sequence[dict[str, Any]]) -> Table:
        table = Table(title=f"{self._title}  {time.monotonic() - self._started:.0f} s")
        for name, side in (("step", "left"), ("state", "left"), ("shards", "right"), ("kept", "right")):
            table.add_column(name, justify=side)  # type: ignore[arg-type]
        table.add_column("rejected", justify="right")
        table.add_column("tokens", justify="right")
        colour = {"running": "bold cyan", "done": "green", "reused": "dim", "waiting": "dim"}
        for r in records:
            tokens = r.get("inside", r["spent"]).get("completion_tokens")
            table.add_row(
                r["step"],
                r["state"],
                f"{r['shards_done']}/{r['shards']}",
                str(r["rows_kept"]),
                str(r["rows_rejected"]),
                "" if tokens is None else f"{tokens:,}",
                style=colour[r["state"]],
            )
        return table


def _words(record: dict[str, Any], elapsed_s: float) -> str:
    words = [f"{record['step']} {record['shards_done']}/{record['shards']} shards"]
    rows = record["rows_kept"] + record["rows_rejected"]
    if rows:
        words.append(f"kept {100 * record['rows_kept'] / rows:.0f} %")
    inside, at_most = record.get("inside", {}), record.get("at_most", {})
    for what, count in inside.items():
        total = f"/{at_most[what]:,}" if what in at_most and what != "completion_tokens" else ""
        words.append(f"{count:,}{total} {what.replace('_', ' ')}")
    tokens = inside.get("completion_tokens")
    if tokens:
        words.append(f"{tokens / elapsed_s:.0f} tok/s")
    if record["shards_done"]:
        left = record["shards"] - record["shards_done"]
        words.append(f"ETA {elapsed_s * left / record['shards_done']:.0f} s")
    return ", ".join(words)
