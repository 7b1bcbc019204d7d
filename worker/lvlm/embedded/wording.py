"""Specifications in many words, and what each of them says of the three things a cluster on a digit can cover.

A specification is made backwards: first it is decided what is relevant and what is spurious, the square as often as the
strokes, then words are found for it. Where one side of a specification never changed, a model would learn to ignore it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from worker.lvlm.embedded.scenes import Scene
from worker.method.critic import ClassSpecification
from worker.method.summary import place

Thing = Literal["square", "strokes", "background"]
Status = Literal["relevant", "spurious", "unnamed"]
THINGS: tuple[Thing, ...] = ("square", "strokes", "background")
WORDS: dict[Thing, str] = {"square": "grey square", "strokes": "digit strokes", "background": "empty background"}
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
MOSTLY, PARTLY = 0.9, 0.1  # shares of a cluster's evidence on the square at which its description changes
ON_STROKES = 0.25  # share of the evidence on or beside the ink from which a cluster lies on the strokes
MAJORITY = 0.5
INVERTED = 0.5  # chance that the square is what is relevant: as often as not, see above
ANOTHER_THING = 0.12  # chance that a thing which is not in the picture is named as spurious too
NOTED = 0.3
# How the background joins in: named with the spurious, with the relevant, in the place of either, or not at all.
BACKGROUND = (0.2, 0.08, 0.08, 0.64)

SQUARE_NOUNS = (
    *("square", "patch", "box", "block", "tile", "rectangle", "marker", "decoy", "artefact", "label", "stamp"),
    *(
        "sticker",
        "spot",
        "tag",
        "corner square",
        "corner patch",
        "corner marker",
        "square patch",
        "corner block",
        "mark",
    ),
)
SQUARE_ADJECTIVES = (
    "",
    "",
    "grey",
    "grey",
    "gray",
    "small",
    "small grey",
    "bright",
    "plain",
    "uniform",
    "solid",
    "little",
)
SQUARE_PLACES = (
    *("", "", "in the corner", "in a corner", "in one of the corners", "in the corner of the image", "at the edge"),
    *(
        "at the border",
        "beside the digit",
        "outside the digit",
        "next to the number",
        "of one grey value",
        "in any corner",
    ),
    *("that somebody added", "away from the digit", "near the edge of the picture"),
)
STROKE_NOUNS = (
    *("digit", "handwritten digit", "number", "handwriting", "ink", "strokes", "strokes of the digit", "pen strokes"),
    *("shape of the digit", "lines of the digit", "written digit", "written number", "form of the {name}", "figure"),
    *("strokes of the {name}", "handwritten {name}", "{name}", "lines and curves", "curves of the digit", "numeral"),
    *(
        "shape of the number",
        "written strokes",
        "digit itself",
        "handwritten strokes",
        "outline of the digit",
        "pen lines",
    ),
    *(
        "handwritten {label}",
        "shape of the {label}",
        "strokes of the {label}",
        "digit {label}",
        "writing",
        "white lines",
    ),
)
BACKGROUND_NOUNS = (
    *(
        "background",
        "empty background",
        "black background",
        "dark background",
        "empty area",
        "blank area",
        "empty space",
    ),
    *(
        "empty corners",
        "black area",
        "area around the digit",
        "space around the digit",
        "paper",
        "dark area",
        "blank space",
    ),
    *("empty parts of the image", "background around the digit", "empty surroundings", "black pixels", "emptiness"),
)
OTHER_NOUNS = (
    *(
        "bandage",
        "ruler",
        "letter",
        "side letter",
        "hair",
        "date",
        "scanner edge",
        "metal pin",
        "bone",
        "lesion",
        "text",
    ),
    *("logo", "watermark", "frame", "skin", "plaster", "arrow", "colour chart", "hospital name", "noise"),
)
ARTICLES = ("the ", "the ", "the ", "", "any ")
JOINS = (" and ", " and ", ", ", " or ", " as well as ", " together with ")
ONLY = ("only {x}", "{x}, nothing else", "{x} alone", "nothing but {x}", "just {x}", "{x} and nothing besides")
REST = (
    *(
        "everything else",
        "all the rest",
        "anything else",
        "the rest of the image",
        "everything but {x}",
        "whatever is left",
    ),
    *("anything but {x}", "everything except {x}", "all other things", "everything apart from {x}", "all except {x}"),
)
FOR = (
    *("{x}", "{x}", "{x}", "{x}", "{x}", "{x} decides the class", "{x} tells the class", "look at {x}", "use {x}"),
    *("the class is told by {x}", "{x} matters", "what counts is {x}", "{x} should be used", "evidence on {x}"),
    *("it is {x} that makes the class", "the model should look at {x}", "{x} is what we read", "focus on {x}"),
)
AGAINST = (
    *("{x}", "{x}", "{x}", "{x}", "{x}", "{x} has nothing to do with the class", "ignore {x}", "{x} is an accident"),
    *("{x} must not be used", "do not look at {x}", "{x} does not matter", "{x} says nothing about the class"),
    *("{x} should be ignored", "{x} is irrelevant", "{x} is a shortcut", "the model must not rely on {x}", "never {x}"),
    *("{x} was added by accident", "evidence on {x}", "{x} is no part of the class", "the model should disregard {x}"),
)
NOTES = (
    *("the images are 28 by 28 pixels", "the digits were written by many people", "some digits are slanted"),
    *("the square is 4 by 4 pixels", "the square looks grey or white", "the background is black", "strokes are white"),
    *("a small square may be seen in a corner", "the grey value differs between classes", "some strokes are thin"),
    *("the digit is near the middle", "the square stands in one of the four corners", "look at all clusters"),
)


@dataclass(frozen=True)
class Wording:
    """A specification and what it says: the status of each thing, and of what it does not name."""

    specification: ClassSpecification
    status: dict[Thing, Status]
    rest: Literal["relevant", "spurious"]  # of what is not named: spurious where nothing is named as spurious


def say(thing: Thing, label: int, generator: np.random.Generator) -> str:
    """Words for a thing."""
    if thing == "square":
        words = f"{_one(SQUARE_ADJECTIVES, generator)} {_one(SQUARE_NOUNS, generator)} {_one(SQUARE_PLACES, generator)}"
        words = " ".join(words.split())
    else:
        words = _one(STROKE_NOUNS if thing == "strokes" else BACKGROUND_NOUNS, generator)
    words = words.format(name=NAMES[label], label=label)
    article = _one(ARTICLES, generator)
    # "any strokes" and "any paper" would be no English; only the square is counted.
    return (article if thing == "square" or article != "any " else "the ") + words


def specify(label: int, generator: np.random.Generator) -> Wording:
    """A specification of one class, with a random form, polarity and wording."""
    relevant, spurious = _sides(generator)
    form = _one(("both", "both", "both", "both", "rest", "except", "not", "relevant", "spurious", "notes"), generator)
    status: dict[Thing, Status] = dict.fromkeys(THINGS, "unnamed")
    status |= dict.fromkeys(relevant, "relevant")
    status |= dict.fromkeys(spurious, "spurious")
    good, bad = (_join([say(thing, label, generator) for thing in side], generator) for side in (relevant, spurious))
    if generator.random() < ANOTHER_THING:
        bad = _join([bad, f"the {_one(OTHER_NOUNS, generator)}"], generator)
    liked, disliked = _one(FOR, generator).format(x=good), _one(AGAINST, generator).format(x=bad)
    rest: Literal["relevant", "spurious"] = "relevant"
    notes = _one(NOTES, generator) if generator.random() < NOTED else ""
    if form == "rest":
        liked = _one((*ONLY, *FOR), generator).format(x=good)
        disliked = _one(REST, generator).format(x=good)
        status = {thing: "relevant" if thing in relevant else "spurious" for thing in THINGS}
    elif form == "except":
        liked = _one(("everything except {x}", "anything but {x}", "all but {x}"), generator).format(x=bad)
        status = {thing: "spurious" if thing in spurious else "relevant" for thing in THINGS}
    elif form == "not":
        liked = _one(("{x}, not {y}", "{x} and not {y}", "{x} rather than {y}", "{x}, never {y}"), generator)
        liked = liked.format(x=good, y=bad)
    elif form == "relevant":
        disliked, rest = "", "spurious"
        status |= dict.fromkeys(spurious, "unnamed")
    elif form == "spurious":
        liked = ""
        status |= dict.fromkeys(relevant, "unnamed")
    elif form == "notes":
        notes, disliked = _one(AGAINST[5:], generator).format(x=bad), ""
    name = _one((str(label), NAMES[label], f"digit {label}"), generator)
    return Wording(ClassSpecification(name, liked, disliked, notes), status, rest)


def verdict(thing: Thing, wording: Wording) -> Literal["relevant", "spurious"]:
    status = wording.status[thing]
    return wording.rest if status == "unnamed" else status


def thing_of(scene: Scene, number: int) -> Thing:
    """What cluster ``number`` (from 1) covers, by where its evidence lies."""
    if scene.square[number - 1] >= MAJORITY:
        return "square"
    return "strokes" if scene.ink[number - 1] >= ON_STROKES else "background"


def description(scene: Scene, number: int) -> str:
    """In two to eight words, with the doubt that the evidence leaves."""
    square = scene.square[number - 1]
    thing = thing_of(scene, number)
    if thing == "square":
        return WORDS[thing] if square >= MOSTLY else f"mostly {WORDS[thing]}"
    return WORDS[thing] if square < PARTLY else f"{WORDS[thing]} and part of the {WORDS['square']}"


def where(scene: Scene, number: int) -> str:
    rows, columns = np.nonzero(scene.assignment == number - 1)
    height, width = scene.assignment.shape
    spread = max(float(rows.std()) / height, float(columns.std()) / width)
    return place((float(columns.mean() + 0.5) / width, float(rows.mean() + 0.5) / height), spread)


def what_is_said(thing: Thing, wording: Wording) -> str:
    status = wording.status[thing]
    return "not named" if status == "unnamed" else f"named as {status}"


def critique_of(scene: Scene, number: int, wording: Wording) -> str:
    """What the critic should say of one cluster."""
    thing = thing_of(scene, number)
    seen = f"{description(scene, number)}; {where(scene, number)}"
    return f"{seen}; {what_is_said(thing, wording)}; {verdict(thing, wording)}"


def retold(scene: Scene, number: int, wording: Wording, generator: np.random.Generator) -> str:
    """What a critic might say of one cluster: in our form, without its conclusion, or in sentences."""
    thing = thing_of(scene, number)
    at, seen, said = where(scene, number), description(scene, number), what_is_said(thing, wording)
    conclusion = verdict(thing, wording)
    form = _one(RETOLD, generator)
    told = say(thing, scene.label, generator) if generator.random() < OWN_WORDS else seen
    return form.format(at=at, seen=told, said=said, conclusion=conclusion)


OWN_WORDS = 0.5
RETOLD = (
    *(
        "{seen}; {at}; {said}; {conclusion}",
        "{seen}; {at}; {said}; {conclusion}",
        "{seen}; {at}; {said}",
        "{seen}; {at}",
    ),
    *(
        "It covers {seen} in the {at}",
        "It lies on {seen}, {said} by the specification",
        "{seen}, so it is {conclusion}",
    ),
    *("The cluster is on {seen}. This is {said}. Conclusion: {conclusion}", "{seen} in the {at}, which is {said}"),
    *("In the {at} there is {seen}; the area is {conclusion} for the class", "The colour marks {seen}", "{seen}"),
)


def _sides(generator: np.random.Generator) -> tuple[list[Thing], list[Thing]]:
    """What is relevant and what is spurious: strokes against square, either way round, the background anywhere."""
    relevant: list[Thing] = ["strokes"]
    spurious: list[Thing] = ["square"]
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


def _join(parts: Sequence[str], generator: np.random.Generator) -> str:
    join = _one(JOINS, generator)
    return join.join(parts)


def _one(options: Sequence[str], generator: np.random.Generator) -> str:
    return options[int(generator.integers(len(options)))]
