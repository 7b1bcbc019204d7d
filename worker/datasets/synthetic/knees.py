"""Radiographs of knees, healthy or with osteoarthritis, with or without a side marker."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.datasets.synthetic.drawing import Drawn, Picture, draw_each
from worker.datasets.synthetic.knee_anatomy import Knee, sample_knee
from worker.datasets.synthetic.plate_clutter import add_clutter
from worker.datasets.synthetic.shapes import Grey, Points, Stroke, filled, stroked
from worker.datasets.synthetic.side_marker import sample_marker
from worker.datasets.synthetic.textures import enlarged, mesh, noise, smoothstep

SHOULDER = 0.68
GLOW_SIZE = 48


@dataclass(frozen=True)
class Exposure:
    """How the radiograph was taken and developed."""

    contrast: float  # of the bone's grain and edges
    wash: float  # how far the thick middle of the femur is burnt out
    bone: float  # how much brighter bone is than flesh
    soft: float  # brightness of the flesh
    grain: float  # noise of the plate


def draw_knees(
    labels: npt.NDArray[np.int64],
    artefact: npt.NDArray[np.bool_],
    size: int,
    generator: np.random.Generator,
) -> Drawn:
    """Grey pictures of knees: (N, size, size, 1).

    labels: (N,), 0 healthy, 1 osteoarthritis: a narrow joint space, spurs at its edges, bright bone beside it.
    artefact: (N,), whether a side marker (R or L) lies on the plate.
    The same generator state gives the same knees, plates and markers, whatever labels and artefacts are asked for: the
    label changes pixels of the core only, the marker those of its mask only.
    """
    return draw_each(_draw, labels, artefact, size, generator)


def _draw(label: int, artefact: bool, size: int, seed: int) -> Picture:
    anatomy, plate, place = (np.random.default_rng([seed, part]) for part in range(3))
    knee = sample_knee(label, anatomy)
    grey = _plate(knee, _exposure(plate), size, plate)
    marker = np.zeros((size, size), dtype=np.float32)
    if artefact:
        drawn = sample_marker(place, size)
        marker = drawn.cover
        grey = grey * (1 - marker) + drawn.grey * marker
    return Picture(
        pixels=np.round(255 * np.clip(grey, 0, 1)).astype(np.uint8)[..., None],
        artefact=marker > 0,
        core=filled([knee.core], size) > 0,
    )


def _exposure(generator: np.random.Generator) -> Exposure:
    """Either hard, with every trabecula to be seen, or soft, with the middle burnt out."""
    hard = generator.beta(0.9, 0.9)
    return Exposure(
        contrast=0.25 + 0.75 * hard,
        wash=(1 - hard) * generator.uniform(0.1, 0.6),
        bone=generator.normal(0.2, 0.03) - 0.05 * hard,
        soft=generator.normal(0.42, 0.05),
        grain=generator.uniform(0.01, 0.025),
    )


def _plate(knee: Knee, exposure: Exposure, size: int, generator: np.random.Generator) -> Grey:
    femur, tibia, fibula = (filled([bone], size) for bone in (knee.femur, knee.tibia, knee.fibula))
    bones = np.maximum(np.maximum(femur, tibia), 0.6 * fibula)
    shine = generator.beta(1.5, 2.0, len(knee.inner))
    shade = exposure.bone - 0.15 * _thinness(knee, size, generator) + 0.05 * noise(generator, 6, 6, size)
    shade += (0.3 + 0.7 * exposure.contrast) * _glow(knee, shine, size)
    grey = _flesh(exposure, size, generator)
    grey += bones * (shade + exposure.contrast * _grain(size, generator))
    grey += 0.06 * filled([knee.patella], size) - 0.19 * filled([knee.joint], size)
    grey += exposure.grain * noise(generator, 224, 224, size)
    grey = _developed(grey + exposure.wash * _thickness(size, generator))
    # Added where the film still has room, so that a burnt out bone keeps its edges.
    grey += (0.7 + 0.7 * exposure.contrast) * _edges(knee, shine, size) * _patchy(size, generator) * (1 - grey)
    add_clutter(grey, generator)
    return grey


def _developed(grey: Grey) -> Grey:
    """Film saturates slowly: what is brighter than SHOULDER nears 1 and does not pass it."""
    rest = 1 - SHOULDER
    return np.where(grey > SHOULDER, 1 - rest * np.exp((SHOULDER - grey) / rest), grey)


def _flesh(exposure: Exposure, size: int, generator: np.random.Generator) -> Grey:
    """(S, S): the leg's soft tissue, with its upright fibres, darker towards both sides."""
    x, _ = mesh(size)
    left, right = generator.uniform(-0.14, -0.02), generator.uniform(1.02, 1.14)
    fall, dark = generator.uniform(0.12, 0.35), generator.uniform(0.05, 0.5)
    leg = smoothstep(left, left + fall, x) * smoothstep(right, right - fall, x)
    flesh = exposure.soft + 0.03 * noise(generator, 5, 14, size) + 0.015 * noise(generator, 4, 60, size)
    return np.asarray(flesh * (dark + (1 - dark) * leg))


