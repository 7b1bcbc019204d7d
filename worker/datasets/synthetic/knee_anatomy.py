"""The outlines of one knee seen from the front, healthy or with osteoarthritis.

Control points are in picture widths, the fibula's side on the left. Osteoarthritis moves only points of the joint, and
a spline's point rules four stretches, so that everything outside ``core`` is the same with and without it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.datasets.synthetic.shapes import Points, closed_spline, open_spline, rotation

# From the left end of the tibia's plateau over its two spines to the right end.
PLATEAU = np.array(
    [
        (0.085, 0.648), (0.15, 0.652), (0.23, 0.646), (0.31, 0.624), (0.375, 0.585), (0.42, 0.556), (0.465, 0.572),
        (0.512, 0.548), (0.56, 0.585), (0.64, 0.617), (0.74, 0.634), (0.82, 0.632), (0.872, 0.626),
    ]
)  # fmt: skip
SPINES = (5, 7)
TIBIA_RIGHT = np.array([(0.893, 0.645), (0.885, 0.695), (0.865, 0.75), (0.83, 0.83), (0.78, 0.92), (0.75, 1.12)])
TIBIA_LEFT = np.array([(0.25, 1.12), (0.22, 0.95), (0.155, 0.86), (0.1, 0.77), (0.068, 0.71), (0.062, 0.665)])
# How far above the plateau the condyles stand, in joint spaces: (x, spaces).
LEFT_CONDYLE = np.array([(0.1, 1.55), (0.16, 1.1), (0.225, 1.0), (0.29, 1.0), (0.35, 1.2)])
RIGHT_CONDYLE = np.array([(0.62, 1.25), (0.68, 1.0), (0.745, 1.0), (0.82, 1.15), (0.885, 1.65)])
NOTCH = np.array([(0.405, 0.482), (0.435, 0.448), (0.475, 0.434), (0.515, 0.446), (0.56, 0.5)])
FEMUR_RIGHT = np.array(
    [
        (0.925, 0.53), (0.935, 0.485), (0.938, 0.44), (0.932, 0.37), (0.94, 0.29), (0.925, 0.2), (0.83, 0.06),
        (0.75, -0.12),
    ]
)  # fmt: skip
FEMUR_LEFT = np.array(
    [
        (0.25, -0.12), (0.18, 0.06), (0.085, 0.19), (0.058, 0.29), (0.068, 0.37), (0.06, 0.44), (0.062, 0.49),
        (0.072, 0.535),
    ]
)  # fmt: skip
FIBULA = np.array([(0.02, 0.78), (0.09, 0.765), (0.15, 0.82), (0.17, 0.92), (0.15, 1.1), (-0.02, 1.1), (-0.03, 0.88)])
CORE = np.array([(-0.02, 0.375), (1.01, 0.375), (1.03, 0.6), (1.02, 0.72), (0.98, 0.82), (0.02, 0.82), (-0.03, 0.72)])
# What shines through inside the bones: scars of the growth plates, the notch's walls, far rims of condyles and plateau.
INNER = (
    np.array([(0.1, 0.235), (0.22, 0.25), (0.34, 0.27), (0.44, 0.3)]),
    np.array([(0.56, 0.3), (0.68, 0.265), (0.8, 0.24), (0.9, 0.225)]),
    np.array([(0.2, 0.74), (0.35, 0.755), (0.5, 0.745), (0.65, 0.75), (0.78, 0.735)]),
    np.array([(0.425, 0.47), (0.42, 0.41), (0.44, 0.33), (0.43, 0.25)]),
    np.array([(0.565, 0.5), (0.58, 0.43), (0.57, 0.35), (0.585, 0.26)]),
    np.array([(0.43, 0.43), (0.46, 0.4), (0.51, 0.4), (0.56, 0.43)]),
    np.array([(0.1, 0.18), (0.13, 0.27), (0.11, 0.36), (0.13, 0.46), (0.15, 0.5)]),
    np.array([(0.87, 0.17), (0.88, 0.28), (0.86, 0.38), (0.88, 0.47)]),
    np.array([(0.3, 0.645), (0.38, 0.625), (0.44, 0.62), (0.5, 0.61), (0.58, 0.63), (0.66, 0.645)]),
    np.array([(0.4, 0.58), (0.43, 0.63), (0.41, 0.7)]),
    np.array([(0.53, 0.57), (0.55, 0.63), (0.53, 0.72), (0.55, 0.8)]),
    np.array([(0.12, 0.69), (0.16, 0.76), (0.24, 0.86), (0.29, 0.98)]),
)
# Where bone is thin and dark: the middles of both condyles and the tibia's two sides.
LUCENT = np.array([(0.25, 0.42), (0.74, 0.43), (0.3, 0.72), (0.68, 0.73)])


@dataclass(frozen=True)
class Disease:
    """How much of each sign of osteoarthritis the two compartments, left and right, show: 0 none, 1 much."""

    narrowing: npt.NDArray[np.float64]  # (2,)
    spurs: npt.NDArray[np.float64]  # (4,): femur left, femur right, tibia left, tibia right
    sclerosis: npt.NDArray[np.float64]  # (2,)


@dataclass(frozen=True)
class Knee:
    """Outlines and lines, each (P, 2), in picture widths."""

    femur: Points
    tibia: Points
    fibula: Points
    patella: Points
    joint: Points  # the space between the bones, notch included
    femur_edge: Points  # the bone's edge towards the joint
    plateau: tuple[Points, Points]  # the bright plate under each compartment
    inner: tuple[Points, ...]
    lucent: Points  # (4, 2), middles of dark places
    core: Points
    disease: Disease


def sample_disease(label: int, generator: np.random.Generator) -> Disease:
    """Signs of a knee of this label. The same draws are made for both labels, and the two overlap a little."""
    mild, severe = generator.beta(1.0, 6.0), generator.beta(3.5, 2.0)
    severity = (mild, severe)[label]
    worse = generator.integers(2)
    share = np.where(np.arange(2) == worse, 1.0, generator.uniform(0.0, 0.7))
    corners = severity * share[[0, 1, 0, 1]] * generator.uniform(0.2, 1.3, 4)
    return Disease(
        narrowing=severity * share * generator.uniform(0.5, 1.0),
        spurs=np.clip(corners, 0, 1),
        sclerosis=severity * share * generator.uniform(0.3, 1.0),
    )


def sample_knee(label: int, generator: np.random.Generator) -> Knee:
    """A knee of its own: width, joint space, tilt, side and every control point vary."""
    disease = sample_disease(label, generator)
    space = generator.normal(0.046, 0.007) * generator.uniform(0.82, 1.18, 2)
    space = np.maximum(space * (1 - 0.85 * disease.narrowing), 0.004)
    plateau = _varied(PLATEAU, generator, 0.004)
    plateau[list(SPINES), 1] -= 0.012 * disease.narrowing.max() + generator.normal(0, 0.006, 2)
    tibia = _tibia(plateau, disease, generator)
    femur, lower = _femur(plateau, space, disease, generator)
    placed = _placing(generator)
    edge, rim = open_spline(lower), open_spline(plateau)
    middle = len(rim) // 2
    return Knee(
        femur=placed(closed_spline(femur)),
        tibia=placed(closed_spline(tibia)),
        fibula=placed(closed_spline(_varied(FIBULA, generator, 0.008) + generator.normal(0, (0.03, 0.02)))),
        patella=placed(closed_spline(_patella(generator))),
        joint=placed(np.concatenate([edge, _tip(edge[-1], rim[-1], 0.015), rim[::-1], _tip(rim[0], edge[0], -0.015)])),
        femur_edge=placed(edge),
        plateau=(placed(rim[: middle - 8]), placed(rim[middle + 8 :])),
        inner=tuple(placed(open_spline(_varied(line, generator, 0.012))) for line in INNER),
        lucent=placed(_varied(LUCENT, generator, 0.02)),
        core=placed(CORE),
        disease=disease,
    )


def _tip(one: Points, other: Points, outwards: float) -> Points:
    """(1, 2): where the joint space tapers off between two ends of the bones' edges."""
    return np.asarray([(one + other) / 2 + (outwards, 0)])


