"""The 25 verifiable instructions of IFEval (arXiv 2311.07911), each a function of the text and its arguments.

Where the published checks accept what no reader would, such as an empty text or an empty JSON object,
these do not. Arguments have the published names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from verifiers.ifeval.text import language_of, sentences, words

__all__ = ["CHECKS", "Check"]

Check = Callable[[str, Mapping[str, Any]], bool]
"""True when the text follows the instruction. Raises KeyError or ValueError when arguments are missing."""
CHECKS: dict[str, Check] = {}


def _check(name: str) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        CHECKS[name] = check
        return check

    return register


def _related(count: int, relation: str, wanted: int) -> bool:
    if relation == "at least":
        return count >= wanted
    if relation == "less than":
        return count < wanted
    raise ValueError(f"unknown relation {relation!r}, wanted 'at least' or 'less than'")


@_check("keywords:existence")
def _keywords_exist(text: str, args: Mapping[str, Any]) -> bool:
    return all(keyword.lower() in text.lower() for keyword in args["keywords"])


@_check("keywords:frequency")
def _keyword_frequency(text: str, args: Mapping[str, Any]) -> bool:
    count = text.lower().count(args["keyword"].strip().lower())
    return _related(count, args["relation"], args["frequency"])


@_check("keywords:forbidden_words")
def _forbidden_words(text: str, args: Mapping[str, Any]) -> bool:
    return not any(
        re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.I) for word in args["forbidden_words"]
    )


@_check("keywords:letter_frequency")
def _letter_frequency(text: str, args: Mapping[str, Any]) -> bool:
    return _related(text.lower().count(args["letter"].lower()), args["let_relation"], args["let_frequency"])


@_check("language:response_language")
def _response_language(text: str, args: Mapping[str, Any]) -> bool:
    return language_of(text) == str(args["language"]).split("-")[0]


@_check("length_constraints:number_sentences")
def _number_sentences(text: str, args: Mapping[str, Any]) -> bool:
    return _related(len(sentences(text)), args["relation"], args["num_sentences"])


@_check("length_constraints:number_words")
def _number_words(text: str, args: Mapping[str, Any]) -> bool:
    return _related(len(words(text)), args["relation"], args["num_words"])


@_check("length_constraints:number_paragraphs")
def _number_paragraphs(text: str, args: Mapping[str, Any]) -> bool:
    parts = [part.strip() for part in re.split(r"\s?\*\*\*\s?", text)]
    if not all(parts[1:-1]):
        return False  # a separator with nothing before the next one
    return bool(sum(map(bool, parts)) == args["num_paragraphs"])


@_check("length_constraints:nth_paragraph_first_word")
def _nth_paragraph_first_word(text: str, args: Mapping[str, Any]) -> bool:
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
    nth = args["nth_paragraph"]
    if len(paragraphs) != args["num_paragraphs"] or not 1 <= nth <= len(paragraphs):
        return False
    first = paragraphs[nth - 1].split()[0].strip("*_#\"'“”‘’.,:;!?()[]")
    # The published check ends a word at an apostrophe, so that McDonald's begins with McDonald.
    said = {first.lower(), re.split("['’]", first.lower())[0]}
    return args["first_word"].lower() in said


@_check("detectable_content:number_placeholders")
def _number_placeholders(text: str, args: Mapping[str, Any]) -> bool:
    return bool(len(re.findall(r"\[[^\[\]\n]+\]", text)) >= args["num_placeholders"])


_POSTSCRIPTS = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}


@_check("detectable_content:postscript")
def _postscript(text: str, args: Mapping[str, Any]) -> bool:
    marker = args["postscript_marker"].strip()
    pattern = _POSTSCRIPTS.get(marker, re.escape(marker.lower()))
    # It may stand at the end of a line as well as on one of its own; P.P.S. is no P.S. with a letter before.
    return bool(re.search(rf"(?<![\w.]){pattern}.*\w", text.lower()))


@_check("detectable_format:number_bullet_lists")
def _number_bullets(text: str, args: Mapping[str, Any]) -> bool:
    bullets = re.findall(r"^[^\S\n]*\*[^*].*$|^[^\S\n]*[-•](?!-).*$", text, re.MULTILINE)
    return bool(len(bullets) == args["num_bullets"])


@_check("detectable_format:constrained_response")
def _constrained(text: str, args: Mapping[str, Any]) -> bool:
    options = [f"My answer is {option}." for option in ("yes", "no", "maybe")]
    return sum(option in text for option in options) == 1


@_check("detectable_format:number_highlighted_sections")
def _highlights(text: str, args: Mapping[str, Any]) -> bool:
    double = re.findall(r"\*\*([^*\n]+)\*\*", text)
    single = re.findall(r"\*([^*\n]+)\*", re.sub(r"\*\*[^*\n]+\*\*", " ", text))
    return bool(sum(bool(section.strip()) for section in [*double, *single]) >= args["num_highlights"])


@_check("detectable_format:multiple_sections")
def _sections(text: str, args: Mapping[str, Any]) -> bool:
    # The published argument's name is spelled this way.
    splitter = args["section_spliter"].strip()
    parts = re.split(rf"\s?{re.escape(splitter)}\s?\d+\s?", text)
    return bool(len(parts) - 1 >= args["num_sections"])


@_check("detectable_format:json_format")
def _json_format(text: str, args: Mapping[str, Any]) -> bool:
    fenced = re.fullmatch(r"\s*```(?:json|JSON|Json)?\s*\n?(.*?)\n?\s*```\s*", text, re.DOTALL)
    try:
        value = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        return False
    return value not in ({}, [], "", None)  # nothing said is no answer, however well it parses


@_check("detectable_format:title")
def _title(text: str, args: Mapping[str, Any]) -> bool:
    lines = (line.partition("<<")[2].rpartition(">>")[0] for line in text.split("\n"))
    return any(line.strip(" <>") for line in lines)


@_check("combination:two_responses")
def _two_responses(text: str, args: Mapping[str, Any]) -> bool:
    parts = [part.strip() for part in text.split("******")]
    if not all(parts[1:-1]):
        return False
    said = [part for part in parts if part]
    return len(said) == 2 and said[0] != said[1]


@_check("combination:repeat_prompt")
def _repeat_prompt(text: str, args: Mapping[str, Any]) -> bool:
    prompt = str(args["prompt_to_repeat"]).strip().lower()
    return text.strip().lower().startswith(prompt) and len(text.strip()) > len(prompt)


@_check("startend:end_checker")
def _end(text: str, args: Mapping[str, Any]) -> bool:
    wanted = str(args["end_phrase"]).strip().strip('"').lower()
    return text.strip().strip('"').strip().lower().endswith(wanted)


@_check("startend:quotation")
def _quotation(text: str, args: Mapping[str, Any]) -> bool:
    text = text.strip()
    return len(text) > 2 and text[0] in '"“' and text[-1] in '"”'


@_check("change_case:capital_word_frequency")
def _capital_words(text: str, args: Mapping[str, Any]) -> bool:
    capital = [word for word in re.findall(r"[^\W\d_][\w'’-]*", text) if word.isupper()]
    return _related(len(capital), args["capital_relation"], args["capital_frequency"])


@_check("change_case:english_capital")
def _all_capital(text: str, args: Mapping[str, Any]) -> bool:
    return text.isupper() and language_of(text) in ("en", None)


@_check("change_case:english_lowercase")
def _all_lower(text: str, args: Mapping[str, Any]) -> bool:
    return text.islower() and language_of(text) in ("en", None)


@_check("punctuation:no_comma")
def _no_comma(text: str, args: Mapping[str, Any]) -> bool:
    return not re.search("[,，、]", text)
