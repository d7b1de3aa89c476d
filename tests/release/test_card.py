from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from datasets import Features
from huggingface_hub import DatasetCard

from factory.core import DataError
from factory.release.front_matter import features, hub_license
from factory.release.publish import check_card
from factory.release.spec import FinishedStep
from factory.release.versions import Release, verify_release
from tests.release.conftest import build
from tests.release.steps import GRADED, Workspace, completions, marked, problem


def readme(release: Release) -> str:
    return Path(release.url, "README.md").read_text()


def front(release: Release) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(readme(release).split("---\n")[1])
    return found


def test_front_matter_survives_the_hub_library(release: Release) -> None:
    data = DatasetCard(readme(release)).data.to_dict()
    assert data["license"] == ["cc0-1.0", "mit"]
    assert data["size_categories"] == ["n<1K"]
    assert data["annotations_creators"] == ["machine-generated"]
    check_card(readme(release), release)


def test_features_are_what_datasets_makes_of_the_files(release: Release) -> None:
    for part in ("data/", "rows/"):
        schema = pq.read_schema(release.tables(part)[0])
        assert Features._from_yaml_list(features(schema)) == Features.from_arrow_schema(schema), part


def test_configs_point_at_the_files(release: Release) -> None:
    names = {config["config_name"]: config["data_files"][0]["path"] for config in front(release)["configs"]}
    assert names["default"] == "data/*.parquet"
    assert names["rows"] == "rows/*.parquet"
    assert names["rejected-select"] == "rejected/select/*.parquet"
    assert "rejected-verify" not in names, "a step without rejected rows has no files"


def test_body_tells_what_a_reader_must_know(release: Release) -> None:
    text = readme(release)
    for wanted in (
        "27 rows over 9 distinct prompts",
        "| pass-rate | 48 | 0 | 12 | 36 | too_hard 12 |",
        "15 source rows + 36 fanned out = 27 released + 24 rejected.",
        '"temperature": 0.7',
        "| uncheckable_rows | 1 |",
        "| bench | 5 | 2 |",
        "| `stages.pass-rate.min` | 0.25 | assumed |",
        "| more-sums | MIT | math | 9 | 3 |",
        "datasets.load_dataset(",
        "polars.scan_parquet(",
    ):
        assert wanted in text, f"the card does not say: {wanted}"


def test_a_release_that_was_not_decontaminated_says_so(steps: Sequence[FinishedStep], tmp_path: Path) -> None:
    made = build(list(steps)[:3], tmp_path, layout="rows")
    assert "**This release was not decontaminated.**" in readme(made)
    assert "No verdicts are recorded" in readme(made)


@pytest.mark.parametrize(
    ("spdx", "known"),
    [
        ("CC0-1.0", "cc0-1.0"),
        ("Apache-2.0", "apache-2.0"),
        ("GPL-3.0-only", "gpl-3.0"),
        ("Home-Made-1", None),
    ],
)
def test_licenses_are_named_as_the_hub_names_them(spdx: str, known: str | None) -> None:
    assert hub_license(spdx) == known


def test_a_license_the_hub_does_not_know_is_other_with_its_name(
    steps: Sequence[FinishedStep], tmp_path: Path
) -> None:
    made = build(list(steps), tmp_path, license="Home-Made-1")
    assert front(made)["license"] == "other"
    assert front(made)["license_name"] == "home-made-1"
    check_card(readme(made), made)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("- cc0-1.0", "- no-such-license", "the hub knows no license 'no-such-license'"),
        ("path: data/*.parquet", "path: date/*.parquet", "no file matches date"),
        ("num_examples: 27", "num_examples: 26", "26 rows, the manifest says 27"),
        ("language:\n- en\n", "", "the card has no 'language'"),
        ("tags:\n", "tags: [\n", "the card is not valid"),
    ],
)
def test_a_wrong_card_is_refused_with_what_is_wrong(
    release: Release, old: str, new: str, message: str
) -> None:
    assert old in readme(release)
    with pytest.raises(DataError, match=message.replace("*", r"\*")):
        check_card(readme(release).replace(old, new), release)


def test_report_stands_alone_and_shows_text_as_text(release: Release) -> None:
    page = Path(release.url, "report.html").read_text()
    assert "&lt;b&gt;carefully&lt;/b&gt;" in page, "text of a model got into the page as markup"
    for forbidden in ("<script", "http://", "https://", "src="):
        assert forbidden not in page, f"the report needs something else: {forbidden}"
    for wanted in (
        "Funnel",
        "Pass rate of released problems",
        "Completion length",
        "Sample rows",
        "too_hard",
    ):
        assert wanted in page


