"""Bytes that are made once and kept by the digest of what they are made of."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import fsspec

__all__ = ["cached_bytes"]


def cached_bytes(url: str, make: Callable[[], bytes]) -> bytes:
    """Content of `url`, made and stored when it is not there; of two makers at once either result stays.

    The store only saves time, so a folder that cannot be written is no error.
    """
    fs, path = fsspec.core.url_to_fs(url)
    try:
        return bytes(fs.cat_file(path))
    except FileNotFoundError:
        made = make()
    aside = f"{path}.{uuid.uuid4().hex}"
    try:
        fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        fs.pipe_file(aside, made)
        fs.mv(aside, path)
    except OSError:
        pass
    return made
