from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any, get_args

import pyarrow as pa
import pytest
from pydantic import ValidationError

from factory.core import MESSAGE, DataError, Flow, PipelineError
from factory.stages.decontamination.answer_leak import answer_span
from factory.stages.decontamination.decontaminate import Decontaminate
from factory.stages.decontamination.disguises import PLACES
from factory.stages.decontamination.planted_copies import Disguise, plant
from tests.stages.tables import completions, problems, site

ITEM = (
    "A ferry carries 24 cars on every crossing and makes 7 crossings a day. "
    "How many cars does it carry from Monday through Friday?"
)
SHORT = "What is 17 times 23?"


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    path = tmp_path / "bench.jsonl"
    rows = [
        {"question": ITEM, "key": "ferry"},
        {"question": SHORT, "key": "times"},
        {"question": "?", "key": "none"},
    ]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


def stage(bench: Path, **fields: Any) -> Decontaminate:
    one = {"name": "bench", "files": str(bench), "columns": {"text": "question", "id": "key"}}
    return Decontaminate.model_validate({"benchmarks": [one], **fields})


def flow(of: Decontaminate, texts: list[str], tmp_path: Path, **columns: Any) -> Flow:
    table = problems(texts, **columns)
    with of.open(site(tmp_path)) as apply:
        done = apply(table)
    assert done.kept.num_rows + done.rejected.num_rows == table.num_rows
    assert done.kept.schema == of.schema_out(table.schema)
    return done


def test_copies_are_found_with_item_and_span_and_clean_prompts_stay(bench: Path, tmp_path: Path) -> None:
    wrapped = f"Solve the following. Explain every step.\n\n{ITEM.upper()} Thanks!"
    edited = ITEM.replace("Monday through Friday", "Tuesday to Saturday, both days included")
    clean = ["A ferry carries 30 cars.", "What is 17 times 24?", "How many cars does it carry?"]
    done = flow(stage(bench), [ITEM, wrapped, edited, "so, what is 17 times 23", *clean], tmp_path)
    assert [p[0]["content"] for p in done.kept["prompt"].to_pylist()] == clean
    assert set(done.rejected["reason"].to_pylist()) == {"contaminated"}
    proofs = [json.loads(e) for e in done.rejected["evidence"].to_pylist()]
    assert [(p["benchmark"], p["item"]) for p in proofs] == [("bench", "ferry")] * 3 + [("bench", "times")]
    assert proofs[0]["coverage"] == proofs[1]["coverage"] == 1 > proofs[2]["coverage"] >= 0.3
    start, end = proofs[1]["span"]
    assert wrapped[start:end] == proofs[1]["text"] == ITEM.upper().rstrip("?")
    assert [p["kind"] for p in proofs] == ["copied", "copied", "near_copy", "copied"]
    assert done.spent == {
        "contaminated_bench": 4,
        "kind_copied": 3,
        "kind_near_copy": 1,
        "review_rows": 0,
        "uncheckable_rows": 0,
    }


def test_coverage_of_one_phrase_is_no_contamination_but_any_8_gram_is(bench: Path, tmp_path: Path) -> None:
    phrase = "The boat is small. Say how it carries 24 cars on every crossing and makes 7 of them."
    assert flow(stage(bench), [phrase], tmp_path).kept.num_rows == 1
    rules = [{"n": 8, "rule": "any"}]
    assert flow(stage(bench, rules=rules), [phrase], tmp_path).rejected.num_rows == 1


def test_digits_stripped_finds_a_problem_with_other_numbers(bench: Path, tmp_path: Path) -> None:
    changed = ITEM.replace("24", "1,350").replace("7", "99")
    rules = [{"n": 32, "rule": "any", "digits_stripped": True}]
    assert flow(stage(bench, rules=[{"n": 32, "rule": "any"}]), [changed], tmp_path).kept.num_rows == 1
    done = flow(stage(bench, rules=rules), [changed], tmp_path)
    assert json.loads(done.rejected["evidence"].to_pylist()[0])["rule"] == "digit_stripped"


