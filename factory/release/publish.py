"""Puts a release on the hub: one commit with every file, and a tag with the version's name."""

from __future__ import annotations

import fnmatch
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import yaml

from factory.core import DataError, FactoryError
from factory.core.extras import install_line
from factory.release.front_matter import HUB_LICENSES
from factory.release.store import Folder
from factory.release.versions import MANIFEST, Release, verify_release
from factory.storage.file_system import local_path
from factory.storage.files import stat
from factory.storage.folders import fetch

__all__ = ["Publication", "check_card", "publish"]

_OURS = ("data/", "rows/", "rejected/")
_ATTEMPTS = 6
_LONGEST_WAIT_S = 300.0
_TRANSIENT = {429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class Publication:
    """What went up, or would go up."""

    repo: str
    tag: str
    files: tuple[tuple[str, int], ...]
    """Path in the repository and bytes of each file."""
    removed: tuple[str, ...]
    """Files of an earlier version that the same commit takes away; empty in a dry run."""
    commit: str | None
    """Id of the tagged commit; null in a dry run."""
    was_there: bool
    """Whether the tag held this very release already, so that nothing was sent."""

    def lines(self) -> list[str]:
        """The publication in words, one line per file."""
        state = "already there" if self.was_there else "published" if self.commit else "dry run, nothing sent"
        total = sum(size for _, size in self.files)
        head = f"{self.repo} {self.tag}: {len(self.files)} files, {total:,} bytes ({state})"
        return [head, *(f"  {path}  {size:,} bytes" for path, size in self.files)]


def publish(
    release: Release,
    repo: str,
    *,
    dry_run: bool = False,
    token_env: str = "HF_TOKEN",
    private: bool = False,
    tag: str | None = None,
    endpoint: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Publication:
    """Publishes a release as a dataset repository. Doing it again changes nothing.

    Every file is read again and compared with the manifest before anything is sent, and the card passes
    `check_card`; the hub checks the card once more as part of the commit. A request that the hub turns away
    for now (429, 5xx) is repeated after the time in `Retry-After`, at most six times.

    Args:
        release: what to publish.
        repo: `organisation/name`; made when it is not there.
        dry_run: check everything and send nothing; needs no token and no network.
        token_env: name of the environment variable that holds the token.
        private: whether a repository that is made is private.
        tag: name of the tag; null: the version.
        endpoint: base URL of the hub; null: the hub library's own.
        sleep: waits that many seconds.

    Raises:
        DataError: a file or the card is not as it should be, or the tag holds another release.
        FactoryError: the hub library is not installed, the token is missing, or the hub refuses or is away.
    """
    hub = _hub()
    _check_repo(hub, repo)
    if faults := verify_release(release):
        raise DataError(f"{release.url}: is damaged and was not published: {'; '.join(faults)}")
    folder = Folder(release.url)
    check_card(folder.read_text("README.md"), release)
    name = tag or release.version
    sizes = {entry["path"]: int(entry["bytes"]) for entry in release.manifest["files"]}
    sizes[MANIFEST] = stat(folder.path(MANIFEST)).size
    files = tuple(sorted(sizes.items()))
    if dry_run:
        return Publication(repo, name, files, (), None, was_there=False)
    token = os.environ.get(token_env)
    if not token:
        raise FactoryError(f"publish: {token_env} is not set; put a token with write access into it")
    api = _PatientApi(hub, hub.HfApi(endpoint=endpoint, token=token), repo, sleep)
    try:
        return _send(api, release, Publication(repo, name, files, (), None, was_there=False), private=private)
    except FactoryError:
        raise
    except Exception as error:  # what the hub library raises without a connection differs by its version
        reason = " ".join(str(error).split()[:40])
        raise FactoryError(f"publish: the hub did not take {repo} ({reason}); run the same again") from error


def check_card(content: str, release: Release) -> None:
    """Checks a dataset card offline, with the libraries that read it later.

    The hub library parses it; the `datasets` library, where it is installed, reads its configurations and
    features; every data file pattern must match a released file, and the rows must add up.

    Raises:
        DataError: what is wrong, in one line.
    """
    hub = _hub()
    try:
        data = hub.DatasetCard(content).data
        front = data.to_dict()
        _check_with_datasets(data)
    except (ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{release.url}/README.md: the card is not valid ({reason})") from error
    faults = list(_front_faults(front, release))
    if faults:
        raise DataError(f"{release.url}/README.md: {'; '.join(faults)}")


def _front_faults(front: Mapping[str, Any], release: Release) -> Iterator[str]:
    wanted = ("license", "language", "size_categories", "task_categories", "configs", "dataset_info")
    yield from (f"the card has no '{key}'" for key in wanted if not front.get(key))
    named = front.get("license") or []
    for name in [named] if isinstance(named, str) else named:
        if name not in HUB_LICENSES:
            yield f"the hub knows no license '{name}'"
    for config in front.get("configs") or ():
        for entry in config["data_files"]:
            if not fnmatch.filter(release.paths, entry["path"]):
                yield f"config '{config['config_name']}': no file matches {entry['path']}"
    for info in front.get("dataset_info") or ():
        rows = sum(split["num_examples"] for split in info["splits"])
        if rows != release.rows:
            yield f"config '{info['config_name']}': {rows} rows, the manifest says {release.rows}"


def _check_with_datasets(data: Any) -> None:
    try:
        from datasets.info import DatasetInfosDict
        from datasets.utils.metadata import MetadataConfigs
    except ImportError:
        return
    MetadataConfigs.from_dataset_card_data(data)
    DatasetInfosDict.from_dataset_card_data(data)


def _hub() -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.errors
        import huggingface_hub.utils
    except ImportError as error:
        raise FactoryError(
            f"publish: needs huggingface_hub, which is not installed; run `{install_line('hub')}`"
        ) from error
    return huggingface_hub


def _check_repo(hub: Any, repo: str) -> None:
    try:
        hub.utils.validate_repo_id(repo)
    except hub.errors.HFValidationError as error:
        raise DataError(f"publish: '{repo}' is no repository name ({error}); write ORG/NAME") from error


@dataclass(frozen=True, slots=True)
class _PatientApi:
    """The hub's API for one dataset repository; a call that it turns away for now is repeated."""

    hub: Any
    api: Any
    repo: str
    sleep: Callable[[float], None]

    def call(self, method: str, **arguments: Any) -> Any:
        for attempt in range(_ATTEMPTS):
            try:
                return getattr(self.api, method)(self.repo, repo_type="dataset", **arguments)
            except self.hub.errors.HfHubHTTPError as error:
                answer = error.response
                last = attempt == _ATTEMPTS - 1
                if last or answer is None or answer.status_code not in _TRANSIENT:
                    raise
                self.sleep(_wait_s(answer.headers.get("Retry-After"), attempt))
        raise AssertionError("the last attempt returns or raises")


def _send(api: _PatientApi, release: Release, planned: Publication, *, private: bool) -> Publication:
    api.call("create_repo", private=private, exist_ok=True)
    tags = {ref.name: ref.target_commit for ref in api.call("list_repo_refs").tags}
    if planned.tag in tags:
        if _published_fingerprint(api, planned.tag) != release.fingerprint:
            raise DataError(
                f"publish: {planned.repo} has a tag {planned.tag} of another release; "
                "name another repo or another tag"
            )
        return replace(planned, commit=tags[planned.tag], was_there=True)
    new = [path for path, _ in planned.files]
    there = api.call("list_repo_files")
    stale = tuple(sorted(path for path in there if path.startswith(_OURS) and path not in new))
    with _local_copy(release) as folder:
        adds = [api.hub.CommitOperationAdd(path, f"{folder}/{path}") for path in new]
        drops = [api.hub.CommitOperationDelete(path) for path in stale]
        message = f"Release {planned.tag}: {release.rows} rows"
        commit = api.call("create_commit", operations=[*adds, *drops], commit_message=message)
    api.call("create_tag", tag=planned.tag, revision=commit.oid, exist_ok=True)
    return replace(planned, removed=stale, commit=str(commit.oid))


def _published_fingerprint(api: _PatientApi, tag: str) -> str | None:
    with tempfile.TemporaryDirectory(prefix="published-") as aside:
        path = api.call("hf_hub_download", filename=MANIFEST, revision=tag, local_dir=aside)
        with open(path, encoding="utf-8") as raw:
            found = json.load(raw).get("fingerprint")
    return None if found is None else str(found)


@contextmanager
def _local_copy(release: Release) -> Iterator[str]:
    folder = Folder(release.url)
    if folder.is_local:
        yield str(local_path(folder.url))
        return
    with tempfile.TemporaryDirectory(prefix="release-") as aside:
        fetch(folder.url, aside)
        yield aside


def _wait_s(retry_after: str | None, attempt: int) -> float:
    """Seconds to wait: by `Retry-After` (seconds or a date), else 1, 2, 4, ...; at most five minutes."""
    wait = float(2**attempt)
    if retry_after is not None:
        try:
            wait = float(retry_after)
        except ValueError:
            wait = (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
    return min(max(wait, 0.0), _LONGEST_WAIT_S)
