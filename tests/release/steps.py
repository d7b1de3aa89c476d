"""Builds the folders that finished steps leave, with real Parquet files and true counts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from factory.core import (
    COMPLETION_COLUMNS,
    MESSAGE,
    PROBLEM_SCHEMA,
    REJECTION_COLUMNS,
    VERDICT,
    completion_id,
    digest,
    problem_id,
)
from factory.release.spec import FinishedStep

SAMPLED = pa.schema([*PROBLEM_SCHEMA, *COMPLETION_COLUMNS])
VERIFIED = pa.schema([*SAMPLED, ("verdicts", pa.list_(VERDICT)), ("verdict", pa.string())])
GRADED = pa.schema([*VERIFIED, ("pass_rate", pa.float64()), ("passes", pa.int32())])
BESIDE = {"token_ids": [7], "top_token_ids": [[7, 9]], "top_logprobs": [[-0.5, -1.5]]}
Rows = list[dict[str, Any]]
SHARDS = 2
COVERAGE = {"bench": {"items": 5, "uncheckable": 2}}


def _file(path: Path, rows: Rows, schema: pa.Schema) -> dict[str, Any]:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, compression="zstd")
    content = path.read_bytes()
    return {"rows": len(rows), "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


ROLES = {"sample": "teacher", "decontaminate": "decontamination"}


class Workspace:
    """Appends finished steps one behind the other, as the engine leaves them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.steps: list[FinishedStep] = []

    def add(
        self,
        name: str,
        kept: Rows,
        rejected: Rows,
        *,
        schema: pa.Schema,
        fields: dict[str, Any] | None = None,
        report: dict[str, Any] | None = None,
        spent: dict[str, int] | None = None,
        side_tables: Mapping[str, pa.Schema] | None = None,
    ) -> None:
        """Writes one step; rejected rows carry `reason` and `evidence`, side_tables a row per completion."""
        upstream = self.steps[-1].manifest if self.steps else None
        fields = {"type": name, **(fields or {})}
        mark = digest([name, fields, upstream and upstream["fingerprint"]])
        step = self.folder / f"{len(self.steps) + 1:02d}-{name}-{mark[:8]}"
        cut = pa.schema([*schema, *REJECTION_COLUMNS])
        files, reasons = [], {}
        for row in rejected:
            reasons[row["reason"]] = reasons.get(row["reason"], 0) + 1
        for shard in range(SHARDS):
            part = f"part-{shard:05d}.parquet"
            mine = [row for row in kept if _shard(row) == shard]
            theirs = [row for row in rejected if _shard(row) == shard]
            files.append(
                {
                    "shard": shard,
                    "kept": _file(step / "shards" / part, mine, schema),
                    "rejected": _file(step / "rejected" / part, theirs, cut),
                }
            )
            for table, columns in (side_tables or {}).items():
                beside = [{"completion_id": row["completion_id"], **BESIDE} for row in mine]
                written = _file(step / "side_tables" / table / part, beside, columns)
                files[-1].setdefault("side_tables", {})[table] = written
        manifest = {
            "step": name,
            "type": name,
            "role": ROLES.get(name, "rows"),
            "version": 1,
            "fingerprint": mark,
            "upstream": upstream and upstream["fingerprint"],
            "fields": fields,
            "shards": SHARDS,
            "rows_in": upstream["rows_kept"] if upstream else 0,
            "rows_expected": len(kept) + len(rejected),
            "rows_kept": len(kept),
            "rows_rejected": len(rejected),
            "reasons": reasons,
            "spent": spent or {},
            "seconds": 0.5,
            "report": report,
            "files": files,
        }
        (step / "manifest.json").write_text(json.dumps(manifest))
        self.steps.append(FinishedStep(str(step), manifest))


def _shard(row: dict[str, Any]) -> int:
    return int(row["id"][0], 16) * SHARDS // 16


def problem(number: int, *, text: str | None = None, system: str | None = None) -> dict[str, Any]:
    """One problem row; its reference is its number plus one."""
    prompt = [{"role": "user", "content": text or f"What is {number} + 1?"}]
    if system is not None:
        prompt.insert(0, {"role": "system", "content": system})
    return {
        "id": problem_id(prompt, "math"),
        "source": "sums" if number % 3 else "more-sums",
        "license": "CC0-1.0" if number % 3 else "MIT",
        "origin": f"sums.jsonl:{number + 1}",
        "domain": "math",
        "prompt": prompt,
        "reference": str(number + 1),
        "tests": None,
        "meta": "{}",
    }


