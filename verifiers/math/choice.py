"""Answers that pick: letters of a multiple-choice question, yes or no, true or false."""

from __future__ import annotations

import re
from functools import lru_cache

from verifiers.math.canonical import canonical, clean, plain_words
from verifiers.math.compare import same_answer
from verifiers.math.endings import Found

__all__ = ["choice_of", "chosen", "is_polar", "options_of", "polarity_of"]

_OPTION = re.compile(
    r"(?:^|[\s$(\[{*,;])\(?\s{0,8}(?:\\text(?:bf)?\{)?\(?([A-J])\s{0,8}[).:}]\)?\s{0,8}\}?~?\s*", re.MULTILINE
)
_LETTERS = re.compile(r"\(?([A-J])\)?(?:\s*(?:,|and|&|;)?\s*\(?([A-J])\)?)*[.)]?\Z")
_MARKED = re.compile(r"\(([A-J])\)|\*\*\(?([A-J])\)?[.:)]?\*\*|^\s*\(?([A-J])[).]?\s*$", re.MULTILINE)
_SAID = re.compile(
    r"(?i:(?:answer|choice|option|select|choose|pick|correct)[^.\n]{0,40}?(?:\bis\b|:|=|\boption\b|\bchoice\b)?)"
    r"\s*\**\s*(?:\\text\{)?\(?([A-J])\)?(?![a-zA-Z'])"
)
_REJECTED = re.compile(r"(?i)\b(?:not|wrong|incorrect|false|rule[sd]? out|eliminat\w+|isn't|excluded?)\b")
_REJECTED_BEHIND = re.compile(
    r"(?i)[)\s*]*(?:(?:and|,)\s*\(?[A-J]\)?\s*)*[^.,;\n]{0,30}\b(?:not|wrong|incorrect|false"
    r"|ruled out|eliminated|isn't|excluded|impossible)\b"
)
_OR_LETTER = re.compile(
    r"[)\s*}$]*(?:,\s*)?(?:\b(?:or|and|oder|ou|o)\b|/|或|,)"
    r"\s*(?:option\s+|choice\s+)?[(*\s]*([A-J])(?![a-zA-Z'])"
)
_FOREIGN = re.compile(
    r"(?:答案|选|選|正确选项|答え|正解|정답|Ответ|Antwort(?: ist)?|réponse(?: est)?|respuesta(?: es)?"
    r"|risposta(?: è)?|resposta(?: é)?)\s*(?:是|为|為|は|은|는|:|：|项)?\s*[*(（]*([A-J])(?![a-zA-Z'])",
    re.IGNORECASE,
)


def options_of(prompt: str) -> dict[str, str]:
    """The options a prompt offers, by letter; empty unless they run from A without a gap."""
    marks = [(match[1], match.start(), match.end()) for match in _OPTION.finditer(prompt)]
    run: list[tuple[str, int, int]] = []
    for mark in marks:
        if mark[0] == "A":
            run = [mark]
        elif run and ord(mark[0]) == ord(run[-1][0]) + 1:
            run.append(mark)
    if len(run) < 2:
        return {}
    ends = [start for _, start, _ in run[1:]] + [len(prompt)]
    return {
        letter: prompt[end:stop].strip(" \n\t,;$") for (letter, _, end), stop in zip(run, ends, strict=True)
    }


@lru_cache(maxsize=16_384)
def choice_of(reference: str) -> frozenset[str] | None:
    """The letters of a reference such as `C`, `(C)` or `A, C`; null when it is something else."""
    spelled = plain_words(clean(reference)).strip()
    if len(spelled) > 12 or not _LETTERS.match(spelled):
        return None
    return frozenset(re.findall("[A-J]", spelled))


