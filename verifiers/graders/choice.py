"""The grader of choices: the letter of an option, its text, or one of a fixed set of labels."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from pydantic import Field

from verifiers.graders.base import AnswerPart, Finding, Grader, UnusableReference
from verifiers.math.choice import choice_of, options_of

__all__ = ["Choice"]

_LEAD = re.compile(
    r"(?i)^(?:the\s+)?(?:correct\s+)?(?:option|choice|answer|letter|label|category|class)\s*(?:is|:)?\s*"
)
_LETTER = re.compile(r"^\(?([A-Za-z])(?:[).:]\)?|$)\s*")
_DECORATION = re.compile(r"[*_`$\"“”]|\\(?:text|textbf|mathrm|mathbf|boxed)|[{}]")


class Choice(Grader):
    """Passes an answer that picks what the reference picks, and nothing beside it.

    Either `labels` are fixed, or the options are those of the prompt (A to J): then the reference and the
    answer are a letter or an option's text. An answer that names several, or none, fails.
    """

    type: Literal["choice"] = "choice"
    answer: AnswerPart = "final"
    """What is graded."""
    labels: tuple[str, ...] | None = Field(default=None, min_length=2)
    """What may be chosen, for example positive, negative; null: the options that the prompt offers."""

    def compared(self, answer: str, reference: str, *, prompt: str) -> Finding:
        """1 where both pick the same."""
        if self.labels is not None:
            by_name = {_plain(label): label for label in self.labels}
            wanted = by_name.get(_plain(reference))
            if wanted is None:
                raise UnusableReference(
                    f"the reference {reference[:40]!r} is none of {', '.join(self.labels)}"
                )
            said = by_name.get(_plain(_LEAD.sub("", _bare(answer))))
        else:
            options = {letter: _plain(text) for letter, text in options_of(prompt).items()}
            wanted = _picked(reference, options)
            if wanted is None:
                raise UnusableReference(f"the reference {reference[:40]!r} names no option of the prompt")
            said = _picked(_LEAD.sub("", _bare(answer)), options)
        if said is None:
            return Finding(0.0, f"no single choice in {answer[:60]!r}")
        return Finding(float(said == wanted), f"picks {said}, wanted {wanted}")


def _picked(text: str, options: dict[str, str]) -> str | None:
    """The letter of the one option that the text names by letter, by text, or by both alike."""
    bare = _bare(text)
    letters = choice_of(bare.upper() if len(bare) == 1 else bare)
    if letters is not None:
        [first, *others] = letters
        return first if not others and (not options or first in options) else None
    lead = _LETTER.match(bare)
    letter = lead[1].upper() if lead and (lead[1].upper() in options) else None
    rest = _plain(bare[lead.end() :] if lead and letter else bare)
    named = [name for name, option in options.items() if option and option == rest]
    if letter is None:
        return named[0] if len(named) == 1 else None
    # "B) Paris" is B where Paris is its text, and nothing where Paris is another's.
    return letter if named == [letter] or not rest else None


def _bare(text: str) -> str:
    return " ".join(_DECORATION.sub(" ", text).split()).strip().rstrip(".").strip()


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", _bare(text)).casefold()
    return " ".join(re.findall(r"[^\W_]+|[^\w\s.,;:!?()'\"]", folded))
