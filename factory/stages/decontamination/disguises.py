"""Ways to hide a copy: under markup and look-alikes, in changed words, and at a place where few look."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TypeAlias

__all__ = ["DISGUISES", "PLACES", "Place", "Prompt"]

Prompt: TypeAlias = list[dict[str, str]]
"""Turns of a prompt: `role` and `content`."""
Place: TypeAlias = Callable[[str, Sequence[str], Random], Prompt]
"""Puts a text into a prompt, among other texts."""

_WORD = re.compile(r"[^\W\d_]{3,}")
_LOOKS = str.maketrans("aceiopsxyABCEHKMOPTXI", "асеіорѕхуАВСЕНКМОРТХІ")
_MARKS = ("\u0336", "\u0301", "\u0323", "\u20dd")
_ZERO = ("\u200b", "\u200d", "\u2060", "\u00ad")
_STRANGERS = (
    "meadow",
    "lantern",
    "copper",
    "gentle",
    "riverside",
    "quartz",
    "hollow",
    "amber",
    "timber",
    "velvet",
    "orchard",
    "saddle",
)
_FILLERS = ("as it happens", "so to speak", "of course", "you know", "to be fair", "by the way", "in fact")
_SYNONYMS_LISTED = """
buys:purchases bought:purchased gets:receives big:large small:little many:numerous kids:children
children:kids house:home makes:produces made:produced uses:employs used:employed find:determine
show:demonstrate total:overall gives:hands gave:handed needs:requires begins:starts starts:begins
car:automobile money:cash shop:store store:shop friend:companion friends:companions walks:strolls
eats:consumes ate:consumed wants:wishes earns:receives spends:pays sells:vends left:remaining
largest:greatest smallest:least every:each often:frequently number:count also:additionally
during:throughout after:following before:prior work:labor works:labors job:post weekly:each-week
calculate:compute compute:calculate evaluate:compute contains:holds gift:present picks:selects
whole:entire entire:whole box:crate boxes:crates road:street day:date daily:each-day hour:period
suggests:implies argued:claimed society:community people:persons woman:lady man:gentleman
"""
_SYNONYMS = dict(pair.split(":") for pair in _SYNONYMS_LISTED.split())
_INSTRUCTION = "Read the text below with care and answer it in full sentences:"
_TURN = "Thank you. Now for something else: what would you call a good question?"


def _html_tags(text: str, rng: Random) -> str:
    tags = ("<b>{}</b>", "<i>{}</i>", '<span class="x">{}</span>', "<em>{}</em>", "{}<br/>")
    return _WORD.sub(lambda m: rng.choice(tags).format(m[0]) if rng.random() < 0.4 else m[0], text)


def _html_entities(text: str, rng: Random) -> str:
    def escaped(match: re.Match[str]) -> str:
        letter = match[0]
        form = rng.choice((f"&#{ord(letter)};", f"&#x{ord(letter):x};"))
        return form if rng.random() < 0.15 else letter

    return re.sub(r"[A-Za-z]", escaped, text).replace(" ", "&nbsp;")


def _homoglyphs(text: str, rng: Random) -> str:
    return "".join(c.translate(_LOOKS) if rng.random() < 0.4 else c for c in text)


def _combining_marks(text: str, rng: Random) -> str:
    return "".join(c + rng.choice(_MARKS) if c.isalpha() and rng.random() < 0.3 else c for c in text)


def _zero_width(text: str, rng: Random) -> str:
    return "".join(c + rng.choice(_ZERO) if c.isalpha() and rng.random() < 0.3 else c for c in text)


def _plain_latex(text: str, rng: Random) -> str:
    """A formula as a person types it; a text without LaTeX is left as it is."""
    if "\\" not in text:
        return text
    text = re.sub(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}", r"(\1)/(\2)", text)
    text = re.sub(r"\\sqrt\{([^{}]*)\}", r"sqrt(\1)", text)
    signs = {
        "\\cdot": "*",
        "\\times": "x",
        "\\leq": "<=",
        "\\le": "<=",
        "\\geq": ">=",
        "\\ge": ">=",
        "\\pi": "pi",
    }
    for command, sign in signs.items():
        text = re.sub(re.escape(command) + r"(?![A-Za-z])", f" {sign} ", text)
    return re.sub(r"\\(?:left|right|text|mathrm)(?![A-Za-z])", "", text).translate(
        str.maketrans("", "", "{}$\\")
    )


def _every_7th_replaced(text: str, rng: Random) -> str:
    words = text.split(" ")
    shift = rng.randrange(7)
    changed = [rng.choice(_STRANGERS) if i % 7 == shift and w.isalpha() else w for i, w in enumerate(words)]
    return " ".join(changed)


def _filler_after_5th(text: str, rng: Random) -> str:
    words = text.split(" ")
    if len(words) < 6:
        return text
    return " ".join(f"{w} {rng.choice(_FILLERS)}" if i % 5 == 4 else w for i, w in enumerate(words))


def _sentences_reordered(text: str, rng: Random) -> str:
    """The sentences before the last in another order: the question stays at the end."""
    parts = re.split(r"(?<=[.!?])\s+", text.strip())
    if len(parts) < 3:
        return text
    head = parts[:-1]
    while head == parts[:-1] and len(set(head)) > 1:
        rng.shuffle(head)
    return " ".join([*head, parts[-1]])


def _synonyms(text: str, rng: Random) -> str:
    return _WORD.sub(lambda m: _SYNONYMS.get(m[0], m[0]), text)


def _reworded(text: str, rng: Random) -> str:
    """Other words, other order and a filler now and then: a paraphrase as far as rules can make one."""
    return _filler_after_12th(_sentences_reordered(_synonyms(text, rng), rng), rng)


def _filler_after_12th(text: str, rng: Random) -> str:
    words = text.split(" ")
    return " ".join(f"{w} {rng.choice(_FILLERS)}" if i % 12 == 11 else w for i, w in enumerate(words))


DISGUISES: Mapping[str, Callable[[str, Random], str]] = {
    "html_tags": _html_tags,
    "html_entities": _html_entities,
    "homoglyphs": _homoglyphs,
    "combining_marks": _combining_marks,
    "zero_width": _zero_width,
    "plain_latex": _plain_latex,
    "every_7th_replaced": _every_7th_replaced,
    "filler_after_5th": _filler_after_5th,
    "sentences_reordered": _sentences_reordered,
    "synonyms": _synonyms,
    "reworded": _reworded,
}
"""Changes that leave the problem what it is."""


def _words(others: Sequence[str], rng: Random, count: int) -> str:
    """About so many words of other texts."""
    said: list[str] = []
    while len(said) < count:
        said += rng.choice(others or _FILLERS).split()
    return " ".join(said[:count])


def _user(text: str) -> Prompt:
    return [{"role": "user", "content": text}]


def _behind(count: int) -> Place:
    return lambda text, others, rng: _user(f"{_words(others, rng, count)}.\n\n{text}")


def _two_questions(text: str, others: Sequence[str], rng: Random) -> Prompt:
    return _user(f"1. {_words(others, rng, 35)}?\n2. {_words(others, rng, 35)}?\n3. {text}")


def _with_solution(text: str, others: Sequence[str], rng: Random) -> Prompt:
    return _user(f"{text}\n\nSolution: First, {_words(others, rng, 60)}. So the answer is 42.")


def _system(text: str, others: Sequence[str], rng: Random) -> Prompt:
    return [{"role": "system", "content": f"Here is an example. {text}"}, *_user(_words(others, rng, 20))]


def _assistant(text: str, others: Sequence[str], rng: Random) -> Prompt:
    said = [*_user("Give me a problem."), {"role": "assistant", "content": f"Gladly. {text}"}]
    return [*said, *_user(_words(others, rng, 20))]


def _second_user(text: str, others: Sequence[str], rng: Random) -> Prompt:
    said = [*_user(_words(others, rng, 30)), {"role": "assistant", "content": _words(others, rng, 30)}]
    return [*said, *_user(f"{_TURN}\n\n{text}")]


PLACES: Mapping[str, Place] = {
    "alone": lambda text, others, rng: _user(text),
    "behind_12_words": lambda text, others, rng: _user(f"{_INSTRUCTION} {text}"),
    "behind_60_words": _behind(60),
    "behind_300_words": _behind(300),
    "behind_two_questions": _two_questions,
    "with_solution": _with_solution,
    "system_turn": _system,
    "assistant_turn": _assistant,
    "second_user_turn": _second_user,
}
"""Where a copy may stand."""
