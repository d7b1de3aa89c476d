"""Ways to write one piece of mathematics: LaTeX commands, Unicode signs and plain text, as one."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["COMMANDS", "GROUPING", "INVISIBLE", "OFF", "ON", "ROWS", "WORDS_OF", "mark_math", "spelled"]

ON, OFF = "\ue000", "\ue001"
"""Stand for the delimiters that open and close mathematics."""

INVISIBLE = frozenset(
    [
        "left",
        "right",
        "big",
        "Big",
        "bigg",
        "Bigg",
        "bigl",
        "bigr",
        "Bigl",
        "Bigr",
        "biggl",
        "biggr",
        "Biggl",
        "Biggr",
        "middle",
        "displaystyle",
        "textstyle",
        "scriptstyle",
        "limits",
        "nolimits",
        "quad",
        "qquad",
        "hspace",
        "vspace",
        "hfill",
        "noindent",
        "thinspace",
        "enspace",
        "nonumber",
        "hline",
        "allowbreak",
        "smallskip",
        "medskip",
        "bigskip",
        "centering",
        "item",
        "mathop",
        "operatorname",
        "operatorname*",
        "mathrm",
        "mathbf",
        "mathit",
        "mathsf",
        "mathtt",
        "mathcal",
        "mathbb",
        "mathfrak",
        "mathscr",
        "boldsymbol",
        "bm",
        "text",
        "textbf",
        "textit",
        "textrm",
        "textsf",
        "texttt",
        "textnormal",
        "mbox",
        "hbox",
        "emph",
        "underline",
        "rm",
        "bf",
        "it",
        "ensuremath",
        "mathstrut",
        "phantom",
        "label",
        "tag",
        "notag",
        "small",
        "large",
        "Large",
        "LARGE",
        "huge",
        "normalsize",
        "displaylimits",
    ]
)
"""Commands that say how something looks; what they are applied to stays."""

COMMANDS = {
    **dict.fromkeys(("times", "cdot", "ast", "star"), "*"),
    **dict.fromkeys(("div",), "/"),
    **dict.fromkeys(("le", "leq", "leqslant", "leqq"), "<="),
    **dict.fromkeys(("ge", "geq", "geqslant", "geqq"), ">="),
    **dict.fromkeys(("ne", "neq"), "!="),
    **dict.fromkeys(("lt",), "<"),
    **dict.fromkeys(("gt",), ">"),
    **dict.fromkeys(("to", "rightarrow", "longrightarrow"), "->"),
    **dict.fromkeys(("implies", "Rightarrow", "Longrightarrow"), "=>"),
    **dict.fromkeys(("iff", "Leftrightarrow", "Longleftrightarrow"), "<=>"),
    **dict.fromkeys(("ldots", "cdots", "dots", "dotsc", "dotsb", "dotso", "vdots"), "…"),
    **dict.fromkeys(("infty", "infinity"), "∞"),
    **dict.fromkeys(("circ", "degree", "deg"), "°"),
    **dict.fromkeys(("prime",), "′"),
    **dict.fromkeys(("pm",), "±"),
    **dict.fromkeys(("mid", "vert", "lvert", "rvert", "bigm"), "|"),
    **dict.fromkeys(("Vert", "lVert", "rVert", "parallel"), "‖"),
    **dict.fromkeys(("setminus", "backslash"), "∖"),
    **dict.fromkeys(("emptyset", "varnothing"), "∅"),
    **dict.fromkeys(("land", "wedge"), "∧"),
    **dict.fromkeys(("lor", "vee"), "∨"),
    **dict.fromkeys(("lnot", "neg"), "¬"),
    "mp": "∓", "in": "∈", "notin": "∉", "cup": "∪", "cap": "∩", "subset": "⊂", "subseteq": "⊆", "supset": "⊃",
    "supseteq": "⊇", "angle": "∠", "triangle": "△", "perp": "⊥", "cong": "≅", "sim": "∼", "simeq": "≃",
    "approx": "≈", "equiv": "≡", "propto": "∝", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉",
    "langle": "⟨", "rangle": "⟩", "lbrace": "{", "rbrace": "}", "lbrack": "[", "rbrack": "]", "sum": "∑",
    "prod": "∏", "int": "∫", "partial": "∂", "nabla": "∇", "forall": "∀", "exists": "∃", "oplus": "⊕",
    "otimes": "⊗", "square": "□", "surd": "√", "leftarrow": "<-", "gets": "<-", "mapsto": "↦",
    "pounds": "£", "euro": "€", "dollar": "$", "lparen": "(", "rparen": ")", "colon": ":", "bullet": "•",
}  # fmt: skip
"""What a command stands for; a command that is in no table stands for its own name."""

ROWS = frozenset(
    [
        "pmatrix",
        "bmatrix",
        "vmatrix",
        "Vmatrix",
        "Bmatrix",
        "matrix",
        "smallmatrix",
        "cases",
        "array",
        "tabular",
    ]
)
"""Environments in which rows and columns count."""

WORDS_OF = {"π": "pi", "√": "sqrt", "α": "alpha", "β": "beta", "θ": "theta"}
GROUPING = "{}"

_SIGNS = str.maketrans(
    {
        "−": "-", "‐": "-", "‑": "-", "–": "-", "—": " - ", "×": "*", "⋅": "*", "∙": "*", "·": "*", "÷": "/",
        "∕": "/", "⁄": "/", "≤": "<=", "⩽": "<=", "≥": ">=", "⩾": ">=", "≠": "!=", "→": "->", "⟶": "->",
        "⇒": "=>", "⟹": "=>", "⇔": "<=>", "’": "'", "‘": "'", "ʼ": "'", "′": "'", "″": "''", "“": '"',
        "”": '"', "„": '"', "«": '"', "»": '"', "º": "°", "˚": "°", "\u00a0": " ", "\u2009": " ",
        "\u202f": " ", "﹩": "$", "＄": "$", "∣": "|", "║": "‖", "∥": "‖", "⋯": "…", "∶": ":", "ϕ": "φ",
        "∆": "Δ", "µ": "μ", "Ω": "Ω",
        "½": " 1/2 ", "⅓": " 1/3 ", "⅔": " 2/3 ", "¼": " 1/4 ", "¾": " 3/4 ", "⅕": " 1/5 ", "⅖": " 2/5 ",
        "⅗": " 3/5 ", "⅘": " 4/5 ", "⅙": " 1/6 ", "⅚": " 5/6 ", "⅛": " 1/8 ", "⅜": " 3/8 ", "⅝": " 5/8 ",
        "⅞": " 7/8 ",
        **{c: f"^{d}" for c, d in zip("⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ", "0123456789n", strict=True)},
        **{c: f"_{d}" for c, d in zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True)},
    }
)  # fmt: skip
_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]{2,}")
_RUN_OF = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_DELIMITERS = re.compile(r"\\\(|\\\[|\\\)|\\\]|\$\$")
_DOLLARS = re.compile(r"(?<!\\)\$([^$]{1,600}?)(?<!\\)\$")
_PROSE = re.compile(r"(?<![\\A-Za-z])[a-z]{3,}")
_TEXT = re.compile(r"\\(?:text|mbox|textbf|mathrm|textit|operatorname|begin|end)\*?\s*\{[^{}]*\}")
_MONEY = re.compile(r"[\d,.\s]*\Z")


def spelled(text: str) -> str:
    """The text in NFC with one spelling for each sign; invisible characters go, full-width ones narrow."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text)
    text = _RUN.sub(lambda m: f"^({m[0].translate(_RUN_OF)})", text).translate(_SIGNS)
    return "".join(_plain(c) for c in text)