def chosen(text: str, found: Found, *, options: dict[str, str]) -> frozenset[str] | None:
    """The letters a completion settles on; null when it settles on none.

    `found` is the answer that the general rules saw; letters in passing, such as the article A, do not count.
    """
    if found.answer is None and found.how != "no answer found":
        return None  # denied, in doubt, cut off
    if found.answer is not None and found.how != "last value":
        spelled = plain_words(clean(found.answer)).strip(" ().*:")
        letters = choice_of(spelled.upper() if len(spelled) == 1 else spelled)
        if letters is not None:
            return letters
        lead = re.match(r"\(?([A-J])\s*[).:]\s", spelled + " ")
        if lead:
            return _with_own_text(lead[1], spelled[lead.end() :], options)
        if found.how.startswith("box"):
            return _by_value(found.answer, options)
        said = re.match(r"(?i)(?:the\s+)?(?:option|choice)?\s*\(?([A-J])\)?(?![a-zA-Z'])", spelled)
        if said and said[1].isupper():
            return _settled(spelled, said)
    said_all = [
        match
        for match in [*_SAID.finditer(text), *_FOREIGN.finditer(text)]
        if not _REJECTED_BEHIND.match(text, match.end(), match.end() + 60)
    ]
    if said_all and not _REJECTED.search(said_all[-1][0]):
        return _settled(text, said_all[-1])
    marked = [next(filter(None, match.groups())) for match in _MARKED.finditer(text.strip().split("\n")[-1])]
    if len(set(marked)) == 1 and not _REJECTED.search(text.strip().split("\n")[-1]):
        return frozenset(marked)
    return _by_value(found.answer, options) if found.how == "answer statement" and found.answer else None


def _settled(text: str, said: re.Match[str]) -> frozenset[str] | None:
    """The letter, unless another stands beside it or it is rejected."""
    other = _OR_LETTER.match(text, said.end())
    if other is not None and other[1] != said[1]:
        return None
    return None if _REJECTED_BEHIND.match(text, said.end(), said.end() + 60) else frozenset(said[1].upper())


def _with_own_text(letter: str, behind: str, options: dict[str, str]) -> frozenset[str] | None:
    """The letter, unless what stands behind it is the text of another option."""
    named = _by_value(behind, options) if behind.strip() else None
    return None if named is not None and letter not in named else frozenset(letter)


def _by_value(spelled: str, options: dict[str, str]) -> frozenset[str] | None:
    """The one option whose text is the answer."""
    same = [letter for letter, option in options.items() if canonical(option) == canonical(spelled)]
    if not same:
        same = [letter for letter, option in options.items() if same_answer(option, spelled)]
    return frozenset(same) if len(same) == 1 else None


_NO_ANSWER = re.compile(r"\b(?:no|not) (?:idea|clue|answer|conclusion|sure)\b")
_NOT_SO = re.compile(r"(?:\b(?:not|never)|n't) (?:necessarily |always |actually )?(true|false)\b")
_POLAR = {"yes": ("yes", "no"), "no": ("yes", "no"), "true": ("true", "false"), "false": ("true", "false")}


@lru_cache(maxsize=16_384)
def _polar(reference: str) -> str | None:
    wanted = plain_words(clean(reference)).lower().strip()
    return wanted if wanted in _POLAR else None


def is_polar(reference: str) -> bool:
    """Whether a reference is a yes, a no, a true or a false."""
    return _polar(reference) is not None


def polarity_of(reference: str, text: str) -> bool | None:
    """Whether the text says just the yes, no, true or false of the reference; null for other references."""
    wanted = _polar(reference)
    if wanted is None:
        return None
    spelled = _NO_ANSWER.sub(" ", plain_words(clean(text)).lower())
    spelled = _NOT_SO.sub(lambda said: " false " if said[1] == "true" else " true ", spelled)
    lead = _LEAD.match(spelled)
    if lead is not None and not _SECOND.search(spelled, lead.end()):
        return lead[1] == wanted
    said = set(re.findall(r"\b(?:yes|no|true|false)\b", spelled))
    return said & set(_POLAR[wanted]) == {wanted}


_LEAD = re.compile(r"\W*(yes|no|true|false)\b\s*(?:[,.!;:—–]|because|since|as\b|\Z)")
_SECOND = re.compile(r"\b(?:yes|no|true|false)\b\s*(?:[,.!;:—–]|\Z)")
"""What takes back a yes or a no that opens the text."""
