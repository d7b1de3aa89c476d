"""The main job from end to end: the shipped pipeline, the real teacher, a real Ray cluster, a release."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

pytestmark = [pytest.mark.teacher, pytest.mark.ray, pytest.mark.embedder, pytest.mark.timeout(1500)]

ROOT = Path(__file__).parent.parent
QUICKSTART = ROOT / "pipelines" / "quickstart.yaml"
DATA = ROOT / "tests" / "data" / "quickstart"

INFO = pa.struct(
    [
        ("source", pa.string()),
        ("reference_answer", pa.string()),
        ("test_case", pa.string()),
        ("think_content", pa.string()),
        ("answer_content", pa.string()),
    ]
)
AM_SCHEMA = pa.schema(
    [("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string()), ("info", INFO)])))]
)
"""The published row, written out here a second time on purpose."""


def factory(*words: str, workspace: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    place = ["--workspace", str(workspace)] if workspace else []
    return subprocess.run(
        [sys.executable, "-m", "factory", *words, *place],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=1400,
        check=False,
    )


def answered(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, f"{done.args}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quickstart, run once for all tests here."""
    place = tmp_path_factory.mktemp("quickstart")
    told = answered(factory("run", str(QUICKSTART), "--json", workspace=place))
    assert told["release"]["version"] == "v0001"
    return place


@pytest.fixture(scope="module")
def release(workspace: Path) -> Path:
    return workspace / "quickstart" / "releases" / "v0001"


def steps(workspace: Path) -> dict[str, Path]:
    return {p.name[3:-9]: p for p in sorted((workspace / "quickstart" / "steps").iterdir())}


def rejected(workspace: Path) -> dict[str, tuple[str, str]]:
    """Step and reason by origin, for the steps before sampling."""
    found: dict[str, tuple[str, str]] = {}
    for name in ("source", "clean", "dedup-exact", "dedup-semantic", "decontaminate"):
        frame = pl.read_parquet(steps(workspace)[name] / "rejected" / "*.parquet")
        for origin, reason in frame.select("origin", "reason").iter_rows():
            assert origin not in found, f"{origin} is rejected twice"
            found[origin] = (name, reason)
    return found


def test_every_planted_row_is_rejected_for_its_reason_and_no_other_is(workspace: Path) -> None:
    truth = [json.loads(line) for line in (DATA / "truth.jsonl").read_text().splitlines()]
    fates = rejected(workspace)
    blamed = set()
    for row in truth:
        lines = {f"problems.jsonl:{row['line']}"}
        if row["kind"] == "near":
            lines.add(f"problems.jsonl:{row['of']}")
        gone = {line: fates[line] for line in lines if line in fates}
        if row["outcome"] == "kept":
            assert not gone, f"{row} must be kept, but {gone}"
            continue
        assert len(gone) == 1, f"exactly one of {lines} goes: {row}, {gone}"
        [(line, fate)] = gone.items()
        assert ":".join(fate) == row["outcome"], f"line {line}: {fate}, wanted {row}"
        blamed.add(line)
    assert set(fates) == blamed, f"honest rows were cut: {set(fates) - blamed}"


def test_the_release_has_the_published_layout_and_opens_everywhere(release: Path, tmp_path: Path) -> None:
    import datasets

    files = sorted((release / "data").glob("*.parquet"))
    table = pa.concat_tables([pq.read_table(f) for f in files])
    assert table.schema.remove_metadata() == AM_SCHEMA
    assert pl.scan_parquet(release / "data" / "*.parquet").collect().height == table.num_rows > 0
    loaded = datasets.load_dataset(
        "parquet", data_files=[str(f) for f in files], split="train", cache_dir=str(tmp_path)
    )
    assert loaded.num_rows == table.num_rows
    for row in table.to_pylist():
        user, assistant = row["messages"]
        assert (user["role"], assistant["role"]) == ("user", "assistant")
        assert user["info"]["reference_answer"]
        assert user["info"]["think_content"] is None
        info = assistant["info"]
        assert assistant["content"] == (
            f"<think>{info['think_content']}</think>\n<answer>{info['answer_content']}</answer>"
        )


def test_each_released_answer_is_right(release: Path) -> None:
    """Judged here by other means: the last number, or the sum in the last box, against the reference."""
    rows = pl.read_parquet(release / "rows" / "*.parquet")
    numbers = 0
    for content, reference in rows.select("content", "reference").iter_rows():
        if re.fullmatch(r"-?\d+", reference):
            assert last_value(content) == float(reference), f"{content!r} is not {reference}"
            numbers += 1
    assert numbers > 10, "the teacher solves more than ten of the problems"


def last_value(content: str) -> float:
    boxed = re.findall(r"\\boxed\{([\d\s.+*/()-]+)\}", content)
    if boxed:
        return float(eval(boxed[-1]))
    return float(re.findall(r"-?\d[\d,]*(?:\.\d+)?", content)[-1].replace(",", ""))


