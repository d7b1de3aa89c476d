"""The real engine with the packaged teacher, in a worker of its own and behind `vllm serve`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

from factory.core import PipelineError, Resources, Site
from factory.models.resolve import TEACHER
from factory.stages.sampling.sample import Sample
from factory.teachers import Http, Request, Sampling, Vllm
from factory.teachers.interpreter import Interpreter
from tests.teachers.scripted import asking
from tests.teachers.vllm_worker import ADAPTER_ASKED, QUESTIONS, SHORT, assert_goes_on, gone_on, starts

LOAD_S = 400.0
"""Longest time a load may take on a busy machine with two cores; 40 s when it is idle."""

OPENED = "It is the product of the two numbers.\n```python\nprint(6 * 7)\n"
"""A turn that stands in a block of code, which a model closes sooner or later."""

pytestmark = [pytest.mark.teacher, pytest.mark.timeout(LOAD_S + 60)]


@pytest.fixture(scope="session")
def worker(
    teacher_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A process that has loaded the model, sampled, and is in the middle of a long draw."""
    folder = tmp_path_factory.mktemp("vllm")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.teachers.vllm_worker", str(folder)], stdout=log, stderr=log
        )
    _wait(lambda: (folder / "ready").exists(), process, folder / "log")
    yield process, folder
    process.kill()
    process.wait()


def test_draws_what_was_asked_for(worker: tuple[Any, Path]) -> None:
    kept = pq.read_table(worker[1] / "kept.parquet").to_pylist()
    assert [(r["prompt"][0]["content"], r["sample_index"]) for r in kept] == [
        (QUESTIONS[q], i) for q in (0, 1, 3) for i in range(3)
    ]
    assert all(r["teacher"] == TEACHER for r in kept)
    assert all(r["completion_tokens"] <= 24 for r in kept)
    assert {r["finish_reason"] for r in kept} <= {"stop", "length"}
    # A stop string may come with the last token, so not every completion of 24 tokens is cut.
    assert all(r["completion_tokens"] == 24 for r in kept if r["finish_reason"] == "length")
    assert not any("." in r["content"] for r in kept), "a text goes on after its stop string"
    assert len({r["content"] for r in kept}) > 3, "the samples of a problem are one and the same text"


def test_counts_the_tokens_of_the_templates_text(worker: tuple[Any, Path], teacher_folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(teacher_folder / "tokenizer.json"))
    for row in pq.read_table(worker[1] / "kept.parquet").to_pylist():
        seen = (
            f"<|im_start|>system\n{SHORT['system']}<|im_end|>\n"
            f"<|im_start|>user\n{row['prompt'][0]['content']}<|im_end|>\n<|im_start|>assistant\n"
        )
        tokens = tokenizer.encode(seen, add_special_tokens=False).ids
        assert row["prompt_tokens"] == len(tokens), (
            "the system text or the template is not what the model saw"
        )


def test_gives_the_log_probability_of_each_token(worker: tuple[Any, Path]) -> None:
    for row in pq.read_table(worker[1] / "kept.parquet").to_pylist():
        assert len(row["token_logprobs"]) == row["completion_tokens"]
        assert all(value <= 0 for value in row["token_logprobs"])
        assert len(set(row["token_logprobs"])) > 1


def test_gives_the_likeliest_tokens_at_each_place(worker: tuple[Any, Path], teacher_folder: Path) -> None:
    kept = pq.read_table(worker[1] / "kept.parquet").to_pylist()
    beside = pq.read_table(worker[1] / "top_logprobs.parquet").to_pylist()
    assert [r["completion_id"] for r in beside] == [r["completion_id"] for r in kept]
    tokenizer = Tokenizer.from_file(str(teacher_folder / "tokenizer.json"))
    for row, more in zip(kept, beside, strict=True):
        assert more["logprobs"] == row["token_logprobs"]
        assert len(more["token_ids"]) == row["completion_tokens"]
        assert _pieces(more) == _decoded(tokenizer, more)
    assert any(more["token_ids"] != [top[0] for top in more["top_token_ids"]] for more in beside), (
        "only the likeliest tokens were drawn, so the test does not tell them from those that were chosen"
    )
    _assert_as_transformers(kept[0], beside[0], teacher_folder)


def _pieces(more: dict[str, Any]) -> list[str]:
    """The text of each token, cut out of the whole by its bytes."""
    text, starts = more["text"].encode(), [0, *more["byte_ends"]]
    return [text[start:end].decode() for start, end in zip(starts, more["byte_ends"], strict=False)]


def _decoded(tokenizer: Tokenizer, more: dict[str, Any]) -> list[str]:
    """The text of each token by itself, as far as the whole text goes: a stop text is cut off."""
    left, found = more["text"], []
    for token in more["token_ids"]:
        found.append(tokenizer.decode([token])[: len(left)] if left else "")
        left = left[len(found[-1]) :]
    return found


