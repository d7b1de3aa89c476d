"""Whatever is done to the files of a workspace, the next run mends it alone and releases the same bytes."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import factory
from factory.core import DamagedFile
from factory.engine.run import run
from tests.engine.noop import Numbers, OncePerDigit, Pass
from tests.engine.test_run import go, ids, steps_of

PIPELINE = """
pipeline: damage
stages:
  - type: source
    inputs: [{files: problems.jsonl, columns: {prompt: question, reference: answer}}]
    shard_rows: 6
  - type: clean
  - type: dedup-exact
  - {type: clean, name: again}
release: {layout: rows}
"""
FAULTS = ("flip", "cut", "delete", "swap", "empty", "folder")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pipeline and workspace of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("damage")
    lines = [{"question": f"What is {i % 17} + {i % 5}?", "answer": str(i % 17 + i % 5)} for i in range(30)]
    (folder / "problems.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "p.yaml").write_text(PIPELINE)
    released(folder)
    return folder


def released(folder: Path) -> dict[str, bytes]:
    """The rows of the newest release that a run gives, by file."""
    done = factory.run(factory.load(folder / "p.yaml", workspace=folder / "w"), local=True)
    assert done.release is not None
    base = Path(done.release.url)
    return {str(f.relative_to(base)): f.read_bytes() for f in sorted(base.rglob("*.parquet"))}


def disturb(steps: Path, fault: str, rng: random.Random) -> str:
    """Does one kind of damage somewhere below the steps, and tells where."""
    if fault == "folder":
        victim = rng.choice(sorted(f for f in steps.rglob("*") if f.is_dir()))
        shutil.rmtree(victim)
        return str(victim)
    victim = rng.choice(sorted(f for f in steps.rglob("*") if f.is_file()))
    content = bytearray(victim.read_bytes())
    if fault == "flip":
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        victim.write_bytes(content)
    elif fault == "cut":
        victim.write_bytes(content[: rng.randrange(len(content))])
    elif fault == "empty":
        victim.write_bytes(b"")
    elif fault == "delete":
        victim.unlink()
    else:
        other = rng.choice(sorted(f for f in steps.rglob("*" + victim.suffix) if f.is_file()))
        victim.write_bytes(other.read_bytes())
        other.write_bytes(content)
    return f"{fault} {victim}"


def cases(count: int) -> Iterator[tuple[str, int]]:
    for seed in range(count):
        yield FAULTS[seed % len(FAULTS)], seed


def check(finished: Path, tmp_path: Path, fault: str, seed: int) -> None:
    rng = random.Random(seed)
    shutil.copytree(finished, tmp_path / "f")
    there, steps = tmp_path / "f", tmp_path / "f/w/damage/steps"
    shutil.rmtree(there / "w/damage/releases")
    done = disturb(steps, fault, rng)
    if rng.random() < 0.5:  # as after a kill: later steps are not sealed, so that workers meet the damage
        for folder in sorted(steps.iterdir())[rng.randrange(4) :]:
            (folder / "manifest.json").unlink(missing_ok=True)
            for shard in (folder / "receipts").glob("*.json"):
                if rng.random() < 0.5:
                    shard.unlink()
    assert released(there) == released(finished), f"seed {seed}: {done} changed the release"


@pytest.mark.parametrize(("fault", "seed"), list(cases(30)))
def test_damage_is_mended_and_the_release_is_the_same(
    finished: Path, tmp_path: Path, fault: str, seed: int
) -> None:
    check(finished, tmp_path, fault, seed)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("fault", "seed"), list(cases(330))[30:])
def test_three_hundred_damages_more(finished: Path, tmp_path: Path, fault: str, seed: int) -> None:
    check(finished, tmp_path, fault, seed)


def test_only_the_damaged_shard_is_made_again_with_one_note(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = [Numbers(), OncePerDigit(), Pass()]
    go(tmp_path, *line)
    step = steps_of(tmp_path, line)[1]
    Path(step.files.rows_url("kept", 3)).unlink()
    before = {f: f.stat().st_mtime_ns for f in (tmp_path / "p/steps").rglob("*.parquet")}
    go(tmp_path, *line, run_id="again")
    changed = {f for f, at in before.items() if f.stat().st_mtime_ns != at}
    assert changed == {Path(step.files.rows_url("rejected", 3))}, "more than the lost shard was made again"
    notes = [text for text in capfd.readouterr().err.splitlines() if text.startswith("note:")]
    assert len(notes) == 1
    assert "step 2 'once-per-digit'" in notes[0]
    assert "(3)" in notes[0]


def test_a_decision_wants_every_survey_by_its_number(tmp_path: Path) -> None:
    line = [Numbers(), OncePerDigit()]
    go(tmp_path, *line)
    step = steps_of(tmp_path, line)[1]
    for url in (step.files.manifest_url, step.files.decision_receipt_url, step.files.survey_receipt_url(1)):
        Path(url).unlink()
    shutil.rmtree(step.files.receipts_folder)
    go(tmp_path, *line, run_id="again")
    assert ids(step) == list(range(10)), "a survey that a listing hides shifts the numbers of the others"


def test_a_step_whose_folder_is_gone_is_made_again_and_later_ones_are_kept(tmp_path: Path) -> None:
    line = [Numbers(), Pass(), Pass(name="after")]
    first = go(tmp_path, *line)
    steps = steps_of(tmp_path, line)
    shutil.rmtree(steps[1].folder)
    kept = Path(steps[2].files.manifest_url).stat().st_mtime_ns
    again = go(tmp_path, *line, run_id="again")
    assert [m["files"] for m in again] == [m["files"] for m in first]
    assert Path(steps[2].files.manifest_url).stat().st_mtime_ns == kept, "a step that still follows ran again"


def test_a_disk_that_breaks_each_file_anew_ends_the_run_with_a_word(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, [Numbers(), Pass()])
    root = str(tmp_path / "p")

    def damage(manifests: object) -> None:
        Path(steps[0].files.rows_url("kept", 0)).write_bytes(b"PAR1")
        raise DamagedFile("seen at the end")

    with pytest.raises(DamagedFile):
        run(steps, root=root, run_id="r", local=True, quiet=True, then=damage)


def test_a_torn_manifest_of_a_release_leads_to_another_version(tmp_path: Path, finished: Path) -> None:
    shutil.copytree(finished, tmp_path / "f")
    manifest = tmp_path / "f/w/damage/releases/v0001/manifest.json"
    manifest.write_text(manifest.read_text()[:100])
    assert released(tmp_path / "f") == released(finished)
    assert (manifest.parent.parent / "v0002" / "manifest.json").exists()
