"""Specifications in many words, and what each of them says of the three things a cluster can cover.

A specification is made backwards: first it is decided what is relevant and what is spurious, the artefact as often as
the core, then words are found for it. Where one side never changed, a model would learn to ignore it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import numpy as np

from worker.lvlm.embedded.language import KINDS, Domain, Families, Kind, Part, nouns, phrases
from worker.lvlm.embedded.scenes import DOMAINS, Scene
from worker.lvlm.embedded.tints import TINTS, colour_word
from worker.method.critic import ClassSpecification
from worker.method.looks import EVERYWHERE
from worker.method.summary import PLACES, place

Thing = Literal["artefact", "core", "background"]
Status = Literal["relevant", "spurious", "unnamed", "unknown"]
Conclusion = Literal["relevant", "spurious", "uncertain"]
New = Literal["", "nouns", "phrases", "calibration"]  # what of the wording no lesson shows: the last is of either
Generator = np.random.Generator
T = TypeVar("T")
THINGS: tuple[Thing, ...] = ("artefact", "core", "background")
WORDS: dict[Domain, dict[Thing, str]] = {
    "digits": {"artefact": "grey square", "core": "digit strokes", "background": "empty background"},
    "radiograph": {"artefact": "side marker", "core": "knee joint", "background": "soft tissue"},
    "skin": {"artefact": "coloured patch", "core": "lesion", "background": "normal skin"},
}
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SIZES = ((0.03, "tiny"), (0.08, "small"), (0.2, "medium"), (2.0, "large"))  # shares of the picture, not reached
MOSTLY, PARTLY = 0.9, 0.1  # shares of a cluster's evidence on the artefact at which its description changes
# Share of the evidence on the core from which a cluster lies on it: strokes are thin, a joint is not.
ON_CORE: dict[Domain, float] = {"digits": 0.25, "radiograph": 0.5, "skin": 0.5}
MAJORITY = 0.5
INVERTED = 0.5  # chance that the artefact is what is relevant: as often as not, see above
ANOTHER_THING = 0.15  # chance that a thing which is not in the picture is named too
SECOND_NOUN = 0.25  # chance that one thing is named twice, as people name features
NOTED = 0.3
# How the background joins in: named with the spurious, with the relevant, in the place of either, or not at all.
BACKGROUND = (0.2, 0.08, 0.08, 0.64)
FORMS = (
    *("both", "both", "both", "both", "both", "both", "rest", "except", "not", "not", "relevant", "spurious", "notes"),
    *("empty", "strange"),
)
ARTICLES = ("the ", "the ", "the ", "", "any ", "this ")
JOINS = (" and ", " and ", ", ", " or ", " as well as ", " together with ", " and also ", "; ", " & ", " / ")
ADJECTIVE, PLACED = 0.4, 0.3
BARE, SIMPLY = "bare", 0.4  # the family of noun phrases alone, and how often it is all that somebody writes
SYLLABLES = ("blo", "zor", "fla", "gri", "mup", "ske", "vro", "tiz", "wub", "qua", "nef", "plo", "dri", "xan", "hof")


Mention = tuple[str, Thing]


@dataclass(frozen=True)
class Wording:
    """A specification and what it says: the status of each thing, and what follows for what it does not name."""

    specification: ClassSpecification
    status: dict[Thing, Status]
    rest: Conclusion  # of what is not named: spurious where nothing is named as spurious
    mentions: tuple[Mention, ...] = ()  # where the specification speaks of which thing


def say(domain: Domain, thing: Thing, generator: Generator, new: New = "", label: int = 0) -> str:
    """Words for a thing."""
    known = {"artefact": nouns(domain).artefact, "core": nouns(domain).core, "background": nouns(domain).background}
    words = known[thing]
    noun = one(words.of(_part(new, "nouns")), generator)
    adjective = one(words.adjectives, generator) if words.adjectives and generator.random() < ADJECTIVE else ""
    at = one(words.places, generator) if words.places and generator.random() < PLACED else ""
    if set(at.split()) & set(noun.split()) - {"the", "a", "of", "in"}:
        at = ""  # "the corner square in the corner"
    article = one(ARTICLES, generator)
    said = " ".join(f"{article if thing == 'artefact' or article != 'any ' else 'the '}{adjective} {noun} {at}".split())
    return said.replace("{name}", NAMES[label]).replace("{label}", str(label))


@dataclass(frozen=True)
class Meaning:
    """What a specification is to say, and in which form; other forms than ``both`` leave some of it out."""

    form: str
    relevant: tuple[Thing, ...]
    spurious: tuple[Thing, ...]


def specify_simply(domain: Domain, label: int, generator: Generator) -> Wording:
    """Both sides named by their nouns alone: where listening starts."""
    relevant, spurious = _sides(generator)
    status: dict[Thing, Status] = dict.fromkeys(THINGS, "unnamed")
    status |= dict.fromkeys(relevant, "relevant")
    status |= dict.fromkeys(spurious, "spurious")
    sides = [[(say(domain, thing, generator, label=label), thing) for thing in side] for side in (relevant, spurious)]
    texts = [_join([said for said, _ in side], generator) for side in sides]
    specification = ClassSpecification(class_name(domain, label, generator), *texts)
    return Wording(specification, status, "relevant", (*sides[0], *sides[1]))


def specify(domain: Domain, label: int, generator: Generator, new: New = "", forms: Sequence[str] = FORMS) -> Wording:
    """A specification of one class, with a random form, polarity and wording.

    new: what of the wording is to be such as was held out.
    """
    return worded(some_meaning(generator, forms), domain, label, generator, new)


def some_meaning(generator: Generator, forms: Sequence[str] = FORMS) -> Meaning:
    relevant, spurious = _sides(generator)
    return Meaning(one(forms, generator), tuple(relevant), tuple(spurious))


def worded(meaning: Meaning, domain: Domain, label: int, generator: Generator, new: New = "") -> Wording:
    """Words for a meaning, others each time."""
    name = class_name(domain, label, generator)
    if meaning.form == "empty":
        return Wording(ClassSpecification(name, "", ""), dict.fromkeys(THINGS, "unnamed"), "uncertain")
    if meaning.form == "strange":
        return _strange(meaning, domain, label, name, generator, new)
    relevant, spurious = meaning.relevant, meaning.spurious
    status: dict[Thing, Status] = dict.fromkeys(THINGS, "unnamed")
    status |= dict.fromkeys(relevant, "relevant")
    status |= dict.fromkeys(spurious, "spurious")
    good, of_good = _named(domain, relevant, label, generator, new)
    bad, of_bad = _named(domain, spurious, label, generator, new)
    liked = _phrase("for", new, generator).format(x=good)
    disliked = _phrase("against", new, generator).format(x=bad)
    rest: Conclusion = "relevant"
    notes = one(nouns(domain).notes, generator) if generator.random() < NOTED else ""
    if meaning.form == "rest":
        liked = _phrase("only", new, generator).format(x=good) if generator.random() < MAJORITY else liked
        disliked = _phrase("rest", new, generator).format(x=good)
        status = {thing: "relevant" if thing in relevant else "spurious" for thing in THINGS}
    elif meaning.form == "except":
        liked = _phrase("except", new, generator).format(x=bad)
        status = {thing: "spurious" if thing in spurious else "relevant" for thing in THINGS}
    elif meaning.form == "not":
        liked = _phrase("not", new, generator).format(x=good, y=bad)
        disliked = disliked if generator.random() < MAJORITY else ""
    elif meaning.form == "relevant":
        disliked, rest = "", "spurious"
        status |= dict.fromkeys(spurious, "unnamed")
    elif meaning.form == "spurious":
        liked = ""
        status |= dict.fromkeys(relevant, "unnamed")
    elif meaning.form == "notes":
        notes, disliked = _phrase("notes_against", new, generator).format(x=bad), ""
    texts = [styled(text, generator) for text in (liked, disliked, notes)]
    return Wording(ClassSpecification(name, *texts), status, rest, (*of_good, *of_bad))


def _families(kind: Kind, new: New) -> Families:
    """Nouns are held out under familiar phrases, and phrases around familiar nouns."""
    return phrases(_part(new, "phrases"))[kind]


def _part(new: New, what: New) -> Part:
    if new == "calibration":
        return "calibration"
    return "held out" if new == what else "training"


def _phrase(kind: Kind, new: New, generator: Generator) -> str:
    """Families are as likely as each other, so that a large one does not crowd out the rest; most people write none."""
    families = {name: said for name, said in _families(kind, new).items() if name != BARE}
    if kind in {"for", "against"} and not new and generator.random() < SIMPLY:
        return one(_families(kind, new)[BARE], generator)
    return one(one(list(families.values()), generator), generator)


def class_name(domain: Domain, label: int, generator: Generator) -> str:
    if domain == "digits":
        return one((str(label), NAMES[label], f"digit {label}"), generator)
    return one(list(nouns(domain).classes.values())[label], generator)


def styled(text: str, generator: Generator) -> str:
    """With a capital, a full stop, or as it is."""
    text = text[:1].upper() + text[1:] if generator.random() < MAJORITY else text
    return text + "." if text and generator.random() < NOTED else text


def verdict(thing: Thing, wording: Wording) -> Conclusion:
    status = wording.status[thing]
    if status == "unknown":
        return "uncertain"
    return wording.rest if status == "unnamed" else status


def thing_of(scene: Scene, number: int) -> Thing:
    """What cluster ``number`` (from 1) covers, by where its evidence lies."""
    if scene.artefact[number - 1] >= MAJORITY:
        return "artefact"
    return "core" if scene.core[number - 1] >= ON_CORE[scene.domain] else "background"


def p_spurious(scene: Scene, number: int, wording: Wording) -> float:
    """How far a cluster is to be judged spurious: where its evidence lies on two things, in that proportion."""
    artefact = scene.artefact[number - 1]
    if PARTLY <= artefact < MOSTLY:
        other: Thing = "core" if scene.core[number - 1] >= (1 - artefact) * ON_CORE[scene.domain] else "background"
        return artefact * _WEIGHT[verdict("artefact", wording)] + (1 - artefact) * _WEIGHT[verdict(other, wording)]
    return _WEIGHT[verdict(thing_of(scene, number), wording)]


_WEIGHT: dict[Conclusion, float] = {"spurious": 1.0, "relevant": 0.0, "uncertain": 0.5}


def description(scene: Scene, number: int) -> str:
    """In two to eight words, with the doubt that the evidence leaves."""
    words, artefact = WORDS[scene.domain], scene.artefact[number - 1]
    thing = thing_of(scene, number)
    if thing == "artefact":
        return words[thing] if artefact >= MOSTLY else f"mostly {words[thing]}"
    return words[thing] if artefact < PARTLY else f"{words[thing]} and part of the {words['artefact']}"


def where(scene: Scene, number: int) -> str:
    rows, columns = np.nonzero(scene.assignment == number - 1)
    height, width = scene.assignment.shape
    spread = max(float(rows.std()) / height, float(columns.std()) / width)
    return place((float(columns.mean() + 0.5) / width, float(rows.mean() + 0.5) / height), spread)


def size(scene: Scene, number: int) -> str:
    share = float((scene.assignment == number - 1).mean())
    return next(word for limit, word in SIZES if share < limit)


def tint(scene: Scene, number: int) -> str:
    """The colour of the thing that the cluster covers."""
    return tint_of(scene, thing_of(scene, number))


def tint_of(scene: Scene, thing: Thing) -> str:
    """The colour of the thing, one of TINTS. Of strokes and letters the bright part counts, not the dark between."""
    artefact, core = scene.artefact_pixels, scene.core_pixels
    pixels = {"artefact": artefact, "core": core, "background": ~(artefact | core)}[thing]
    chosen = scene.image[pixels if pixels.any() else slice(None)].reshape(-1, *scene.image.shape[2:])
    if chosen.ndim == 1:
        grey = float(np.quantile(chosen, 0.5 if thing == "background" else 0.8))
        return colour_word((grey, grey, grey))
    red, green, blue = np.median(chosen, axis=0)
    return colour_word((float(red), float(green), float(blue)))


def what_is_said(thing: Thing, wording: Wording) -> str:
    return said_of(wording.status[thing])


def said_of(status: Status) -> str:
    return {"unnamed": "not named", "unknown": "not known"}.get(status, f"named as {status}")


def seen(scene: Scene, number: int) -> str:
    """Without any specification."""
    return "; ".join((description(scene, number), tint(scene, number), where(scene, number), size(scene, number)))


def concluded(thing: Thing, wording: Wording) -> str:
    return f"{what_is_said(thing, wording)}; {verdict(thing, wording)}"


def critique_of(scene: Scene, number: int, wording: Wording) -> str:
    """What the critic should say of one cluster."""
    return f"{seen(scene, number)}; {concluded(thing_of(scene, number), wording)}"


def retold(scene: Scene, number: int, wording: Wording, generator: Generator, new: New = "") -> str:
    """What a critic might say of one cluster: in our form, without its conclusion, or in sentences."""
    thing = thing_of(scene, number)
    told = description(scene, number)
    if generator.random() < OWN_WORDS:
        told = say(scene.domain, thing, generator, new, scene.label)
    return one(RETOLD, generator).format(
        at=where(scene, number),
        seen=told,
        tint=tint(scene, number),
        size=size(scene, number),
        said=what_is_said(thing, wording),
        conclusion=verdict(thing, wording),
    )


OWN_WORDS = 0.5
RETOLD = (
    *("{seen}; {tint}; {at}; {size}; {said}; {conclusion}", "{seen}; {tint}; {at}; {size}; {said}; {conclusion}"),
    *("{seen}; {tint}; {at}; {size}; {said}", "{seen}; {at}; {said}; {conclusion}", "{seen}; {tint}; {at}; {size}"),
    *("It covers {seen} in the {at}", "It lies on {seen}, {said} by the specification", "{seen}; {at}"),
    *(
        "{seen}, so it is {conclusion}",
        "A {size} area of {tint} colour on {seen}",
        "{seen} in the {at}, which is {said}",
    ),
    *("The cluster is on {seen}. This is {said}. Conclusion: {conclusion}", "{seen}", "The colour marks {seen}"),
    "In the {at} there is {seen}; the area is {conclusion} for the class",
)


def _strange(meaning: Meaning, domain: Domain, label: int, name: str, generator: Generator, new: New) -> Wording:
    """One side or both name nothing that anyone could know. Of what the other does not name, nobody can tell."""
    odd = [_join([f"the {_strange_word(generator)}" for _ in range(count)], generator) for count in (1, 2)]
    plain, mentions = _named(domain, meaning.relevant, label, generator, new)
    side = int(generator.integers(3))
    status: dict[Thing, Status] = dict.fromkeys(THINGS, "unknown")
    if side < 2:  # noqa: PLR2004 - the third is neither
        status |= dict.fromkeys(meaning.relevant, ("relevant", "spurious")[side])
    good, bad = ((plain, odd[1]), (odd[0], plain), (odd[0], odd[1]))[side]
    liked, disliked = _phrase("for", new, generator).format(x=good), _phrase("against", new, generator).format(x=bad)
    specification = ClassSpecification(name, styled(liked, generator), styled(disliked, generator))
    return Wording(specification, status, "uncertain", mentions)


def _strange_word(generator: Generator) -> str:
    word = "".join(one(SYLLABLES, generator) for _ in range(int(generator.integers(2, 4))))
    return word + one(("", "s", "k", "t", "ing", "er"), generator)


def _named(
    domain: Domain, things: Sequence[Thing], label: int, generator: Generator, new: New
) -> tuple[str, tuple[Mention, ...]]:
    """The things in one list, and how it calls each."""
    mentions = tuple(
        (say(domain, thing, generator, new, label), thing)
        for thing in things
        for _ in range(2 if generator.random() < SECOND_NOUN else 1)
    )
    said = [words for words, _ in mentions]
    if generator.random() < ANOTHER_THING:
        said.append(f"the {one(nouns(domain).others, generator)}")
    return _join(said, generator), mentions


def _sides(generator: Generator) -> tuple[list[Thing], list[Thing]]:
    """What is relevant and what is spurious: core against artefact, either way round, the background anywhere."""
    relevant: list[Thing] = ["core"]
    spurious: list[Thing] = ["artefact"]
    if generator.random() < INVERTED:
        relevant, spurious = spurious, relevant
    joining = generator.choice(len(BACKGROUND), p=BACKGROUND)
    if joining == 0:
        spurious.append("background")
    elif joining == 1:
        relevant.append("background")
    elif joining == 2:  # noqa: PLR2004 - the third of BACKGROUND
        (relevant if generator.random() < INVERTED else spurious)[:] = ["background"]
    for side in (relevant, spurious):
        generator.shuffle(side)
    return relevant, spurious


def _join(parts: Sequence[str], generator: Generator) -> str:
    join = one(JOINS, generator)
    return join.join(parts)


def one(options: Sequence[T], generator: Generator) -> T:
    return options[int(generator.integers(len(options)))]


def held_out_words() -> set[str]:
    """Words of nouns that are held out or fit probabilities, and of nothing that lessons show."""
    said = [
        words for domain in DOMAINS for words in (nouns(domain).artefact, nouns(domain).core, nouns(domain).background)
    ]
    kept: list[str] = []
    for words in said:
        kept += [*words.of("held out"), *words.of("calibration")]
    return set(re.findall("[a-z]+", " ".join(kept).lower())) - set(
        re.findall("[a-z]+", " ".join(every_word(("training",))).lower())
    )


def every_answer() -> list[str]:
    """Everything that an answer is made of: of clusters, of what a specification says of them, and verdicts."""
    described = [words for of_domain in WORDS.values() for words in of_domain.values()]
    placed = [*(words for row in PLACES for words in row), *(words.replace("part", "corner") for words in PLACES[0])]
    said = [said_of(status) for status in get_args(Status)]
    sizes = [word for _, word in SIZES]
    return [*described, "mostly, and part of the;", *TINTS, *placed, EVERYWHERE, *sizes, *said, *get_args(Conclusion)]


def every_word(parts: Sequence[Part] = ("training", "calibration")) -> list[str]:
    """Everything that training can put into a specification."""
    words = [text for domain in DOMAINS for text in (*nouns(domain).others, *nouns(domain).notes)]
    words += [name for domain in DOMAINS for names in nouns(domain).classes.values() for name in names]
    for domain in DOMAINS:
        for thing in (nouns(domain).artefact, nouns(domain).core, nouns(domain).background):
            words += [*(noun for part in parts for noun in thing.of(part)), *thing.adjectives, *thing.places]
    families = [family for part in parts for kind in KINDS for family in phrases(part)[kind].values()]
    return words + [said for family in families for said in family]
