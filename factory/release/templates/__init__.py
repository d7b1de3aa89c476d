"""The pages of a release as Jinja files. All that is put into one is escaped, unless a filter has done it."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

import jinja2
from markupsafe import Markup

__all__ = ["plain_template", "template"]

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("factory.release"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"cell": _cell, "fenced": _fenced, "markdown": _markdown, "number": _number}
    environment.filters |= {"python": _python, "plain": _plain_text}
    return environment


def template(name: str) -> jinja2.Template:
    """One of the files of this folder."""
    return _environment().get_template(name)


def plain_template(text: str) -> jinja2.Template:
    """A text that is no HTML, in which nothing is escaped."""
    return _environment().overlay(autoescape=False).from_string(text)


def _number(value: float) -> str:
    """`12,345`."""
    return f"{value:,}"


def _python(value: Any) -> Markup:
    """JSON values as a Python literal; a program is no HTML, so nothing is escaped."""
    return Markup(repr(value))


def _plain_text(value: Any) -> Markup:
    """A text in a file that is no HTML, as it is."""
    return Markup(str(value))


def _plain(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _markdown(value: Any) -> Markup:
    """Markdown as its author wrote it, without HTML."""
    return Markup("".join(_ENTITIES.get(c, c) for c in _plain(value)))


def _cell(value: Any) -> Markup:
    """A value in a Markdown table: it stays in its cell, and is neither a tag, a link nor code."""
    text = re.sub(r"[\\|`\[\]]", lambda found: "\\" + found[0], str(_markdown(value)))
    return Markup(re.sub(r"\r\n|\r|\n", "<br>", text))


def _fenced(value: Any) -> Markup:
    """JSON in a code block whose fence is longer than any run of backticks inside."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return Markup(f"{fence}json\n{text}\n{fence}")
