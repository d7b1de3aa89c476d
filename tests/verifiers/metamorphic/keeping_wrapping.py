"""The same answer in other words around it."""

# ruff: noqa: E501  (a kind reads best on one line)

from __future__ import annotations

import random

from tests.verifiers.metamorphic.kinds import Maker, Table, boxed
from tests.verifiers.metamorphic.references import Reference
from tests.verifiers.metamorphic.shared import other
from verifiers.base import Case

__all__ = ["KEEPING_WRAPPING"]


def _said(pattern: str) -> Maker:
    return lambda r, s: pattern.replace("@", r.text)


_PHRASES = {
    "dollars": "So $n = 3k$ for some $k$, and the answer is $@$.",
    "final answer is": "Adding up, the final answer is @.",
    "bold": "We add both.\n\n**@**",
    "bold answer": "**Answer:** @",
    "bold value": "The answer is **@**.",
    "answer colon": "Adding both sides.\n\nAnswer: @",
    "hash marks": "Adding both sides.\n#### @",
    "answer tag": "Let us see.\n<answer>@</answer>",
    "tag with box": "<answer>\\boxed{@}</answer>",
    "whole text": "@",
    "whole text dollars": "$@$",
    "heading": "Adding both sides.\n\n## Final Answer\n\n@",
    "heading box": "**Final Answer**\n\n\\[\\boxed{@}\\]",
    "solution tag": "<|begin_of_solution|>\nThus \\boxed{@}\n<|end_of_solution|>",
    "thinking before": "<think>Maybe 17? No.</think>The answer is \\boxed{@}.",
    "thinking with another box": "<think>Perhaps \\boxed{17}?</think>The answer is \\boxed{@}.",
    "display": "Hence\n\\[\n\\boxed{@}\n\\]",
    "display dollars": "Hence\n$$\\boxed{@}$$",
    "parentheses": "Hence \\(\\boxed{@}\\).",
    "fbox": "Hence $\\fbox{@}$.",
    "nested box": "Hence $\\boxed{\\boxed{@}}$.",
    "box with spaces": "Hence $\\boxed{ \\, @ \\; }$.",
    "box with point": "Hence $\\boxed{@.}$",
    "box with dollars": "Hence \\boxed{$@$}.",
    "text in box": "Hence $\\boxed{\\text{@}}$.",
    "bold in box": "Hence $\\boxed{\\mathbf{@}}$.",
    "bold symbol in box": "Hence $\\boxed{\\boldsymbol{@}}$.",
    "old bold in box": "Hence $\\boxed{{\\bf @}}$.",
    "colour in box": "Hence $\\boxed{\\color{red}{@}}$.",
    "text colour in box": "Hence $\\boxed{\\textcolor{blue}{@}}$.",
    "display style": "Hence $\\boxed{\\displaystyle @}$.",
    "answer words in box": "Hence $\\boxed{\\text{Answer: } @}$.",
    "sentence behind box": "\\boxed{@}. The final answer is boxed as requested.",
    "hope behind box": "\\boxed{@}\n\nI hope this helps! Let me know if you have any questions.",
    "check behind box": "\\boxed{@}\n\nThis agrees with the condition of the problem, so we are done.",
    "verification behind box": "The answer is \\boxed{@}.\n\nVerification: substituting the value back satisfies both equations.",
    "correct behind box": "\\boxed{@} is the correct answer.",
    "restated behind box": "The result is \\boxed{@}. So the final answer is @.",
    "twice boxed": "So \\boxed{@}.\n\n**Final Answer**\n\\boxed{@}",
    "corrected": "So \\boxed{-8191}. Wait, that is wrong: I forgot a term. Correcting, \\boxed{@}.",
    "mistake then": "I first got \\boxed{8191}, but that was a mistake. The correct answer is \\boxed{@}.",
    "steps boxed": "Step 1: the sum is \\boxed{8191}.\nStep 2: subtract.\nTherefore, the final answer is \\boxed{@}.",
    "not another": "It is not 8191, since that is too large. The answer is \\boxed{@}.",
    "not another behind": "The answer is \\boxed{@}, not 8191.",
    "rejected behind": "The answer is \\boxed{@}. (The value 8191 is extraneous and must be rejected.)",
    "rejected case": "Either the first case holds or the second; the first is impossible. So the answer is \\boxed{@}.",
    "maybe earlier": "Maybe we can try induction. Perhaps it is false for small cases. It works, so the answer is \\boxed{@}.",
    "however earlier": "One might think it is 8191. However, this counts twice. So we get \\boxed{@}.",
    "question repeated": "What is the value? The value is \\boxed{@}.",
    "which is": "which is the required value: $\\boxed{@}$",
    "qed": "\\boxed{@} $\\blacksquare$",
    "qed words": "The answer is $\\boxed{@}$. Q.E.D.",
    "end token": "The answer is \\boxed{@}.<|im_end|>",
    "german": "Die Antwort ist $@$.",
    "german colon": "Antwort: @",
    "french": "La réponse est $@$.",
    "french colon": "Réponse : @",
    "spanish": "La respuesta es $@$.",
    "spanish final": "Por lo tanto, la respuesta final es @.",
    "italian": "La risposta è $@$.",
    "portuguese": "A resposta é $@$.",
    "russian": "Ответ: $@$",
    "russian sentence": "Итак, правильный ответ — $@$.",
    "chinese": "所以答案是$@$。",
    "chinese colon": "答案：@",
    "chinese box": "因此，最终答案为 $\\boxed{@}$。",
    "japanese": "よって、答えは $@$ です。",
    "korean": "따라서 정답은 $@$입니다.",
    "dutch": "Het antwoord is $@$.",
    "polish": "Odpowiedź: $@$",
    "turkish": "Cevap: $@$",
    "arabic": "الجواب هو $@$",
    "vietnamese": "Đáp án: $@$",
    "json": '{"answer": "@"}',
    "hence equals": "Hence the sum equals $@$.",
    "we obtain": "Simplifying, we obtain $@$.",
    "conclusion": "In conclusion, there are $@$ such numbers.",
    "comes out to": "The total comes out to @.",
}
_INT_PHRASES = {
    "units words in box": "\\boxed{@ \\text{ units}}",
    "noun behind box": "There are \\boxed{@} ways to do this.",
    "sentence": "So she has @ of them in all.",
    "equation last": "So $x = 3 + y$ gives\n$$x = @$$",
    "chain last": "$$S = \\frac{2}{1}(k) = @$$",
    "because behind": "The answer is @ because every term cancels.",
}


