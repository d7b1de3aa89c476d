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

from factory.engine.pace import Pace
from factory.engine.schedule import Schedule
from factory.engine.stall import Stall
from factory.engine.states import StepState

__all__ = ["Board", "line", "share_done", "snapshot"]

PLAIN_EVERY_S = 30.0
SEEN_EVERY_S = 0.5
"""Counting what is finished inside shards lists the journal, so it is done no more often."""


def snapshot(schedule: Schedule) -> list[dict[str, Any]]:
    """One record per step: state, shards, rows and cost so far."""
    return [_record(schedule, state) for state in schedule.states]


def _state(state: StepState) -> str:
    if state.manifest:
        return "reused" if state.reused else "done"
    return "running" if state.working else "waiting"


def _record(schedule: Schedule, state: StepState) -> dict[str, Any]:
    counts = state.manifest or _sums(list(state.receipts.values()))
    return {
        "step": state.step.name,
        "state": _state(state),
        "shards_done": counts.get("shards", 0) if state.manifest else len(state.done),
        "shards_now": len(state.receipts),
        "rows_now": sum(r["rows_in"] for r in state.receipts.values()),
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
        self._paces: dict[int, Pace] = {}
        self._started = self._shown = time.monotonic()
        self._noted = 0.0
        self._stall = Stall()
        self._console = Console(stderr=True)
        self._live: Live | None = None

    def __enter__(self) -> Board:
        if self._console.is_terminal and not self._quiet:
            self._live = Live(console=self._console, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            # A run that ends well prints its own table; of one that does not, this is what is left to see.
            self._live.transient = kind is None
            self._live.stop()

    def show(self, schedule: Schedule) -> None:
        """Redraws the table, or prints a line when the last is 30 s old."""
        now = time.monotonic()
        if self._quiet or now - self._noted < SEEN_EVERY_S:
            return
        self._noted = now
        records = self._seen(schedule)
        if stalled := self._stall.note(schedule, records):
            self._console.print(stalled, highlight=False, markup=False)
        if self._live:
            self._live.update(self._table(records))
        elif now - self._shown >= PLAIN_EVERY_S:
            self._shown = now
            print(line(records), file=sys.stderr, flush=True)

    def _seen(self, schedule: Schedule) -> list[dict[str, Any]]:
        """The snapshot, with what is finished inside shards under way, the rate and the time left."""
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
                record["rows_before"] = before["rows_kept"]
            pace = self._paces.setdefault(index, Pace())
            pace.note(share_done(record), tokens=record["inside"].get("completion_tokens", 0))
            record["eta_s"], record["tokens_per_s"] = pace.eta_s, pace.tokens_per_s
            price = step.site.resources.price
            if price and record["inside"]:
                drawn = record["inside"]
                record["dollars"] = (
                    price.micro_dollars(drawn.get("prompt_tokens", 0), drawn.get("completion_tokens", 0))
                    / 1e6
                )
        return records

    def _table(self, records: Sequence[dict[str, Any]]) -> Table:
        title = f"{self._title}  {time.monotonic() - self._started:.0f} s"
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for name in ("step", "state"):
            table.add_column(name)
        for name in ("shards", "kept", "kept %", "tokens", "tok/s", "$", "ETA"):
            table.add_column(name, justify="right")
        colour = {"running": "bold cyan", "done": "green", "reused": "dim", "waiting": "dim"}
        for r in records:
            tokens = r.get("inside", r["spent"]).get("completion_tokens")
            table.add_row(
                r["step"],
                r["state"],
                f"{r['shards_done']}/{r['shards']}",
                f"{r['rows_kept']:,}",
                _share_kept(r),
                "" if tokens is None else f"{tokens:,}",
                "" if r.get("tokens_per_s") is None else f"{r['tokens_per_s']:,.0f}",
                "" if r.get("dollars") is None else f"{r['dollars']:.2f}",
                "" if r.get("eta_s") is None else _time(r["eta_s"]),
                style=colour[r["state"]],
            )
        return table


def share_done(record: Mapping[str, Any]) -> float:
    """The share of a step's work that is done: of completions where it asks a teacher, else of shards.

    How many there will be is told by the rows that are done: a problem may want fewer than at most.
    """
    shards = max(1, record["shards"])
    most, rows = record.get("at_most", {}).get("completions"), record.get("rows_before")
    if not most or not rows:
        return float(record["shards_done"] / shards)
    reused, done = record["spent"].get("completions_reused", 0), record["rows_now"]
    if done:
        most = (record["spent"].get("completions_drawn", 0) + reused) * rows / done
    earlier = most * (record["shards_done"] - record["shards_now"]) / shards
    return float(min(1.0, (record.get("inside", {}).get("completions", 0) + reused + earlier) / max(most, 1)))


def line(records: Sequence[Mapping[str, Any]]) -> str:
    """`12:00:31 sample 3/8 shards, kept 96 %, 145 tok/s, ETA 130 s` for each step under way."""
    busy = [r for r in records if r["state"] == "running"]
    stamp = datetime.now(UTC).strftime("%H:%M:%S")
    return f"{stamp} " + ("; ".join(_words(r) for r in busy) or "starting")


def _words(record: Mapping[str, Any]) -> str:
    words = [f"{record['step']} {record['shards_done']}/{record['shards']} shards"]
    if share := _share_kept(record):
        words.append(f"kept {share} %")
    inside, at_most = record.get("inside", {}), record.get("at_most", {})
    for what, count in inside.items():
        total = f"/{at_most[what]:,}" if what in at_most and what != "completion_tokens" else ""
        words.append(f"{count:,}{total} {what.replace('_', ' ')}")
    if record.get("tokens_per_s") is not None:
        words.append(f"{record['tokens_per_s']:,.0f} tok/s")
    if record.get("dollars") is not None:
        words.append(f"${record['dollars']:.2f}")
    if record.get("eta_s") is not None:
        words.append(f"ETA {_time(record['eta_s'])}")
    return ", ".join(words)


def _share_kept(record: Mapping[str, Any]) -> str:
    rows = record["rows_kept"] + record["rows_rejected"]
    return f"{100 * record['rows_kept'] / rows:.0f}" if rows else ""


def _time(seconds: float) -> str:
    """`42 s`, `17 min`, `3.4 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
