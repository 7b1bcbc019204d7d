"""Adhesive patches that mark a place on the skin: round, coloured, mostly cut off by the picture's edge."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.datasets.synthetic.chances import happens, pick
from worker.datasets.synthetic.shapes import Grey
from worker.datasets.synthetic.skin import Colour
from worker.datasets.synthetic.textures import mesh, noise, smoothstep

FAINTEST = 0.02
COLOURS = (
    np.array(
        [
            (0, 125, 195), (20, 110, 170), (70, 190, 180), (110, 205, 195), (155, 212, 200), (240, 135, 25),
            (250, 150, 60), (228, 205, 5), (240, 225, 90), (200, 190, 228), (222, 216, 226), (238, 236, 234),
            (165, 170, 170), (60, 150, 60), (225, 50, 60), (242, 112, 96), (130, 85, 175), (226, 186, 156),
        ],
        dtype=np.float32,
    )
    / 255
)  # fmt: skip


@dataclass(frozen=True)
class Patch:
    colour: Colour  # (S, S, 3), 0..1, what the patch looks like
    cover: Grey  # (S, S), 0..1, how much of the skin it hides
    shade: Grey  # (S, S), 0..1, what its shadow leaves of the light


def sample_patch(generator: np.random.Generator, size: int, away_from: tuple[float, float]) -> Patch:
    """One patch, placed where it hides as little as it can of what stands at ``away_from``."""
    x, y = mesh(size)
    width = generator.uniform(0.19, 0.38)
    radii = np.array([width, width * generator.uniform(1.05, 1.5)])
    centre = _beside(generator, radii, away_from)
    across, down = (x - centre[0]) / radii[0], (y - centre[1]) / radii[1]
    reach = np.sqrt(across**2 + down**2) + _edge(generator, across, down)
    cover = smoothstep(1 + 0.9 / (size * width), 1 - 0.9 / (size * width), reach)
    light = generator.normal(0, 0.01, 2) / radii
    shadow = np.sqrt((across - light[0]) ** 2 + (down - light[1]) ** 2)
    shade = 1 - generator.uniform(0.1, 0.35) * smoothstep(1.05, 0.97, shadow)
    return Patch(_surface(generator, reach, size), np.where(cover >= FAINTEST, cover, 0), shade)


def _beside(
    generator: np.random.Generator, radii: npt.NDArray[np.float64], away_from: tuple[float, float]
) -> npt.NDArray[np.float64]:
    """Of three places along the picture's edges, mostly left and right, the one farthest off."""
    along = generator.uniform(0.1, 0.9, 3)
    inwards = generator.uniform(-0.45, 0.6, 3) * radii[generator.integers(2)]
    edge = np.where(generator.integers(2, size=3), inwards, 1 - inwards)
    sideways = happens(generator, 0.8)
    places = np.stack([edge, along] if sideways else [along, edge], axis=1)
    return np.asarray(places[np.argmax(np.linalg.norm(places - np.asarray(away_from), axis=1))])


def _edge(generator: np.random.Generator, across: Grey, down: Grey) -> Grey | float:
    """What is added to the distance from the middle: nothing, or a pinked edge."""
    pinked = happens(generator, 0.1)
    teeth, depth = int(generator.integers(14, 24)), generator.uniform(0.03, 0.07)
    if not pinked:
        return 0.0
    return np.asarray(depth * np.sign(np.sin(teeth * np.arctan2(down, across))), dtype=np.float32)


def _surface(generator: np.random.Generator, reach: Grey, size: int) -> Colour:
    """Cloth or plastic in one colour, at times with a disc of another colour or a brighter brim."""
    first, second = COLOURS[generator.integers(len(COLOURS), size=2)] * generator.uniform(0.85, 1.08, (2, 1))
    kind = pick(generator, {"plain": 0.45, "disc": 0.3, "brim": 0.25})
    inner = smoothstep(0.55, 0.52, reach)[..., None] if kind == "disc" else np.float32(0)
    brim = 0.1 * smoothstep(0.8, 0.84, reach) if kind == "brim" else np.float32(0)
    weave = generator.uniform(0.01, 0.06) * noise(generator, 120, 150, size)
    uneven = 1 + weave + 0.03 * noise(generator, 4, 4, size) + brim
    return np.asarray((first + inner * (second - first)) * uneven[..., None], dtype=np.float32)
