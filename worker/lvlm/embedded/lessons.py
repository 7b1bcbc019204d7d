"""What the embedded LVLM is asked while it learns, in the words of the product's prompts, and what it should say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from worker.lvlm import Conversation, Turn
from worker.lvlm.embedded import wording
from worker.lvlm.embedded.building import HEADERS, PICTURE
from worker.lvlm.embedded.language import Domain
from worker.lvlm.embedded.scenes import Scene
from worker.lvlm.embedded.wording import Status, Wording
from worker.method.critic import (
    ORDERS,
    Case,
    ClassSpecification,
    Manner,
    critic_prompt,
    describe_prompt,
    specification_text,
)
from worker.method.judge import DEFAULT_EXAMPLES, Example, judge_prompt
from worker.method.marks import PALETTE, Marks, draw_marks

BLANK = Image.new("RGB", (1, 1))
ALL, OVERLAY = (0, 1, 2), 2  # the image, the map, the overlay
PICTURES = ("image", "map", "overlay")
SPURIOUS_FIRST, REORDERED = 0.3, 0.25  # chances that a prompt says the same in another order
KEPT = (0.0, 0.5, 1.0)  # chance of each of the judge's default examples to be among those shown
LONG_WORD, RECALLED, ASKED = 4, (2, 7), 8  # letters; how many words (from, below); how many are asked about
AKIN, KIN, ALIKE = 0.5, 10, 0.5  # chance that a word is asked about by one like it; of how many; cosine from which
WRITTEN_ON, LETTERS, LINE = 0.12, (0.06, 0.14), (2, 7)  # chance; height in picture heights; words (from, below)
TURNED = 0.2  # chance that the examples turn over what is not named
Generator = np.random.Generator


@dataclass(frozen=True)
class Material:
    """Scenes with their pictures as the tower sees them."""

    scenes: Sequence[Scene]
    pictures: Tensor  # (N, 3, 3, 84, 84) uint8: image, map, overlay; channels; rows; columns


@dataclass(frozen=True)
class Piece:
    """A part of an answer; it is learned, or only given because no one could know it from the question."""

    text: str
    learned: bool = True


Statuses = tuple[tuple[str, Status], ...]


@dataclass(frozen=True)
class Heard:
    """What a reader of the specification knows at each word of it, and at each word for what is asked about."""

    told: Statuses  # in the question
    asked: Statuses  # in the answer


@dataclass(frozen=True)
class Lesson:
    """One question and its answer; ``scene`` is None where there are no pictures, ``shown`` says which there are."""

    question: Conversation
    answer: tuple[Piece, ...]
    scene: int | None = None
    shown: tuple[int, ...] = ALL
    heard: Heard | None = None


def draw_pictures(
    scenes: Sequence[Scene], vocabulary: Sequence[str] = (), generator: Generator | None = None
) -> Material:
    """The three marks of every scene, shrunk as the processor shrinks them.

    With words and a generator a line of words is written on some of the pictures, which changes nothing of what is
    true of them: what is read in a picture is not to be obeyed.
    """
    pictures = np.zeros((len(scenes), 3, PICTURE, PICTURE, 3), dtype=np.uint8)
    for index, scene in enumerate(scenes):
        picture = Image.fromarray(scene.image)
        if generator is not None and generator.random() < WRITTEN_ON:
            line = " ".join(wording.one(vocabulary, generator) for _ in range(int(generator.integers(*LINE))))
            lit, down = (0, 255)[int(generator.integers(2))], float(generator.random())
            picture = write(picture, line.upper(), float(generator.uniform(*LETTERS)), down, lit)
        marks = draw_marks(picture, scene.assignment)
        for kind, picture in enumerate((marks.image, marks.cluster_map, marks.overlay)):
            pictures[index, kind] = np.asarray(picture.resize((PICTURE, PICTURE), Image.Resampling.BICUBIC))
    return Material(scenes, torch.from_numpy(pictures).permute(0, 1, 4, 2, 3).contiguous())


def write(picture: Image.Image, line: str, height: float, down: float, lit: int) -> Image.Image:
    """A copy with a line of writing, as wide as the picture at most.

    height: of the letters, in picture heights; down: 0 at the top, 1 at the foot; lit: their grey, 0 to 255.
    """
    written = picture.copy()
    draw, size = ImageDraw.Draw(written), max(4.0, height * picture.height)
    size = max(4.0, size * min(1.0, picture.width / draw.textlength(line, font=ImageFont.load_default(size))))
    top = down * (picture.height - size - 1)
    draw.text((0, top), line, fill=lit if picture.mode == "L" else (lit,) * 3, font=ImageFont.load_default(size))
    return written


def clusters_of(scene: Scene) -> tuple[int, ...]:
    """Numbers of the clusters that have a pixel."""
    return tuple(int(number) + 1 for number in np.unique(scene.assignment[scene.assignment >= 0]))


def case_of(scene: Scene, words: Wording, marks: Marks | None = None) -> Case:
    """The case as the critic gets it. Without marks the pictures are blank: in training they are put in later."""
    shown = marks or Marks(BLANK, BLANK, BLANK, clusters_of(scene))
    return Case(shown, words.specification.name, words.specification)


def some_manner(generator: Generator) -> Manner:
    """Mostly the product's own; else a model would go by which side is named first and not by what it is called."""
    orders = list(ORDERS)
    return Manner(
        pictures=wording.one(orders, generator) if generator.random() < REORDERED else orders[0],
        spurious_first=bool(generator.random() < SPURIOUS_FIRST),
    )


