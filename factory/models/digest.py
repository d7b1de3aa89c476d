"""The identity of a model folder: a digest of its content, the same on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from factory.core import PipelineError, digest
from factory.storage.content_cache import cache_home, cached
from factory.storage.files import join

__all__ = ["file_sha256", "folder_digest"]

_CONTENT = {".bin", ".jinja", ".json", ".model", ".py", ".safetensors", ".tiktoken", ".txt"}
# Written by the library that saved a folder, without effect on what the model says.
_VOLATILE_KEYS = {"_model_name_or_path", "_name_or_path", "name_or_path", "transformers_version"}
_DIGEST_FORMAT = 1


def folder_digest(folder: Path) -> str:
    """SHA-256 over the configuration, tokenizer and weights in `folder`, 64 hex digits.

    Paths, times, readmes and the version of the library that saved the folder do not count. The digest is
    kept under `cache_home()` with the size and time of every file, so a second call reads no weights.
    Raises PipelineError when the folder holds no model configuration.
    """
    if not (folder / "config.json").is_file():
        raise PipelineError(
            f"model folder '{folder}' has no config.json; wanted a folder in Hugging Face form"
        )
    files = _content_files(folder)
    stamps = {str(f.relative_to(folder)): [f.stat().st_size, f.stat().st_mtime_ns] for f in files}
    key = digest([_DIGEST_FORMAT, str(folder.resolve()), stamps])
    note = join(str(cache_home()), "digests", key)
    return cached(note, lambda: _digest(folder, files), dump=str.encode, load=_read_digest)


def _digest(folder: Path, files: Sequence[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.relative_to(folder).as_posix()}\0{_content_sha256(file)}\n".encode())
    return total.hexdigest()


def _read_digest(content: bytes) -> str:
    return bytes.fromhex(content.decode()).hex()


def _content_files(folder: Path) -> list[Path]:
    files = [f for f in _visible_files(folder) if f.suffix in _CONTENT]
    if any(f.suffix == ".safetensors" for f in files):
        files = [f for f in files if f.suffix != ".bin"]
    return sorted(files, key=lambda f: f.relative_to(folder).as_posix())


def _visible_files(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.is_file() and not hidden and not file.name.lower().startswith(("readme", "license")):
            yield file


def file_sha256(file: Path) -> str:
    """SHA-256 of one file's bytes, 64 hex digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _content_sha256(file: Path) -> str:
    if file.suffix == ".json" and file.name.endswith("config.json"):
        settings = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(settings, dict):
            settings = {k: v for k, v in settings.items() if k not in _VOLATILE_KEYS}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    return file_sha256(file)
