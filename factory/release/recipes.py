"""What stands beside the rows of an export, so that a trainer takes them as they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from factory.release.reasoning import Reasoning
from factory.release.rewards import verifier_settings
from factory.release.templates import plain_template, template
from factory.release.versions import Release

__all__ = ["Companions", "Written", "companions"]


@dataclass(frozen=True, slots=True)
class Written:
    """What an export has written when the files beside it are made."""

    release: Release
    to: str
    """The format."""
    train: tuple[str, ...]
    """Data files of the training split, below the export's folder."""
    validation: tuple[str, ...]
    """Those of the validation split; none where there is no such split."""
    rows: int
    validation_rows: int
    reasoning: Reasoning


Companions = Callable[[Written], Mapping[str, str]]
"""Name and text of each file that a target puts beside its rows."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one trainer takes an export."""

    command: str
    """What is run inside the folder; STUDENT stands for the model, and Jinja for what the export knows."""
    config: tuple[str, str] | None = None
    """Name and Jinja text of the trainer's own settings file."""
    note: str = ""


def companions(name: str) -> Companions:
    """README, settings, and what else the trainer of a format wants."""

    def made(written: Written) -> Mapping[str, str]:
        recipe, found = _RECIPES[name], dict[str, str]()
        known = {"w": written, "train": written.train[0], "to": name}
        known["validation"] = written.validation[0] if written.validation else None
        if recipe.config:
            found[recipe.config[0]] = _rendered(recipe.config[1], known)
        if name in _DATASET_INFO:
            found["dataset_info.json"] = _dataset_info(written)
        left_out: list[str] = []
        if name in ("verl", "trl-grpo"):
            verifiers, rule, left_out = verifier_settings(written.release)
            page = template(f"reward_{name.removesuffix('-grpo')}.py.jinja")
            found["reward.py"] = page.render(verifiers=verifiers, rule=rule)
        text = template("export.md.jinja").render(
            **known,
            name=written.release.manifest["name"],
            command=_rendered(recipe.command, known),
            note=recipe.note,
            reasoning=_told(name, written.reasoning),
            left_out=left_out,
            beside=sorted(found),
        )
        return {"README.md": text, **found}

    return made


def _rendered(text: str, known: Mapping[str, Any]) -> str:
    return plain_template(text).render(known)


def _told(name: str, reasoning: Reasoning) -> str:
    """What the reader must know of the reasoning, in one line; empty where there are no completions."""
    if name in ("verl", "trl-grpo"):
        return ""
    if name in ("am", "light-r1", "light-r1-dpo"):
        reasoning = "inline"
    check = "`factory export --template FILE` measures it for your student."
    return {
        "inline": "Reasoning stands in the text between `<think>` tags. Templates of R1-Distill and "
        f"DeepSeek cut such a block out of an answer, and most cut it out of earlier turns. {check}",
        "field": "Reasoning stands in `reasoning_content`. Templates of models that do not think, and "
        f"some that do, leave that field out: the student then learns no thinking and nothing warns. {check}",
        "thinking": "Reasoning stands in `thinking`, as gpt-oss' template reads it; most other templates "
        f"leave that field out. {check}",
        "none": "Reasoning was left out, as asked: the student learns answers alone.",
    }[reasoning]


_DATASET_INFO = ("llamafactory", "light-r1", "light-r1-dpo")


def _dataset_info(written: Written) -> str:
    """LLaMA-Factory's `dataset_info.json`: sharegpt turns, ranked where the rows are pairs."""
    ours = written.to == "llamafactory"
    named = ("human", "gpt") if written.to != "light-r1" else ("user", "assistant")
    tags = {"role_tag": "from", "content_tag": "value", "user_tag": named[0], "assistant_tag": named[1]}
    columns = {"messages": "conversations"}
    columns |= {"system": "system"} if ours else {}
    columns |= {"chosen": "chosen", "rejected": "rejected"} if written.to == "light-r1-dpo" else {}
    entry: dict[str, Any] = {"formatting": "sharegpt", "columns": columns, "tags": tags}
    entry |= {"ranking": True} if written.to == "light-r1-dpo" else {}
    found = {
        file.rsplit(".", 1)[0]: {"file_name": file} | entry for file in (*written.train, *written.validation)
    }
    return json.dumps(found, indent=2) + "\n"


def _trl(kind: str, extra: str = "") -> Recipe:
    settings = (
        "model_name_or_path: STUDENT\ndataset_name: .\ndataset_train_split: train\n"
        "{% if validation %}dataset_test_split: validation\neval_strategy: epoch\n{% endif %}"
        f"{extra}output_dir: student-{kind}\nbf16: true\ngradient_checkpointing: true\n"
    )
    return Recipe(f"trl {kind} --config trl.yaml", ("trl.yaml", settings))


