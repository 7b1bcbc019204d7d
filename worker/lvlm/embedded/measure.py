"""How right the embedded LVLM is, on what it has never seen: real digits, and the clusters of networks trained on them.

Truth comes from where the decoy stands: a cluster covers it when at least half of its positive evidence lies on it. An
accuracy never stands alone here: beside it stand the balanced accuracy and that of calling no cluster spurious.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from worker.benchmarks.form import Figure, over_seeds
from worker.datasets.digits import decoy_digits
from worker.lvlm import LVLM
from worker.lvlm.embedded.scenes import Digits, Scene, as_input, explained, trained_network
from worker.lvlm.embedded.wording import Status, Thing, Wording, thing_of, verdict
from worker.lvlm.transformers import load_transformers
from worker.method.critic import Case, ClassSpecification, criticise, describe
from worker.method.judge import Verdict, judge
from worker.method.marks import draw_marks
from worker.method.sampling import alignment_set

IMAGES = 200  # per seed
FIRST_SEED = 10  # clusters of earlier ones were looked at while the lessons were made
EPOCHS = 15
BASELINES = 50
COMPONENTS, SHARPENING, SUPPORT = 5, 1.0, 0.95  # what an analysis has by default
BINS = 10  # of the calibration error
STROKES: dict[Thing, Status] = {"square": "spurious", "strokes": "relevant", "background": "unnamed"}
SQUARE: dict[Thing, Status] = {"square": "relevant", "strokes": "spurious", "background": "spurious"}
NOT_BACKGROUND: dict[Thing, Status] = {"square": "spurious", "strokes": "relevant", "background": "spurious"}

# Written by hand, none of them by the generator of training specifications; what is relevant, what is spurious.
PLAIN = (("the strokes of the digit", "the small grey square in the corner", STROKES),)
INVERTED = (("the small grey square in the corner", "the strokes of the digit and the background around it", SQUARE),)
HANDWRITTEN: tuple[tuple[str, str, dict[Thing, Status]], ...] = (
    (
        "How the number is written.",
        "There is a tiny grey box stuck in one corner. It is only there by accident.",
        STROKES,
    ),
    ("The pen marks a person made", "A printed corner tile without any meaning", STROKES),
    ("The curve and line segments that form the numeral", "Gray patch at the image border", STROKES),
    ("Ink!", "That artificial block near the border of the scan", STROKES),
    ("Only what somebody wrote by hand.", "Anything that is not handwriting.", NOT_BACKGROUND),
    ("The loops and stems of this figure", "The added marker, and the empty paper", NOT_BACKGROUND),
    ("The grey block in the corner carries the code we want", "Handwriting and blank paper should not count", SQUARE),
    ("Corner marker", "The numeral itself and everything that surrounds it", SQUARE),
    ("The machine-made square patch", "Pen lines; empty dark regions", SQUARE),
    ("We read the small corner tag.", "Please disregard the written number and the void around it", SQUARE),
)


@dataclass(frozen=True)
class Found:
    """One cluster: what is true of it, what the judge said."""

    truth: str
    said: Verdict


def measure(folder: Path, seeds: int = 3, images: int = IMAGES) -> list[Figure]:
    """Figures of the model in ``folder``; each seed is another split of the digits and a network of its own.

    Raises LVLMError.
    """
    lvlm = load_transformers(str(folder))
    return over_seeds([_measured(lvlm, real_scenes(images, seed)) for seed in range(FIRST_SEED, FIRST_SEED + seeds)])


def _measured(lvlm: LVLM, scenes: Sequence[Scene]) -> dict[str, float]:
    figures: dict[str, float] = {"images": len(scenes), "clusters": sum(len(scene.square) for scene in scenes)}
    every: list[Found] = []
    for name, wordings in (("plain", PLAIN), ("inverted", INVERTED), ("handwritten", HANDWRITTEN)):
        found, seconds = judged(lvlm, scenes, wordings)
        figures |= {f"{name}.{figure}": value for figure, value in scores(found).items()}
        figures[f"{name}.seconds_per_image"] = seconds / len(scenes)
        every += found
    figures["calibration_error"] = calibration_error(every)
    return figures | described(lvlm, scenes)


def real_scenes(images: int, seed: int) -> list[Scene]:
    """Explanations of the training digits that a network with the shortcut is surest of, class by class."""
    data = decoy_digits(seed)
    train = Digits(data.images[data.train_index], data.labels[data.train_index], data.masks[data.train_index])
    network = trained_network(train, seed, EPOCHS)
    with torch.inference_mode():
        logits = network(as_input(train.images))
    chosen = alignment_set(logits, torch.from_numpy(train.labels), images, "low_entropy_per_class", seed).numpy()
    asked = Digits(train.images[chosen], train.labels[chosen], train.squares[chosen])
    baselines = train.images[np.random.default_rng(seed).choice(len(train.images), BASELINES, replace=False)]
    return explained(network, asked, baselines, COMPONENTS, SHARPENING, SUPPORT)


def judged(
    lvlm: LVLM, scenes: Sequence[Scene], wordings: Sequence[tuple[str, str, dict[Thing, Status]]]
) -> tuple[list[Found], float]:
    """Critic and judge on every scene, the wordings taking turns; and the seconds it took."""
    given = [_wording(scene, *wordings[index % len(wordings)]) for index, scene in enumerate(scenes)]
    began = time.monotonic()
    cases = [_case(scene, words.specification) for scene, words in zip(scenes, given, strict=True)]
    verdicts = judge(lvlm, cases, criticise(lvlm, cases))
    seconds = time.monotonic() - began
    return [
        Found(verdict(thing_of(scene, number), words), of_case[number - 1])
        for scene, words, case, of_case in zip(scenes, given, cases, verdicts, strict=True)
        for number in case.marks.clusters
    ], seconds


def scores(found: Sequence[Found]) -> dict[str, float]:
    """An uncertain verdict is a wrong one, except in the share of those decided that are right."""
    truth = np.array([one.truth == "spurious" for one in found])
    right = np.array([one.said.value == one.truth for one in found])
    decided = np.array([one.said.value != "uncertain" for one in found])
    return {
        "accuracy": float(right.mean()),
        "balanced": float((right[truth].mean() + right[~truth].mean()) / 2),
        "accuracy_where_decided": float(right[decided].mean()) if decided.any() else 0.0,
        "uncertain": float(1 - decided.mean()),
        "none_spurious": float(1 - truth.mean()),
    }


def calibration_error(found: Sequence[Found]) -> float:
    """Expected calibration error of P(spurious) over ten equal bins (Naeini et al. 2015)."""
    p = np.array([one.said.p_spurious for one in found])
    truth = np.array([one.truth == "spurious" for one in found], dtype=float)
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    return float(sum(abs(p[bins == b].sum() - truth[bins == b].sum()) for b in range(BINS)) / len(found))


def described(lvlm: LVLM, scenes: Sequence[Scene]) -> dict[str, float]:
    """Whether the words, given without a specification, tell the square from the rest; always the strokes beside it."""
    began = time.monotonic()
    cases = [_case(scene, ClassSpecification(str(scene.label), "", "")) for scene in scenes]
    words = describe(lvlm, cases)
    seconds = time.monotonic() - began
    pairs = [
        (said[number - 1], thing_of(scene, number))
        for said, case, scene in zip(words, cases, scenes, strict=True)
        for number in case.marks.clusters
    ]
    square = [(said.endswith("grey square") and "part of" not in said, thing == "square") for said, thing in pairs]
    return {
        "words.square_or_not": float(np.mean([said == true for said, true in square])),
        "words.square_found": float(np.mean([said for said, true in square if true])),
        "words.exact_thing": float(np.mean([_named(said) == thing for said, thing in pairs])),
        "words.always_strokes": float(np.mean([thing == "strokes" for _, thing in pairs])),
        "words.seconds_per_image": seconds / len(scenes),
    }


def _named(words: str) -> str:
    for begin, thing in (("digit strokes", "strokes"), ("empty background", "background")):
        if words.startswith(begin):
            return thing
    return "square" if "grey square" in words else ""


def _wording(scene: Scene, relevant: str, spurious: str, status: dict[Thing, Status]) -> Wording:
    return Wording(ClassSpecification(str(scene.label), relevant, spurious), status, "relevant")


def _case(scene: Scene, specification: ClassSpecification) -> Case:
    return Case(draw_marks(Image.fromarray(scene.image), scene.assignment), str(scene.label), specification)