def looking(material: Material, index: int, generator: Generator) -> Lesson:
    """The overlay alone, a few clusters: what each covers and where it is."""
    scene = material.scenes[index]
    chosen = some_clusters(scene, generator)
    question = (Turn("user", f"{_listing(chosen)}: what it covers; colour; place; size.", (BLANK,)),)
    return Lesson(question, _lines(chosen, lambda number: [Piece(wording.seen(scene, number))]), index, (OVERLAY,))


def naming(material: Material, index: int, generator: Generator) -> Lesson:
    """The overlay alone, a few clusters: what each covers. Nothing but looking tells."""
    scene = material.scenes[index]
    chosen = some_clusters(scene, generator)
    question = (Turn("user", f"{_listing(chosen)}: what it covers.", (BLANK,)),)
    return Lesson(
        question, _lines(chosen, lambda number: [Piece(wording.description(scene, number))]), index, (OVERLAY,)
    )


def recalling(vocabulary: Sequence[str], embeddings: Tensor) -> Callable[[Material, int, Generator], Lesson]:
    """A specification of any words at all: what it says of each, or of a word that is like it.

    Finding a word again is the half of heeding, and people call things by other words than the critic.
    embeddings: (words, width). Nouns that are held out are no words here.
    """
    held_out = wording.held_out_words()
    good = [word.isalpha() and len(word) >= LONG_WORD and word not in held_out for word in vocabulary]
    known = [word for word, is_good in zip(vocabulary, good, strict=True) if is_good]
    alike = kin(embeddings[torch.tensor(good)])

    def one_like(number: int, generator: Generator) -> str:
        others = alike[number]
        return known[wording.one(others, generator)] if others and generator.random() < AKIN else known[number]

    def lesson(_: Material, __: int, generator: Generator) -> Lesson:
        count = int(generator.integers(*RECALLED))
        numbers = [int(number) for number in generator.choice(len(known), count + 1, replace=False)]
        if any(numbers[-1] in alike[number] or number in alike[numbers[-1]] for number in numbers[:-1]):
            numbers[-1] = numbers[0]  # of what is like a named word nobody could say that it is not named
        words = [known[number] for number in numbers]
        cut = int(generator.integers(count + 1))
        status: dict[str, Status] = dict.fromkeys(words, "unnamed")
        status |= dict.fromkeys(words[:cut], "relevant")
        status |= dict.fromkeys(words[cut:count], "spurious")
        sides = [
            ", ".join(wording.one(wording.ARTICLES, generator) + word for word in side)
            for side in (words[:cut], words[cut:count])
        ]
        specification = ClassSpecification(wording.one(known, generator), *sides)
        rest = "relevant" if sides[1] else "spurious"
        said, statuses = list[tuple[str, str]](), list[tuple[str, Status]]()
        for number in generator.choice(numbers, ASKED):
            word, asked = known[number], one_like(int(number), generator)
            follows = rest if status[word] == "unnamed" else status[word]
            said.append((asked, f"{wording.said_of(status[word])}; {follows}"))
            statuses.append((asked, status[word]))
        heard = Heard(tuple(status.items())[:count], tuple(statuses))
        return _each(specification, said, heard, generator)

    lesson.__name__ = "recalling"
    return lesson


