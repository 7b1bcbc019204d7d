"""Words of an LVLM for the same thing, brought together: "A grey square", "grey squares", "mostly grey square".

The normalisation is small on purpose, and only decides what is counted together; shown is what the LVLM said. Synonyms
stay apart: whether a marker is a letter is not for a computer to say.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

LONGEST = 60  # characters of a name that a page shows
ARTICLES = frozenset({"a", "an", "the"})
# Words before the name of a thing that say how surely, or how much of it, not what.
HEDGES = frozenset(
    {
        *("mostly", "mainly", "largely", "chiefly", "primarily", "predominantly", "partly", "partially", "entirely"),
        *("almost", "nearly", "only", "probably", "possibly", "perhaps", "maybe", "likely", "apparently", "some"),
        *("several", "part", "parts", "portion", "portions", "bit", "bits", "piece", "pieces", "of"),
    }
)
# "digit strokes and part of the grey square" are digit strokes: what comes second is a part only.
SECOND = re.compile(r"\s(?:and|with|plus)\s(?:a\s)?(?:small\s)?(?:parts?|portions?|bits?|pieces?|some)\sof\s")
NOT_NAMED = frozenset(
    {
        *("", "unknown", "unclear", "uncertain", "not sure", "unsure", "nothing", "something", "none", "not known"),
        *("do not know", "does not know", "i do not know", "it does not know", "don't know", "i don't know"),
        *("cannot tell", "can't tell", "i cannot tell", "unidentified", "n/a"),
    }
)


def key(words: str) -> str:
    """The same for words that differ only by case, article, number, doubt, or by what is only partly covered too.

    Empty where the words name nothing. In this order: compatible characters are made the same (NFKC) and lower case;
    what follows "and part of" is left out; punctuation goes, articles go, hedges before the name go; the plurals of
    the words that are left become singulars, by their ending alone.
    """
    plain = unicodedata.normalize("NFKC", words).casefold().replace("’", "'").strip(" .,;:!?\"'“”")
    first = SECOND.split(f" {' '.join(plain.split())} ")[0]
    left = [word for word in re.findall(r"\w+(?:['/-]\w+)*", first) if word not in ARTICLES]
    if " ".join(left) in NOT_NAMED:
        return ""
    while left and left[0] in HEDGES:
        left.pop(0)
    return " ".join(singular(word) for word in left)


def singular(word: str) -> str:
    """By the ending alone: what comes out compares words and need not be one."""
    if word.endswith(("ss", "us", "is")) or len(word) < len("ribs"):
        return word
    if word.endswith("ies"):
        return f"{word.removesuffix('ies')}y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word.removesuffix("es")
    return word.removesuffix("s")


def shown(words: str) -> str:
    """As a page or terminal shows it: one short line, without signs that steer either and without quotation marks."""
    visible = "".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in words)
    line = re.sub(r"[\"“”„«»]", "'", " ".join(visible.split())).rstrip(" .,;:")
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1].rstrip()}…"


def most_frequent(said: Sequence[str]) -> str:
    """The wording that occurs most often, as it is shown; of equally frequent ones the first in the alphabet.

    Raises ValueError when nothing was said.
    """
    wordings = Counter(shown(words) for words in said)
    return min(wordings, key=lambda words: (-wordings[words], words))
