"""Radiographs of knees, healthy or with osteoarthritis, with or without a side marker."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.datasets.synthetic.drawing import Drawn, Picture, draw_each
from worker.datasets.synthetic.knee_anatomy import Knee, sample_knee
from worker.datasets.synthetic.shapes import Grey, Stroke, filled, stroked
from worker.datasets.synthetic.side_marker import sample_marker
from worker.datasets.synthetic.textures import mesh, noise, smoothstep


@dataclass(frozen=True)
class Exposure:
    """How the radiograph was taken and developed."""

    contrast: float  # of the bone's grain and edges
    wash: float  # how far the thick middle of the femur is burnt out
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
    grey += noise(plate, 224, 224, size) * 0.02
    return Picture(
        pixels=np.round(255 * np.clip(grey, 0, 1)).astype(np.uint8)[..., None],
        artefact=marker > 0,
        core=filled([knee.core], size) > 0,
    )


def _exposure(generator: np.random.Generator) -> Exposure:
    contrast = generator.beta(2, 2)
    return Exposure(
        contrast=0.35 + 0.9 * contrast,
        wash=(1 - contrast) * generator.uniform(0, 0.5),
        soft=generator.normal(0.34, 0.04),
        grain=generator.uniform(0.03, 0.06),
    )


def _plate(knee: Knee, exposure: Exposure, size: int, generator: np.random.Generator) -> Grey:
    femur, tibia, rest = (filled([bone], size) for bone in (knee.femur, knee.tibia, knee.fibula))
    bones = np.maximum(np.maximum(femur, tibia), 0.6 * rest)
    grey = _flesh(exposure, size, generator)
    grey += bones * (0.2 + 0.05 * noise(generator, 5, 5, size))
    grey += 0.06 * filled([knee.patella], size)
    grey += bones * exposure.contrast * _grain(size, generator)
    grey += exposure.contrast * _lines(knee, size) * (1 + 0.35 * noise(generator, 20, 20, size))
    grey -= 0.12 * filled([knee.joint], size)
    return grey + exposure.wash * _thickness(size, generator)


def _flesh(exposure: Exposure, size: int, generator: np.random.Generator) -> Grey:
    """(S, S): the leg's soft tissue, with its upright fibres, darker towards both sides."""
    x, _ = mesh(size)
    left, right = generator.uniform(-0.12, 0.0), generator.uniform(1.0, 1.12)
    leg = smoothstep(left, left + 0.2, x) * smoothstep(right, right - 0.2, x)
    flesh = exposure.soft + 0.03 * noise(generator, 5, 14, size) + 0.03 * noise(generator, 4, 60, size)
    return np.asarray(flesh * leg)


def _grain(size: int, generator: np.random.Generator) -> Grey:
    """(S, S): the trabeculae, upright near the joint and irregular above."""
    _, y = mesh(size)
    upright = 0.09 * noise(generator, 60, 150, size)
    irregular = 0.06 * noise(generator, 120, 120, size) + 0.06 * noise(generator, 224, 224, size)
    return upright * smoothstep(0.1, 0.5, y) + irregular + 0.05 * noise(generator, 14, 18, size)


def _lines(knee: Knee, size: int) -> Grey:
    """(S, S): edges of the bones, the bright plates under the joint, and scars of growth."""
    sclerosis = knee.disease.sclerosis
    strokes = [Stroke(scar, 0.012, 0.12) for scar in knee.scars]
    strokes += [Stroke(_closed(outline), 0.009, 0.2) for outline in (knee.patella, knee.fibula)]
    strokes += [Stroke(_closed(outline), 0.011, 0.35) for outline in (knee.femur, knee.tibia)]
    strokes += [
        Stroke(plate, 0.018 + 0.025 * much, 0.4 + 0.3 * much)
        for plate, much in zip(knee.plateau, sclerosis, strict=True)
    ]
    return stroked(strokes, size)


def _closed(outline: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.concatenate([outline, outline[:1]])


def _thickness(size: int, generator: np.random.Generator) -> Grey:
    x, y = mesh(size)
    centre = generator.normal((0.5, 0.15), 0.04)
    radii = generator.uniform(0.25, 0.45, 2)
    return np.asarray(np.exp(-(((x - centre[0]) / radii[0]) ** 2) - ((y - centre[1]) / radii[1]) ** 2))
