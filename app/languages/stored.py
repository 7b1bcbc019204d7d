"""What workers measured, stored in English, as a reader in another language sees it.

Workers know no reader: what they say of regions, verdicts and figures is kept once, in English, for pages, API and log
alike; what they say of failures and files is a ``Message``. A page finds the sentence again among those of
``worker_words`` and says it anew, with the same values. What is none of them stays as it is: words of people and of
LVLMs, and what only an engineer reads.
"""

import re
from functools import lru_cache

from babel.numbers import get_decimal_symbol

from app.languages.catalogue import ENGLISH, language, locale_of, translations
from app.languages.worker_words import ADJECTIVES, IN_WORDS, ONLY_WORDS, SENTENCES, WORDS

PLACE = re.compile(r"%\((\w+)\)s")
FIGURE = re.compile(r"(?<![\d.])(\d+)\.(\d+)(?![\d.])")


def stored(text: str | None) -> str:
    """Empty where nothing was stored."""
    if not text or language() == ENGLISH:
        return text or ""
    return said_in(language(), str(text))


@lru_cache(maxsize=4096)
def said_in(name: str, text: str) -> str:
    catalogue = translations(name)
    for written in (text, text.replace("cluster", "region")):  # as which earlier versions stored regions
        if written in WORDS:
            return catalogue.gettext(WORDS[written]) % {}
        message, values = sentence_of(written)
        if message:
            return catalogue.gettext(message) % {place: value_in(name, place, value) for place, value in values.items()}
    return text


@lru_cache(maxsize=4096)
def sentence_of(text: str) -> tuple[str, dict[str, str]]:
    """Which of ``SENTENCES`` it is, and what stands in its places; none where it is none of them."""
    for message, pattern in patterns():
        found = pattern.fullmatch(text)
        if found and all(is_known(value) for place, value in found.groupdict().items() if place in ONLY_WORDS):
            return message, found.groupdict()
    return "", {}


def is_known(text: str) -> bool:
    return text in WORDS or bool(sentence_of(text)[0])


def value_in(name: str, place: str, value: str) -> str:
    """Most values are names and figures; some are sentences or words themselves."""
    if place == ADJECTIVES:
        return " ".join(said_in(name, word) for word in value.split())
    if place in IN_WORDS | ONLY_WORDS:
        return said_in(name, value)
    return FIGURE.sub(rf"\1{get_decimal_symbol(locale_of(name))}\2", value)


@lru_cache(maxsize=1)
def patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(message, pattern_of(message)) for message in SENTENCES]


def pattern_of(message: str) -> re.Pattern[str]:
    """Where a place occurs again the same has to stand there again."""
    parts, seen = PLACE.split(message), set[str]()
    pattern = ""
    for index, part in enumerate(parts):
        if index % 2 == 0:
            pattern += re.escape(part.replace("%%", "%"))
        else:
            pattern += f"(?P={part})" if part in seen else f"(?P<{part}>.+?)"
            seen.add(part)
    return re.compile(pattern, re.DOTALL)