def _length_after(reference: Reference, source: random.Random) -> Case:
    text = f"{boxed(reference.text)} Let me double-check this by trying small cases. For k = 2 we"
    return Case(reference.prompt, text, reference=reference.text, finish_reason="length")


def _stop_unpunctuated(reference: Reference, source: random.Random) -> str:
    return f"Thus the answer is $\\boxed{{{reference.text}}}$"


def _unclosed_after(reference: Reference, source: random.Random) -> str:
    return f"The answer is \\boxed{{{other(reference, source)}}}. Wait, that is wrong. Correcting it: \\boxed{{{reference.text}}}. Done {{"


KEEPING_WRAPPING: Table = {
    "int": {
        **{name: _said(pattern) for name, pattern in _INT_PHRASES.items()},
        **{name: _said(pattern) for name, pattern in _PHRASES.items()},
        "cut off after the conclusion": _length_after,
        "no full stop": _stop_unpunctuated,
        "correction closed": _unclosed_after,
    },
    "formula": {
        f"{name} (formula)": _said(pattern)
        for name, pattern in _PHRASES.items()
        if name
        in (
            "dollars",
            "bold value",
            "answer tag",
            "display",
            "fbox",
            "sentence behind box",
            "german",
            "chinese",
            "display style",
            "heading box",
            "corrected",
            "whole text dollars",
            "end token",
        )
    },
    "frac": {
        f"{name} (fraction)": _said(pattern)
        for name, pattern in _PHRASES.items()
        if name
        in (
            "dollars",
            "final answer is",
            "hash marks",
            "answer colon",
            "russian",
            "japanese",
            "hope behind box",
            "colour in box",
            "steps boxed",
            "not another behind",
            "restated behind box",
        )
    },
}
