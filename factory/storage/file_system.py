"""Where a path or URL leads: the file system behind it, and its errors as errors of this project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import fsspec

from factory.core import PipelineError, WorkspaceError
from factory.core.paths import is_url

__all__ = ["file_system", "local_path", "reading", "sync_folder", "writing"]


def local_path(url: str) -> str | None:
    """The path on this machine's disk, or null for what lies in a store."""
    if not is_url(url):
        return url
    return url.partition("://")[2] if url.startswith(("file://", "local://")) else None


def file_system(url: str) -> tuple[Any, str]:
    """File system and path; what it listed before is forgotten, so that other writers are seen."""
    try:
        fs, path = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise PipelineError(
            f"'{url}' cannot be opened ({error}); correct it, or install what fsspec needs"
        ) from error
    fs.invalidate_cache()
    return fs, path


@contextmanager
def reading(url: str) -> Iterator[None]:
    """Whatever a store's own library raises is an OSError."""
    try:
        yield
    except (OSError, PipelineError):
        raise
    except Exception as error:
        # The libraries of the stores have errors of their own for a store that is away or refuses.
        raise OSError(f"{url}: {type(error).__name__}: {error}") from error


@contextmanager
def writing(url: str) -> Iterator[None]:
    """What cannot be written is a WorkspaceError."""
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        if local_path(url) is not None and not isinstance(error, OSError):
            raise
        hint = "check the bucket and its credentials" if is_url(url) else "choose a writable --workspace"
        reason = getattr(error, "strerror", None) or error
        raise WorkspaceError(f"{url}: cannot be written ({reason}); {hint}") from error


def sync_folder(path: str) -> None:
    """Hands the names in a local folder to the disk itself."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
