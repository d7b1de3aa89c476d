from __future__ import annotations

import json
from pathlib import Path

import pytest


def problems(path: Path, *, field: str = "problem") -> list[str]:
    text = path.read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else json.loads(text)
    return [row[field] for row in rows]


@pytest.fixture(scope="session")
def math500(test_data: Path) -> list[str]:
    return problems(test_data / "data/math/deepscaler_math500.json")


@pytest.fixture(scope="session")
def math_train(test_data: Path) -> list[str]:
    return problems(test_data / "data/math/deepscaler_math_train.json")


@pytest.fixture(scope="session")
def gsm8k_train(test_data: Path) -> list[str]:
    return problems(test_data / "data/gsm8k/train.jsonl", field="question")
