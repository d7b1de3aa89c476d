"""Wrong command lines, and verbs that are pointed at what they cannot read."""

from __future__ import annotations

import json
from pathlib import Path

from tests.wrong_inputs.cases import RUN, Case

__all__ = ["RELEASES", "WORDS"]


def _words(line: str, says: str, code: int = 2, **more: object) -> Case:
    return Case("words " + line, code, says, tuple(line.split()), **more)  # type: ignore[arg-type]


def _set(change: str, says: str) -> Case:
    return Case(f"set {change}", 2, says, (*RUN, "--set", change))


WORDS = [
    _words("rn", "did you mean 'run'"),
    _words("run", "missing argument"),
    _words("run p.yaml more", "more"),
    _words("run p.yaml --workspce w", "no such option"),
    _words("run p.yaml --local --limit 0", "--limit"),
    _words("run p.yaml --local --limit -1", "--limit"),
    _words("run p.yaml --local --limit many", "--limit"),
    _words("run p.yaml --local --limit 1.5", "--limit"),
    _words("run p.yaml --workspace", "requires an argument"),
    _words("plan p.yaml --preview 0", "--preview"),
    _words("inspect p.yaml --rows many", "--rows"),
    _words("inspect p.yaml --rows -3", "--rows"),
    _words("release", "wanted a verb: list"),
    _words("release lst p.yaml", "did you mean 'list'"),
    _words("export folder", "missing option '--to'"),
    _words("schema clena", "did you mean 'clean'"),
    _words("init none.jsonl", "does not exist"),
    _words("stage claen --in problems.jsonl --out o.parquet", "unknown stage 'claen'"),
    _words("stage source --in problems.jsonl --out o.parquet", "source"),
    _words("stage clean --in none.jsonl --out o.parquet", "none.jsonl", 1),
    _words("stage clean --in p.yaml --out o.parquet", "p.yaml", 1),
    _words("stage clean --in problems.jsonl --out o.parquet", "'prompt'", 1),
    _words("stage clean --in problems.jsonl --out o.parquet --set max_chars", "wanted name=value"),
    _words("stage clean --in problems.jsonl --out o.parquet --set max_chars=yes", "max_chars"),
    _words("inspect p.yaml --workspace w", "no step has a finished shard", 1),
    _words("inspect none.yaml", "no such file"),
    _words("inspect none.parquet", "none.parquet", 1),
    _words("inspect none", "none", 1),
    _words("inspect problems.jsonl", "problems.jsonl", 1),
    _words("why abcdef p.yaml --workspace w", "no step has a finished shard", 1),
    _words("why abc p.yaml --workspace w", "no step has a finished shard", 1),
    _words("report none", "no finished release", 1),
    _words("diff none none", "no finished release", 1),
    _words("release verify none", "no finished release", 1),
    _words("release delete none --yes", "no finished release", 1),
    _words("export none --to am --out out", "no finished release", 1),
    _words("publish none --repo org/name --dry-run", "no finished release", 1),
    _set("clean.max_chars", "wanted name=value"),
    _set("=3", "wanted name=value"),
    _set("clean.=3", "wanted name=value"),
    _set(".max_chars=3", "wanted name=value"),
    _set("nobody.n=3", "no step is called 'nobody'"),
    _set("clean.max_char=3", "unknown field, did you mean 'max_chars'"),
    _set("clean.max_chars=yes", "wanted a number, found true"),
    _set("clean.max_chars=", "max_chars"),
    _set("clean.max_chars=[1", "not YAML"),
    _set("clean.max_chars={a: 1}", "max_chars"),
    _set("clean.max_chars=.nan", "max_chars"),
    _set("clean.max_chars=.inf", "max_chars"),
    _set("clean.type=claen", "unknown stage 'claen'"),
    _set("seed=lucky", "seed"),
    _set("stages=3", "stages"),
    _set("pipeline=../up", "pipeline"),
    _set("nothing=3", "unknown field"),
    _set("resources.clean.workers=0", "workers"),
    _set("resources.nobody.workers=2", "no step has this name"),
]


def _manifest(folder: Path) -> Path:
    return folder / "w" / "table" / "releases" / "v0001" / "manifest.json"


def _torn(folder: Path) -> None:
    path = _manifest(folder)
    path.write_bytes(path.read_bytes()[:100])


def _emptied(folder: Path) -> None:
    _manifest(folder).write_bytes(b"")


def _list(folder: Path) -> None:
    _manifest(folder).write_text("[1, 2]\n")


def _foreign(folder: Path) -> None:
    _manifest(folder).write_text(json.dumps({"name": "another tool's", "files": []}))


def _binary(folder: Path) -> None:
    _manifest(folder).write_bytes(bytes(range(256)))


def _without_rows(folder: Path) -> None:
    for path in _manifest(folder).parent.glob("rows/*.parquet"):
        path.unlink()


def _broken_rows(folder: Path) -> None:
    for path in _manifest(folder).parent.glob("*/*.parquet"):
        path.write_bytes(b"PAR1 no rows PAR1")


_AT = "w/table/releases/v0001"
_READERS = (
    ("report", f"report {_AT}"),
    ("verify", f"release verify {_AT}"),
    ("diff", f"diff {_AT} {_AT}"),
    ("export", f"export {_AT} --to trl-sft --out out"),
    ("publish", f"publish {_AT} --repo org/name --dry-run"),
    ("delete", f"release delete {_AT} --yes"),
    ("list", "release list p.yaml --workspace w"),
)


def _release(name: str, line: str, says: str, spoil: object, code: int = 1) -> Case:
    return Case(name, code, says, tuple(line.split()), spoil=spoil, released=True)  # type: ignore[arg-type]


_BROKEN = [
    ("torn", _torn),
    ("emptied", _emptied),
    ("list", _list),
    ("foreign", _foreign),
    ("binary", _binary),
]
RELEASES = [
    *(
        _release(f"manifest {what}: {verb}", line, "manifest.json", spoil)
        for what, spoil in _BROKEN
        for verb, line in _READERS
    ),
    *(
        _release(f"rows {what}: {verb}", line, "rows/", spoil)
        for what, spoil in (("gone", _without_rows), ("broken", _broken_rows))
        for verb, line in _READERS[1:4]
    ),
    _release("export format", f"export {_AT} --to trl-stf --out out", "trl-sft", lambda f: None, 2),
    _release("export to a file", f"export {_AT} --to trl-grpo --out p.yaml", "p.yaml", lambda f: None),
    _release("export pairs", f"export {_AT} --to trl-dpo --out out", "pairs need verdicts", lambda f: None),
    _release("export full", f"export {_AT} --to trl-sft --out w", "is not empty", lambda f: None),
    _release("publish repo", f"publish {_AT} --repo no/good/name --dry-run", "org/name", lambda f: None),
    _release("inspect where", f"inspect {_AT} --where nothing=1", "--where", lambda f: None, 2),
    _release("inspect columns", f"inspect {_AT} --columns nothing", "no column 'nothing'", lambda f: None, 2),
    _release(
        "inspect step", "inspect p.yaml --workspace w --step nothing", "no such step", lambda f: None, 2
    ),
    _release("why nobody", "why ffffffffff p.yaml --workspace w", "no row", lambda f: None),
    _release("why nobody's line", "why problems.jsonl:99 p.yaml --workspace w", "no row", lambda f: None),
]
