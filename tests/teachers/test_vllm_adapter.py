"""A LoRA adapter over the packaged teacher on the real engine, and texts held to a form."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from factory.core import PipelineError
from factory.models.resolve import TEACHER
from factory.teachers import Vllm
from tests.teachers.test_vllm import LOAD_S
from tests.teachers.vllm_worker import ADAPTER_ASKED, assert_goes_on

pytestmark = [pytest.mark.teacher, pytest.mark.timeout(LOAD_S + 60)]


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"adapter_config\.json is not there"):
        Vllm(model=TEACHER, lora=str(tmp_path)).identity()


@pytest.fixture(scope="module")
def worker(teacher_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a process has left that asked the teacher with an adapter over it, then let its engine hang."""
    folder = tmp_path_factory.mktemp("adapter")
    _write_adapter(folder, json.loads((teacher_folder / "config.json").read_text()))
    command = [sys.executable, "-m", "tests.teachers.vllm_worker", str(folder), "adapter"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LOAD_S)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def test_an_engine_that_hangs_is_ended_and_its_request_is_told(worker: Path) -> None:
    message, left = json.loads((worker / "hung.json").read_text())
    assert re.search("the engine of teacher .* died", message)
    assert not left


def test_an_adapter_says_what_its_merged_weights_say_and_a_form_holds_it(
    worker: Path, teacher_folder: Path
) -> None:
    greedy, *held = json.loads((worker / "said.json").read_text())
    merged, plain = _greedy(teacher_folder, worker), _greedy(teacher_folder, None)
    assert merged != plain, "the adapter has no effect, so the test shows nothing"
    assert greedy == merged
    assert held[0] in ("violet", "ochre")
    assert re.fullmatch("[0-9]{3}", held[1])
    assert json.loads(held[2]) == 41
    assert_goes_on(greedy, json.loads((worker / "prefixed.json").read_text()))


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
