from __future__ import annotations

import hashlib
import threading
import uuid
from pathlib import Path

import pyarrow as pa
import pytest

from factory.core import WorkspaceError
from factory.storage import files, folders
from factory.storage.files import read_json, write_json
from factory.storage.tables import read_table, write_table
from tests.storage.stores import failing


@pytest.fixture(params=["local", "file", "memory", "faulty"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder of each kind of place."""
    name = uuid.uuid4().hex
    return {
        "local": str(tmp_path),
        "file": f"file://{tmp_path}",
        "memory": f"memory://{name}",
        "faulty": f"faulty://{name}",
    }[request.param]


def test_writes_into_the_working_folder_by_a_bare_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = pa.table({"a": [1, 2]})
    assert write_table("bare.parquet", table).rows == 2
    write_json("bare.json", {"a": 1})
    assert read_table("bare.parquet").equals(table)
    assert read_json("bare.json") == {"a": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bare.json", "bare.parquet"]


def test_what_is_written_is_listed_read_moved_and_removed(root: str) -> None:
    url = files.join(root, "a", "b.bin")
    assert files.list_names(files.join(root, "a")) == []
    files.write_bytes(url, b"one")
    files.write_bytes(url, b"two, longer")
    with files.open_write(files.join(root, "a", "c.bin")) as stream:
        stream.write(b"three")
    assert files.read_bytes(url) == b"two, longer"
    assert files.read_bytes(url, start=1, end=3) == b"wo"
    assert files.stat(url).size == 11
    assert files.sha256(url) == hashlib.sha256(b"two, longer").hexdigest()
    assert files.list_names(files.join(root, "a")) == ["b.bin", "c.bin"], "something was left aside"
    assert folders.list_files(root) == ["a/b.bin", "a/c.bin"]
    assert [name for _, name in folders.find_files(root)] == ["a/b.bin", "a/c.bin"]
    assert [name for _, name in folders.find_files(files.join(root, "a", "*.bin"))] == ["b.bin", "c.bin"]
    folders.move(url, files.join(root, "a", "d.bin"))
    assert files.list_names(files.join(root, "a")) == ["c.bin", "d.bin"]
    folders.remove(files.join(root, "a"))
    assert not files.exists(files.join(root, "a"))


def test_a_file_that_fails_on_the_way_is_not_there(root: str) -> None:
    url = files.join(root, "half.bin")

    def fail() -> None:
        with files.open_write(url) as stream:
            stream.write(b"half")
            raise RuntimeError("the writer fails")

    with pytest.raises(RuntimeError, match="the writer fails"):
        fail()
    assert not files.exists(url), "half a file was left under its name"
    assert files.list_names(root, hidden=True) == [], "half a file was left aside"


def test_of_many_that_create_a_file_exactly_one_wins(root: str) -> None:
    url = files.join(root, "mine")
    wins: list[int] = []
    gate = threading.Barrier(8)

    def create(number: int) -> None:
        gate.wait()
        if files.create_bytes(url, b"%d" % number):
            wins.append(number)

    threads = [threading.Thread(target=create, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1, f"{len(wins)} of 8 believe that the file is theirs"
    assert files.read_bytes(url) == b"%d" % wins[0], "the winner's file holds another's words"


def test_any_error_of_a_store_is_said_in_the_projects_own() -> None:
    class BucketGone(Exception):
        pass

    def gone(operation: str, path: str) -> None:
        raise BucketGone("no such bucket")

    url = f"faulty://{uuid.uuid4().hex}/x"
    files.write_bytes(url, b"x")
    with failing(gone):
        with pytest.raises(WorkspaceError, match="no such bucket"):
            files.write_bytes(url, b"y")
        with pytest.raises(OSError, match="no such bucket"):
            files.read_bytes(url)


def test_a_folder_that_cannot_be_written_is_said() -> None:
    # Not even root makes a file there.
    with pytest.raises(WorkspaceError, match="cannot be written"):
        files.write_bytes("/proc/self/x", b"x")


def test_a_file_where_a_folder_is_wanted_is_said(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    for write in (files.write_bytes, files.create_bytes):
        with pytest.raises(WorkspaceError, match="cannot be written"):
            write(str(tmp_path / "f" / "x"), b"x")
