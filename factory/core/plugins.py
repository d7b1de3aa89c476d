"""What a pipeline may name: what the factory has, and what other installed packages add by entry points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from pydantic import BaseModel

__all__ = ["Catalogue", "models"]

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class Catalogue(Mapping[str, T]):
    """Things of one kind by name: ours first, then those of other packages, loaded when first looked for.

    Loading waits, since a package that adds something imports the very modules that hold the catalogues.
    """

    def __init__(
        self, group: str, ours: Mapping[str, T], *, wanted: str, fault: Callable[[str, Any], str | None]
    ) -> None:
        """Names what may be added.

        Args:
            group: name of the entry points, `factory.stages` and so on.
            ours: what the factory has; no package may take one of these names.
            wanted: what an entry point must name, in words.
            fault: what is wrong with a loaded object under a name; null where nothing is.
        """
        self._group, self._ours, self._wanted, self._fault = group, ours, wanted, fault

    @cached_property
    def _added(self) -> tuple[dict[str, T], dict[str, str]]:
        found: dict[str, T] = {}
        broken: dict[str, str] = {}
        for point in sorted(entry_points(group=self._group), key=lambda p: p.name):
            said, thing = _loaded(point)
            if said is None and (point.name in self._ours or point.name in found):
                said = f"the name '{point.name}' is taken"
            said = said or self._fault(point.name, thing)
            if said is None:
                found[point.name] = thing
            else:
                package = point.dist.name if point.dist else point.value
                broken[point.name] = (
                    f"package '{package}', entry point {self._group}: {said}; wanted {self._wanted}"
                )
        return found, broken

    @property
    def broken(self) -> Mapping[str, str]:
        """What cannot be used, by name: one line that says of which package, why, and what is wanted."""
        return self._added[1]

    def __getitem__(self, name: str) -> T:
        return self._ours[name] if name in self._ours else self._added[0][name]

    def __iter__(self) -> Iterator[str]:
        return iter((*self._ours, *self._added[0]))

    def __len__(self) -> int:
        return len(self._ours) + len(self._added[0])


def _loaded(point: EntryPoint) -> tuple[str | None, Any]:
    try:
        return None, point.load()
    except Exception as error:
        return f"{point.value} cannot be imported ({type(error).__name__}: {error})", None


def models(group: str, ours: Iterable[type[M]], *, base: type[M], wanted: str) -> Catalogue[type[M]]:
    """Classes that a pipeline file names by their `type`: ours, and those of other packages under `group`."""
    return Catalogue(
        group,
        {str(cls.model_fields["type"].default): cls for cls in ours},
        wanted=wanted,
        fault=lambda name, thing: _model_fault(name, thing, base=base),
    )


def _model_fault(name: str, cls: Any, *, base: type[BaseModel]) -> str | None:
    """What is wrong with a class that a pipeline file is to name by its `type`; null where nothing is."""
    if not (isinstance(cls, type) and issubclass(cls, base)):
        return f"{cls!r} is no subclass of {base.__module__}.{base.__name__}"
    if cls.model_fields["type"].default != name:
        return (
            f"{cls.__name__}.type is {cls.model_fields['type'].default!r}, the entry point's name is '{name}'"
        )
    if not cls.__doc__ or cls.__doc__ == base.__doc__:
        return f"{cls.__name__} has no docstring"
    unsaid = [n for n, f in cls.model_fields.items() if n != "type" and not f.description]
    if unsaid:
        return f"the field {cls.__name__}.{unsaid[0]} has no docstring"
    return None
