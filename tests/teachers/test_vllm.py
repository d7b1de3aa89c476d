"""The real engine with the packaged teacher, in a worker of its own and behind `vllm serve`."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from factory.core import PipelineError, Resources, Site
from factory.models import TEACHER
from factory.stages.sample import Sample
from factory.teachers import Http, Request, Sampling, Vllm
from factory.teachers.interpreter import Interpreter
from tests.teachers.scripted import asking
from tests.teachers.vllm_worker import ADAPTER_ASKED, QUESTIONS, SHORT, gone_on, starts

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


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"adapter_config\.json is not there"):
        Vllm(model=TEACHER, lora=str(tmp_path)).identity()


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


def test_an_adapter_says_what_its_merged_weights_say_and_a_form_holds_it(
    teacher_folder: Path, tmp_path: Path
) -> None:
    _write_adapter(tmp_path, json.loads((teacher_folder / "config.json").read_text()))
    command = [sys.executable, "-m", "tests.teachers.vllm_worker", str(tmp_path), "adapter"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LOAD_S)
    assert done.returncode == 0, done.stderr[-2000:]
    greedy, *held = json.loads((tmp_path / "said.json").read_text())
    merged, plain = _greedy(teacher_folder, tmp_path), _greedy(teacher_folder, None)
    assert merged != plain, "the adapter has no effect, so the test shows nothing"
    assert greedy == merged
    assert held[0] in ("violet", "ochre")
    assert re.fullmatch("[0-9]{3}", held[1])
    assert json.loads(held[2]) == 41
    _assert_goes_on(greedy, json.loads((tmp_path / "prefixed.json").read_text()))


def _assert_goes_on(text: str, pieces: list[tuple[str, str, str | None]]) -> None:
    """The likeliest text after each start of a likeliest text is the rest of it, up to the stop text `e`."""
    assert len(pieces) > 3, "the text has too few words to begin with, so the test shows nothing"
    for start, content, stopped_by in pieces:
        wanted, stop, _ = text[len(start) :].partition("e")
        if stop:
            assert (start, content, stopped_by) == (start, wanted, "e")


def test_an_adapter_counts_by_its_content(teacher_folder: Path, tmp_path: Path) -> None:
    _write_adapter(tmp_path, json.loads((teacher_folder / "config.json").read_text()))
    plain, laid_over = Vllm(model=TEACHER), Vllm(model=TEACHER, lora=str(tmp_path))
    assert laid_over.identity() == {**plain.identity(), "lora": laid_over.identity()["lora"]}
    assert str(tmp_path) not in json.dumps(laid_over.identity())


def _write_adapter(folder: Path, config: dict[str, Any]) -> None:
    """An adapter over every query projection, with weights large enough to change any text."""
    chance = np.random.default_rng(3)
    width, rank, weights = config["hidden_size"], 8, {}
    for layer in range(config["num_hidden_layers"]):
        stem = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
        weights[f"{stem}.lora_A.weight"] = chance.normal(0, 0.1, (rank, width)).astype(np.float32)
        weights[f"{stem}.lora_B.weight"] = chance.normal(0, 0.1, (width, rank)).astype(np.float32)
    save_file(weights, folder / "adapter_model.safetensors")
    about = {"peft_type": "LORA", "r": rank, "lora_alpha": 16, "target_modules": ["q_proj"], "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps({**about, "task_type": "CAUSAL_LM"}))


def _greedy(model_folder: Path, adapter: Path | None) -> str:
    """What transformers says to the worker's question, with W + (alpha / r) B A in place of each W."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32)
    if adapter is not None:
        weights = load_file(adapter / "adapter_model.safetensors")
        for number, layer in enumerate(model.model.layers):
            stem = f"base_model.model.model.layers.{number}.self_attn.q_proj"
            change = weights[f"{stem}.lora_B.weight"] @ weights[f"{stem}.lora_A.weight"]
            layer.self_attn.q_proj.weight.data += torch.from_numpy(16 / 8 * change)
    text = tokenizer.apply_chat_template(list(ADAPTER_ASKED), tokenize=False, add_generation_prompt=True)
    given = tokenizer(text, return_tensors="pt", add_special_tokens=False)
    made = model.generate(**given, do_sample=False, max_new_tokens=12)
    return str(tokenizer.decode(made[0][given["input_ids"].shape[1] :], skip_special_tokens=True))


def test_speaks_with_a_served_model(teacher_folder: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # What `vllm serve` runs; the command itself asks for a package name that builds for processors lack.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(teacher_folder)]
    options = ["--port", str(port), "--host", "127.0.0.1", "--served-model-name", "small", "--enforce-eager"]
    environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}
    log = tmp_path / "log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [*command, *options, "--dtype", "float32"], stdout=out, stderr=out, env=environment
        )
    try:
        _wait(lambda: _answers(f"http://127.0.0.1:{port}/health"), server, log)
        sample = Sample.model_validate(
            {"teacher": {"type": "http", "model": "small"}, "n": 3, "max_tokens": 16, "top_k": 40}
        )
        resources = Resources(base_url=f"http://127.0.0.1:{port}/v1", timeout_s=120)
        with sample.open(Site(resources, str(tmp_path / "c"), str(tmp_path / "j"))) as apply:
            flow = apply(asking("What is 2 + 2?", "Name a colour.", "word " * 9000))
        said, pieces = asyncio.run(_served_pieces(resources))
        run = {"hints": [{"text": OPENED}], "max_calls": 1, "packages": []}
        greedy = {"n": 1, "temperature": 0.0, "top_k": 0, "max_tokens": 48}
        coded = sample.model_copy(update={**greedy, "interpreter": Interpreter.model_validate(run)})
        with coded.open(Site(resources, str(tmp_path / "c"), str(tmp_path / "j"))) as apply:
            [turn] = apply(asking("What is 6 * 7?")).kept.to_pylist()
    finally:
        server.terminate()
        server.wait(60)
    assert flow.kept.num_rows == 6
    assert all(flow.kept["content"].to_pylist())
    assert all(0 < t <= 16 for t in flow.kept["completion_tokens"].to_pylist())
    assert flow.rejected["reason"].to_pylist() == ["teacher_error"] * 3
    assert "400" in flow.rejected["evidence"][0].as_py()
    _assert_goes_on(said, pieces)
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