def test_what_no_rule_can_see_is_counted(bench: Path, tmp_path: Path) -> None:
    of = stage(bench, rules=[{"n": 32, "short_items": "unseen"}])
    done = flow(of, ["short", ITEM * 3], tmp_path)
    assert done.spent is not None
    assert done.spent["uncheckable_rows"] == 1
    assert of.report(site(tmp_path)) == {"bench": {"items": 3, "uncheckable": 3, "common_phrases": 1}}
    assert stage(bench).report(site(tmp_path)) == {
        "bench": {"items": 3, "uncheckable": 1, "common_phrases": 1}
    }


def test_every_shard_finds_the_same(bench: Path, tmp_path: Path) -> None:
    texts = [ITEM, "clean one", f"x {ITEM}", SHORT, "clean two"]
    whole = flow(stage(bench), texts, tmp_path)
    parts = [flow(stage(bench), [t], tmp_path) for t in texts]
    evidence = [e for p in parts for e in p.rejected["evidence"].to_pylist()]
    assert evidence == whole.rejected["evidence"].to_pylist()
    again = flow(stage(bench), [p[0]["content"] for p in whole.kept["prompt"].to_pylist()], tmp_path)
    assert again.rejected.num_rows == 0


def test_the_index_is_cached_by_content(bench: Path, tmp_path: Path) -> None:
    flow(stage(bench), [ITEM], tmp_path)
    kept = list((tmp_path / "cache" / "ngrams").iterdir())
    assert len(kept) == 1
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    bench.rename(moved / "bench.jsonl")
    assert flow(stage(moved / "bench.jsonl"), [ITEM], tmp_path).rejected.num_rows == 1
    assert list((tmp_path / "cache" / "ngrams").iterdir()) == kept
    (moved / "bench.jsonl").write_text(
        json.dumps({"question": "Another item of the set entirely", "key": "k"})
    )
    assert flow(stage(moved / "bench.jsonl"), [ITEM], tmp_path).kept.num_rows == 1


def test_a_benchmarks_file_names_paths_from_its_own_folder(bench: Path, tmp_path: Path) -> None:
    listed = tmp_path / "benchmarks.yaml"
    listed.write_text(
        "benchmarks:\n- {name: bench, files: bench.jsonl, columns: {text: question, id: key}}\n"
    )
    by_file = Decontaminate.model_validate({"benchmarks": str(listed)})
    assert by_file.identity() == stage(bench).identity()
    assert flow(by_file, [ITEM], tmp_path).rejected.num_rows == 1


def test_benchmarks_that_cannot_be_read_are_clear_errors(bench: Path, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="does not exist"):
        stage(tmp_path / "none.jsonl").identity()
    unnamed = Decontaminate.model_validate(
        {"benchmarks": [{"name": "bench", "files": str(bench), "columns": {"text": "t"}}]}
    )
    with pytest.raises(PipelineError, match=r"no column 't'; its columns are: question, key"):
        flow(unnamed, [ITEM], tmp_path)
    (tmp_path / "broken.jsonl").write_text('{"question": "fine", "key": 1}\n{"question":\n')
    with pytest.raises(DataError, match=r"broken.jsonl:2: broken JSON"):
        flow(stage(tmp_path / "broken.jsonl"), [ITEM], tmp_path)
    (tmp_path / "b.yaml").write_text("sets: []")
    with pytest.raises(PipelineError, match="no list `benchmarks`"):
        Decontaminate.model_validate({"benchmarks": str(tmp_path / "b.yaml")}).identity()
    with pytest.raises(ValidationError, match="either `files` or `dataset`"):
        Decontaminate.model_validate({"benchmarks": [{"name": "x"}]})


