"""Photographs of skin lesions, benign or malignant, with or without an adhesive patch beside them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.datasets.synthetic.adhesive_patch import sample_patch
from worker.datasets.synthetic.drawing import Drawn, Picture, draw_each
from worker.datasets.synthetic.shapes import Grey
from worker.datasets.synthetic.skin import (
    BLOOD,
    MELANIN,
    Colour,
    add_bubbles,
    add_hair,
    add_pen,
    add_ruler,
    lamp,
    rim,
    skin,
)
from worker.datasets.synthetic.textures import mesh, noise, smoothstep

# What makes a brown more orange: less red taken away, more blue.
TAN = np.array([-0.15, -0.05, 0.25], dtype=np.float32)
# Pigment deep in the skin looks blue-grey.
DEEP = np.array([1.0, 0.75, 0.45], dtype=np.float32)


@dataclass(frozen=True)
class Suspicion:
    """How far the lesion shows each sign of malignancy: 0 not at all, 1 much."""

    asymmetry: float
    border: float
    colours: float


def draw_lesions(
    labels: npt.NDArray[np.int64],
    artefact: npt.NDArray[np.bool_],
    size: int,
    generator: np.random.Generator,
) -> Drawn:
    """Colour pictures of skin lesions: (N, size, size, 3).

    labels: (N,), 0 benign, 1 malignant: asymmetric, with an irregular border and several colours.
    artefact: (N,), whether a coloured adhesive patch lies on the skin.
    The same generator state gives the same skin, place, hair and patch, whatever labels and artefacts are asked for:
    the label changes pixels of the lesion only (the core of either label's picture), the patch those of its mask only.
    """
    return draw_each(_draw, labels, artefact, size, generator)


def _draw(label: int, artefact: bool, size: int, seed: int) -> Picture:
    person, growth, view, place = (np.random.default_rng([seed, part]) for part in range(4))
    centre = (float(view.normal(0.5, 0.07)), float(view.normal(0.5, 0.07)))
    picture = skin(person, size)
    core = _add_lesion(picture, sample_suspicion(label, growth), growth, centre)
    add_pen(picture, view, centre)
    add_bubbles(picture, view)
    add_hair(picture, view)
    add_ruler(picture, view)
    changed = _add_patch(picture, place, centre) if artefact else np.zeros((size, size), dtype=np.bool_)
    picture *= (lamp(view, size) * rim(view, size))[..., None]
    picture += 0.008 * noise(view, 224, 224, size)[..., None]
    return Picture(np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8), changed, core)


def sample_suspicion(label: int, generator: np.random.Generator) -> Suspicion:
    """Signs of a lesion of this label. The same draws are made for both labels, and the two overlap a little."""
    little, much = generator.beta(1.0, 7.0), generator.beta(5.0, 1.5)
    signs = np.clip((little, much)[label] * generator.uniform(0.5, 1.2, 3), 0, 1)
    return Suspicion(*(float(sign) for sign in signs))


def _add_lesion(
    picture: Colour, suspicion: Suspicion, generator: np.random.Generator, centre: tuple[float, float]
) -> npt.NDArray[np.bool_]:
    """Draw the lesion and return where it is (S, S)."""
    size = len(picture)
    reach = _reach(suspicion, generator, centre, size)
    soft = generator.uniform(0.1, 0.6) * (1 - 0.5 * suspicion.border)
    cover = smoothstep(1.0, 1.0 - soft, reach)
    density = _pigment(suspicion, generator, reach, size)
    picture *= np.exp(-cover[..., None] * density)
    return np.asarray(cover > 0)


def _reach(suspicion: Suspicion, generator: np.random.Generator, centre: tuple[float, float], size: int) -> Grey:
    """(S, S): distance from the middle in units of the lesion's radius, warped as far as it is suspicious."""
    x, y = mesh(size)
    radius = float(np.clip(generator.lognormal(np.log(0.17), 0.4), 0.06, 0.4))
    angle, oblong = generator.uniform(0, np.pi), generator.uniform(1.0, 1.5)
    across, down = x - centre[0], (y - centre[1]) / 1.15
    along = (np.cos(angle) * across + np.sin(angle) * down) * oblong**-0.5
    beside = (np.cos(angle) * down - np.sin(angle) * across) * oblong**0.5
    reach = np.sqrt(along**2 + beside**2) / radius
    # The warps are on the lesion's own scale, or a large lesion would be smooth and a small one torn.
    coarse, fine = round(0.9 / radius) + 1, round(3 / radius)
    reach += (0.05 + 0.26 * suspicion.asymmetry) * noise(generator, coarse, coarse, size)
    reach += (0.04 + 0.14 * suspicion.border) * noise(generator, fine, fine, size)
    reach += generator.uniform(0.01, 0.06) * noise(generator, 60, 60, size)
    return np.asarray(reach, dtype=np.float32)


def _pigment(suspicion: Suspicion, generator: np.random.Generator, reach: Grey, size: int) -> Colour:
    """(S, S, 3): optical density. One brown when harmless; else darker, blue, red and pale parts besides."""
    brown = np.clip(generator.lognormal(np.log(0.45), 0.5), 0.15, 1.4)
    centred = generator.uniform(0.0, 0.5) * smoothstep(1.0, 0.2, reach)
    net = brown * generator.uniform(0.05, 0.3) * noise(generator, 70, 70, size)
    uneven = (0.3 * brown + 0.2 * suspicion.colours) * noise(generator, 10, 10, size)
    dark, deep, red = (smoothstep(0.2, 1.4, noise(generator, 8, 8, size)) for _ in range(3))
    melanin = np.maximum(brown + centred + net + uneven + 1.6 * suspicion.colours * dark, 0.05)
    blood = generator.uniform(0, 0.2) + 0.9 * suspicion.colours * red
    return np.asarray(
        melanin[..., None] * (MELANIN + generator.uniform(-0.3, 1.0) * TAN)
        + blood[..., None] * BLOOD
        + (1.3 * suspicion.colours * deep)[..., None] * DEEP
    )


def _add_patch(picture: Colour, generator: np.random.Generator, centre: tuple[float, float]) -> npt.NDArray[np.bool_]:
    """Lay the patch on the skin and return the pixels (S, S) that it or its shadow changes."""
    patch = sample_patch(generator, len(picture), away_from=centre)
    picture *= patch.shade[..., None]
    picture += patch.cover[..., None] * (patch.colour - picture)
    return np.asarray((patch.cover > 0) | (patch.shade < 1))