def kin(embeddings: Tensor) -> list[list[int]]:
    """(n, width) -> of each row the most like it, KIN at most, with a cosine of ALIKE at least."""
    rows = torch.nn.functional.normalize(embeddings, dim=1)
    found: list[list[int]] = []
    for part in torch.split(rows, 1024):
        likeness = part @ rows.T
        likeness[torch.arange(len(part)), torch.arange(len(part)) + len(found)] = -1
        most = likeness.topk(min(KIN, len(rows)), dim=1)
        close = zip(most.values.tolist(), most.indices.tolist(), strict=True)
        found += [[row for value, row in zip(*pair, strict=True) if value >= ALIKE] for pair in close]
    return found


def heeding_simply(material: Material, index: int, generator: Generator) -> Lesson:
    """A specification of nouns alone: what it says of each thing. What is simple is found first."""
    scene = material.scenes[index]
    return _heeding(scene, wording.specify_simply(scene.domain, scene.label, generator), generator)


def heeding(material: Material, index: int, generator: Generator) -> Lesson:
    """A specification: what it says of each thing. Without this first, nothing that reads one is ever learned."""
    scene = material.scenes[index]
    return _heeding(scene, wording.specify(scene.domain, scene.label, generator), generator)


def _heeding(scene: Scene, words: Wording, generator: Generator) -> Lesson:
    things = list(wording.THINGS)
    generator.shuffle(things)
    said = [(wording.WORDS[scene.domain][thing], wording.concluded(thing, words)) for thing in things]
    return _each(words.specification, said, heard(words, scene.domain), generator)


def _said(specification: ClassSpecification, generator: Generator) -> str:
    return specification_text(specification, spurious_first=some_manner(generator).spurious_first)


def _each(
    specification: ClassSpecification, said: Sequence[tuple[str, str]], known: Heard, generator: Generator
) -> Lesson:
    """Each thing is given, and what the specification says of it is learned."""
    question = (Turn("user", f"{_said(specification, generator)}\nEach thing."),)
    pieces: list[Piece] = []
    for name, conclusion in said:
        pieces += [Piece(("\n" if pieces else "") + name + ";", learned=False), Piece(conclusion)]
    return Lesson(question, tuple(pieces), heard=known)


def heard(words: Wording, domain: Domain) -> Heard:
    return Heard(
        told=tuple((said, words.status[thing]) for said, thing in words.mentions),
        asked=tuple((wording.WORDS[domain][thing], status) for thing, status in words.status.items()),
    )


def listening(material: Material, index: int, generator: Generator) -> Lesson:
    """A specification, and given what a few clusters cover: what it says of each, and the conclusion."""
    scene = material.scenes[index]
    chosen = some_clusters(scene, generator)
    words = wording.specify(scene.domain, scene.label, generator)
    question = (Turn("user", f"{_said(words.specification, generator)}\n{_listing(chosen)}."),)
    return Lesson(
        question,
        _lines(
            chosen,
            lambda number: [
                Piece(f"{wording.seen(scene, number)};", learned=False),
                Piece(wording.concluded(wording.thing_of(scene, number), words)),
            ],
        ),
        heard=heard(words, scene.domain),
    )


