"""The teacher behind an endpoint: every fault of the line, and no row lost or doubled by any."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from factory.core import Busy, Flow, PipelineError, Refused, Resources, Site
from factory.models.rate_control import Pace
from factory.stages.sampling.sample import Sample
from tests.teachers.faulty import Faulty, faulty
from tests.teachers.scripted import asking, problems


def run(
    folder: Path, server: Faulty | list[Faulty], *, count: int = 12, n: int = 2, **resources: Any
) -> Flow:
    urls = server.url if isinstance(server, Faulty) else [s.url for s in server]
    sample = Sample.model_validate({"teacher": {"type": "http", "model": "m"}, "n": n, "max_tokens": 9})
    site = Site(Resources(base_url=urls, **resources), str(folder / "c"), str(folder / "j"))
    with sample.open(site) as apply:
        return apply(problems(count))


def assert_every_row_once(flow: Flow, *, count: int = 12, n: int = 2) -> None:
    asked = problems(count)
    wanted = [(p, i) for p in asked["id"].to_pylist() for i in range(n)]
    assert (
        list(zip(flow.kept["id"].to_pylist(), flow.kept["sample_index"].to_pylist(), strict=True)) == wanted
    )
    texts = [f"answer to {p[0]['content']}" for p in flow.kept["prompt"].to_pylist()]
    assert flow.kept["content"].to_pylist() == texts, "an answer is at another problem's row"


def test_reads_reasoning_content_tokens_and_names(tmp_path: Path) -> None:
    with faulty() as server:
        flow = run(tmp_path, server)
    assert_every_row_once(flow)
    assert set(flow.kept["reasoning_content"].to_pylist()) == {"hm"}
    assert set(flow.kept["teacher"].to_pylist()) == {"m"}
    assert flow.spent is not None
    assert flow.spent["completion_tokens"] == 24 * 5
    assert flow.spent["prompt_tokens"] == 24 * 7
    assert "seed" not in server.bodies[0], "a seed goes to an endpoint that was not said to honour it"


@pytest.mark.parametrize("fault", ["429", "500", "502", "503", "cut", "garbage", "nonsense"])
def test_a_fault_that_passes_loses_and_doubles_nothing(tmp_path: Path, fault: str) -> None:
    with faulty(lambda number, body: fault if number % 4 == 1 else "ok") as server:
        flow = run(tmp_path, server, retries=6)
    assert_every_row_once(flow)
    assert server.treatments.count(fault) >= 3, "the fault was not met, so the test shows nothing"
    assert max(Counter(server.answered).values()) == 2, "an answered request was asked again"


def test_a_hanging_replica_is_cut_and_the_request_goes_to_the_other(tmp_path: Path) -> None:
    with faulty(lambda number, body: "hang") as stuck, faulty() as well:
        flow = run(tmp_path, [stuck, well], timeout_s=0.4, retries=3)
    assert_every_row_once(flow)
    assert stuck.treatments, "the stuck replica was never asked"


def test_a_replica_that_is_gone_costs_nothing_but_time(tmp_path: Path) -> None:
    with faulty() as well:
        gone = Faulty(lambda number, body: "ok", url="http://127.0.0.1:9/v1")
        assert_every_row_once(run(tmp_path, [gone, well], retries=3))


def test_a_fault_that_stays_is_busy_and_keeps_what_was_finished(tmp_path: Path) -> None:
    with (
        faulty(lambda number, body: "500" if number >= 6 else "ok") as server,
        pytest.raises(Busy, match="500"),
    ):
        run(tmp_path, server, retries=0)
    assert len(_journalled(tmp_path)) == 6
    with faulty() as server:
        flow = run(tmp_path, server)
    assert_every_row_once(flow)
    assert flow.spent is not None
    assert (flow.spent["completions_drawn"], flow.spent["completions_reused"]) == (18, 6)


def test_a_429_halves_what_is_under_way_and_it_recovers(tmp_path: Path) -> None:
    with faulty(answer_s=0.02, capacity=5) as server:
        flow = run(tmp_path, server, count=100, n=2)
    assert_every_row_once(flow, count=100)
    refused = server.treatments.count("429")
    assert 1 <= refused < 60, f"{refused} of {len(server.treatments)} requests were refused"


def test_pace_counts_one_refusal_per_round_and_grows_by_one_per_round() -> None:
    now = [0.0]
    pace = Pace(most=64, clock=lambda: now[0])
    pace.limit = 16.0
    for _ in range(16):
        pace.was_refused(sent_at=0.0, retry_after_s=3.0)
    assert pace.limit == 8.0, "refusals of one round halve the limit more than once"
    assert pace.free == 0
    now[0] = 3.0
    assert pace.free == 8
    for _ in range(8):
        pace.went_well(took_s=1.0)
    assert 8.9 < pace.limit < 9.1
    for _ in range(10_000):
        pace.went_well(took_s=1.0)
    assert pace.limit == 64.0


def test_waits_as_long_as_retry_after_says(tmp_path: Path) -> None:
    with faulty(lambda number, body: "429" if number == 0 else "ok", retry_after="1") as server:
        run(tmp_path, server, count=1, n=1)
    assert server.times[1] - server.times[0] >= 1.0


def test_keeps_the_cap_on_requests_per_minute(tmp_path: Path) -> None:
    with faulty() as server:
        run(tmp_path, server, count=15, n=2, requests_per_minute=600)
    seconds = server.times[-1] - server.times[0]
    # A burst of a 61st of the minute's cap, then as many a second.
    assert seconds >= 30 / (600 / 61) - 1 - 0.2, f"30 requests in {seconds:.2f} s"


def test_keeps_the_cap_on_tokens_per_minute(tmp_path: Path) -> None:
    with faulty() as server:
        began = time.monotonic()
        run(tmp_path, server, count=10, n=2, tokens_per_minute=6000)
        seconds = time.monotonic() - began
    # 20 requests of 12 tokens at 100 tokens a second, the first 100 at once.
    assert seconds >= 1.0, f"240 tokens in {seconds:.2f} s"


@pytest.mark.parametrize("status", ["400", "413", "422"])
def test_a_refused_prompt_is_a_rejected_row(tmp_path: Path, status: str) -> None:
    bad = asking("What is 3 + 3?")["prompt"][0].as_py()[0]["content"]
    plan: Callable[[int, dict[str, Any]], str] = lambda number, body: (  # noqa: E731
        status if body["messages"][-1]["content"] == bad else "ok"
    )
    with faulty(plan) as server:
        flow = run(tmp_path, server)
    assert flow.kept.num_rows == 22
    assert flow.rejected["reason"].to_pylist() == ["teacher_error"] * 2
    assert status in json.loads(flow.rejected["evidence"][0].as_py())["message"]


@pytest.mark.parametrize("status", ["401", "403", "404"])
def test_a_refused_key_or_model_stops_at_once(tmp_path: Path, status: str) -> None:
    with faulty(lambda number, body: status) as server, pytest.raises(Refused, match=status):
        run(tmp_path, server, count=200)
    assert len(server.bodies) <= 16


def test_parameters_that_no_request_survives_stop_the_run(tmp_path: Path) -> None:
    with faulty(lambda number, body: "400") as server, pytest.raises(Refused, match="every request"):
        run(tmp_path, server, count=200)
    assert len(server.bodies) <= 40


def test_the_key_goes_to_the_endpoint_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEACHER_KEY", "sk-very-secret")
    with faulty(lambda number, body: "400" if number == 1 else "ok") as server:
        flow = run(tmp_path, server, api_key_env="TEACHER_KEY")
    assert set(server.keys) == {"Bearer sk-very-secret"}
    assert flow.rejected.num_rows == 1
    assert "sk-very-secret" not in flow.rejected["evidence"][0].as_py(), (
        "the endpoint's echo of the key is kept"
    )
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"sk-very-secret" not in file.read_bytes()
    with faulty(lambda number, body: "401") as server, pytest.raises(Refused) as refusal:
        run(tmp_path, server, count=20, api_key_env="TEACHER_KEY")
    assert "sk-very-secret" not in str(refusal.value)


def test_says_what_is_missing_before_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with faulty() as server:
        with pytest.raises(PipelineError, match="NO_SUCH_KEY"):
            run(tmp_path, server, api_key_env="NO_SUCH_KEY")
        with pytest.raises(PipelineError, match="base_url"):
            run(tmp_path, [])


def test_asks_for_the_form_of_the_answer_and_for_logprobs(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}}
    with faulty() as server:
        flow = _structured(tmp_path, server, logprobs=True, structure={"json_schema": schema})
        assert flow.kept["token_logprobs"].to_pylist() == [[-0.5, -1.0, -1.5, -2.0, -2.5]] * 2
        _structured(tmp_path, server, structure={"choice": ["yes", "no"]}, stop=["END"])
    assert server.bodies[0]["response_format"]["json_schema"]["schema"] == schema
    assert server.bodies[0]["logprobs"] is True
    assert server.bodies[-1]["structured_outputs"] == {"choice": ["yes", "no"]}
    assert server.bodies[-1]["stop"] == ["END"]
    assert "logprobs" not in server.bodies[-1]


def test_the_teacher_is_asked_with_its_own_system_turn_and_another_is_stored(tmp_path: Path) -> None:
    with faulty() as server:
        flow = _structured(tmp_path, server, system="Think long.", stored_system="Be kind.")
        _structured(tmp_path, server, system="Think long.", stored_system="Be brief.")
    first = {"role": "system", "content": "Think long."}
    assert [body["messages"][0] for body in server.bodies] == [first] * 2, "asked otherwise, or once more"
    assert flow.kept["stored_system"].to_pylist() == ["Be kind."] * 2
    assert flow.kept["prompt"].to_pylist() == problems(2)["prompt"].to_pylist(), "the id is of another prompt"


def test_logprobs_outlive_the_run(tmp_path: Path) -> None:
    with faulty() as server:
        first = _structured(tmp_path, server, logprobs=True)
        again = _structured(tmp_path, server, logprobs=True)
        assert again.kept.equals(first.kept)
        assert len(server.bodies) == 2
        without = _structured(tmp_path, server)
    assert len(server.bodies) == 4, (
        "a completion without logprobs is taken for one with them, or the other way"
    )
    assert "token_logprobs" not in without.kept.column_names


def test_an_endpoint_without_logprobs_stops_the_run(tmp_path: Path) -> None:
    with faulty(logprobs=False) as server, pytest.raises(Refused, match="no log-probabilities"):
        _structured(tmp_path, server, logprobs=True)


def _structured(folder: Path, server: Faulty, **fields: Any) -> Flow:
    sample = Sample.model_validate({"teacher": {"type": "http", "model": "m"}, "max_tokens": 9, **fields})
    site = Site(Resources(base_url=server.url), str(folder / "c"), str(folder / "j"))
    with sample.open(site) as apply:
        return apply(problems(2))


def test_where_it_is_asked_is_no_part_of_who_is_asked() -> None:
    one = Sample.model_validate({"teacher": {"type": "http", "model": "m", "label": "a"}})
    other = Sample.model_validate({"teacher": {"type": "http", "model": "m", "label": "b"}})
    newer = Sample.model_validate({"teacher": {"type": "http", "model": "m", "revision": "2"}})
    assert one.draw_identity() == other.draw_identity() != newer.draw_identity()


def _journalled(folder: Path) -> list[str]:
    return [line for file in (folder / "j").glob("*/*.jsonl") for line in file.read_text().splitlines()]
