"""A cap on tokens or money through the command line: kept, said, and only a stop on the way."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from factory.core import Price, Resources
from tests.teachers.faulty import Faulty, faulty
from tests.teachers.runs import ROOT, finish, journalled, rows_of, write_problems

PROBLEMS, N = 150, 4
PRICE = {"prompt": 2.0, "completion": 10.0}
PIPELINE = """
pipeline: spending
seed: 5
stages:
  - type: source
    inputs: [{{files: problems.jsonl, columns: {{prompt: question, reference: answer}}, domain: math}}]
    shard_rows: 25
  - {{type: sample, teacher: {{type: http, model: m, seeded: true}}, n: {n}, max_tokens: 900}}
resources:
  sample: {resources}
"""


def words(number: int, body: dict[str, Any]) -> tuple[str, int]:
    """A text whose length nobody can foretell, but always the same one for a request."""
    return f"answer {body['seed']}", random.Random(body["seed"]).choice((40, 90, 100, 110, 160, 700))


@pytest.fixture
def server() -> Any:
    with faulty(words=words, answer_s=0.002) as one:
        yield one


def write(folder: Path, server: Faulty, **options: Any) -> Path:
    pipeline = folder / "p.yaml"
    resources = {"base_url": server.url, "max_in_flight": 16, **options}
    pipeline.write_text(PIPELINE.format(n=N, resources=json.dumps(resources)))
    write_problems(folder / "problems.jsonl", PROBLEMS)
    return pipeline


def spent(pipeline: Path) -> tuple[int, int]:
    """Prompt and completion tokens of all that is in the journal."""
    records = [record for records in journalled(pipeline).values() for record in records]
    return sum(r["prompt_tokens"] for r in records), sum(r["completion_tokens"] for r in records)


def told(pipeline: Path, verb: str) -> dict[str, Any]:
    words = [sys.executable, "-m", "factory", verb, str(pipeline), "--json", "--workspace"]
    done = subprocess.run([*words, str(pipeline.parent / "w")], cwd=ROOT, capture_output=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_run_stops_at_its_cap_as_incomplete_and_goes_on_when_it_is_raised(
    tmp_path: Path, server: Faulty
) -> None:
    cap = 50_000
    pipeline = write(tmp_path, server, token_budget=cap)
    code, _, err = finish(pipeline, "--local")
    assert code != 0
    assert "incomplete, budget" in err, err
    assert abs(sum(spent(pipeline)) - cap) <= 0.02 * cap, f"{sum(spent(pipeline))} of {cap} tokens were spent"
    assert told(pipeline, "status")["status"] == "incomplete"
    assert "raise `token_budget`" in told(pipeline, "status")["error"]

    code, _, _ = finish(pipeline, "--local")
    assert code != 0
    assert sum(spent(pipeline)) <= 1.02 * cap, "a second run spends again what the cap allows once"

    code, out, err = finish(write(tmp_path, server, token_budget=10 * cap), "--local")
    assert code == 0, err
    lines = journalled(pipeline)
    assert len(lines) == rows_of(pipeline, "sample").height == PROBLEMS * N
    assert all(len(records) == 1 for records in lines.values()), "a completion was paid for twice"
    # Requests that were under way at a stop are waited for and journalled, so none is asked again.
    assert len(server.bodies) == PROBLEMS * N, "a request was made in vain"
    assert json.loads(out)["steps"][1]["spent"]["completions_drawn"] > 0


def test_a_cap_in_dollars_is_kept_and_the_plan_says_what_the_rest_will_cost(
    tmp_path: Path, server: Faulty
) -> None:
    cap = 0.5
    pipeline = write(tmp_path, server, price=PRICE, money_budget=cap)
    at_first = told(pipeline, "plan")["steps"][1]
    assert at_first["likely"] == {}, "nothing was drawn yet, so nothing is known"
    code, _, err = finish(pipeline, "--local")
    assert code != 0
    assert "raise `money_budget`" in err, err
    price = Price.model_validate(PRICE)
    dollars = price.micro_dollars(*spent(pipeline)) / 1e6
    assert abs(dollars - cap) <= 0.02 * cap, f"${dollars} of ${cap} were spent"

    plan = told(pipeline, "plan")["steps"][1]
    done = len(journalled(pipeline))
    assert plan["cost"] == {"completions": PROBLEMS * N, "completion_tokens": PROBLEMS * N * 900}
    assert plan["likely"]["completions"] == PROBLEMS * N - done
    code, _, err = finish(write(tmp_path, server, price=PRICE), "--local")
    assert code == 0, err
    rest = price.micro_dollars(*spent(pipeline)) / 1e6 - dollars
    assert 0.7 <= plan["likely"]["dollars"] / rest <= 1.4, f"{plan['likely']} was planned, ${rest} was paid"
    manifest = next((tmp_path / "w").glob("*/steps/02-*/manifest.json"))
    counted = json.loads(manifest.read_text())["spent"]
    assert 0 < counted["micro_dollars"] <= round((dollars + rest) * 1e6)


def test_a_budget_in_money_wants_a_price() -> None:
    with pytest.raises(ValueError, match="wants `price`"):
        Resources(money_budget=3.0)