def test_no_row_is_lost_between_source_and_release(workspace: Path, release: Path) -> None:
    manifests = [json.loads((p / "manifest.json").read_text()) for p in steps(workspace).values()]
    for before, after in itertools.pairwise(manifests):
        assert after["rows_in"] == before["rows_kept"]
    for manifest in manifests:
        assert manifest["rows_expected"] == manifest["rows_kept"] + manifest["rows_rejected"]
    fanned = sum(m["rows_expected"] - m["rows_in"] for m in manifests)
    cut = sum(m["rows_rejected"] for m in manifests)
    lines = len((DATA / "problems.jsonl").read_bytes().splitlines())
    told = json.loads((release / "manifest.json").read_text())
    held_back = sum(pl.read_parquet(f).height for f in (release / "rejected" / "release").glob("*.parquet"))
    assert lines + fanned == told["counts"]["rows"] + cut + held_back


def test_running_again_draws_nothing_and_makes_no_second_version(workspace: Path) -> None:
    told = answered(factory("run", str(QUICKSTART), "--json", workspace=workspace))
    assert told["release"]["version"] == "v0001"
    planned = answered(factory("plan", str(QUICKSTART), "--json", workspace=workspace))
    assert {s["action"] for s in planned["steps"]} == {"reuse"}


def test_editing_the_last_filter_reruns_it_alone_and_draws_nothing(workspace: Path, tmp_path: Path) -> None:
    other = tmp_path / "workspace"
    shutil.copytree(workspace, other)
    change = ("--set", "length.max_words=199")
    planned = answered(factory("plan", str(QUICKSTART), *change, "--json", workspace=other))["steps"]
    assert [s["action"] for s in planned] == ["reuse"] * (len(planned) - 1) + ["run"]
    assert planned[-1]["why"] == "max_words: 200 -> 199"
    told = answered(factory("run", str(QUICKSTART), *change, "--json", workspace=other))
    assert told["release"]["version"] == "v0002"
    journal = list((other / "quickstart" / "journal").rglob("*.jsonl"))
    before = list((workspace / "quickstart" / "journal").rglob("*.jsonl"))
    assert sum(f.stat().st_size for f in journal) == sum(f.stat().st_size for f in before), (
        "0 completions drawn"
    )


def test_the_card_passes_the_hubs_checks_and_exports_load(release: Path, tmp_path: Path) -> None:
    import datasets

    dry = factory("publish", str(release), "--repo", "lab/quickstart", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "README.md" in dry.stdout
    front = yaml.safe_load((release / "README.md").read_text().split("---")[1])
    assert front["license"] == "cc0-1.0"
    for target in ("light-r1", "trl-sft", "trl-dpo", "trl-grpo"):
        out = tmp_path / target
        told = answered(factory("export", str(release), "--to", target, "--out", str(out), "--json"))
        assert told["rows"] > 0, f"{target} has rows"
        loaded = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "c"))
        assert loaded.num_rows == told["rows"], target


def test_why_tells_a_rows_whole_life(workspace: Path, release: Path) -> None:
    row = pl.read_parquet(release / "rows" / "*.parquet").row(0, named=True)
    life = answered(factory("why", row["completion_id"], str(QUICKSTART), "--json", workspace=workspace))
    asked = ["sample", "decontaminate-completions", "verify", "difficulty", "pass-rate", "select", "length"]
    assert [e["step"] for e in life] == asked
    whole = answered(factory("why", row["id"], str(QUICKSTART), "--json", workspace=workspace))
    fates: dict[str, set[str]] = defaultdict(set)
    for event in whole:
        fates[event["step"]].add(event["fate"])
    assert fates["source"] == {"kept"}
    assert "rejected" in fates["select"], "its other completions were not selected"


@pytest.fixture(scope="module")
def ray_head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A head as `ray start --head` makes it, with its dashboard on a free port."""
    ports = []
    for _ in range(3):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    head = subprocess.Popen(
        [str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", f"--port={ports[0]}",
         f"--dashboard-port={ports[1]}", f"--dashboard-agent-listen-port={ports[2]}",
         "--num-cpus=2", "--disable-usage-stats",
         f"--temp-dir={tmp_path_factory.mktemp('r')}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{ports[1]}"
    try:
        _wait_for(url, head)
        yield url
    finally:
        os.killpg(head.pid, signal.SIGTERM)
        head.wait(60)


def _wait_for(url: str, head: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        assert head.poll() is None, "the Ray head ended at once"
        try:
            with urllib.request.urlopen(f"{url}/api/jobs/", timeout=5):
                return
        except urllib.error.HTTPError:
            return  # it answers, and wants a token
        except OSError:
            time.sleep(1)
    pytest.fail("the Ray head's dashboard does not answer")


def test_a_submitted_job_ends_with_the_rows_of_the_local_run(
    workspace: Path, release: Path, ray_head: str, tmp_path: Path
) -> None:
    """Draws cannot be repeated bit for bit: the job gets the local run's journal and makes all else anew."""
    shutil.copytree(workspace / "quickstart" / "journal", tmp_path / "quickstart" / "journal")
    done = factory("submit", str(QUICKSTART), "--address", ray_head, "--follow", workspace=tmp_path)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    there = tmp_path / "quickstart" / "releases" / "v0001"
    for part in ("data", "rejected"):
        ours, theirs = (
            {str(f.relative_to(base)): f.read_bytes() for f in sorted((base / part).rglob("*.parquet"))}
            for base in (release, there)
        )
        assert ours.keys() == theirs.keys()
        if part == "data":
            assert ours == theirs, "every byte of the data is the same"
