"""What each word, command and sign of prose and mathematics stands for, where it stands."""

from __future__ import annotations

from factory.sameness.cursor import (
    BREAK,
    CLOSE,
    OPEN,
    QUESTION,
    Cursor,
    plain_number,
    words_of_run,
    wrapped,
)
from factory.sameness.latex import COMMANDS, INVISIBLE, OFF, ON, ROWS
from factory.sameness.vocabulary import MATH_NAMES, known

__all__ = ["Scanner"]

_TEXT = frozenset(
    [
        "text",
        "mbox",
        "textbf",
        "textit",
        "textrm",
        "textsf",
        "texttt",
        "hbox",
        "mathrm",
        "operatorname",
        "operatorname*",
        "emph",
    ]
)
"""Commands whose argument is words, not variables."""
_ENDS = frozenset(".?!:;。？！；：")
_CJK_MARKS = frozenset("。？！；：，、「」『』《》")
_CLOSERS = frozenset(")]}|")


class Scanner(Cursor):
    """One pass over the raw tokens of a text, with the groups and environments that are open."""

    def run(self) -> list[str]:
        """All tokens."""
        while self._at < len(self._raw):
            self._next()
        return self._out

    def _next(self) -> None:
        kind, raw, match = self._raw[self._at]
        self._at += 1
        if kind == "gap":
            if "\n" in raw and raw.count("\n") > 1:
                self._break(BREAK)
        elif kind == "num":
            self._put("#" + plain_number(raw))
        elif kind == "word":
            self._word(raw)
        elif kind == "cmd":
            self._command(match["cmd"])
        elif kind == "esc":
            self._escaped(match["esc"])
        else:
            self._sign(raw)

    def _word(self, raw: str) -> None:
        if raw[0] == "_":
            self._put("blank")
            return
        self._put(*words_of_run(raw, opens=self._opens, math=self._math > 0))

    def _command(self, name: str) -> None:
        if name in _TEXT:
            math, self._math = self._math, 0
            if self._peek()[1] == "{":
                self._out += self._argument(words=True)
            self._math = math
        elif name in INVISIBLE:
            if name in ("left", "right") and self._peek()[1] == ".":
                self._at += 1
        elif name in ("begin", "end"):
            self._environment(name)
        elif name in ("frac", "dfrac", "tfrac", "cfrac"):
            top, bottom = self._argument(), self._argument()
            self._put(OPEN, *wrapped(top), "/", *wrapped(bottom), CLOSE)
        elif name == "sqrt":
            self._root()
        elif name in ("pmod", "bmod", "mod"):
            self._put("mod", *(self._argument() if name == "pmod" else ()))
        elif name in ("binom", "dbinom", "tbinom", "choose"):
            one = (
                [] if name == "choose" else [*wrapped(self._argument()), "choose", *wrapped(self._argument())]
            )
            self._put(*(one or ["choose"]))
        elif name == "boxed":
            inside = self._argument() if self._peek()[1] == "{" else []
            self._put("boxed", *inside)
        else:
            self._put(COMMANDS.get(name, name))
            while name not in COMMANDS and name not in MATH_NAMES and self._peek()[1] == "{":
                self._put(*wrapped(self._argument()))

    def _environment(self, which: str) -> None:
        name = "".join(self._argument(raw=True))
        bare = name.rstrip("*")
        if bare in ROWS:
            self._rows += 1 if which == "begin" else -1
            self._put(f"{which}:{bare}")

    def _root(self) -> None:
        order: list[str] = []
        if self._peek()[1] == "[":
            self._at += 1
            while self._at < len(self._raw) and self._peek()[1] != "]":
                order.append(self._raw[self._at][1])
                self._at += 1
            self._at += 1
        self._put("sqrt", *(["root", *order] if order and order != ["2"] else []))
        self._put("(", *self._argument(), ")")

    def _escaped(self, char: str) -> None:
        if char in ",;:! \n/-" or char in "()[]":
            return
        if char == "\\":
            if self._rows:
                self._put(";")
                if self._peek()[1] == "[":
                    self._argument_in_brackets()
            return
        self._put({"|": "‖", "_": "blank"}.get(char, char))

    def _sign(self, raw: str) -> None:
        if raw == ON:
            self._math += 1
        elif raw == OFF:
            self._math = max(0, self._math - 1)
        elif raw == "^":
            self._script("^")
        elif raw == "_":
            self._script("_")
        elif (raw in "{}" and self._math) or (raw == "~" and (self._math or self._peek(-2)[0] == "word")):
            return
        elif raw == "&":
            self._put(*(["&"] if self._rows else [] if self._math else ["and"]))
        elif raw in ('"', "`") or raw in _CJK_MARKS - _ENDS:
            return
        elif raw == "√":
            self._root()
        elif raw == "…" or raw.startswith("..."):
            if self._math or self._peek(-2)[1] in (",", "+") or self._peek(-3)[1] in (",", "+"):
                self._put("…")
            else:
                self._break(BREAK)
        else:
            self._punctuation(raw)

    def _script(self, sign: str) -> None:
        if self._peek()[1] == "{":
            inside = self._argument()
        elif self._peek()[1] == "(" or (self._peek()[0] == "num" and not self._math):
            self._put(sign)
            return
        elif self._peek()[1] in ("-", "+") and not self._math:
            self._at += 1
            inside = [self._peek(-1)[1], *self._argument()]
        else:
            inside = self._argument()
        if sign == "^" and inside in (["°"], ["′"], ["′", "′"]):
            self._put(*inside)
        elif sign == "^" and inside == ["*"]:
            self._put("^*")
        elif inside:
            self._put(sign, *wrapped(inside))

    def _punctuation(self, raw: str) -> None:
        before, after = self._peek(-2), self._peek()
        ends = (
            after[0] in ("gap", "")
            or after[1] in (OFF, '"', ")", "'")
            or after[1] in _ENDS
            or after[1] == "*"
        )
        if raw == "'":
            self._apostrophe(before, after)
        elif raw == "-":
            self._hyphen(before, after)
        elif raw in "([{":
            self._brackets += 1
            self._put(raw)
        elif raw in ")]}":
            self._brackets = max(0, self._brackets - 1)
            self._put(raw)
        elif raw == "!" and self._factorial(before):
            self._put("!")
        elif raw == "," and (ends or (after[0] == "word" and before[0] == "word")):
            self._comma(after)
        elif raw in _ENDS and (ends or raw in _CJK_MARKS):
            if raw == ":" and self._math and after[1] != OFF:
                self._put(":")
            else:
                self._break(QUESTION if raw in "?？" else BREAK)
        else:
            self._put(raw)

    def _comma(self, after: tuple[str, str]) -> None:
        """A comma counts where it parts two numbers, variables or brackets."""
        follows = self._peek(1) if after[0] == "gap" else after
        last = self._out[-1] if self._out else ""
        parts = last[:1] == "#" or len(last) == 1
        goes_on = follows[0] in ("num", "cmd", "esc") or (follows[0] == "word" and len(follows[1]) == 1)
        goes_on = goes_on or follows[1] in ("-", "(", "[", "{", "+", "…", "...", "_")
        if parts and goes_on and after[1] != OFF and (self._math or self._brackets or last[:1] == "#"):
            self._put(",")

    def _factorial(self, before: tuple[str, str]) -> bool:
        return before[0] == "num" or before[1] in _CLOSERS or (before[0] == "word" and len(before[1]) == 1)

    def _apostrophe(self, before: tuple[str, str], after: tuple[str, str]) -> None:
        one = before[0] == "word" and len(before[1]) == 1
        if (
            one
            or self._math
            or (before[1] in (")", "'") and self._out[-1:] == ["′"])
            or (before[0] == "num" and after[0] != "word")
        ):
            self._put("′")

    def _hyphen(self, before: tuple[str, str], after: tuple[str, str]) -> None:
        """Between two parts of a word a hyphen is spelling; elsewhere it is a minus or a range."""
        if self._math:
            self._put("-")
            return
        left, right = before, after
        spaced = before[0] == "gap" and after[0] == "gap"
        if spaced:
            left, right = self._peek(-3), self._peek(1)
        sides = (_is_prose(left), _is_prose(right))
        closing = before[1] == OFF and after[0] == "word" and len(after[1]) > 1
        if closing or (spaced and all(sides)) or (not spaced and any(sides) and before[0] != "gap"):
            return
        self._put("-")


def _is_prose(token: tuple[str, str]) -> bool:
    kind, raw = token
    low = raw.lower()
    return kind == "word" and len(raw) > 2 and low not in MATH_NAMES and (known(low) or len(raw) > 3)
