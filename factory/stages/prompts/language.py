"""Labels the language of a row: zh, en or other."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

import pyarrow as pa

from factory.core import Flow, Stage, cut, prompt_texts

__all__ = ["Language", "language_of"]

_NOT_PROSE = re.compile(
    r"```[A-Za-z]*|\[asy\].*?(?:\[/asy\]|\Z)|\\begin\{(\w+\*?)\}.*?\\end\{\1\}|\$\$.*?\$\$|\$[^$\n]*\$|\\\[.*?\\\]|\\\(.*?\\\)"
    r"|\\[A-Za-z]+|https?://\S+|\b\w*[_(]\w*|\b\w+\.\w+\b|>>>.*$|<[^>\n]*>",
    re.DOTALL | re.MULTILINE,
)
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_KANA_OR_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_ENGLISH_WORDS = """
the of and to that it was were are with his they this from have by one had not but what when we there
which their if each how many much find she you your does who why where given would could should than
these its them been between after before about because through into only other first must let number
value function write return returns returned calculate determine evaluate simplify solve following total
there's it's using takes string list integer check whether every solution answer equation expression
numbers array input output
"""
_ENGLISH = frozenset(_ENGLISH_WORDS.split())
"""Words that are English and, as they are spelled, in no other language that writes Latin letters often."""
_SHARED_WORDS = """
a an as at be can do for he her him in is me my no on or so all has more some will two
"""
_SHARED = frozenset(_SHARED_WORDS.split())
"""Words of English that other languages have too, with another meaning."""
_OTHERS_WORDS = """
og det er av til som ikke på jeg har med den et en de ett inte jag och att är för från var blev efter
eller når hun han kan skal vil være ved også om mod fra ud sig ikkje eg der die das und ist nicht ein
eine einen dem des mit von zu auf für im sich auch als wie bei nach wird wurde het een van dat niet zijn
voor met ook aan naar bij maar deur nie wat vir hy sy le la les du est une pour dans que qui pas sur avec
il elle ne se ce cette par plus aux sont été el los las y es una por con para del su al lo como pero más
este o os da em um uma não na no ao dos seu foi são di che e è i un per non si della gli alla nel sono ha
și pe cu nu sunt din mai care între w z jest się że do to jak za od po są przez v je že byl jsou ale by
sa koji što nije kako ja on ei että hän oli myös ovat kuin ole oma või kui see olla mis ning ir ar kas
tas kad yra az és hogy nem egy meg ez csak volt mint már ki fel mert sem még is a azt agus an go ag sé sí
tá bhí ní leis faoi chun seo sin mar ach raibh aige aici iad é ón yn ac mae wedi fod gan hyn nad oedd ve
bir bu için ile çok olarak daha gibi kadar ben değil mi yang dan itu dengan untuk tidak ini dari ng ang
mga ay ni ko mo hindi và của là có được cho không trong một các những với để này ya wa kwa katika kuwa
hii ku mu ka ba að við ekki hann það þú ég eru
"""
_OTHERS = frozenset(_OTHERS_WORDS.split()) - _ENGLISH
"""Function words of other languages that write Latin letters, from Danish and Hungarian to Irish."""
_ZH_SHARE = 0.3
"""Smallest share of Han characters among letters in a Chinese text: names and code may be Latin."""
_KANA_SHARE = 0.05
"""Largest share of kana or hangul in one: Japanese mixes them with Han characters."""
_EN_SHARE = 0.12
"""Smallest share of function words in an English text; running English has 0.3 to 0.5."""
_EN_LETTERS = 0.95
"""Smallest share of plain Latin letters in one: "naïve" is rare there, and other languages have marks."""
_FEW_WORDS = 5


class Language(Stage):
    """Adds `language`, the label of AM-DeepSeek-R1-Distilled (2503.19633). Cuts nothing."""

    type: Literal["language"] = "language"
    version: ClassVar[int] = 2
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
    if len(_KANA_OR_HANGUL.findall(prose)) > _KANA_SHARE * letters:
        return "other"
    if len(_HAN.findall(prose)) >= _ZH_SHARE * letters:
        return "zh"
    if sum(c.isalpha() for c in prose if c < "\x80") < _EN_LETTERS * letters:
        return "other"
    return _latin([word.lower() for word in _WORD.findall(prose)])


def _latin(words: list[str]) -> Literal["en", "other"]:
    """English by its function words, where no other language has more of them."""
    english = sum(w in _ENGLISH or "'" in w or "’" in w for w in words)
    shared = sum(w in _SHARED for w in words)
    others = sum(w in _OTHERS and w not in _SHARED for w in words)
    if len(words) < _FEW_WORDS:
        return "en" if english >= others else "other"
    if others > english:
        return "other"
    return "en" if english + shared >= _EN_SHARE * len(words) and english else "other"
