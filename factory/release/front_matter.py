"""The YAML block of a dataset card, in the words that the hub and the `datasets` library know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from factory.release.store import File

__all__ = ["HUB_LICENSES", "features", "front_matter", "hub_license"]

_LICENSES = """
apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bsd bsd-2-clause bsd-3-clause
bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0
cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0
epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0
isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl ofl-1.1 osl-3.0 postgresql ncsa unlicense zlib pddl unknown
other llama2 llama3 llama3.1 llama3.2 llama3.3 gemma
"""
HUB_LICENSES = frozenset(_LICENSES.split())
"""License ids that the hub takes in a card; any other is written as `other` with its name beside it."""

_SIZES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"),
    (10**9, "100M<n<1B"),
)


def hub_license(spdx: str) -> str | None:
    """The hub's id of a license (`CC0-1.0` -> `cc0-1.0`), null when the hub has none."""
    name = spdx.lower().removesuffix("-only").removesuffix("-or-later")
    name = {"odc-by-1.0": "odc-by", "odbl-1.0": "odbl", "pddl-1.0": "pddl"}.get(name, name)
    return name if name in HUB_LICENSES else None


def features(schema: pa.Schema) -> list[dict[str, Any]]:
    """An Arrow schema as the `features` of a card's `dataset_info`."""
    return [{"name": field.name, **_feature(field.type)} for field in schema]


def _feature(kind: pa.DataType) -> dict[str, Any]:
    if pa.types.is_struct(kind):
        return {"struct": [{"name": field.name, **_feature(field.type)} for field in kind]}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = _feature(kind.value_type)
        return {"list": inner.get("struct", inner.get("dtype", inner))}
    names = {"double": "float64", "float": "float32", "halffloat": "float16"}
    return {"dtype": names.get(str(kind), str(kind))}


def _size_category(rows: int) -> str:
    return next((name for limit, name in _SIZES if rows < limit), "n>1T")


def front_matter(
    manifest: Mapping[str, Any], *, files: Sequence[File], schemas: Mapping[str, pa.Schema]
) -> dict[str, Any]:
    """The YAML block of the card as a dict; `schemas` maps each part with files to its Arrow schema."""
    spec = manifest["release"]
    configs, infos = [], []
    for part, schema in schemas.items():
        name = "default" if part == "data" else part.replace("/", "-")
        split = "rejected" if part.startswith("rejected") else "train"
        found = {"config_name": name, "data_files": [{"split": split, "path": f"{part}/*.parquet"}]}
        configs.append(found | {"default": True} if part == "data" else found)
        if split == "train":
            infos.append(_dataset_info(name, [f for f in files if f.path.startswith(f"{part}/")], schema))
    return {
        **_license_entries(manifest),
        "language": list(spec["language"]),
        "pretty_name": manifest["name"],
        "size_categories": [_size_category(manifest["counts"]["rows"])],
        "task_categories": ["text-generation"],
        "annotations_creators": ["machine-generated"],
        "language_creators": ["machine-generated"],
        "source_datasets": ["original"],
        "tags": ["synthetic", "distillation", "reasoning", "distillation-factory", *spec["tags"]],
        "configs": configs,
        "dataset_info": infos,
    }


def _dataset_info(name: str, files: Sequence[File], schema: pa.Schema) -> dict[str, Any]:
    size = sum(file.memory_bytes for file in files)
    rows = sum(file.rows or 0 for file in files)
    return {
        "config_name": name,
        "features": features(schema),
        "splits": [{"name": "train", "num_bytes": size, "num_examples": rows}],
        "download_size": sum(file.bytes for file in files),
        "dataset_size": size,
    }


def _license_entries(manifest: Mapping[str, Any]) -> dict[str, Any]:
    stated = manifest["release"]["license"]
    names = [stated] if stated else sorted({row["license"] for row in manifest["sources"] if row["license"]})
    if not names:
        return {"license": "unknown"}
    known = [hub_license(name) for name in names]
    if None not in known:
        return {"license": known[0] if len(known) == 1 else known}
    return {"license": "other", "license_name": "-and-".join(names).lower().replace(" ", "-")}
