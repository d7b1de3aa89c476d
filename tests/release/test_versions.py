from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from factory.core import DataError
from factory.release.diff import diff_releases
from factory.release.spec import FinishedStep
from factory.release.versions import list_releases, open_release, verify_release, version_number
from tests.release.conftest import build
from tests.release.steps import make_steps


def test_versions_are_listed_oldest_first_and_the_newest_opens(
    steps: Sequence[FinishedStep], tmp_path: Path
) -> None:
    for tags in (["a"], ["b"], ["c"]):
        build(list(steps), tmp_path, tags=tags)
    assert [release.version for release in list_releases(str(tmp_path))] == ["v0001", "v0002", "v0003"]
    assert open_release(str(tmp_path)).version == "v0003"
    assert open_release(str(tmp_path / "v0002")).version == "v0002"


def test_a_folder_without_a_release_is_refused(tmp_path: Path) -> None:
    assert list_releases(str(tmp_path / "none")) == []
    with pytest.raises(DataError, match="holds no finished release"):
        open_release(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "number"), [("v0001", 1), ("v12345", 12345), ("v1", None), (".building-v0001-a", None)]
)
def test_version_names(name: str, number: int | None) -> None:
    assert version_number(name) == number


def test_verify_finds_changed_missing_and_foreign_files(
    steps: Sequence[FinishedStep], tmp_path: Path
) -> None:
    made = build(list(steps), tmp_path)
    assert verify_release(made) == []
    data = Path(made.tables("data/")[0])
    content = bytearray(data.read_bytes())
    content[100] ^= 1
    data.write_bytes(bytes(content))
    Path(made.url, "lineage.json").unlink()
    Path(made.url, "data", "train-00001-of-00002.parquet").write_bytes(b"x")
    assert verify_release(made) == [
        "data/train-00000-of-00001.parquet: its bytes are not the ones that were released",
        "lineage.json: is missing",
        "data/train-00001-of-00002.parquet: is not part of the release",
    ]


def test_diff_tells_added_removed_and_changed_rows_and_why(tmp_path: Path) -> None:
    old = build(make_steps(tmp_path / "a", problems=12), tmp_path / "r")
    new = build(make_steps(tmp_path / "b", problems=13, passes=(4, 3, 1, 0)), tmp_path / "r", shard_rows=7)
    found = diff_releases(old, new)
    assert len(found.added) == 4, "the thirteenth problem has four right completions"
    assert len(found.removed) == 3, "the third, seventh and eleventh have one less"
    assert found.removed_because == {"select: not_selected": 3}
    assert len(found.changed) == 3, "their remaining completion has another pass rate"
    assert found.unchanged == 21
    assert found.settings == (("release.shard_rows", 50_000, 7),)


def test_a_release_does_not_differ_from_itself(steps: Sequence[FinishedStep], tmp_path: Path) -> None:
    made = build(list(steps), tmp_path)
    found = diff_releases(made, made)
    assert (found.added, found.removed, found.changed, found.settings) == ((), (), (), ())
    assert found.unchanged == 27
