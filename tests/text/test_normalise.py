from __future__ import annotations

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.text.normalise import content_hash, normalise

FORMS = ("nfc", "spaced", "alnum", "symbols", "letters")


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("spaced", "  A\t\nB ", "a b"),
        ("alnum", "Hello, World!", "hello world"),
        ("alnum", "x² ﬁne ½", "x2 fine 12"),
        ("alnum", "数学 abc", "数 学 abc"),
        ("alnum", "zero\u200bwidth", "zerowidth"),
        ("symbols", "$3-4$", "3 - 4"),
        ("symbols", "3 − 4", "3 - 4"),
        ("letters", "Find 12 more, x_1!", "findmorex"),
        ("alnum", "٣ １２", "3 12"),
    ],
)
def test_writes_a_text_in_each_form(form, text, expected):
    assert normalise(pa.array([text]), form=form).to_pylist() == [expected], f"{text!r} in form {form}"


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.text()), max_size=8), st.sampled_from(FORMS))
def test_a_form_is_stable_and_keeps_nulls(texts, form):
    once = normalise(pa.array(texts, pa.string()), form=form)
    assert [t is None for t in texts] == [t is None for t in once.to_pylist()], "a null stays null"
    if form == "nfc":
        expected = [None if t is None else unicodedata.normalize("NFC", t) for t in texts]
        assert once.to_pylist() == expected, "the form nfc is Unicode's own"
        return
    assert normalise(once, form=form) == once, f"the form {form} of a form is itself"


@settings(deadline=None)
@given(st.lists(st.text(), min_size=2, max_size=6), st.sampled_from(FORMS))
def test_equal_forms_are_equal_hashes(texts, form):
    forms = normalise(pa.array(texts), form=form).to_pylist()
    hashes = content_hash(pa.array(texts), form=form).to_pylist()
    for a, one in enumerate(forms):
        for b, other in enumerate(forms):
            if one and other:
                assert (one == other) == (hashes[a] == hashes[b]), f"{texts[a]!r} and {texts[b]!r}"


def test_texts_without_any_word_are_not_all_the_same_text():
    hashes = content_hash(pa.array(["?", "...", "", None]), form="alnum").to_pylist()
    assert len(set(hashes)) == 4, "an empty form falls back to the text itself"
    assert hashes[3] is None, "a null has no hash"


def test_operators_tell_problems_apart_by_default():
    hashes = content_hash(pa.array(["Compute $3+4$.", "Compute $3-4$.", "compute 3 + 4"])).to_pylist()
    assert hashes[0] == hashes[2], "formatting does not count"
    assert hashes[0] != hashes[1], "another operator is another problem"


def test_a_slice_hashes_as_its_rows_do():
    texts = pa.array(["a", "b", None, "d", "e"])
    whole, part = content_hash(texts), content_hash(texts.slice(1, 3))
    assert part.to_pylist() == whole.to_pylist()[1:4]
    chunked = pa.chunked_array([texts.slice(0, 2), texts.slice(2)])
    assert content_hash(chunked).to_pylist() == whole.to_pylist(), "chunks do not change a hash"