def _grain(size: int, generator: np.random.Generator) -> Grey:
    """(S, S): the trabeculae, upright near the joint and irregular above."""
    _, y = mesh(size)
    upright = smoothstep(0.1, 0.5, y)
    fine = 0.085 * upright * noise(generator, 85, 150, size) + 0.085 * (1 - upright) * noise(generator, 140, 140, size)
    fine += 0.05 * noise(generator, 210, 210, size)
    return np.asarray(fine + 0.035 * noise(generator, 22, 60, size) + 0.045 * noise(generator, 20, 24, size))


def _thinness(knee: Knee, size: int, generator: np.random.Generator) -> Grey:
    """(S, S): 0 to about 1, where the bone is thin."""
    x, y = mesh(size)
    thin = np.zeros((size, size), dtype=np.float32)
    for place in knee.lucent:
        much, width, height = generator.uniform((0.2, 0.07, 0.09), (1.2, 0.16, 0.2))
        thin += much * np.exp(-(((x - place[0]) / width) ** 2) - ((y - place[1]) / height) ** 2)
    return thin


def _patchy(size: int, generator: np.random.Generator) -> Grey:
    """(S, S), 0.1 to 2: an edge shines where the beam grazes it, and is lost elsewhere."""
    return np.clip(0.95 + 0.5 * noise(generator, 7, 7, size) + 0.3 * noise(generator, 30, 30, size), 0.1, 2)


def _glow(knee: Knee, shine: npt.NDArray[np.float64], size: int) -> Grey:
    """(S, S): denser bone beside edges and plates, and around what shines through; drawn small, to be soft."""
    strokes = [Stroke(line, 0.09, 0.35 * much) for line, much in zip(knee.inner, shine, strict=True)]
    strokes += [Stroke(_closed(outline), 0.07, 0.12) for outline in (knee.femur, knee.tibia)]
    strokes += [Stroke(plate, 0.09 + 0.05 * much, 0.25 + 0.3 * much) for plate, much in _plates(knee)]
    return enlarged(stroked(strokes, GLOW_SIZE), size)


def _edges(knee: Knee, shine: npt.NDArray[np.float64], size: int) -> Grey:
    """(S, S): edges of the bones, the bright plates under the joint, and what shines through. Thin lines come last."""
    strokes = []
    for line, much in zip(knee.inner, shine, strict=True):
        strokes += [Stroke(line, 0.03, 0.1 * much), Stroke(line, 0.011, 0.45 * much)]
    strokes += [Stroke(_closed(knee.patella), 0.012, 0.14), Stroke(_closed(knee.fibula), 0.012, 0.22)]
    strokes += [Stroke(plate, 0.04, 0.18 + 0.25 * much) for plate, much in _plates(knee)]
    strokes += [Stroke(_closed(outline), 0.01, 0.42) for outline in (knee.femur, knee.tibia)]
    strokes += [Stroke(plate, 0.018, 0.55 + 0.1 * much) for plate, much in _plates(knee)]
    return stroked(strokes, size)


def _plates(knee: Knee) -> list[tuple[Points, float]]:
    """The plate of each compartment with its sclerosis."""
    return list(zip(knee.plateau, knee.disease.sclerosis.tolist(), strict=True))


def _closed(outline: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.concatenate([outline, outline[:1]])


def _thickness(size: int, generator: np.random.Generator) -> Grey:
    """(S, S): where most bone lies behind each other, and the plate is burnt out first."""
    x, y = mesh(size)
    centre = generator.normal((0.5, 0.15), 0.04)
    radii = generator.uniform(0.25, 0.5), generator.uniform(0.3, 0.8)
    return np.asarray(np.exp(-(((x - centre[0]) / radii[0]) ** 2) - ((y - centre[1]) / radii[1]) ** 2))
