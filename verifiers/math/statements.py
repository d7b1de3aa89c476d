"""What a text without a box says its answer is: a statement, or the last value of its last sentence."""

from __future__ import annotations

import re

from verifiers.math.endings import Found, broken_off
from verifiers.math.hedges import COMPARED, NEGATED, UNREAL, VALUE, denied, questioned

__all__ = ["clause", "core", "stated"]

_NOUN = (
    r"(?:antwort|l[öo]sung|ergebnis|r[ée]ponse|r[ée]sultat|respuesta|risposta|resposta|resultado|ответ|antwoord|odpowied[źz]"
    r"|cevap|yanıt|đáp án|svar|vastaus|válasz|jawaban|jawapan|апсвар|відповідь)"
)
_STATED = re.compile(
    r"(?im)(?:####\s*|^\s*A:\s*|\b(?:final\s+)?answer(?:\s+to\s+[^.\n]{0,60}?)?\s*(?:\*\*)?"
    r"\s*(?:is|:|=|are|would be|should be)\s*(?:\*\*)?:?\s*"
    r"(?:(?:indeed|definitely|simply|just|therefore|thus|exactly|approximately)\s+)?"
    rf"|\b{_NOUN}[^.\n\d$:：—–]{{0,30}}?(?:\b(?:ist|lautet|est|es|è|é|is|to|wynosi|adalah|är|er|on|là)(?!\w)|[:：=—–-]|(?=не\s)|(?=nicht))\s*(?:\*\*)?"
    r"|(?:答案|结果|結果|答え|解答|正答)\s*(?:是|为|為|は|等于|应为|:|：|即)?\s*[:：]?\s*"
    r"|(?:정답|답)\s*(?:은|는|:|：)\s*|(?:الجواب|الإجابة|الجواب النهائي|الناتج)\s*(?:هو|هي|:)\s*|"
    r"(?:उत्तर)\s*(?:है|:)?\s*)"
)
_JSON = re.compile(
    r"""["'](?:final[_ ]?)?answer["']\s*:\s*(?:"((?:[^"\\]|\\.)*)"|(-?[\d.]+))""", re.IGNORECASE
)
_TAG = re.compile(r"</?(?:b|i|u|p|em|strong|math|span|div|center|code|mark)>")
_JUDGEMENT = re.compile(
    r"(?i)(?:correct|right|wrong|consistent|reasonable|valid|the same|not\b|confirmed|as follows)"
)
"""What is said of an answer instead of saying it."""
_NOT_SO = re.compile(r"\s*\$?\s*(?:ではあり?ません|ではない|じゃない|(?:이|가) 아니|değil)")
MAX_AFTER = 600
"""A statement with more text behind it than this was not the last word."""
_LONGEST_LEAD = 400  # characters that `the answer to ... is` may take
_MATH = re.compile(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)|(?<!\\)\$\n?([^$\n]+?)\n?(?<!\\)\$", re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[.?。])\s+|(?<=!)\s+(?![a-z=<>+\-])|\n+")
_DISPLAY = re.compile(r"\\\[[^\]]*?\\\]|\$\$[^$]*\$\$|\\\([^()]*?\n[^()]*?\\\)")
_PLEASANTRY = re.compile(r"(?i)^(?:i hope|please|let me know|note|thank|<\|)")
_ASIDE = re.compile(r"\s*\(\s*(?:approximately|approx\.?|about|or about|roughly|circa|≈|\$?\\approx)[^()]*\)")
_ONWARD = re.compile(
    r"(?i)(?:let us|let's|next\b|now\b|we (?:now|need|must|still|can now)|to (?:find|get|compute)"
    r"|it remains|step \d+|then\s*,?\s*\Z)"
)
"""Opens a sentence that goes on to something else."""
_OPENS_NOTHING = re.compile(
    r"(?i)[\s*$\\(]*(?:for (?:example|instance)|e\.g\.|suppose|assume|assuming|consider|let\b|imagine"
    r"|is\b|are\b|does\b|could|maybe|perhaps|possibly"
    r"|it (?:may|might|could)|i (?:do not|don't|cannot|can't) |we (?:do not|don't|cannot|can't) |one of)"
)
"""Opens a sentence whose values are no conclusion."""
_OR_MORE = re.compile(
    r"\s*\$?\s*,?\s*(?:或者?|oder|ou|o|или|または|又は|또는|lub|veya|hoặc|of|eller)\s*(?=[$\d\\-])"
)


def stated(text: str, *, finished: bool) -> Found:
    """The answer of a text without a box. A text that was cut off needs a statement that came to its end."""
    text = text.strip()
    if "</" in text:
        text = _TAG.sub("", text)
    if named := list(_JSON.finditer(text[-MAX_AFTER:])):
        value = named[-1][1] if named[-1][1] is not None else named[-1][2]
        return Found(value.replace("\\\\", "\\"), "answer statement")
    # An earlier statement would be no last word.
    statements = list(_STATED.finditer(text, max(0, len(text) - MAX_AFTER - _LONGEST_LEAD)))
    if statements and len(text) - statements[-1].end() <= MAX_AFTER:
        found = _statement(text, statements[-1], finished=finished)
        if found is not None:
            return found
    if not finished:
        return Found(None, "the text is cut off before it states an answer")
    if len(text) <= 200 and "\n" not in text and not is_sentence(text) and not broken_off(text):
        return Found(text, "whole text")
    if broken_off(text):
        return Found(None, "the text breaks off before it states an answer")
    return concluded(text)


