"""The one place where texts of programs, models and endpoints are made fit to be stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

__all__ = ["storable"]

T = TypeVar("T")


def storable(value: T) -> T:
    """The value with every text in it, keys included, as tables, JSON and terminals can all hold it.

    Lone halves of surrogate pairs and NUL become U+FFFD, and halves that stand together the character that
    they are. A program or a model may put either into what it writes; Arrow refuses the first and C programs
    end a text at the second. Mappings, lists and tuples come back as dict, list and tuple; anything else that
    is no text stays what it is, and so does a value that is fit.
    """
    fit: Any = value
    if isinstance(value, str):
        fit = _text(value)
    elif isinstance(value, Mapping):
        fit = {storable(key): storable(item) for key, item in value.items()}
    elif type(value) in (list, tuple):
        fit = type(value)(storable(item) for item in value)  # type: ignore[attr-defined, call-arg]
    return fit  # type: ignore[no-any-return]


def _text(text: str) -> str:
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text
