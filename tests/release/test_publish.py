from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from factory.core import DataError, FactoryError
from factory.release.publish import Publication, _wait_s, publish
from factory.release.spec import FinishedStep
from factory.release.versions import Release
from tests.release.conftest import build
from tests.release.fake_hub import Hub, serve


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    with serve() as started:
        yield started


def send(release: Release, hub: Hub, waits: list[float] | None = None, **options: object) -> Publication:
    waited = [] if waits is None else waits
    return publish(release, "org/sums", endpoint=hub.url, sleep=waited.append, **options)  # type: ignore[arg-type]


def test_one_commit_holds_every_file_and_the_tag_is_the_version(release: Release, hub: Hub) -> None:
    found = send(release, hub)
    assert len(hub.commits) == 2, "the release took more than one commit"
    assert set(hub.files) == set(release.paths)
    for path, content in hub.files.items():
        assert content == Path(release.url, path).read_bytes(), path
    assert hub.tags == {"v0001": found.commit}


def test_publishing_again_sends_nothing(release: Release, hub: Hub) -> None:
    first = send(release, hub)
    again = send(release, hub)
    assert again.was_there
    assert again.commit == first.commit
    assert len(hub.commits) == 2


def test_a_lost_tag_is_set_by_running_again_without_a_second_commit(release: Release, hub: Hub) -> None:
    hub.refusals = [("/tag/", 403, {})]
    with pytest.raises(FactoryError, match="the hub did not take org/sums"):
        send(release, hub)
    assert hub.tags == {}
    found = send(release, hub)
    assert len(hub.commits) == 2, "the same files were committed twice"
    assert hub.tags == {"v0001": found.commit}


def test_a_busy_hub_is_asked_again_after_the_time_it_names(release: Release, hub: Hub) -> None:
    hub.refusals = [("/commit/", 429, {"Retry-After": "7"}), ("/commit/", 503, {})]
    waits: list[float] = []
    send(release, hub, waits)
    assert waits == [7.0, 2.0]
    assert len(hub.commits) == 2


def test_a_hub_that_stays_busy_ends_in_an_error(release: Release, hub: Hub) -> None:
    hub.refusals = [("/commit/", 429, {"Retry-After": "1"})] * 6
    waits: list[float] = []
    with pytest.raises(FactoryError, match="the hub did not take org/sums"):
        send(release, hub, waits)
    assert waits == [1.0] * 5
    assert hub.tags == {}


def test_a_hub_that_is_away_ends_in_one_line(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    with pytest.raises(FactoryError, match="the hub did not take org/sums") as caught:
        publish(release, "org/sums", endpoint="http://127.0.0.1:9", sleep=lambda _: None)
    assert "\n" not in str(caught.value)


def test_a_tag_of_another_release_is_never_moved(
    release: Release, steps: Sequence[FinishedStep], hub: Hub, tmp_path: Path
) -> None:
    send(release, hub)
    other = build(list(steps), tmp_path, tags=["other"])
    assert other.version == release.version
    with pytest.raises(DataError, match="has a tag v0001 of another release"):
        send(other, hub)
    assert len(hub.commits) == 2
    assert send(other, hub, tag="v0001-b").commit == hub.tags["v0001-b"]


def test_files_of_the_version_before_leave_with_the_same_commit(
    steps: Sequence[FinishedStep], hub: Hub, tmp_path: Path
) -> None:
    old = build(list(steps), tmp_path, shard_rows=10)
    new = build(list(steps), tmp_path)
    send(old, hub)
    found = send(new, hub)
    assert len(hub.commits) == 3
    assert set(hub.files) == set(new.paths), "a loader would read rows of both versions"
    assert "data/train-00001-of-00003.parquet" in found.removed


def test_a_dry_run_needs_no_token_and_sends_nothing(
    release: Release, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    found = send(release, hub, dry_run=True)
    assert hub.requests == []
    assert [path for path, _ in found.files] == sorted(release.paths)
    assert found.lines()[0].endswith("(dry run, nothing sent)")
    assert any(line.startswith("  README.md  ") for line in found.lines())


def test_a_damaged_release_or_a_bad_name_is_refused_before_anything_is_sent(
    steps: Sequence[FinishedStep], hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = build(list(steps), tmp_path)
    with pytest.raises(DataError, match="'a/b/c' is no repository name"):
        publish(made, "a/b/c", dry_run=True)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(FactoryError, match="HF_TOKEN is not set"):
        send(made, hub)
    Path(made.url, "lineage.json").write_text("{}")
    with pytest.raises(DataError, match=r"is damaged and was not published: lineage.json"):
        send(made, hub, dry_run=True)
    assert hub.requests == []


def test_a_release_in_a_store_is_published_like_one_on_a_disk(
    steps: Sequence[FinishedStep], hub: Hub
) -> None:
    made = build(list(steps), "memory://factory-publish-test/releases")
    send(made, hub)
    assert set(hub.files) == set(made.paths)


def test_waits_as_long_as_retry_after_says() -> None:
    assert _wait_s("12", 0) == 12.0
    assert [_wait_s(None, attempt) for attempt in range(3)] == [1.0, 2.0, 4.0]
    assert _wait_s("100000", 0) == 300.0, "no wait is longer than five minutes"
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 25 < _wait_s(soon, 0) <= 30
    past = format_datetime(datetime.now(UTC) - timedelta(seconds=30), usegmt=True)
    assert _wait_s(past, 0) == 0.0