def _llamafactory(stage: str, kind: str) -> Recipe:
    settings = (
        f"model_name_or_path: STUDENT\nstage: {stage}\ndo_train: true\nfinetuning_type: {kind}\n"
        "dataset_dir: .\n"
        "dataset: {{ to }}-train\n{% if validation %}eval_dataset: {{ to }}-validation\n{% endif %}"
        "template: qwen3          # the student's own template by LLaMA-Factory's name\n"
        "cutoff_len: 16384\noutput_dir: student\nbf16: true\n"
    )
    return Recipe("llamafactory-cli train llamafactory.yaml", ("llamafactory.yaml", settings))


_AXOLOTL = """base_model: STUDENT
datasets:
  - &rows
    path: {{ train }}
    ds_type: json
    type: chat_template
    field_messages: messages
    message_property_mappings: {role: role, content: content}
{% if w.reasoning in ("field", "thinking") %}
    field_thinking: {{ "thinking" if w.reasoning == "thinking" else "reasoning_content" }}
    template_thinking_key: {{ "thinking" if w.reasoning == "thinking" else "reasoning_content" }}
{% endif %}
    roles_to_train: [assistant]
    train_on_eos: turn
{% if validation %}
test_datasets:
  - <<: *rows
    path: {{ validation }}
    split: train
{% endif %}
sequence_len: 16384
micro_batch_size: 1
gradient_accumulation_steps: 8
num_epochs: 1
learning_rate: 1.0e-5
optimizer: adamw_torch_fused
bf16: true
output_dir: student
"""
_VERL = (
    "python3 -m verl.trainer.main_ppo algorithm.adv_estimator=grpo \\\n"
    "  data.train_files='[{{ w.train | join(\",\") }}]' \\\n"
    "  data.val_files='[{{ (w.validation or w.train) | join(\",\") }}]' \\\n"
    "  actor_rollout_ref.model.path=STUDENT \\\n"
    "  actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.n=8 \\\n"
    "  custom_reward_function.path=reward.py custom_reward_function.name=compute_score"
)
_TUNE = (
    "tune run full_finetune_single_device --config RECIPE \\\n"
    "  dataset._component_=torchtune.datasets.chat_dataset dataset.source=json \\\n"
    "  dataset.data_files={{ train }} dataset.split=train dataset.conversation_column=messages \\\n"
    "  dataset.conversation_style=openai dataset.train_on_input=False"
)
_ASSISTANT_ONLY = "assistant_only_loss: true\n"
_RECIPES: Mapping[str, Recipe] = {
    "am": Recipe(
        "python -c \"import datasets; print(datasets.load_dataset('.'))\"",
        note="A published format that no trainer takes by itself; choose another one to train.",
    ),
    "light-r1": _llamafactory("sft", "full"),
    "light-r1-dpo": _llamafactory("dpo", "full"),
    "llamafactory": _llamafactory("sft", "full"),
    "trl-sft": _trl("sft", _ASSISTANT_ONLY),
    "trl-sft-completion": _trl("sft", "completion_only_loss: true\n"),
    "trl-dpo": _trl("dpo"),
    "trl-kto": _trl("kto"),
    "trl-grpo": _trl("grpo", "reward_funcs: [reward.reward]\nnum_generations: 8\n"),
    "verl": Recipe(
        _VERL,
        note="verl's own reward knows the `data_source` of the math rows alone; the source is in "
        "`extra_info`. Later versions of verl name the last two settings `reward.custom_reward_function.*`.",
    ),
    "axolotl": Recipe("axolotl train axolotl.yaml", ("axolotl.yaml", _AXOLOTL)),
    "ms-swift": Recipe(
        "swift sft --model STUDENT --dataset {{ train }}"
        "{% if validation %} --val_dataset {{ validation }}{% endif %} --output_dir student",
        note="Loss is taken of the assistant's turns, as ms-swift does by default.",
    ),
    "openrlhf": Recipe(
        "deepspeed --module openrlhf.cli.train_sft --pretrain STUDENT --dataset ./{{ train }}"
        "{% if validation %} --eval_dataset ./{{ validation }}{% endif %} \\\n"
        "  --input_key messages --apply_chat_template --max_len 16384 --bf16 --save_path student",
        note="Loss is taken of the last turn, which is the completion.",
    ),
    "torchtune": Recipe(_TUNE, note="RECIPE is one of `tune ls`; loss is taken of the assistant's turns."),
    "openai": Recipe("openai api files.create --purpose fine-tune --file {{ train }}"),
    "text": _trl("sft", "dataset_text_field: text\n"),
}