def skimming(material: Material, index: int, generator: Generator) -> Lesson:
    """The critic's task in a short prompt, for a few clusters."""
    scene = material.scenes[index]
    chosen = some_clusters(scene, generator)
    words = wording.specify(scene.domain, scene.label, generator)
    text = f"{_said(words.specification, generator)}\n{_listing(chosen)}."
    answer = _lines(chosen, lambda number: [Piece(wording.critique_of(scene, number, words))])
    return Lesson((Turn("user", text, (BLANK,) * len(ALL)),), answer, index, heard=heard(words, scene.domain))


def criticising(material: Material, index: int, generator: Generator) -> Lesson:
    """The critic's prompt, whole."""
    scene = material.scenes[index]
    words = wording.specify(scene.domain, scene.label, generator)
    answer = _lines(clusters_of(scene), lambda number: [Piece(wording.critique_of(scene, number, words))])
    case = replace(case_of(scene, words), manner=some_manner(generator))
    shown = tuple(PICTURES.index(name) for name in case.manner.pictures.split(", "))
    return Lesson(critic_prompt(case), answer, index, shown, heard(words, scene.domain))


def describing(material: Material, index: int, generator: Generator) -> Lesson:
    scene = material.scenes[index]
    prompt = describe_prompt(case_of(scene, wording.specify(scene.domain, scene.label, generator)))
    answer = _lines(clusters_of(scene), lambda number: [Piece(wording.description(scene, number))])
    return Lesson(prompt, answer, index)


def judging(material: Material, index: int, generator: Generator) -> Lesson:
    """The judge's prompt on what a critic could have said of one cluster, whole or without its conclusion."""
    scene = material.scenes[index]
    number = int(generator.choice(clusters_of(scene)))
    words = wording.specify(scene.domain, scene.label, generator)
    examples, words = _rows(words, generator)
    text = wording.retold(scene, number, words, generator)
    # Half spurious and half relevant is taught by saying each half of the time.
    said = "spurious" if generator.random() < wording.p_spurious(scene, number, words) else "relevant"
    case = replace(case_of(scene, words), manner=some_manner(generator))
    return Lesson(judge_prompt(case, text, examples), (Piece(said),))


def _rows(words: Wording, generator: Generator) -> tuple[list[Example], Wording]:
    """Examples as people edit them: some left out, in any order. They can also turn over what is not named."""
    kept = generator.choice(KEPT)
    rows = [row for row in DEFAULT_EXAMPLES if generator.random() < kept]
    generator.shuffle(rows)
    unnamed = [index for index, row in enumerate(rows) if "not named" in row.text]
    if unnamed and words.rest == "relevant" and generator.random() < TURNED:
        rows[unnamed[0]] = Example(rows[unnamed[0]].text.replace("; relevant", "; spurious"), "spurious")
        words = replace(words, rest="spurious")
    return rows, words


def some_clusters(scene: Scene, generator: Generator) -> list[int]:
    """Some clusters in their order, each kind of thing as likely as another: squares are the rare ones."""
    there: dict[wording.Thing, list[int]] = {}
    for number in clusters_of(scene):
        there.setdefault(wording.thing_of(scene, number), []).append(number)
    kinds = list(there)
    picks = [there[kinds[int(generator.integers(len(kinds)))]] for _ in range(int(generator.integers(1, 9)))]
    return sorted({numbers[int(generator.integers(len(numbers)))] for numbers in picks})


def _listing(clusters: Sequence[int]) -> str:
    return ", ".join(f"{number} {PALETTE[number - 1].name}" for number in clusters)


def _lines(clusters: Sequence[int], say: Callable[[int], list[Piece]]) -> tuple[Piece, ...]:
    """One line for each cluster; its number and colour are learned with the line's first words."""
    pieces: list[Piece] = []
    for number in clusters:
        pieces += [Piece(("\n" if pieces else "") + HEADERS[number - 1]), *say(number)]
    return tuple(pieces)
