"""Forms with one row per problem, as reinforcement learning takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from factory.core import MESSAGE

__all__ = ["GRPO_SCHEMA", "VERL_SCHEMA", "grpo_row", "verl_row"]

GRPO_SCHEMA = pa.schema(
    [
        ("prompt", pa.list_(MESSAGE)),
        ("solution", pa.string()),
        ("reference", pa.string()),
        ("tests", pa.string()),
        ("id", pa.string()),
        ("source", pa.string()),
        ("license", pa.string()),
        ("domain", pa.string()),
        ("pass_rate", pa.float64()),
    ]
)
"""TRL's GRPOTrainer: `prompt`, and columns that it hands to the reward functions as lists over the batch."""

VERL_SCHEMA = pa.schema(
    [
        ("data_source", pa.string()),
        ("prompt", pa.list_(MESSAGE)),
        ("ability", pa.string()),
        ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
        (
            "extra_info",
            pa.struct(
                [
                    ("split", pa.string()),
                    ("index", pa.int64()),
                    ("id", pa.string()),
                    ("source", pa.string()),
                    ("license", pa.string()),
                    ("pass_rate", pa.float64()),
                    ("domain", pa.string()),
                    ("prompt", pa.string()),
                    ("reference", pa.string()),
                    ("tests", pa.string()),
                ]
            ),
        ),
    ]
)
"""verl's RLHFDataset and reward managers; `extra_info` holds what the exported reward judges by."""

VERL_MATH = "lighteval/MATH"
"""The `data_source` under which verl's own reward compares what stands in `\\boxed{}`."""


def grpo_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A problem for GRPO.

    `solution` is one string: TRL's `accuracy_reward` parses each row's value as text, so a list in a row
    parses to nothing and the row never earns a reward. A math reference is put into `\\boxed{}`, where the
    parser finds it first; `reference` keeps it as it was. It is null where only tests can judge.
    """
    gold = row.get("reference")
    boxed = row.get("domain") == "math" and gold is not None and "\\boxed" not in gold
    return {
        **{name: row.get(name) for name in GRPO_SCHEMA.names},
        "solution": f"\\boxed{{{gold}}}" if boxed else gold,
    }


def verl_row(row: Mapping[str, Any], *, index: int, split: str = "train") -> dict[str, Any]:
    """A problem for verl; the tests are the ground truth where there is no reference.

    verl chooses its own reward by `data_source` and raises for a name that it does not know. Math with a
    reference goes by a name that it knows; other rows go by their source and need the exported function.
    """
    gold = row.get("reference")
    is_math = row.get("domain") == "math" and gold is not None
    return {
        "data_source": VERL_MATH if is_math else row.get("source"),
        "prompt": row["prompt"],
        "ability": row.get("domain"),
        "reward_model": {
            "style": "rule",
            "ground_truth": gold if gold is not None else _as_text(row.get("tests")),
        },
        "extra_info": {
            "split": split,
            "index": index,
            "id": row.get("id"),
            "source": row.get("source"),
            "license": row.get("license"),
            "pass_rate": row.get("pass_rate"),
            "domain": row.get("domain"),
            "prompt": json.dumps(row["prompt"], ensure_ascii=False),
            "reference": gold,
            "tests": _as_text(row.get("tests")),
        },
    }


def _as_text(tests: object) -> str | None:
    return tests if tests is None or isinstance(tests, str) else json.dumps(tests, ensure_ascii=False)
