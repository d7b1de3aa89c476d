"""Wrong pipeline files and wrong environments: refused before anything is drawn, with code 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.wrong_inputs.cases import Case, changed

__all__ = ["ENVIRONMENTS", "FILES", "SETTINGS"]

_SAMPLE: dict[str, Any] = {"type": "sample", "teacher": {"type": "http", "model": "m"}}
_JUDGED = {"type": "verify", "verifiers": [{"type": "judge", "teacher": {"type": "http", "model": "j"}}]}


def _file(name: str, says: str, content: bytes) -> Case:
    return Case(name, 2, says, spoil=lambda folder: _put(folder / "p.yaml", content))


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


FILES = [
    _file("yaml-open", "not YAML", b"pipeline: x\nstages: [\n"),
    _file("yaml-tab", "not YAML", b"pipeline: x\nstages:\n\t- type: source\n"),
    _file("yaml-twice", ":2: the key 'pipeline' stands twice", b"pipeline: x\npipeline: y\nstages: []\n"),
    _file("yaml-latin-1", "not UTF-8 (byte 10)", b"pipeline: \xff\n"),
    _file("yaml-utf-16", "not UTF-8", "pipeline: x\n".encode("utf-16")),
    _file("yaml-list", "wanted a mapping", b"- type: clean\n"),
    _file("yaml-word", "wanted a mapping", b"clean\n"),
    _file("yaml-empty", "wanted a mapping", b""),
    _file("yaml-comment", "wanted a mapping", b"# later\n"),
    _file("yaml-two-documents", "not YAML", b"pipeline: x\n---\npipeline: y\n"),
    _file("yaml-python", "not YAML", b"pipeline: !!python/object/apply:os.getcwd []\nstages: []\n"),
    _file("yaml-no-date", "not YAML", b"pipeline: x\ndescription: 2024-13-45\nstages: []\n"),
    _file("yaml-list-as-key", "not YAML", b"? [a, b]\n: 1\npipeline: x\nstages: []\n"),
    _file("yaml-no-number", "not YAML", b"pipeline: x\nseed: " + b"9" * 5000 + b"\nstages: []\n"),
    _file("yaml-deep", "nested too deep", b"pipeline: " + b"[" * 20_000 + b"]" * 20_000 + b"\n"),
    _file("yaml-in-itself", "holds itself", b"pipeline: x\ndescription: &a [*a]\nstages: []\n"),
    _file("yaml-unknown-alias", "not YAML", b"pipeline: x\ndescription: *b\nstages: []\n"),
    _file("yaml-nul", "not YAML", b"pipeline: x\0\nstages: []\n"),
    _file("yaml-numbered-keys", "pipeline: missing", b"1: x\nstages: []\n"),
    _file("yaml-binary", "not ", bytes(range(256))),
    Case("pipeline-missing", 2, "no such file", ("plan", "none.yaml")),
    Case("pipeline-folder", 2, "cannot be read", spoil=lambda folder: _folder(folder / "p.yaml")),
    Case(
        "pipeline-is-the-data", 2, "problems.jsonl", ("run", "problems.jsonl", "--local", "--workspace", "w")
    ),
]

SETTINGS = [
    changed("stage-unknown", "unknown stage 'claen', did you mean 'clean'", "stages.1.type", "claen"),
    changed("stage-number", "wanted a mapping with a 'type'", "stages.1.type", 7),
    changed("stage-without-type", "wanted a mapping with a 'type'", "stages.2", {"max_chars": 3}),
    changed("stage-word", "wanted a mapping with a 'type'", "stages.1", "clean"),
    changed("stage-null", "wanted a mapping with a 'type'", "stages.1", None),
    changed("stages-mapping", "stages: ", "stages", {"source": {}}),
    changed("stages-none", "stages: missing", "stages", ...),
    changed("stages-empty", "stages: ", "stages", []),
    changed("stages-null", "stages: ", "stages", None),
    changed("field-misspelt", "max_char: unknown field, did you mean 'max_chars'", "stages.1.max_char", 10),
    changed("field-word", "stages[1].max_chars: input should be a valid integer", "stages.1.max_chars", "no"),
    changed("field-yes", "stages[1].max_chars: wanted a number, found true", "stages.1.max_chars", True),
    changed("field-nan", "stages[1].max_chars: ", "stages.1.max_chars", float("nan")),
    changed("field-infinite", "stages[1].max_chars: ", "stages.1.max_chars", float("inf")),
    changed("field-below", "stages[1].max_chars: ", "stages.1.max_chars", -1),
    changed("field-half", "stages[1].max_chars: ", "stages.1.max_chars", 1.5),
    changed("field-list", "stages[1].max_chars: ", "stages.1.max_chars", [1]),
    changed("field-huge", "stages[1].max_chars: wanted a number of at most 64", "stages.1.max_chars", 10**30),
    changed("field-missing", "stages[0].inputs: missing; this field is required", "stages.0.inputs", ...),
    changed("inputs-empty", "stages[0].inputs: ", "stages.0.inputs", []),
    changed("inputs-word", "stages[0].inputs: ", "stages.0.inputs", "problems.jsonl"),
    changed("name-twice", "a second 'clean' (the first is stages[1])", "stages.2", {"type": "clean"}),
    changed("name-path", "stages[1].name: ", "stages.1.name", "../up"),
    changed("pipeline-name-path", "pipeline: string should match pattern", "pipeline", "../elsewhere"),
    changed("pipeline-name-date", "pipeline: ", "pipeline", 2024),
    changed("pipeline-name-missing", "pipeline: missing", "pipeline", ...),
    changed("field-at-the-top", "unknown field", "stage", []),
    changed("seed-yes", "seed: wanted a number", "seed", True),
    changed("seed-word", "seed: ", "seed", "lucky"),
    changed("no-source", "the first step must be a 'source'", "stages.0", {"type": "clean", "name": "c"}),
    changed("two-sources", "a 'source' can only be the first step", "stages.1",
           {"type": "source", "name": "s", "inputs": [{"files": "problems.jsonl"}]}),
    changed("column-of-nobody", "step 3 'length' needs ['content'", "stages.2", {"type": "length"}),
    changed("column-twice", "adds ['completion_id'", "stages", [
        {"type": "source", "inputs": [{"files": "problems.jsonl", "columns": {"prompt": "question"}}]},
        _SAMPLE, {**_SAMPLE, "name": "again"}]),
    changed("prompt-column-wrong", "column 'problem' is in no row of", "stages.0.inputs.0.columns.prompt",
           "problem"),
    changed("our-column-wrong", "stages[0]", "stages.0.inputs.0.columns.prmpt", "question"),
    changed("columns-without-prompt", "prompt", "stages.0.inputs.0.columns", {"reference": "answer"}),
    changed("pattern-broken", "answer_pattern", "stages.0.inputs.0.answer_pattern", "(("),
    changed("files-and-dataset", "either `files` or `dataset`", "stages.0.inputs.0.dataset", "org/name"),
    changed("files-neither", "either `files` or `dataset`", "stages.0.inputs.0.files", ...),
    changed("filter-not-sql", "stages[2]", "stages.2", {"type": "filter", "keep": "prompt ==== 1"}),
    changed("release-layout", "release.layout", "release.layout", "parquet"),
    changed("release-layout-needs", "layout 'am' needs ['content']", "release.layout", "am"),
    changed("release-field", "release.layuot: unknown field", "release.layuot", "am"),
    changed("release-verdict", "release.verdicts[0]: input should be 'pass'", "release.verdicts", ["passed"]),
    changed("release-verdict-nested", "release.verdicts", "release.verdicts", [[["pass"]]]),
    changed("release-word", "release", "release", "am"),
    changed("release-of-the-unjudged", "every row is unverified; add a 'verify'", "stages.2", _SAMPLE),
    changed("resources-of-nobody", "resources.sampel: no step has this name", "resources",
           {"sampel": {"workers": 2}}),
    changed("resources-yes", "clean.workers: wanted a number", "resources", {"clean": {"workers": True}}),
    changed("resources-none", "resources.clean.workers: ", "resources", {"clean": {"workers": 0}}),
    changed("resources-field", "resources.clean.cpu: unknown field", "resources", {"clean": {"cpu": 1}}),
    changed("resources-price", "money_budget` wants `price`", "resources", {"clean": {"money_budget": 1}}),
    changed("resources-list", "resources", "resources", [1]),
    changed("temperature-too-high", "stages[2].temperature: ", "stages.2", {**_SAMPLE, "temperature": 1e9}),
    changed("samples-yes", "stages[2].n: wanted a number", "stages.2", {**_SAMPLE, "n": True}),
    changed("samples-alike", "the same text n times", "stages.2", {**_SAMPLE, "n": 4, "temperature": 0}),
    changed("teacher-unknown", "unknown type 'openai'", "stages.2",
           {"type": "sample", "teacher": {"type": "openai", "model": "m"}}),
    changed("teacher-address", "base_url: unknown field", "stages.2",
           {"type": "sample", "teacher": {"type": "http", "model": "m", "base_url": "http://x/v1"}}),
    changed("verifier-unknown", "verifiers[0]", "stages.2",
            {"type": "verify", "verifiers": [{"type": "maths"}]}),
    changed("verifier-none", "verifiers", "stages.2", {"type": "verify", "verifiers": []}),
    changed("nothing-left", "kept 0 of 5 rows (too_long 5)", "stages.1.max_chars", 1, code=1),
    changed("provenance-word", "provenance", "provenance", {"stages.clean": "guessed"}),
]  # fmt: skip


def _teacher(name: str, says: str, resources: dict[str, Any] | None, **more: Any) -> Case:
    stages = [
        {"type": "source", "inputs": [{"files": "problems.jsonl", "columns": {"prompt": "question"}}]},
        _SAMPLE,
        _JUDGED,
    ]
    case = changed(name, says, "stages", stages)

    def spoil(folder: Path) -> None:
        case.spoil(folder)
        text = (folder / "p.yaml").read_text()
        (folder / "p.yaml").write_text(text if resources is None else f"{text}resources: {resources}\n")

    return Case(name, 2, says, spoil=spoil, **more)


_HERE = {"base_url": "http://127.0.0.1:9/v1"}
_KEYED = {"sample": {**_HERE, "api_key_env": "NO_SUCH_KEY"}}
ENVIRONMENTS = [
    _teacher("address-missing", "step 2 'sample' teacher 'm' has no address", None),
    _teacher("address-missing-at-plan", "has no address", None, words=("plan", "p.yaml", "--workspace", "w")),
    _teacher("address-of-the-judge", "step 3 'verify' the judge's teacher 'j' has no address",
             {"sample": _HERE}),
    _teacher("address-without-http", "is no address", {"sample": {"base_url": "localhost:8000/v1"}}),
    _teacher("address-empty", "is no address", {"sample": {"base_url": ""}}),
    _teacher("address-none-of-many", "no address", {"sample": {"base_url": []}}),
    _teacher("address-number", "base_url", {"sample": {"base_url": 8000}}),
    _teacher("key-unset", "the environment variable NO_SUCH_KEY", _KEYED,
             environment={"NO_SUCH_KEY": None}),
    _teacher("key-empty", "the environment variable NO_SUCH_KEY", _KEYED,
             environment={"NO_SUCH_KEY": ""}),
    _teacher("address-variable-unset", "NO_SUCH_ADDRESS is not set",
             {"sample": {"base_url": "${NO_SUCH_ADDRESS}"}}),
    _teacher("budget-variable-no-number", "token_budget", {"sample": {**_HERE, "token_budget": "${BUDGET}"}},
             environment={"BUDGET": "plenty"}),
    changed("file-variable-unset", "NO_SUCH_VARIABLE is not set", "stages.0.inputs.0.files",
           "${NO_SUCH_VARIABLE}/x.jsonl"),
    changed("model-folder-missing", "no-model", "stages",
           [{"type": "source", "inputs": [{"files": "problems.jsonl", "columns": {"prompt": "question"}}]},
            {"type": "sample", "teacher": {"type": "vllm", "model": "./no-model"}},
            {"type": "verify", "verifiers": [{"type": "math"}]}]),
    changed("embedder-missing", "no-model", "stages.2", {"type": "dedup-semantic", "model": "./no-model"}),
    changed("benchmark-missing", "bench.jsonl", "stages.2",
           {"type": "decontaminate", "benchmarks": [{"name": "b", "files": "bench.jsonl"}]}),
    changed("replay-missing", "none.jsonl", "stages",
           [{"type": "source", "inputs": [{"files": "problems.jsonl", "columns": {"prompt": "question"}}]},
            {"type": "sample", "teacher": {"type": "replay", "files": "none.jsonl"}},
            {"type": "verify", "verifiers": [{"type": "math"}]}]),
    Case("workspace-file", 1, "--workspace", ("run", "p.yaml", "--local", "--workspace", "problems.jsonl")),
    Case("workspace-below-a-file", 1, "--workspace",
         ("run", "p.yaml", "--local", "--workspace", "problems.jsonl/w")),
    Case("workspace-protocol", 2, "nosuch", ("run", "p.yaml", "--local", "--workspace", "nosuch://bucket/w")),
    Case("workspace-of-the-environment", 1, "problems.jsonl", ("run", "p.yaml", "--local"),
         environment={"FACTORY_WORKSPACE": "problems.jsonl"}),
    Case("workspace-nowhere", 1, "--workspace", ("run", "p.yaml", "--local", "--workspace", "/proc/none/w")),
]  # fmt: skip