def _assert_as_transformers(row: dict[str, Any], more: dict[str, Any], folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    turns = [{"role": "system", "content": SHORT["system"]}, *row["prompt"]]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    prompt = tokenizer.encode(text, add_special_tokens=False)
    tokens = torch.tensor([prompt + more["token_ids"]])
    logits = model(tokens).logits[0, len(prompt) - 1 : -1]
    wanted = torch.log_softmax(logits, dim=-1)
    top = torch.topk(wanted, 5)
    assert np.allclose(np.array(more["top_logprobs"], np.float64), top.values.detach(), atol=0.02)
    assert np.allclose(more["tail_mass"], 1 - top.values.exp().sum(dim=1).detach(), atol=0.01)
    at_top = wanted.gather(1, torch.tensor(more["top_token_ids"])).detach()
    assert np.allclose(at_top, np.array(more["top_logprobs"], np.float64), atol=0.02), "ids of other tokens"


def test_a_prompt_over_the_context_is_rejected_not_fatal(worker: tuple[Any, Path]) -> None:
    rejected = pq.read_table(worker[1] / "rejected.parquet").to_pylist()
    assert [r["reason"] for r in rejected] == ["teacher_error"] * 3
    evidence = json.loads(rejected[0]["evidence"])
    assert evidence["prompt_tokens"] > evidence["context"] == 8192


def test_says_which_draws_no_seed_can_repeat(worker: tuple[Any, Path]) -> None:
    spent = json.loads((worker[1] / "spent.json").read_text())
    assert spent["first"]["completions_drawn"] == 9
    assert spent["first"]["completions_unseeded"] == (9 if spent["on_cpu"] else 0)
    assert spent["again"]["completions_drawn"] == 0
    assert spent["same"]


def test_a_killed_worker_takes_its_engine_along(worker: tuple[subprocess.Popen[bytes], Path]) -> None:
    process = worker[0]
    family = psutil.Process(process.pid).children(recursive=True)
    assert any("EngineCore" in " ".join(p.cmdline()) or "VLLM" in " ".join(p.cmdline()) for p in family), (
        "no engine process was found, so the test shows nothing"
    )
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(family, timeout=20)
    left = [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert not left, f"processes outlive their killed worker: {left}"


@contextmanager
def served(model: Path, log: Path) -> Iterator[str]:
    """The model behind vLLM's own server; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # What `vllm serve` runs; the command itself asks for a package name that builds for processors lack.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    options = ["--port", str(port), "--host", "127.0.0.1", "--served-model-name", "small", "--enforce-eager"]
    environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}
    with log.open("wb") as out:
        server = subprocess.Popen(
            [*command, *options, "--dtype", "float32"], stdout=out, stderr=out, env=environment
        )
    try:
        _wait(lambda: _answers(f"http://127.0.0.1:{port}/health"), server, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(60)


def test_speaks_with_a_served_model(teacher_folder: Path, tmp_path: Path) -> None:
    sample = Sample.model_validate(
        {"teacher": {"type": "http", "model": "small"}, "n": 3, "max_tokens": 16, "top_k": 40}
    )
    run = {"hints": [{"text": OPENED}], "max_calls": 1, "packages": []}
    greedy = {"n": 1, "temperature": 0.0, "top_k": 0, "max_tokens": 48}
    coded = sample.model_copy(update={**greedy, "interpreter": Interpreter.model_validate(run)})
    with served(teacher_folder, tmp_path / "log") as url:
        site = Site(Resources(base_url=url, timeout_s=120), str(tmp_path / "c"), str(tmp_path / "j"))
        with sample.open(site) as apply:
            flow = apply(asking("What is 2 + 2?", "Name a colour.", "word " * 9000))
        said, pieces = asyncio.run(_served_pieces(site.resources))
        with coded.open(site) as apply:
            [turn] = apply(asking("What is 6 * 7?")).kept.to_pylist()
    assert flow.kept.num_rows == 6
    assert all(flow.kept["content"].to_pylist())
    assert all(0 < t <= 16 for t in flow.kept["completion_tokens"].to_pylist())
    assert flow.rejected["reason"].to_pylist() == ["teacher_error"] * 3
    assert "400" in flow.rejected["evidence"][0].as_py()
    assert_goes_on(said, pieces)
    assert turn["content"] == "".join(part["text"] for part in turn["segments"])
    kinds = [part["type"] for part in turn["segments"]]
    assert kinds[:4] == ["hint", "code", "output", "hint"], turn["content"]
    assert turn["segments"][2]["text"].startswith("```output\n42\n"), turn["content"]
    assert turn["segments"][-1]["train"], "the teacher did not go on after the last output"


async def _served_pieces(resources: Resources) -> tuple[str, list[tuple[str, str, str | None]]]:
    """The likeliest text of the served model, and how it goes on from each of its starts."""
    greedy = Sampling(temperature=0, max_tokens=12)
    async with Http(model="small").open(resources) as live:
        said = (await live.complete(Request("p", 0, ADAPTER_ASKED, greedy))).content
        return said, [await gone_on(live, ADAPTER_ASKED, start) for start in starts(said)]


def test_the_model_is_its_content_and_the_label_is_not(teacher_folder: Path) -> None:
    by_name, by_folder = Vllm(model=TEACHER), Vllm(model=str(teacher_folder), label="mine")
    assert by_name.identity() == by_folder.identity()
    assert str(teacher_folder) not in json.dumps(by_folder.identity())
    assert (by_name.name, by_folder.name) == (TEACHER, "mine")
    assert Vllm(model=TEACHER, dtype="bfloat16").identity() != by_name.identity()


def test_run_options_must_not_change_the_text(teacher_folder: Path, tmp_path: Path) -> None:
    sample = Sample.model_validate({"teacher": {"type": "vllm", "model": TEACHER}})
    resources = Resources(engine_args={"dtype": "bfloat16"})
    with (
        sample.open(Site(resources, str(tmp_path / "c"), str(tmp_path / "j"))) as apply,
        pytest.raises(PipelineError, match="dtype"),
    ):
        apply(asking("Hi"))


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _wait(ready: Any, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + LOAD_S
    while not ready():
        tail = log.read_text(errors="replace")[-2000:]
        assert process.poll() is None, f"the process ended before it was ready:\n{tail}"
        assert time.monotonic() < deadline, f"not ready within {LOAD_S} s:\n{tail}"
        time.sleep(0.2)
