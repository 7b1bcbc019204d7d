"""Stage 5, the critic: an LVLM reasons about every cluster of an image under the class specification.

It sees the image, the cluster map and the overlay, and is led through the steps of the paper: look at the image, find
what belongs to the class, say which area each cluster covers, decide whether that area is relevant for the class and
whether it is what the specification names as spurious, conclude.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from worker.lvlm import LVLM, Conversation, Turn
from worker.method.marks import PALETTE, Marks

TOKENS_PER_CLUSTER = 64  # a line of the asked form needs about 20; talkative models get room
WORDS_LENGTH = 60  # characters; what is longer is no short phrase
# A line that opens what is said of one cluster: "1 blue: ...", "- **Cluster 2 (light blue)**: ...", "3. ...".
HEADER = re.compile(
    r"^[\s>#*\-_]*(?:cluster\s+)?(?P<number>\d+)\s*[(\s]*(?P<colour>[a-z][a-z ]*?)?\s*\)?[\s*_]*[:.)\-–][\s*_]*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class ClassSpecification:
    """What an expert says of one class; any of the texts may be empty."""

    name: str
    relevant: str
    spurious: str
    notes: str = ""


@dataclass(frozen=True)
class Manner:
    """In which order the same is shown and said; ``pictures`` is one of ORDERS."""

    pictures: str = "image, map, overlay"
    spurious_first: bool = False


# How the prompt names the three pictures, by their order.
ORDERS = {
    "image, map, overlay": "an image labelled {label}, the map of its clusters, both overlaid",
    "image, overlay, map": "an image labelled {label}, the same under its clusters, the map of its clusters",
    "map, image, overlay": "the map of the clusters of an image, that image, labelled {label}, both overlaid",
}


@dataclass(frozen=True)
class Case:
    """One explained image, to be judged under the specification of its label."""

    marks: Marks
    label: str
    specification: ClassSpecification
    manner: Manner = Manner()

    @property
    def specified(self) -> str:
        """Its specification in one line, as every prompt says it."""
        return specification_text(self.specification, spurious_first=self.manner.spurious_first)


@dataclass(frozen=True)
class Critique:
    """``by_cluster[number - 1]``: the critic's words on cluster ``number``, empty where there are none."""

    text: str
    by_cluster: tuple[str, ...]


def critic_prompt(case: Case) -> Conversation:
    shown = ORDERS[case.manner.pictures].format(label=one_line(case.label))
    text = (
        f"Three pictures: {shown}. The clusters mark what a model used to decide.\n"
        f"{case.specified}\n"
        "Steps: look at the image; find what belongs to the class; say what each cluster covers and where that is; "
        "decide whether that holds relevant features and whether the specification names it as spurious; "
        "conclude.\n"
        f"One line for each cluster ({_listed(case.marks)}), as: number colour: what it covers; its colour; place; "
        "size; what the specification says of it; relevant, spurious or uncertain."
    )
    return (Turn("user", text, _pictures(case.marks, case.manner.pictures)),)


def describe_prompt(case: Case) -> Conversation:
    text = (
        "Three pictures: an image, the map of its clusters, both overlaid.\n"
        f"One line for each cluster ({_listed(case.marks)}), as: number colour: what it covers, in two to four words."
    )
    return (Turn("user", text, _pictures(case.marks)),)


def criticise(lvlm: LVLM, cases: Sequence[Case]) -> list[Critique]:
    """One critique per case, in order. An answer that misses a cluster is asked for once more, then left as it is."""
    answers = _ask_twice(lvlm, cases, [critic_prompt(case) for case in cases])
    return [
        Critique(text, split_by_cluster(text, case.marks.clusters)) for text, case in zip(answers, cases, strict=True)
    ]


def describe(lvlm: LVLM, cases: Sequence[Case]) -> list[tuple[str, ...]]:
    """What each cluster covers, in a few words, without the specification; empty where the LVLM did not say.

    Cluster ``number`` has its words at ``number - 1``.
    """
    answers = _ask_twice(lvlm, cases, [describe_prompt(case) for case in cases])
    found = [split_by_cluster(text, case.marks.clusters) for text, case in zip(answers, cases, strict=True)]
    return [tuple(_short(words) for words in of_case) for of_case in found]


def specification_text(specification: ClassSpecification, *, spurious_first: bool = False) -> str:
    """The specification as one line; what is missing is said to be missing, so that nothing is read into it."""
    relevant = f"Relevant: {one_line(specification.relevant) or 'not said'}."
    spurious = f"Spurious: {one_line(specification.spurious) or 'not said'}."
    text = f"Specification. {spurious} {relevant}" if spurious_first else f"Specification. {relevant} {spurious}"
    notes = one_line(specification.notes)
    return f"{text} Notes: {notes}." if notes else text


def split_by_cluster(text: str, clusters: Sequence[int]) -> tuple[str, ...]:
    """What the text says of cluster ``number``, from its header line to the next header, at ``number - 1``.

    Strict: a cluster that has no header, more than one, or a header with another cluster's colour has no text.
    """
    found: dict[int, list[list[str]]] = {}
    current: list[str] = []  # lines before the first header go to a paragraph that nobody keeps
    for line in text.splitlines():
        header = HEADER.match(line)
        if header and int(header["number"]) in clusters:
            current = [line[header.end() :]]
            found.setdefault(int(header["number"]), []).append(current if _colour_agrees(header) else [])
        else:
            current.append(line)
    said = {number: one_line(" ".join(parts[0])) for number, parts in found.items() if len(parts) == 1}
    return tuple(said.get(number, "") for number in range(1, max(clusters, default=0) + 1))


def one_line(text: str) -> str:
    """Text from outside is data in a prompt: it cannot open a paragraph of its own, nor end its field twice."""
    return " ".join(text.split()).rstrip(".")


def _colour_agrees(header: re.Match[str]) -> bool:
    colour = header["colour"]
    return colour is None or colour.strip().lower() == PALETTE[int(header["number"]) - 1].name


def _short(words: str) -> str:
    return words if len(words) <= WORDS_LENGTH else ""


def _pictures(marks: Marks, order: str = Manner.pictures) -> tuple[Image.Image, ...]:
    by_name = {"image": marks.image, "map": marks.cluster_map, "overlay": marks.overlay}
    return tuple(by_name[name] for name in order.split(", "))


def _listed(marks: Marks) -> str:
    return ", ".join(f"{number} {PALETTE[number - 1].name}" for number in marks.clusters)


def _ask_twice(lvlm: LVLM, cases: Sequence[Case], prompts: Sequence[Conversation]) -> list[str]:
    """The answers as text; those that miss a cluster are asked for once more, and kept where they then are better."""
    room = TOKENS_PER_CLUSTER * max((len(case.marks.clusters) for case in cases), default=0)
    texts = [answer.text for answer in lvlm.ask(prompts, max_tokens=room)]
    again = [index for index, case in enumerate(cases) if _missed(texts[index], case)]
    reminders = [
        (
            *prompts[index],
            Turn("assistant", texts[index]),
            Turn("user", f"That could not be read. Write exactly one line for each of: {_listed(cases[index].marks)}."),
        )
        for index in again
    ]
    if reminders:
        for index, answer in zip(again, lvlm.ask(reminders, max_tokens=room), strict=True):
            if _missed(answer.text, cases[index]) < _missed(texts[index], cases[index]):
                texts[index] = answer.text
    return texts


def _missed(text: str, case: Case) -> int:
    said = split_by_cluster(text, case.marks.clusters)
    return sum(not said[number - 1] for number in case.marks.clusters)