def completions(row: dict[str, Any], *, passes: int, n: int = 4, finish: str = "stop") -> Rows:
    """n verified and graded completions of a problem, of which the first `passes` are right."""
    made = []
    for index in range(n):
        right = index < passes
        answer = row["reference"] if right else "-1"
        vote = {
            "verifier": "math",
            "version": "0.9.0",
            "verdict": "pass" if right else "fail",
            "score": float(right),
            "detail": None,
        }
        made.append(
            {
                **row,
                "completion_id": completion_id(row["id"], "draw", index),
                "teacher": "tiny-teacher",
                "sample_index": index,
                "reasoning_content": f"I add one, try {index}, <b>carefully</b> \u202eé.",
                "content": f"The answer is \\boxed{{{answer}}}.",
                "finish_reason": finish,
                "prompt_tokens": 12,
                "completion_tokens": 20 + 7 * index,
                "verdicts": [vote],
                "verdict": vote["verdict"],
                "pass_rate": passes / n,
                "passes": passes,
            }
        )
    return made


def marked(rows: Sequence[dict[str, Any]], reason: str, evidence: str | None = None) -> Rows:
    """The rows as rejected ones."""
    return [{**row, "reason": reason, "evidence": evidence} for row in rows]


def make_steps(
    folder: Path,
    *,
    problems: int = 12,
    passes: Sequence[int] = (4, 3, 2, 0),
    side_tables: Mapping[str, pa.Schema] | None = None,
) -> list[FinishedStep]:
    """source, clean, dedup-exact, decontaminate, sample (4 each), verify, difficulty, pass-rate, select.

    Cuts one blank problem, one copy and one contaminated problem; every problem with no right completion;
    then every wrong completion.
    """
    work = Workspace(folder)
    asked = [problem(i) for i in range(problems)]
    blank, copy, leaked = problem(900, text=" "), problem(0), problem(901)
    source = [*asked, blank, copy, leaked]
    files = {"files": {"sums.jsonl": "sha256:0"}}
    work.add("source", source, [], schema=PROBLEM_SCHEMA, fields={"inputs": [files], "shard_rows": 1000})
    work.add("clean", [*asked, copy, leaked], marked([blank], "empty"), schema=PROBLEM_SCHEMA)
    twin = json.dumps({"id": copy["id"]})
    work.add("dedup-exact", [*asked, leaked], marked([copy], "exact_duplicate", twin), schema=PROBLEM_SCHEMA)
    hit = json.dumps({"benchmark": "bench", "item": "3", "span": "what is 901 + 1"})
    work.add(
        "decontaminate",
        asked,
        marked([leaked], "contaminated", hit),
        schema=PROBLEM_SCHEMA,
        fields={"ngram": 8},
        report=COVERAGE,
        spent={"contaminated_bench": 1, "uncheckable_rows": 1},
    )
    drawn = [c for i, row in enumerate(asked) for c in completions(row, passes=passes[i % len(passes)])]
    teacher = {"type": "vllm", "model": "tiny-teacher", "digest": "d" * 64}
    work.add(
        "sample",
        drawn,
        [],
        schema=SAMPLED,
        fields={
            "teacher": teacher,
            "system": None,
            "n": 4,
            "temperature": 0.7,
            "top_p": 0.95,
            "max_tokens": 80,
        },
        spent={"completions_drawn": len(drawn), "completion_tokens": 30 * len(drawn), "micro_dollars": 9},
        side_tables=side_tables,
    )
    fields = {"verifiers": [{"type": "math", "timeout_s": 60}], "rule": "all"}
    work.add("verify", drawn, [], schema=VERIFIED, fields=fields)
    work.add("difficulty", drawn, [], schema=GRADED)
    hard = [row for row in drawn if row["pass_rate"] < 0.25]
    rest = [row for row in drawn if row["pass_rate"] >= 0.25]
    work.add("pass-rate", rest, marked(hard, "too_hard"), schema=GRADED, fields={"min": 0.25, "max": 1.0})
    right = [row for row in rest if row["verdict"] == "pass"]
    wrong = [row for row in rest if row["verdict"] != "pass"]
    work.add("select", right, marked(wrong, "not_selected"), schema=GRADED)
    return work.steps


__all__ = ["GRADED", "MESSAGE", "SAMPLED", "Workspace", "completions", "make_steps", "marked", "problem"]
