"""Labels the language of a row: zh, en or other."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

import pyarrow as pa

from factory.core import Flow, Stage, cut, prompt_texts

__all__ = ["Language", "language_of"]

_NOT_PROSE = re.compile(r"```.*?```|\$\$.*?\$\$|\$[^$\n]*\$|\\[A-Za-z]+|https?://\S+", re.DOTALL)
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_KANA_OR_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
_WORD = re.compile(r"[^\W\d_]+")
_ENGLISH_WORDS = """
the of and a to in is that it for was on are as with his they at be this from have or by one had not
but what all were when we there can an your which their if do will each how many much find her she
he has you i write does who why where give given compute let then than more some two three only
these its
"""
_ENGLISH = frozenset(_ENGLISH_WORDS.split())
_ZH_SHARE = 0.3
"""Smallest share of Han characters among letters in a Chinese text: names and code may be Latin."""
_KANA_SHARE = 0.05
"""Largest share of kana or hangul in one: Japanese mixes them with Han characters."""
_EN_SHARE = 0.15
"""Smallest share of function words in an English text; running English has 0.3 to 0.5, others under 0.1."""
_FEW_WORDS = 5


class Language(Stage):
    """Adds `language`, the label of AM-DeepSeek-R1-Distilled (2503.19633). Cuts nothing."""

    type: Literal["language"] = "language"
    adds: ClassVar[pa.Schema] = pa.schema([("language", pa.string())])
    of: Literal["prompt", "content"] = "prompt"
    """Whose language: the prompt's or the answer's."""

    def needs(self) -> frozenset[str]:
        """The column that is read."""
        return frozenset({self.of})

    def apply(self, batch: pa.Table) -> Flow:
        """Labels every row."""
        texts = prompt_texts(batch["prompt"]) if self.of == "prompt" else batch["content"]
        labels = pa.array([language_of(text or "") for text in texts.to_pylist()], pa.string())
        labelled = batch.append_column(self.adds.field("language"), labels)
        return cut(labelled, pa.nulls(batch.num_rows, pa.string()))


def language_of(text: str) -> Literal["zh", "en", "other"]:
    """Language of the prose in a text; formulas, code and addresses do not count."""
    prose = _NOT_PROSE.sub(" ", text)
    letters = sum(map(str.isalpha, prose))
    if not letters:
        return "other"
    if _KANA_OR_HANGUL.search(prose) and len(_KANA_OR_HANGUL.findall(prose)) > _KANA_SHARE * letters:
        return "other"
    if len(_HAN.findall(prose)) >= _ZH_SHARE * letters:
        return "zh"
    words = [w.lower() for w in _WORD.findall(prose)]
    if len(words) < _FEW_WORDS:
        return "en" if prose.isascii() else "other"
    return "en" if sum(w in _ENGLISH for w in words) >= _EN_SHARE * len(words) else "other"