def _plain(char: str) -> str:
    if char < "\u00ad":
        return char
    if unicodedata.category(char) == "Cf" or "\ufe00" <= char <= "\ufe0f":
        return ""
    if "\uff01" <= char <= "\uff5e" or "\U0001d400" <= char <= "\U0001d7ff" or "\u2102" <= char <= "\u2134":
        return unicodedata.normalize("NFKC", char)
    value = unicodedata.digit(char, -1)
    return char if value < 0 or unicodedata.category(char) != "Nd" else str(value)


def mark_math(text: str) -> str:
    """Delimiters of mathematics as ON and OFF; a dollar sign that is left over is money."""
    if "\\" in text or "$$" in text:
        even = False

        def one(match: re.Match[str]) -> str:
            nonlocal even
            if match[0] == "$$":
                even = not even
                return ON if even else OFF
            return ON if match[0][1] in "([" else OFF

        text = _DELIMITERS.sub(one, text)
    if "$" not in text:
        return text
    return _paired(text)


def _paired(text: str) -> str:
    """Pairs of single dollar signs that hold mathematics, from left to right."""
    out: list[str] = []
    at = 0
    while (match := _DOLLARS.search(text, at)) is not None:
        out.append(text[at : match.start()])
        inside, after = match[1], text[match.end() : match.end() + 1]
        if _is_math(inside, after):
            out.append(ON + inside + OFF)
            at = match.end()
        else:
            out.append("$")
            at = match.start() + 1
    return "".join(out) + text[at:]


def _is_math(inside: str, after: str) -> bool:
    if not inside.strip() or "\n\n" in inside:
        return False
    if after.isdigit() and _MONEY.match(inside.rstrip("-/ ")):
        return False
    return not _PROSE.search(_TEXT.sub("", inside))
