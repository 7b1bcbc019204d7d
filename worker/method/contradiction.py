"""Whether a verdict contradicts what the critic wrote to explain it.

A critic that says "covers the marker, relevant" under a specification that names the marker as spurious has made a
mistake in one half of the sentence. Which half, nobody here can tell: the verdict stands, and a person is told. A false
alarm costs trust, so all that could mean something else is let pass: negations, exceptions, what lies beside a thing.
"""

import re
from collections.abc import Iterator
from typing import Literal

from worker.method.critic import ClassSpecification, one_line

Word = Literal["spurious", "relevant"]
LONGEST_DESCRIPTION = 8  # words; what is longer is a story, of which the first words may not be the point
SHOWN = 80  # characters of the critic's description in a sentence


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


LETTERS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
CLAUSE = re.compile(r"[;:.,!?()\n]+|\b(?:but|however|although|though|whereas|while|yet)\b")
NAMED = re.compile(r"(?:(?:it|this|that|which) )?(?:is )?named as (spurious|relevant)(?: (?:in|by) the specification)?")
SAYS = re.compile(r"(?:which|that|this|it)? ?the specification (?:names|lists|describes|gives) (?:it |this )?as (\w+)")
CONCLUDED = re.compile(
    r"(?:so|thus|hence|therefore|verdict|conclusion|and)?\s*"
    r"(?:(?:it|this|that|the cluster|the area) is)?\s*(spurious|relevant)(?: for the class)?"
)
COVERS = re.compile(
    r"^(?:(?:it|this|the cluster|the area|the colour)(?: \d+)? )?(?:mostly |mainly )?"
    r"(?:covers|shows|marks|contains|holds|(?:lies|falls|sits|is)(?: mostly| mainly)? on)\b"
)
# What follows one of these says where a thing is, or what is with it, not what it is.
ASIDE = re.compile(
    r"\b(?:of|in|on|at|to|from|by|with|within|inside|over|under|above|below|behind|along|across|through|into|onto|"
    r"between|among|around|round|near|beside|next|adjacent|close|that|which|where|who|when|is|are|was|were|has|have)\b"
)
PARTS = re.compile(r"[;:.,!?()/\n]+|\b(?:and|or|as well as|together with|such as|like|for example|plus)\b")
# With one of these in a text, its words can mean their opposite, or all but themselves.
TURNING = _listed(
    "no not never none nothing neither nor without except excepting but besides other else rather instead than unless "
    "only alone apart outside away beyond despite any anything everything whatever all every rest remainder free lack "
    "lacks lacking absent absence hardly barely false wrong cannot dont doesnt isnt arent wont"
)
AGAINST = _listed(
    "ignore ignores ignored ignoring disregard disregarded avoid avoided overlook skip exclude excluded excluding "
    "remove removed discard neglect irrelevant spurious distrust shortcut"
)
FOR = _listed("relevant important decisive crucial essential matter matters count counts trust trusted")
NEAR = _listed("near beside next adjacent close partly partially part some half towards")
# Words that many things share: where, how large, of what colour, and names of anything.
SHARED = _listed(
    "a an the this that these those it its their there one some several two three of in on at to by with and or as so "
    "mostly mainly also often sometimes usually probably possibly maybe about very more less "
    "corner edge border side top bottom middle centre center left right upper lower outer inner margin rim end place "
    "area region part portion zone spot point mark line pixel cluster colour color image picture photo photograph "
    "scan model class feature structure object thing shape form pattern surface evidence "
    "black white grey gray red green blue orange yellow purple brown pink dark light bright pale coloured colored "
    "colourful colorful small little tiny big large long short thin thick wide narrow round square-shaped straight "
    "empty blank bare plain solid uniform whole entire normal abnormal healthy clear visible sharp written "
    "is are was be use used look see seen should must can may do does"
)


def contradiction(words: str, verdict: str, specification: ClassSpecification) -> str:
    """Why what the critic wrote of a cluster and its verdict do not go together, as a sentence; empty where they may.

    words:   what the critic wrote of one cluster.
    verdict: ``spurious`` or ``relevant``; whatever else is nobody's word, and contradicts nothing.
    """
    if verdict not in {"spurious", "relevant"}:
        return ""
    words = one_line(words)
    named, concluded = _named(words), _concluded(words)
    if named and named != verdict:
        return f"The critic says that the specification names this as {named}, but the verdict is {verdict}."
    if concluded and concluded != verdict:
        return f"The critic concludes that this is {concluded}, but the verdict is {verdict}."
    description = COVERS.sub("", CLAUSE.split(words.lower())[0]).strip()
    meant = _meant(description, specification)
    if meant and meant != verdict:
        return f"The specification names “{description[:SHOWN]}” as {meant}, but the verdict is {verdict}."
    return ""


def _named(words: str) -> Word | None:
    """What the critic says that the specification says of the cluster; None where that is not clear."""
    found = set[str]()
    is_plain = not _turns(_words(words)) and not _words(words) & NEAR
    for clause in _clauses(words):
        if match := NAMED.fullmatch(clause) or (is_plain and SAYS.fullmatch(clause)) or None:
            found.add(match[1])
    return _only(found)


def _concluded(words: str) -> Word | None:
    """The critic's last word; None where it is another, or was left to the judge's examples: nothing was named."""
    last = list(_clauses(words))[-1:]
    match = CONCLUDED.fullmatch(last[0]) if last and "not named" not in words.lower() else None
    return _only({match[1]}) if match else None


def _only(found: set[str]) -> Word | None:
    if found == {"spurious"}:
        return "spurious"
    return "relevant" if found == {"relevant"} else None


def _meant(description: str, specification: ClassSpecification) -> Word | None:
    """Under which of its two headings the specification has the thing described; None where that is not clear."""
    texts = (specification.relevant, specification.spurious, specification.notes)
    relevant, spurious, notes = (_words(text) for text in texts)
    if _turns(relevant | spurious) or relevant & AGAINST or spurious & FOR:
        return None
    said = _words(description)
    if _turns(said) or said & NEAR or len(description.split()) > LONGEST_DESCRIPTION:
        return None
    things = list(_things(description))
    thing = things[0] if things else frozenset[str]()
    if not thing or (_turns(notes) and thing & _stems(notes)):
        return None
    if _holds(specification.spurious, thing) and not _stems(said) & _stems(relevant):
        return "spurious"
    if _holds(specification.relevant, thing) and not _stems(said) & _stems(spurious):
        return "relevant"
    return None


def _turns(words: frozenset[str]) -> bool:
    return bool(words & TURNING) or any(word.endswith("n't") for word in words)


def _holds(text: str, thing: frozenset[str]) -> bool:
    """Whether one of the things that a text names is this one, said with more words or with fewer."""
    return any(named <= thing or thing <= named for named in _things(text))


def _things(text: str) -> Iterator[frozenset[str]]:
    """The words that tell one thing from another, for every thing that a text lists."""
    for part in PARTS.split(text.lower()):
        if stems := _stems(_words(ASIDE.split(part)[0])):
            yield stems


def _stems(words: frozenset[str]) -> frozenset[str]:
    return frozenset(_stem(word) for word in words) - SHARED


def _stem(word: str) -> str:
    """The singular, roughly: both sides are treated alike."""
    word = word.removesuffix("'s")
    if word.endswith("ies") and len(word) > len("ties"):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _clauses(words: str) -> Iterator[str]:
    return (clause.strip() for clause in CLAUSE.split(words.lower()) if clause.strip())


def _words(text: str) -> frozenset[str]:
    return frozenset(LETTERS.findall(text.lower().replace("’", "'")))