@pytest.mark.parametrize(
    ("prompt", "reference"),
    [
        ("What is 6 times 7? (answer: 42)", "42"),
        ("What is 6 times 7? The answer is 42.", "42"),
        ("The correct answer is $42$", "42"),
        ("How long is it? The final answer is 42 meters.", "42"),
        ("6*7\n#### 42", "42"),
        (r"6*7=\boxed{42}", "42"),
        ("6*7等于多少？答案：42", "42"),
        ("Pick one.\nAnswer: B", "B"),
        (
            "Why? It fell because the rope was cut by the old sailor.",
            "because the rope was cut by the old sailor",
        ),
    ],
)
def test_a_prompt_that_gives_its_answer_away_is_found(prompt: str, reference: str) -> None:
    span = answer_span(prompt, reference)
    assert span is not None
    assert reference in prompt[slice(*span)]


@pytest.mark.parametrize(
    ("prompt", "reference"),
    [
        ("A box holds 42 pens. How many pens do 1 boxes hold?", "42"),
        ("The answer is 421. Is that so?", "42"),
        ("The answer is 42.5 or so", "42"),
        ("If the answer is 42 or more, say so.", "42"),
        ("Is the answer yes or no?", "yes"),
        ("Write the answer as 5/6.", "5"),
        ("(A) it fell as the rope was cut then (B) wind grew. Which?", "it fell as the rope was cut then"),
        ("Show that the sum of the angles of every triangle equals two right angles.",
         "the sum of the angles of every triangle equals two right angles"),
        (r"Find BA if AB = \begin{pmatrix} 20/3 & 4/3 \\ -8/3 & 8/3 \end{pmatrix}",
         r"\begin{pmatrix} 20/3 & 4/3 \\ -8/3 & 8/3 \end{pmatrix}"),
        ("anything", ""),
    ],
)  # fmt: skip
def test_an_answer_that_a_problem_holds_by_nature_is_no_leak(prompt: str, reference: str) -> None:
    assert answer_span(prompt, reference) is None


def test_a_leak_is_rejected_with_its_place_and_can_be_kept(bench: Path, tmp_path: Path) -> None:
    text = "What is 6 times 7? (answer: 42)"
    done = flow(stage(bench), [text, "fine"], tmp_path, reference=["42", None])
    assert done.rejected["reason"].to_pylist() == ["answer_in_prompt"]
    proof = json.loads(done.rejected["evidence"].to_pylist()[0])
    assert text[slice(*proof["span"])] == proof["text"] == "answer: 42"
    assert stage(bench, answer_in_prompt=False).needs() == {"prompt"}
    assert stage(bench, of=["content"]).needs() == {"content"}


@pytest.mark.realdata
def test_math_500_copies_in_math_train_are_found_and_answers_do_not_leak_by_chance(
    test_data: Path, tmp_path: Path
) -> None:
    folder = test_data / "data" / "math"
    train = json.loads((folder / "deepscaler_math_train.json").read_text())
    bench = {
        "name": "math-500",
        "files": str(folder / "deepscaler_math500.json"),
        "columns": {"text": "problem"},
    }
    of = Decontaminate.model_validate({"benchmarks": [bench]})
    done = flow(of, [r["problem"] for r in train], tmp_path, reference=[str(r["answer"]) for r in train])
    reasons = pa.compute.value_counts(done.rejected["reason"].combine_chunks()).to_pylist()
    assert [r["values"] for r in reasons] == ["contaminated"]
    squeezed = {
        "".join(r["problem"].split()) for r in json.loads((folder / "deepscaler_math500.json").read_text())
    }
    left = [p[0]["content"] for p in done.kept["prompt"].to_pylist()]
    assert not [t for t in left if "".join(t.split()) in squeezed], "a verbatim copy of an item was kept"
    assert 20 <= done.rejected.num_rows <= 150


REPHRASED = (
    "Every crossing a ferry transports 24 cars, with 7 crossings daily. "
    "From Monday to Friday, what is the number of cars it transports?"
)