HOSTILE = "x</td><script>alert(1)</script> | [y](javascript:z) ![p](https://t.example/p.png)\n## `Z`"


def test_a_source_that_is_markup_is_shown_as_text(tmp_path: Path) -> None:
    rows = [{**row, "source": HOSTILE, "license": HOSTILE} for row in completions(problem(1), passes=4)]
    work = Workspace(tmp_path / "steps")
    work.add("source", rows, [], schema=GRADED, fields={"system": HOSTILE})
    made = build(work.steps, tmp_path / "r", description=HOSTILE, license="mit")
    body = readme(made).split("---\n", 2)[2]
    assert "<script" not in body, "HTML of a source is HTML of the card"
    sources = body.split("## Sources and licenses")[1].split("\n\n")[1].splitlines()
    assert len(sources) == 3, "a source breaks out of its row"
    cells = re.findall(r"(?<!\\)\|", sources[2])
    assert len(cells) == 6, "a source breaks out of its cell"
    assert not re.search(r"(?<!\\)[\[`]", sources[2]), "a source makes a link, a picture or code"
    page = Path(made.url, "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_prompt_cannot_end_the_block_it_is_shown_in(tmp_path: Path) -> None:
    work = Workspace(tmp_path / "steps")
    rows = completions(problem(1), passes=4)
    fence = "```\n<b>out</b>\n````"
    work.add("sample", rows, [], schema=GRADED, fields={"system": fence})
    body = readme(build(work.steps, tmp_path / "r"))
    block = body.split("Step `sample`:\n\n")[1]
    opening = block.split("json\n")[0]
    assert json.loads(block.split("json\n", 1)[1].split(f"\n{opening}\n")[0])["system"] == fence


def test_a_note_below_the_card_is_no_damage_and_a_change_in_it_is(
    steps: Sequence[FinishedStep], tmp_path: Path
) -> None:
    made = build(list(steps), tmp_path)
    page = Path(made.url, "README.md")
    generated = page.read_text()
    page.write_text(f"{generated}\n## Citation\n\n@misc{{sums}}\n")
    assert verify_release(made) == []
    for damaged in (generated.replace("27 rows", "28 rows"), generated[:-1], f"note\n{generated}"):
        page.write_text(damaged)
        assert verify_release(made) == ["README.md: its bytes are not the ones that were released"]


def test_replayed_completions_are_called_so(tmp_path: Path) -> None:
    for kind, said in (("replay", True), ("http", False)):
        work = Workspace(tmp_path / kind)
        fields = {"teacher": {"type": kind, "label": "old"}}
        rows = completions(problem(1), passes=4)
        work.add("sample", rows, [], schema=GRADED, fields=fields, spent={"completions_reused": 4})
        made = build(work.steps, tmp_path / f"r-{kind}")
        page = Path(made.url, "report.html").read_text()
        assert ("**Replayed**" in readme(made)) == said
        assert ("| completions replayed from files | 4 |" in readme(made)) == said
        assert ("completions replayed from files" in page) == said


def test_report_shows_charts_and_rejected_rows_of_every_reason(release: Release) -> None:
    page = Path(release.url, "report.html").read_text()
    rejected = page.split("Rejected rows")[1]
    for entry in release.manifest["funnel"]:
        for reason in entry["reasons"]:
            assert f"<summary>{entry['step']}: {reason}</summary>" in rejected, reason
    assert "what is 901 + 1" in rejected, "the evidence is not shown"
    for title in ("Teachers of released rows", "Sources of released rows", "Verdicts of completions"):
        assert f'aria-label="{title}"' in page, f"no chart of {title}"
    assert page.rindex("Settings and where") > page.index("Rejected rows"), "settings stand before the rows"


def test_a_report_of_huge_rows_and_many_reasons_stays_small(tmp_path: Path) -> None:
    huge = [{**row, "content": "é" * 200_000} for row in completions(problem(1), passes=40, n=40)]
    cut = [
        row for i in range(150) for row in marked(completions(problem(i + 2), passes=0, n=4), f"reason_{i}")
    ]
    work = Workspace(tmp_path / "steps")
    work.add("source", huge, [{**row, "content": "é" * 20_000} for row in cut], schema=GRADED)
    made = build(work.steps, tmp_path / "r")
    assert Path(made.url, "report.html").stat().st_size < 10_000_000
