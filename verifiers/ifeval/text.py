"""Reading plain text without a language model: words, sentences, and which language it is in."""

from __future__ import annotations

import re
from collections import Counter

__all__ = ["language_of", "sentences", "words"]

_WORD = re.compile(r"\w+")
_ABBREVIATION = re.compile(
    r"\b(?:mr|mrs|ms|dr|prof|sr|jr|st|vs|vol|fig|e\.g|i\.e|a\.m|p\.m|u\.s|u\.k|ph\.d|approx|dept"
    r"|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec)\.$",
    re.IGNORECASE,
)
_INITIAL = re.compile(r"\b[A-Z]\.$")
_ITEM = re.compile(r"(?:^|\n)[^\S\n]*(?:\(?\d{1,3}|[ivxIVX]{1,4}|[a-zA-Z])[.)]$")
"""The number of a list's item, whose point ends nothing."""
_LONGEST_ABBREVIATION = 12
_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)\]*_]*+(?=\s|\Z)|[。！？]+[」』”’)]*|\n\s*\n")


def words(text: str) -> list[str]:
    """Runs of word characters, so that `don't` is two of them, as the published checks count."""
    return _WORD.findall(text)


def sentences(text: str) -> list[str]:
    """Sentences by their final marks; titles, initials and decimal points do not end one."""
    found = []
    start, last = 0, len(text.rstrip())
    for end in _END.finditer(text):
        tail = text[max(start, end.end() - _LONGEST_ABBREVIATION) : end.end()]
        more = end.end() < last
        if end[0] == "." and more and (_ABBREVIATION.search(tail) or _INITIAL.search(tail)):
            continue
        if end[0] == "." and more and _ITEM.search(tail):
            continue
        found.append(text[start : end.end()].strip())
        start = end.end()
    found.append(text[start:].strip())
    return [piece for piece in found if any(symbol.isalnum() for symbol in piece)]


_SCRIPTS = {
    "ko": "가-힣ᄀ-ᇿ", "th": "ก-๛", "he": "א-ת", "el": "Ͱ-Ͽ", "bn": "ঀ-৿", "ta": "஀-௿", "te": "ఀ-౿",
    "kn": "ಀ-೿", "ml": "ഀ-ൿ", "gu": "઀-૿", "pa": "਀-੿", "devanagari": "ऀ-ॿ", "arabic": "؀-ۿ",
    "cyrillic": "Ѐ-ӿ", "kana": "぀-ヿ", "han": "㐀-鿿", "latin": "a-zA-ZÀ-ɏḀ-ỿ",
}  # fmt: skip
_SCRIPT_RUNS = {name: re.compile(f"[{span}]") for name, span in _SCRIPTS.items()}
_COMMON_WORDS = {
    "en": "the of and to in is that it for was on are with as be this by have not you at from or an",
    "es": "el la de que y en los del se las por un para con una su es al lo como más pero sus le ya este",
    "pt": "o de que e do da em um para com não uma os no se na por mais as dos como mas ao ele das seu sua é",
    "fr": "le de la et les des en un du une que est pour qui dans par plus pas au sur ne se ce il sont avec",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an",
    "it": "di che è e la il un a per in una mi sono ho non lo ma si con le da ci del della nel gli",
    "nl": "de het een en van ik te dat die in is niet zijn op aan met als voor er maar om hem dan zou of wat",
    "pl": "w i z na do się nie to jest że o jak po co za od przez dla są tym który ale może przy oraz jego",
    "sv": "och i att det som en på är av för med den till inte har de om ett han men var jag sig från vi så",
    "fi": "ja on ei se että hän oli joka mutta ovat ole kun niin myös sen tai tämä kuin voi mukaan sekä olla",
    "vi": "và của là có được cho không trong một các những với để này người từ khi đã như về tôi bạn đến",
    "sw": "na ya wa kwa ni za katika la kuwa cha hii yake kama pia au hiyo si lakini watu wao sana huo ambao",
    "tr": "ve bir bu da de için ile çok olarak daha gibi en ne kadar olan ama var ben sonra o değil her mi",
    "id": "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena bisa ada mereka",
    "hi": "है के में की और से का को पर यह नहीं हैं एक कि भी था इस ने लिए हो करने",
    "mr": "आहे आणि च्या ते या मध्ये हे आहेत एक नाही की ती हा तर साठी होते असे मी तो",
    "ne": "छ र को मा हो यो पनि गर्न छन् एक लागि तर हुन्छ गरेको भएको थियो नेपाल उनी",
}
_WORD_LISTS = {code: frozenset(listed.split()) for code, listed in _COMMON_WORDS.items()}
_DEVANAGARI = ("hi", "mr", "ne")


def language_of(text: str) -> str | None:
    """The ISO 639-1 code of a text's language, by script, letters and common words; null when unclear."""
    counts = {name: len(run.findall(text)) for name, run in _SCRIPT_RUNS.items()}
    total = sum(counts.values())
    if not total:
        return None
    if counts["kana"] > 0.05 * total:
        return "ja"
    script = max(counts, key=lambda name: counts[name])
    if counts[script] < 0.5 * total:
        return None
    if script == "han":
        return "zh"
    if script == "cyrillic":
        return _cyrillic(text.lower())
    if script == "arabic":
        return _arabic(text)
    if script == "devanagari":
        return _by_words(re.findall(r"[\u0900-\u097f]+", text), among=_DEVANAGARI)
    if script == "latin":
        latin = [code for code in _WORD_LISTS if code not in _DEVANAGARI]
        return _by_words(re.findall(r"[^\W\d_]+", text.lower()), among=latin)
    return script


def _cyrillic(text: str) -> str:
    if re.search("[іїєґ]", text):
        return "uk"
    return "ru" if re.search("[ыэё]", text) or text.count("ъ") * 200 < len(text) else "bg"


def _arabic(text: str) -> str:
    if re.search("[ٹڈڑںے]", text):
        return "ur"
    return "fa" if re.search("[پچژگکی]", text) else "ar"


def _by_words(found: list[str], *, among: list[str] | tuple[str, ...]) -> str | None:
    scores = Counter({code: sum(word in _WORD_LISTS[code] for word in found) for code in among})
    (best, score), (_, second) = scores.most_common(2)
    return best if score > second else None
