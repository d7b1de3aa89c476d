"""Manners towards an endpoint: what is down or wrong is said, silence too, and a stop stops spending."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from factory.core import Refused, Resources, Site
from factory.models import endpoint
from factory.models.rate_control import Pace
from factory.stages.sampling.sample import Sample
from tests.teachers.faulty import Faulty, faulty
from tests.teachers.runs import ROOT, finish, journalled, rows_of, start, write_problems
from tests.teachers.scripted import problems

PIPELINE = """
pipeline: stopped
seed: 5
stages:
  - type: source
    inputs: [{{files: problems.jsonl, columns: {{prompt: question, reference: answer}}, domain: math}}]
    shard_rows: 50
  - {{type: sample, teacher: {{type: http, model: m, seeded: true}}, n: 4, max_tokens: 9}}
resources:
  sample: {{base_url: "{url}", max_in_flight: 16}}
"""


def asked(folder: Path, url: str, *, count: int = 12, **resources: Any) -> int:
    sample = Sample.model_validate({"teacher": {"type": "http", "model": "m"}, "max_tokens": 9})
    site = Site(Resources(base_url=url, **resources), str(folder / "c"), str(folder / "j"))
    with sample.open(site) as apply:
        return int(apply(problems(count)).kept.num_rows)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:9/v1", "(?i)refused|connect"),
        ("http://no-such-host.invalid/v1", "(?i)name|resolution|connect"),
    ],
)
def test_an_endpoint_that_is_not_there_is_said_with_its_address(tmp_path: Path, url: str, why: str) -> None:
    with pytest.raises(Refused, match=why) as told:
        asked(tmp_path, url, retries=5)
    assert url in str(told.value)
    assert "base_url" in str(told.value)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("fault", ["garbage", "nonsense", "cut"])
def test_what_never_speaks_the_protocol_is_no_endpoint(tmp_path: Path, fault: str) -> None:
    with faulty(lambda number, body: fault) as server, pytest.raises(Refused, match="no model answers at"):
        asked(tmp_path, server.url, retries=5)


@pytest.mark.parametrize(
    "url", ["localhost:8000/v1", "127.0.0.1:8000", "//host/v1", "http://", "ftp://host/v1"]
)
def test_an_address_that_is_none_is_refused_with_the_pipeline(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValidationError, match="wanted http:// or https://"):
        Resources(base_url=[url])
    pipeline = tmp_path / "p.yaml"
    pipeline.write_text(PIPELINE.format(url=url))
    write_problems(tmp_path / "problems.jsonl", 3)
    done = subprocess.run(
        [sys.executable, "-m", "factory", "plan", str(pipeline)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "wanted http:// or https://" in done.stderr


def test_a_request_has_a_limit_in_minutes_that_the_schema_shows() -> None:
    shown = Resources.model_json_schema()["properties"]["timeout_s"]
    assert shown["default"] == 600.0
    assert "10 minutes" in shown["description"]


def test_forgotten_requests_hold_no_place_and_are_bounded() -> None:
    now = [0.0]
    pace = Pace(most=6, clock=lambda: now[0])
    pace.limit = 2.0
    stuck = [pace.begin(), pace.begin()]
    assert pace.free == 0
    now[0] = 5.0
    assert pace.free == 0, "a request that is merely slow gives up its place"
    answered = pace.begin()
    now[0] = 6.0
    pace.end(answered)
    pace.went_well(took_s=1.0)
    now[0] = 30.0
    assert pace.free >= 2, "two requests that never answer stall the replica"
    assert all(pace.begin() for _ in range(4))
    assert pace.free <= 0, "more than the most are under way"
    pace.end(stuck[0])
    now[0] = 31.0
    assert pace.free <= 1


def test_requests_without_an_answer_do_not_stall_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first two are answered last of all, and refusals take the places down to one."""
    monkeypatch.setattr("factory.models.rate_control._STUCK_S", 0.3)
    monkeypatch.setattr("factory.models.rate_control._UNKNOWN_S", 0.3)
    over = threading.Event()

    def words(number: int, body: dict[str, Any]) -> tuple[str, int]:
        while number < 2 and len(server.answered) < 10 and not over.wait(0.02):
            pass
        return "an answer", 2

    def plan(number: int, body: dict[str, Any]) -> str:
        return "429" if 2 <= number < 30 else "ok"

    try:
        with faulty(plan, words=words, retry_after="0") as server:
            assert asked(tmp_path, server.url, count=12, timeout_s=20, retries=3) == 12
    finally:
        over.set()
    assert len(server.bodies) == 2 + 28 + 10, "the others waited until the first two were given up"


def test_silence_is_said_with_address_and_last_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(endpoint, "_SILENCE_S", 0.5)
    with faulty(lambda number, body: "hang" if number < 2 else "ok") as server:
        assert asked(tmp_path, server.url, count=2, timeout_s=1.5) == 2
    lines = [record.getMessage() for record in caplog.records if record.name == "factory.endpoint"]
    assert lines, "nobody is told that nothing comes back"
    assert f"teacher 'm': no answer from {server.url} for" in lines[0]
    assert len(lines) < 10, "a line for each request is noise"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_spending_at_once_and_the_next_run_goes_on(
    tmp_path: Path, number: signal.Signals
) -> None:
    pipeline = tmp_path / "p.yaml"
    write_problems(tmp_path / "problems.jsonl", 300)
    with faulty(words=lambda _, body: (f"answer {body['seed']}", 5), answer_s=0.1) as server:
        pipeline.write_text(PIPELINE.format(url=server.url))
        driver = start(pipeline, "--local")
        wait_for_answers(server, driver, 40)
        driver.send_signal(number)
        at_signal = len(server.bodies)
        _, err = driver.communicate(timeout=100)
        assert driver.returncode == 130, err
        assert "interrupted; run again to resume" in err
        assert "Traceback" not in err, err
        # One round of requests may begin while the signal is on its way, and is given up.
        assert len(server.bodies) - at_signal <= 4 * 16, f"{len(server.bodies) - at_signal} more were asked"
        kept = journalled(pipeline)
        assert len(kept) >= 24, "what was finished is lost"
        server.answer_s = 0.0
        code, _, err = finish(pipeline, "--local")
    assert code == 0, err
    assert rows_of(pipeline, "sample").height == 1200
    again = Counter(body["seed"] for body in server.bodies)
    lines = journalled(pipeline)
    assert all(len(records) == 1 for records in lines.values()), "a completion was paid for twice"
    assert kept.items() <= lines.items()
    assert sum(count - 1 for count in again.values()) <= 4 * 16, "more was asked twice than was under way"


def wait_for_answers(server: Faulty, driver: subprocess.Popen[str], count: int) -> None:
    while len(server.answered) < count:
        assert driver.poll() is None, driver.communicate()
        time.sleep(0.02)
