"""What a judge model is never asked, and what its text may not do to it."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = ["early_finding", "for_the_judge"]

MASTER_KEYS = """
solution|the solution|answer|the answer|thought process|thought|thinking|let's solve this problem step by step
|let's think step by step|let us solve this step by step|solving this problem|step by step|final answer
|response|explanation|okay|ok|sure|yes|correct|true|i see|hmm|well|解|解答|答案|答|解决方案
|让我们一步一步地解决这个问题
|かいせつ|解説|答え|respuesta|solución|réponse|lösung|antwort|risposta|soluzione|solução|решение|ответ|الحل|उत्तर
"""
"""Openers without content that judge models accept as right (arXiv 2507.08794), split at the bars."""
MIN_TOKENS = 3
_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+|[^\w\s]")
_WORD = re.compile(r"[^\W_]+")

_ADDRESSED = re.compile(
    r"(?i)</?\s*(?:response|verdict|reference|question|grade|score|judge\w*|system|instructions?)\s*>"
    r"|<\|[^|<>]{1,40}\|>|\[/?(?:INST|SYSTEM|SYS)\b|<</?SYS>>"
    r"|\{\s*[\"']?(?:correct|verdict|score|is_correct|grade|passed)[\"']?\s*:"
    r"|\b(?:final\s+)?(?:judge?ment|verdict|grade|score|rating)\s*[:=]\s*\W*(?:yes|no|correct|true|right|pass|10|5|1)\b"
    r"|\b(?:note|message|instructions?|attention|dear|hello|hey)\s+(?:to|for)?\s*(?:the\s+)?(?:grader|judge|evaluator|verifier|marker)"
    r"|\b(?:mark|grade|rate|score|judge|treat|accept|consider|evaluate)\s+(?:this|my|the|it)\b[^.\n]{0,40}"
    r"\b(?:as\s+)?(?:correct|right|true|full\s+marks|passing)"
    r"|\b(?:reference|gold|expected)\s+(?:answer|solution)\b[^.\n]{0,40}\b(?:updated|changed|wrong|incorrect|replaced)"
    r"|\b(?:ignore|disregard|forget)\b[^.\n]{0,40}\b(?:instructions?|above|previous|prior|reference)"
)
_ROLE = re.compile(r"(?im)^[^\S\n]*(?:system|user|assistant|human)\s*:\s*")


def early_finding(
    answer: str, *, prompt: str, reference: str | None, short_reference_words: int
) -> str | None:
    """Why an answer fails before any model is asked, or null.

    `short_reference_words` is the longest reference, in words, that must itself occur in the answer: a name
    or a term is either said or not, and a model that finds it where it is not was fooled.
    """
    said = _plain(answer)
    if not said:
        return "empty"
    if _ADDRESSED.search(answer):
        return "speaks to the judge"
    if said in _master_keys() or not _WORD.search(answer):
        return "says nothing: an opener without content"
    if _copies(said, _plain(prompt)) and (reference is None or _plain(reference) not in said):
        return "copies the question"
    mentioned = reference is not None and _mentions(said, reference)
    if len(_TOKEN.findall(answer)) < MIN_TOKENS and not mentioned:
        return f"fewer than {MIN_TOKENS} tokens"
    if reference is not None and not mentioned and _is_term(reference, short_reference_words):
        return "the reference, a short term, does not occur in it"
    return None


def _copies(said: str, asked: str) -> bool:
    """Whether the answer is a piece of the question, or the question said once or more."""
    return said in asked or (bool(asked) and not said.replace(asked, "").strip())


@lru_cache(maxsize=1)
def _master_keys() -> frozenset[str]:
    return frozenset(_plain(key) for key in MASTER_KEYS.split("|"))


def _is_term(reference: str, longest: int) -> bool:
    """Whether the reference is a few plain words; a number or a formula has other spellings."""
    plain = not any(symbol.isdigit() or symbol in "\\$^_=+/<>{}" for symbol in reference)
    return plain and 0 < len(_WORD.findall(reference)) <= longest


def _mentions(said: str, reference: str) -> bool:
    return f" {_plain(reference)} " in f" {said} " or _plain(reference).replace(" ", "") in said.replace(
        " ", ""
    )


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    without = "".join(
        mark for mark in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(mark)
    )
    return " ".join(_WORD.findall(unicodedata.normalize("NFC", without)))


def for_the_judge(text: str, *, limit: int) -> str:
    """The text as a judge may see it: no role or control tags, and not longer than `limit` characters.

    A long text keeps its end, where the answer stands.
    """
    text = _ROLE.sub("", re.sub(r"<\|[^|<>]{1,40}\|>|\[/?INST\]|<</?SYS>>", " ", text))
    return text if len(text) <= limit else "[…] " + text[-limit:]