def _tibia(plateau: Points, disease: Disease, generator: np.random.Generator) -> Points:
    right, left = _varied(TIBIA_RIGHT, generator, 0.004), _varied(TIBIA_LEFT, generator, 0.004)
    left[-1] += disease.spurs[2] * np.array([-0.045, -0.02])
    right[0] += disease.spurs[3] * np.array([0.045, -0.02])
    return np.concatenate([plateau, right, left])


def _femur(
    plateau: Points, space: npt.NDArray[np.float64], disease: Disease, generator: np.random.Generator
) -> tuple[Points, Points]:
    """The whole outline, and its part towards the joint from left to right."""
    right, left = _varied(FEMUR_RIGHT, generator, 0.003), _varied(FEMUR_LEFT, generator, 0.003)
    left[-1] += disease.spurs[0] * np.array([-0.04, 0.025])
    right[0] += disease.spurs[1] * np.array([0.04, 0.025])
    condyles = [
        np.stack([side[:, 0], np.interp(side[:, 0], plateau[:, 0], plateau[:, 1]) - side[:, 1] * width], axis=1)
        for side, width in zip((LEFT_CONDYLE, RIGHT_CONDYLE), space, strict=True)
    ]
    notch = (NOTCH - NOTCH[2]) * generator.uniform((0.85, 0.8), (1.3, 1.1)) + NOTCH[2]
    lower = np.concatenate([condyles[0], _varied(notch, generator, 0.005), condyles[1]])
    return np.concatenate([left, lower, right]), lower


def _patella(generator: np.random.Generator) -> Points:
    turn = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    radii = generator.normal((0.2, 0.19), 0.015) * generator.normal(1, 0.03, (10, 1))
    centre = np.array([0.5, 0.17]) + generator.normal(0, (0.035, 0.05))
    return np.asarray(centre + radii * np.stack([np.cos(turn), np.sin(turn)], axis=1))


def _varied(points: Points, generator: np.random.Generator, spread: float) -> Points:
    return points + generator.normal(0, spread, points.shape)


def _placing(generator: np.random.Generator) -> Callable[[Points], Points]:
    """Where this knee stands in the picture: turned, stretched, shifted, and a left or a right one."""
    turn = rotation(generator.normal(0, 0.03)) * generator.normal(1, 0.03, 2)
    shift = np.array([0.5, 0.56]) + generator.normal(0, (0.012, 0.018))
    mirror = np.array([generator.choice([-1.0, 1.0]), 1.0])
    return lambda points: ((points - (0.49, 0.57)) @ turn.T) * mirror + shift