def _statement(text: str, lead: re.Match[str], *, finished: bool) -> Found | None:
    after = text[lead.end() :]
    before = text[max(0, lead.start() - 80) : lead.start()]
    if UNREAL.search(before):
        return Found(None, "an answer that is only supposed")
    if NEGATED.match(after.lstrip(" $*")) or NEGATED.search(lead[0][-6:]):
        return Found(None, "an answer that is denied")
    said = clause(after)
    if not said or _JUDGEMENT.match(said):
        return None
    place = after.find(said) + len(said)
    rest = after[place:]
    if _OR_MORE.match(rest) or _NOT_SO.match(rest):
        return Found(None, "an answer beside another, or denied")
    if questioned(after, place):
        return Found(None, "an answer in a question")
    if not finished and not re.match(r"\s*(?:[.。!]\s|\*\*|\n|</)", rest):
        return Found(None, "the text is cut off in its answer")
    if broken_off(said):
        return Found(None, "the text breaks off in its answer")
    return Found(said if COMPARED.match(said) else core(said), "answer statement")


def core(said: str) -> str:
    """The value inside a statement that is a sentence of its own: `there are 12 of them`."""
    said = re.split(r"(?i)[,;]?\s+(?:because|since|as|which|so that)\s", said, maxsplit=1)[0]
    if not is_sentence(said):
        return said
    value = concluded(said).answer
    return said if value is None else value


def is_sentence(text: str) -> bool:
    """Whether a text speaks rather than names a value."""
    if re.match(r"\s*[^\W\d]{3,}\s*:\s", text):
        return True
    spelled = _MATH.sub(" ", text)
    words = re.findall(r"(?<!\\)\b[a-zA-Z]{2,}\b", re.sub(r"\\text\{[^{}]*\}|\\[a-zA-Z]+", " ", spelled))
    if len(words) >= 2 and text[:1].isalpha() and any(map(str.isdigit, spelled)):
        return True  # "it fell in 1989", but not "12 more apples"
    return len(words) > 3 or (len(words) > 0 and bool(_MATH.search(text)))


def clause(after: str) -> str:
    """The value that opens the text behind `the answer is`."""
    after = after.lstrip(" *:：\n")
    line = after.split("\n", 1)[0].strip()
    if line in ("$", "$$", "\\["):
        line = after[:300]
    math = _MATH.match(line)
    if math is None:
        sentence = re.split(
            r"(?<=[^\d])\.(?:\s|\Z)|(?<=\d)\.(?:\s|\Z)|(?<=\*\*)\s|\s*<\||\?|。|(?<=\d)\s*(?=です|입니다)",
            line,
            maxsplit=1,
        )[0]
        return re.sub(r"(?<=\d)!\s*\Z", "", sentence.strip().strip('*`_"“”').strip())
    end = math.end()
    # "$1$, $2$ and $3$" goes on; "$5$ meters" keeps its unit.
    while more := re.match(r"(?:\s*,?\s*(?:and|or|,)\s*)(?=\$|\\\()", line[end:]):
        following = _MATH.match(line, end + more.end())
        if following is None:
            break
        end = following.end()
    unit = re.match(
        r"\s*(?!(?:oder|und|ou|et|or|and|o|y|e|of|is|as)\b)(?:\\?%|percent\b|[a-zA-Z]+)", line[end:]
    )
    return line[: end + unit.end()] if unit and end == math.end() and len(unit[0]) < 16 else line[:end]


def concluded(text: str) -> Found:
    """The last value in the last sentence that has one; values listed together stay together."""
    text = _DISPLAY.sub(lambda shown: " ".join(shown[0].split()), text[-4_000:])
    if "(" in text:
        text = _ASIDE.sub("", text)
    for sentence in reversed([one for one in _SENTENCE_END.split(text) if one.strip()]):
        if _PLEASANTRY.match(sentence.strip()):
            continue
        maths = list(_MATH.finditer(sentence))
        values = list(VALUE.finditer(_blank_math(sentence, maths)))
        if not maths and not values:
            relation = re.search(r"\S{1,200}\s{0,8}(?:[=<>]|\\[lg]e)\s{0,8}\S+", sentence)
            if relation:
                return Found(relation[0].strip(" ."), "last value")
            if _ONWARD.match(sentence.strip(" *#")):
                return Found(None, "the text goes on to something else and does not end")
            continue
        if named := _NAMED_ANSWER.search(sentence):
            return Found(named[1], "value named as the answer")
        if _OPENS_NOTHING.match(sentence) or sentence.rstrip().endswith("?"):
            return Found(None, "a value that is supposed, asked or an example")
        return _last_of(sentence, maths, values)
    return Found(None, "no answer found")


def _last_of(sentence: str, maths: list[re.Match[str]], values: list[re.Match[str]]) -> Found:
    everything = sorted([*maths, *values], key=lambda match: match.start())
    first = everything[-1]
    for match in reversed(everything[:-1]):
        if not re.fullmatch(r"\s*(?:,|,?\s*(?:and|or)\b|;)\s*", sentence[match.end() : first.start()]):
            break
        first = match
    if denied(sentence, first.start()):
        return Found(None, "a value that is denied")
    return Found(sentence[first.start() : everything[-1].end()].strip(), "last value")


_NAMED_ANSWER = re.compile(
    rf"({VALUE.pattern})\s+is\s+(?:indeed\s+)?the\s+(?:correct|final|right|required|desired)\b"
)


def _blank_math(sentence: str, maths: list[re.Match[str]]) -> str:
    for math in maths:
        sentence = sentence[: math.start()] + " " * (math.end() - math.start()) + sentence[math.end() :]
    return sentence