@pytest.mark.embedder
def test_a_rephrased_item_is_found_and_another_number_is_no_copy(bench: Path, tmp_path: Path) -> None:
    changed = REPHRASED.replace("24", "31").replace("7", "12")
    texts = [REPHRASED, changed, "Find the derivative of x^3."]
    assert flow(stage(bench), texts, tmp_path).kept.num_rows == 3
    done = flow(stage(bench, embedding={}), texts, tmp_path)
    [proof] = map(json.loads, done.rejected["evidence"].to_pylist())
    assert (proof["item"], proof["rule"], proof["kind"]) == ("ferry", "embedding", "paraphrase")
    assert proof["cosine"] >= 0.8
    assert [p[0]["content"] for p in done.kept["prompt"].to_pylist()] == texts[1:]


@pytest.mark.embedder
@pytest.mark.parametrize("text", [ITEM, REPHRASED], ids=["copy", "paraphrase"])
@pytest.mark.parametrize("place", PLACES)
def test_a_copy_is_found_wherever_a_student_would_see_it(
    place: str, text: str, bench: Path, tmp_path: Path
) -> None:
    others = ["Ann paints a fence of 40 boards in two hours and rests. How long do 90 boards take her?"] * 2
    prompt = PLACES[place](text, others, Random(3))
    of = stage(bench, embedding={})
    with of.open(site(tmp_path)) as apply:
        found = apply(problems(["x"]).set_column(*_prompt_column([prompt]))).rejected
    assert found.num_rows == 1, f"missed {place}: {prompt}"
    proof = json.loads(found["evidence"].to_pylist()[0])
    turn = prompt[proof["turn"]]
    assert proof["role"] == turn["role"]
    assert turn["content"][slice(*proof["span"])][:300] == proof["text"]
    assert "24 cars" in proof["text"]


@pytest.mark.embedder
def test_what_a_teacher_recites_is_found_in_its_reasoning_and_its_answer(bench: Path, tmp_path: Path) -> None:
    long = "So let me think about what is asked here. " * 12
    rows = completions(
        [
            {"reasoning_content": f"{long}{REPHRASED} {long}", "content": "840"},
            {"reasoning_content": "2 and 3 is 5.", "content": f"A similar problem: {ITEM}"},
            {"reasoning_content": None, "content": "5"},
        ]
    )
    of = stage(bench, embedding={}, of=["reasoning_content", "content"])
    with of.open(site(tmp_path)) as apply:
        done = apply(rows)
    proofs = [json.loads(proof) for proof in done.rejected["evidence"].to_pylist()]
    assert [(p["kind"], p["part"]) for p in proofs] == [
        ("answer", "reasoning_content"),
        ("answer", "content"),
    ]
    assert done.kept.num_rows == 1


DISGUISED = {kind: plant(ITEM, kind=kind, rng=Random(1)) for kind in get_args(Disguise)}
"""The item in each disguise; null for those that change nothing of it: it is one sentence without LaTeX."""


def test_nearly_every_disguise_changes_the_item() -> None:
    assert sum(made is not None for made in DISGUISED.values()) >= len(DISGUISED) - 2


@pytest.mark.embedder
@pytest.mark.parametrize("kind", [kind for kind, made in DISGUISED.items() if made is not None])
def test_a_disguised_copy_is_found_by_n_grams_or_by_its_words(
    kind: Disguise, bench: Path, tmp_path: Path
) -> None:
    made = DISGUISED[kind]
    by_words = kind in ("every_7th_replaced", "filler_after_5th", "synonyms", "reworded")
    of = stage(bench, embedding={} if by_words else None)
    assert flow(of, [made], tmp_path).rejected.num_rows == 1, f"missed: {made}"


