"""An object store in memory whose failures a test chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import fsspec
from fsspec.implementations.memory import MemoryFileSystem


class FaultyStore(MemoryFileSystem):
    """`faulty://`: calls the fault before each operation; what it raises is what the store answers."""

    protocol = "faulty"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    fault: ClassVar[Callable[[str, str], None] | None] = None

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace("faulty://", "memory://", 1)))

    def _maybe(self, operation: str, path: str) -> None:
        fault = type(self).fault
        if fault is not None:
            fault(operation, path)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        self._maybe("put", path)
        super().pipe_file(path, value, mode=mode, **kwargs)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> Any:
        self._maybe("get", path)
        return super().cat_file(path, start=start, end=end, **kwargs)


fsspec.register_implementation("faulty", FaultyStore, clobber=True)


@contextmanager
def failing(fault: Callable[[str, str], None]) -> Iterator[None]:
    """While it lasts, every operation on the store asks `fault` first."""
    FaultyStore.fault = staticmethod(fault)  # type: ignore[assignment]
    try:
        yield
    finally:
        FaultyStore.fault = None
