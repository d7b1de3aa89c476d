"""What a workspace holds and nothing needs any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from factory.engine.steps import Step
from factory.storage.files import join, list_names, stat
from factory.storage.folders import list_files, remove
from factory.storage.lease import lease

__all__ = ["Unneeded", "clean", "unneeded"]


@dataclass(frozen=True, slots=True)
class Unneeded:
    """A folder that the pipeline as it stands does not use."""

    url: str
    bytes: int


def unneeded(root: str, steps: Sequence[Step]) -> list[Unneeded]:
    """Folders of steps under other settings, and of previews; never the journal, a release or a cache."""
    used = {step.folder.rsplit("/", 1)[-1] for step in steps}
    folders = [join(root, "steps", name) for name in list_names(join(root, "steps")) if name not in used]
    folders += [join(root, "preview")] if list_names(join(root, "preview")) else []
    return [Unneeded(url, sum(stat(join(url, name)).size for name in list_files(url))) for url in folders]


def clean(root: str, steps: Sequence[Step]) -> list[Unneeded]:
    """Removes what is unneeded; refused while a run holds the folder."""
    with lease(root):
        found = unneeded(root, steps)
        for folder in found:
            remove(folder.url)
    return found