def test_each_kind_is_done_with_as_the_policy_says(bench: Path, tmp_path: Path) -> None:
    twin = ITEM.replace("24", "31").replace("7", "12")
    texts = [ITEM, twin]
    done = flow(stage(bench), texts, tmp_path)
    assert [note and json.loads(note)[0]["kind"] for note in done.kept["review"].to_pylist()] == [
        "number_twin"
    ]
    strict = flow(stage(bench, policy={"number_twin": "reject"}), texts, tmp_path)
    assert strict.rejected.num_rows == 2
    noted = flow(stage(bench, policy={"copied": "review"}), texts, tmp_path)
    assert noted.kept.num_rows == 2
    assert None not in noted.kept["review"].to_pylist()
    kinds = (
        "copied",
        "near_copy",
        "paraphrase",
        "inside",
        "answer",
        "number_twin",
        "translation",
        "doubtful",
    )
    silent = stage(bench, policy=dict.fromkeys(kinds, "keep"))
    assert flow(silent, texts, tmp_path).kept.schema.names == problems(texts).schema.names


def test_a_second_step_adds_to_the_notes_of_the_first(bench: Path, tmp_path: Path) -> None:
    twin = ITEM.replace("24", "31").replace("7", "12")
    once = flow(stage(bench), [twin], tmp_path).kept
    again = {"name": "another", "files": str(bench), "columns": {"text": "question", "id": "key"}}
    with Decontaminate.model_validate({"benchmarks": [again]}).open(site(tmp_path)) as apply:
        twice = apply(once).kept
    assert twice.schema == once.schema
    assert len(json.loads(twice["review"].to_pylist()[0])) == 2


@pytest.mark.parametrize(
    "text",
    [
        "Which of the following is true?",
        "A story about a king. Which of the following is true?",
        "What is 60% of 80?",
        "Ann has 30 pens. What is 60% of 30? And how many pens do her friends have if each has 5 more?",
    ],
)
def test_a_common_phrase_is_no_contamination(text: str, bench: Path, tmp_path: Path) -> None:
    bench.write_text(
        "".join(
            json.dumps({"question": q, "key": q}) + "\n"
            for q in ("Which of the following is true?", "What is 60% of 30?")
        )
    )
    assert flow(stage(bench), [text], tmp_path).kept.num_rows == 1
    assert flow(stage(bench), ["What is 60 % of 30?"], tmp_path).rejected.num_rows == 1


def _prompt_column(prompts: list[list[dict[str, str]]]) -> tuple[int, str, pa.Array]:
    names = problems(["x"]).schema.names
    return names.index("prompt"), "prompt", pa.array(prompts, pa.list_(MESSAGE))


@pytest.mark.embedder
@pytest.mark.realdata
@pytest.mark.timeout(300)
def test_rephrased_gsm8k_items_are_found_and_clean_rows_stay(test_data: Path, tmp_path: Path) -> None:
    folder = test_data / "data"

    def first(path: str, key: str) -> list[str]:
        return [json.loads(line)[key] for line in (folder / path).read_text().splitlines()[:60]]

    twins = [t.removeprefix("Question: ").partition("\nAnswer:")[0] for t in
             first("decontam_rephrased/rephrase_gsm8k.jsonl", "text")]  # fmt: skip
    clean = first("gsm8k/train.jsonl", "question")
    path = tmp_path / "gsm8k.jsonl"
    path.write_text(
        "".join(json.dumps({"question": q}) + "\n" for q in first("gsm8k/test.jsonl", "question"))
    )
    bench = {"name": "gsm8k", "files": str(path)}
    of = Decontaminate.model_validate({"benchmarks": [bench], "embedding": {}, "answer_in_prompt": False})
    with of.open(site(tmp_path)) as apply:
        found = apply(problems(twins)).rejected.num_rows
        flagged = apply(problems(clean)).rejected.num_rows
    assert found >= 0.85 * len(twins), f"only {found} of {len(twins)} rephrased items are found"
    assert flagged <= 0.01 * len(clean), f"{flagged} of {len(clean)} clean rows are flagged"
