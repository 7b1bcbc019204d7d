"""How right the embedded LVLM is, on pictures, clusters and wordings that it has never seen.

Truth comes from where the artefact is: a cluster covers it when at least half of its positive evidence lies on it. An
accuracy never stands alone here: beside it stand the balanced accuracy, that of always saying "the core is relevant"
(with perfect eyes) and that of calling nothing spurious.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from worker.benchmarks.form import Figure, over_seeds
from worker.benchmarks.hand_written import HandWritten, hand_written
from worker.lvlm import LVLM
from worker.lvlm.embedded import wording
from worker.lvlm.embedded.course import keep_scenes, kept_scenes
from worker.lvlm.embedded.language import Domain
from worker.lvlm.embedded.pool import RealSet, new_digits, new_photographs, real_photographs
from worker.lvlm.embedded.scenes import DOMAINS, Scene
from worker.lvlm.embedded.wording import New, Status, Thing, Wording
from worker.lvlm.transformers import load_transformers
from worker.method.critic import Case, ClassSpecification, criticise, describe
from worker.method.judge import Verdict, judge
from worker.method.marks import draw_marks
from worker.method.reliability import calibration_error

IMAGES = 100  # of each domain and seed
FIRST_SEED = 11  # clusters and figures of earlier ones were looked at while the lessons were made
MEASURED: tuple[New, ...] = ("nouns", "phrases")
NAMING = tuple(form for form in wording.FORMS if form not in {"empty", "strange"})
Generator = np.random.Generator


@dataclass(frozen=True)
class Question:
    scene: Scene
    words: Wording


@dataclass(frozen=True)
class Found:
    """One cluster: what is true of it, what the judge said, and what would be said by finding the core relevant."""

    truth: str
    said: Verdict
    core_is_relevant: str


def measure(
    folders: Sequence[Path],
    seeds: int = 3,
    images: int = IMAGES,
    real: Sequence[RealSet] = (),
    work: Path | None = None,
    report: Callable[[str], None] = print,
) -> list[Figure]:
    """Figures of the model in each of ``folders``; each seed has pictures, networks and wordings of its own.

    folders: of one model, whose figures are then over the seeds; or of models that the same recipe made from several
    seeds, whose figures are over the trainings, each the mean over the parts.
    work: keeps the pictures and their clusters, most of the time that measuring takes.
    An accuracy is named after what it was measured on alone; what stands beside it has the same name and a word more.
    Raises LVLMError; OSError where a real folder is not there.
    """
    lvlms = [load_transformers(str(folder)) for folder in folders]
    rows: list[list[dict[str, float]]] = [[] for _ in lvlms]
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        report(f"seed {seed}: drawing pictures and training networks")
        scenes = pool(images, seed, real, work)
        for lvlm, of_model in zip(lvlms, rows, strict=True):
            report(f"seed {seed}: asking {lvlm.name}")
            of_model.append(measured(lvlm, scenes, seed, report))
    if len(rows) == 1:
        return over_seeds(rows[0])
    means = [{name: float(np.mean([part[name] for part in of_model])) for name in of_model[0]} for of_model in rows]
    return over_seeds(means)


Pool = dict[str, list[Scene]]


def pool(images: int, seed: int, real: Sequence[RealSet] = (), work: Path | None = None) -> Pool:
    """Scenes by the name of their set; those in ``work`` are not drawn again."""
    drawing: dict[str, Callable[[], list[Scene]]] = {"digits": lambda: new_digits(images, seed)}
    drawing |= {domain: partial(new_photographs, domain, images, seed) for domain in DOMAINS if domain != "digits"}
    drawing |= {f"real_{each.name}": partial(real_photographs, each, images, seed) for each in real}
    if work is None:
        return {name: draw() for name, draw in drawing.items()}
    work.mkdir(parents=True, exist_ok=True)
    paths = {name: work / f"pool-{name}-{images}-{seed}.pt" for name in drawing}
    for name, draw in drawing.items():
        keep_scenes(paths[name], draw)
    return {name: kept_scenes(path) for name, path in paths.items()}


def new_scenes(images: int, seed: int) -> list[Scene]:
    """Of every domain, without the real sets."""
    return [scene for of_set in pool(images, seed).values() for scene in of_set]


def measured(lvlm: LVLM, scenes: Pool, seed: int, report: Callable[[str], None] = print) -> dict[str, float]:
    generator = np.random.default_rng([seed, 104729])
    drawn = [scene for domain in DOMAINS for scene in scenes[domain]]
    figures: dict[str, float] = {"images": len(drawn), "clusters": sum(len(_numbers(scene)) for scene in drawn)}

    def keep(of_set: dict[str, float]) -> None:
        """The whole takes most of an hour: what is known already is told."""
        figures.update(of_set)
        name, value = next(iter(of_set.items()))
        report(f"seed {seed}: {name} {value:.3f}")

    meanings = [wording.some_meaning(generator, NAMING) for _ in drawn]
    first = [
        Question(scene, _worded(meaning, scene, generator)) for scene, meaning in zip(drawn, meanings, strict=True)
    ]
    familiar = judged(lvlm, first)
    keep(_by_domain("new_images", first, familiar))
    keep({"ece_familiar": unsure_by(_all(familiar))})
    again = [
        Question(one.scene, _reworded(one, meaning, generator)) for one, meaning in zip(first, meanings, strict=True)
    ]
    same = [
        a.said.value == b.said.value
        for one, other in zip(familiar, judged(lvlm, again), strict=True)
        for a, b in zip(one, other, strict=True)
    ]
    keep({"rewording_agreement": float(np.mean(same))})
    new: list[list[Found]] = []
    for what in MEASURED:
        questions = [Question(scene, _specified(scene, generator, what)) for scene in drawn]
        found = judged(lvlm, questions)
        keep(_by_domain(f"new_{what}", questions, found))
        new += found
    keep({"ece_new_wording": unsure_by(_all(new))})
    keep(_by_domain("hand_written", *_hand_written(lvlm, drawn)))
    for name, of_set in scenes.items():
        if name.startswith("real_"):
            questions = [Question(scene, _two_sided(scene, generator)) for scene in of_set]
            keep(_named_scores(name, _all(judged(lvlm, questions))))
    keep(described(lvlm, drawn))
    keep(unknown(lvlm, drawn, generator))
    return figures


def judged(lvlm: LVLM, questions: Sequence[Question]) -> list[list[Found]]:
    """Critic and judge on every question."""
    cases = [_case(one.scene, one.words.specification) for one in questions]
    verdicts = judge(lvlm, cases, criticise(lvlm, cases))
    return [
        [_found(one, number, of_case[number - 1]) for number in case.marks.clusters]
        for one, case, of_case in zip(questions, cases, verdicts, strict=True)
    ]


def _found(one: Question, number: int, said: Verdict) -> Found:
    thing = wording.thing_of(one.scene, number)
    return Found(wording.verdict(thing, one.words), said, "relevant" if thing == "core" else "spurious")


def scores(found: Sequence[Found]) -> dict[str, float]:
    """An uncertain verdict is a wrong one, except in the share of those decided that are right."""
    truth = np.array([one.truth == "spurious" for one in found])
    right = np.array([one.said.value == one.truth for one in found])
    decided = np.array([one.said.value != "uncertain" for one in found])
    core = np.array([one.core_is_relevant == one.truth for one in found])
    sides = [right[side] for side in (truth, ~truth) if side.any()]
    return {
        "accuracy": float(right.mean()),
        "balanced": float(np.mean([side.mean() for side in sides])),
        "core_is_relevant": float(core.mean()),
        "none_spurious": float(1 - truth.mean()),
        "uncertain": float(1 - decided.mean()),
        "accuracy_where_decided": float(right[decided].mean()) if decided.any() else 0.0,
        "clusters": float(len(found)),
    }


def unsure_by(found: Sequence[Found]) -> float:
    """Expected calibration error of P(spurious), with what chance adds to it."""
    p = np.array([one.said.p_spurious for one in found])
    truth = np.array([one.truth == "spurious" for one in found], dtype=np.float64)
    return calibration_error(p, truth).plain


def described(lvlm: LVLM, scenes: Sequence[Scene]) -> dict[str, float]:
    """Whether the words, given without a specification, tell the artefact from the rest; always the core beside it."""
    began = time.monotonic()
    cases = [_case(scene, ClassSpecification(str(scene.label), "", "")) for scene in scenes]
    words = describe(lvlm, cases)
    seconds = time.monotonic() - began
    pairs = [
        (_named(said[number - 1], scene.domain), wording.thing_of(scene, number))
        for said, case, scene in zip(words, cases, scenes, strict=True)
        for number in case.marks.clusters
    ]
    return {
        "words.artefact_or_not": float(
            np.mean([(said == "artefact") == (thing == "artefact") for said, thing in pairs])
        ),
        "words.artefact_found": float(np.mean([said == "artefact" for said, thing in pairs if thing == "artefact"])),
        "words.exact_thing": float(np.mean([said == thing for said, thing in pairs])),
        "words.always_core": float(np.mean([thing == "core" for _, thing in pairs])),
        "words.seconds_per_image": seconds / len(scenes),
    }


def unknown(lvlm: LVLM, scenes: Sequence[Scene], generator: Generator) -> dict[str, float]:
    """Under a specification in words that do not exist, how often the verdict is uncertain where it should be."""
    questions = [
        Question(scene, wording.specify(scene.domain, scene.label, generator, "", ("strange",)))
        for scene in scenes[:: max(1, len(scenes) // 60)]
    ]
    found = [one for one in _all(judged(lvlm, questions)) if one.truth == "uncertain"]
    return {"unknown_words.uncertain": float(np.mean([one.said.value == "uncertain" for one in found]))}


def _hand_written(lvlm: LVLM, scenes: Sequence[Scene]) -> tuple[list[Question], list[list[Found]]]:
    """Each specification on scenes of its domain, in turn."""
    questions = []
    for domain in DOMAINS:
        texts = [text for text in hand_written() if text.domain == domain]
        mine = [scene for scene in scenes if scene.domain == domain]
        questions += [Question(scene, _of_hand(texts[index % len(texts)])) for index, scene in enumerate(mine)]
    return questions, judged(lvlm, questions)


def _of_hand(text: HandWritten) -> Wording:
    status: dict[Thing, Status] = {
        "artefact": text.truth.artefact,
        "core": text.truth.core,
        "background": text.truth.background,
    }
    return Wording(ClassSpecification(text.class_name, text.relevant, text.spurious, text.notes), status, "relevant")


def _by_domain(name: str, questions: Sequence[Question], found: Sequence[Sequence[Found]]) -> dict[str, float]:
    figures = _named_scores(name, _all(found))
    for domain in DOMAINS:
        mine = [of for one, of in zip(questions, found, strict=True) if one.scene.domain == domain]
        figures[f"{name}.{domain}"] = scores(_all(mine))["accuracy"]
    return figures


def _named_scores(name: str, found: Sequence[Found]) -> dict[str, float]:
    return {f"{name}.{key}".removesuffix(".accuracy"): value for key, value in scores(found).items()}


def _worded(meaning: wording.Meaning, scene: Scene, generator: Generator) -> Wording:
    return wording.worded(meaning, scene.domain, scene.label, generator)


def _reworded(one: Question, meaning: wording.Meaning, generator: Generator) -> Wording:
    """Other words that say the same: forms that draw lots about what they leave out are drawn until they agree."""
    while (words := _worded(meaning, one.scene, generator)).status != one.words.status:
        pass
    return words


def _specified(scene: Scene, generator: Generator, new: New) -> Wording:
    return wording.specify(scene.domain, scene.label, generator, new, NAMING)


def _two_sided(scene: Scene, generator: Generator) -> Wording:
    """One that says the same of core and background: on real pictures nothing tells them apart."""
    while True:
        words = wording.specify(scene.domain, scene.label, generator, "", NAMING)
        if wording.verdict("core", words) == wording.verdict("background", words) != wording.verdict("artefact", words):
            return words


def _named(said: str, domain: Domain) -> str:
    words = wording.WORDS[domain]
    plain = said.removeprefix("mostly ").split(" and part of")[0]
    return next((thing for thing, name in words.items() if plain == name), "")


def _all(found: Iterable[Iterable[Found]]) -> list[Found]:
    return [one for of in found for one in of]


def _numbers(scene: Scene) -> list[int]:
    return [int(number) for number in np.unique(scene.assignment[scene.assignment >= 0])]


def _case(scene: Scene, specification: ClassSpecification) -> Case:
    return Case(draw_marks(Image.fromarray(scene.image), scene.assignment), specification.name, specification)
