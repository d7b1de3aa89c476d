"""Folders on a local disk or any fsspec store: what is in them, and moving and removing it."""

from __future__ import annotations

import os
import shutil
from pathlib import PurePosixPath

from factory.core import WorkspaceError
from factory.storage.file_system import file_system, local_path, reading, sync_folder, writing
from factory.storage.files import join, open_read

__all__ = ["fetch", "find_files", "list_files", "make_folder", "move", "remove", "rename_folder"]

_BLOCK_BYTES = 1 << 20


def list_files(url: str) -> list[str]:
    """Sorted paths below a folder of every file in it, at any depth."""
    with reading(url):
        fs, path = file_system(url)
        start = len(fs._strip_protocol(path).rstrip("/")) + 1
        return sorted(str(found)[start:] for found in fs.find(path))


def find_files(url: str) -> list[tuple[str, str]]:
    """URL and name of every file that a folder or wildcard names, sorted by URL; a plain path names itself.

    The name is the path below the folder, or below the folder that the wildcard starts in.
    """
    with reading(url):
        fs, path = file_system(url)
        if any(c in path for c in "*?["):
            found = [p for p in fs.glob(path) if not fs.isdir(p)]
            root = path[: min(path.index(c) for c in "*?[" if c in path)].rpartition("/")[0]
        elif fs.isdir(path):
            found, root = fs.find(path), path.rstrip("/")
        else:
            return [(url, PurePosixPath(path).name)]
        return [(fs.unstrip_protocol(p), p.removeprefix(root).lstrip("/")) for p in sorted(found)]


def make_folder(url: str) -> None:
    """Makes a folder and those above it; one that is there is left alone."""
    with writing(url):
        fs, path = file_system(url)
        fs.makedirs(path, exist_ok=True)


def move(source: str, target: str) -> None:
    """Moves a file: a rename on a disk, a copy inside an object store."""
    with writing(target):
        here, there = local_path(source), local_path(target)
        if here is not None and there is not None:
            os.replace(here, there)
            return
        fs, path = file_system(source)
        fs.mv(path, fs._strip_protocol(target))


def remove(url: str) -> None:
    """Removes a file or a whole folder, if it is there."""
    with writing(url):
        fs, path = file_system(url)
        if fs.exists(path):
            fs.rm(path, recursive=True)


def rename_folder(source: str, target: str) -> None:
    """Gives a whole local folder its final path in one rename, after syncing every folder in it.

    Raises:
        WorkspaceError: the target exists and is not empty.
    """
    for folder, _, _ in os.walk(source):
        sync_folder(folder)
    try:
        os.rename(source, target)
    except OSError as error:
        raise WorkspaceError(f"{target}: cannot be made ({error}); is another run writing it?") from error
    sync_folder(os.path.dirname(target) or ".")


def fetch(url: str, target: str) -> None:
    """Copies a whole folder to a local one."""
    for below in list_files(url):
        place = os.path.join(target, below)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open_read(join(url, below)) as stream, open(place, "wb") as out:
            shutil.copyfileobj(stream, out, _BLOCK_BYTES)
