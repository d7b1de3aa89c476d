"""What a judge model is never asked, and what its text may not do to it."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from verifiers.base import Case

__all__ = ["early_finding", "for_the_judge", "shown_turns"]

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

_JUDGE = r"grader|judge|evaluator|verifier|marker"
_GIVEN = r"judge?ment|verdict|grade|score|rating"
_ANSWER = r"(?:answer|response|solution|submission|reply|output|completion|work)"
_OF_THE_TASK = re.compile(
    r"(?im)</?\s*(?P<tag>response|verdict|reference|question|grade|score|judge\w*|system|instructions?)\s*>"
    r"|(?P<control><\|)[^|<>]{1,40}\|>|\[/?(?P<inst>INST|SYSTEM|SYS)\b|<</?(?P<sys>SYS)>>"
    r"|\{\s*[\"']?(?P<json>correct|verdict|score|is_correct|grade|passed)[\"']?\s*:"
    # A verdict that stands alone on its line; behind a number that counts something, points say, it is none.
    rf"|^[^\w\n]*(?:the\s+|my\s+)?(?:final\s+|overall\s+)?(?P<given>{_GIVEN})\s{{0,9}}[:=]\W{{0,40}}"
    r"(?:yes|no|correct|true|right|pass(?:ed)?|(?:10|5|1)(?:\s*/\s*\d+|\s+out\s+of\s+\d+)?)[^\w\n]*$"
    r"|\b(?:note|message|instructions?|attention|dear|hello|hey)[,:]?\s+(?:to|for)?\s*(?:the\s+)?"
    rf"(?P<judge>{_JUDGE})\b"
)
"""What may be meant for a judge, or be what was asked for: then the question has the word too."""
_ADDRESSED = re.compile(
    rf"(?i)(?P<deny>(?:\bnot|n't|\bnever)\s+(?:to\s+)?)?(?:"
    rf"\b(?:mark|grade|rate|score|judge|treat|accept|consider|evaluate)\s+(?:this|my|the|it)\b(?:\s+{_ANSWER})?"
    r"\s+(?:as\s+|to\s+be\s+|with\s+)?(?:fully\s+|being\s+)?(?:correct|full\s+marks|passing)\b"
    rf"|\b(?:mark|grade|rate|score|judge|treat|accept|consider|evaluate)\s+(?:this|my|the)\s+{_ANSWER}\s+"
    r"(?:as\s+|to\s+be\s+)(?:right|true)\b"
    r"|\b(?:reference|gold|expected)\s+(?:answer|solution)\s+(?:was|is|has\s+been|should\s+be)\s+"
    r"(?:updated|changed|wrong|incorrect|replaced)\b"
    r"|\b(?:ignore|disregard|forget)\s+(?:(?:all|any|the|your|previous|prior|above|earlier|these|those)\s+){0,4}"
    r"(?:instructions?|prompts?|rubric|guidelines|system\s+message|reference(?:\s+answer)?)\b"
    r")"
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
    if _speaks_to_the_judge(answer, prompt):
        return "speaks to the judge"
    if said in _master_keys() or not _WORD.search(answer):
        return "says nothing: an opener without content"
    if _copies(said, _plain(prompt)) and (reference is None or _plain(reference) not in said):
        return "copies the question"
    mentioned = reference is not None and _mentions(said, reference)
    if len(_TOKEN.findall(answer)) < MIN_TOKENS and not mentioned:
        return f"fewer than {MIN_TOKENS} tokens"
    term = reference if reference and not mentioned and _is_term(reference, short_reference_words) else None
    if term is not None and not _may_name(answer, term):
        return "the reference, a short term, does not occur in it"
    return None


def _speaks_to_the_judge(answer: str, prompt: str) -> bool:
    if any(not found["deny"] for found in _ADDRESSED.finditer(answer)):
        return True
    asked = prompt.casefold()
    for found in _OF_THE_TASK.finditer(answer):
        word = next(value for value in found.groupdict().values() if value is not None)
        about_json = found["json"] is not None and "json" in asked
        if word.casefold() not in asked and not about_json:
            return True
    return False


def _may_name(answer: str, reference: str) -> bool:
    """Whether something in the answer may be another name of a term, so that only a model can tell.

    Each word of the term in another inflection or spelling; or a symbol, a formula or an abbreviation that
    begins as the term does, such as CO2 for carbon dioxide.
    """
    said, wanted = _plain(answer).split(), _plain(reference).split()
    if all(any(_akin(word, one) for one in said) for word in wanted if len(word) > 3 or len(wanted) == 1):
        return True
    initials = "".join(word[0] for word in wanted)
    if any(word[0].casefold() == initials[0] for word in _SYMBOL.findall(answer)):
        return True
    if len(wanted) > 1:
        return initials in said
    # Spelled out, an abbreviation is a run of words with its letters in front.
    letters = "".join(word[0] for word in said if word not in _SMALL)
    return 2 <= len(wanted[0]) <= 5 and wanted[0] in letters


_SYMBOL = re.compile(r"\b(?=[A-Za-z]*[A-Z])(?:[A-Z]{2,5}|[A-Z][A-Za-z]{0,3}\d[A-Za-z\d]{0,6})\b")
_SMALL = frozenset({"of", "the", "and", "for", "in", "a", "an"})
_STEM = 0.75


def _akin(one: str, other: str) -> bool:
    """Whether two words may be forms of one: alike in three quarters from the start, or but for a letter."""
    if one == other:
        return True
    if min(len(one), len(other)) < 4:
        return False
    shared = next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    longest = max(len(one), len(other))
    if shared >= max(4, _STEM * longest):
        return True
    end = next(
        (n for n, (a, b) in enumerate(zip(reversed(one), reversed(other), strict=False)) if a != b), longest
    )
    return shared >= 3 and longest >= 5 and shared + end >= longest - 1


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
    """Whether a run of whole words is the reference, however parted; in unspaced scripts any piece."""
    wanted = _plain(reference).replace(" ", "")
    if _UNSPACED.search(wanted):
        return wanted in said.replace(" ", "")
    words = said.split()
    for first in range(len(words)):
        joined = ""
        for word in words[first:]:
            joined += word
            if len(joined) >= len(wanted):
                break
        if joined == wanted:
            return True
    return False


_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


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


def shown_turns(case: Case, *, limit: int) -> list[tuple[str, str]]:
    """The conversation as a judge may see it, as (role, text): in all at most about `limit` characters.

    The last turns are kept; of the first that does not fit, the end.
    """
    shown: list[tuple[str, str]] = []
    left = limit
    for role, text in reversed(case.turns or (("user", case.prompt),)):
        if left <= 0:
            break
        shown.append((role, for_the_judge(text, limit=left)))
        left -= len(text)
    return shown[::-1]
