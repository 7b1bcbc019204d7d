"""Pictures under clusters that other pictures lend them: no network had to be trained and explained for these.

The tower learns from them what is where, for which it matters little why a cluster lies where it does; it needs many
pictures, and those that networks explain take ten times as long. No word about a cluster is learned on them: where
their evidence lies is not known.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from worker.lvlm.embedded.language import Domain
from worker.lvlm.embedded.pupils import drawn_digits, drawn_photographs
from worker.lvlm.embedded.scenes import DOMAINS, Bools, Scene, beside
from worker.method.marks import PALETTE

AT_ONCE = 50
ASKED = (0.7, 0.7)  # how often either class has the artefact
SIDES = (72, 105)  # of a photograph, from and below
MIRRORED = 0.5
COVERED = 0.5  # chance that a cluster covers the artefact, as it rarely does by itself
GROWN, MOVED = (0, 4), (-2, 3)  # by how many pixels (from, below) such a cluster is larger, and beside it
Ints8 = npt.NDArray[np.int8]
Generator = np.random.Generator


def lent_scenes(count: int, lenders: Sequence[Scene], generator: Generator) -> list[Scene]:
    """About ``count`` scenes, as many of each domain that has lenders; the shares of their evidence are all 0."""
    scenes: list[Scene] = []
    for domain in DOMAINS:
        assignments = [scene.assignment for scene in lenders if scene.domain == domain]
        for portion in np.array_split(np.arange(count // len(DOMAINS)), max(1, count // len(DOMAINS) // AT_ONCE)):
            if assignments and len(portion):
                scenes += _of_domain(domain, len(portion), assignments, generator)
    return scenes


def _of_domain(domain: Domain, count: int, assignments: Sequence[Ints8], generator: Generator) -> list[Scene]:
    if domain == "digits":
        drawn = drawn_digits(count, "anywhere", generator)
    else:
        drawn = drawn_photographs(domain, count, ASKED, int(generator.integers(*SIDES)), generator)
    none = (0.0,) * len(PALETTE)
    return [
        Scene(
            domain=domain,
            image=drawn.images[index],
            label=int(drawn.labels[index]),
            assignment=lent(assignments[int(generator.integers(len(assignments)))], drawn.artefact[index], generator),
            artefact_pixels=drawn.artefact[index],
            core_pixels=drawn.core[index],
            artefact=none,
            core=none,
        )
        for index in range(count)
    ]


def lent(assignment: Ints8, artefact: Bools, generator: Generator) -> Ints8:
    """The clusters of another picture at the size of this one, in other colours, half of the time with one that covers
    the artefact.

    assignment: (h, w), 0..J-1 or -1; artefact: (H, W). Returns (H, W).
    """
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int)
        for new, old in zip(artefact.shape, assignment.shape, strict=True)
    )
    colours = np.append(generator.permutation(len(PALETTE)), -1).astype(np.int8)
    clusters: Ints8 = colours[assignment[rows[:, None], columns]]
    if generator.random() < MIRRORED:
        clusters = clusters[:, ::-1].copy()
    if artefact.any() and generator.random() < COVERED:
        covered = artefact
        for _ in range(int(generator.integers(*GROWN))):
            covered = beside(covered)
        by = generator.integers(*MOVED, 2)
        clusters[np.roll(covered, (int(by[0]), int(by[1])), (0, 1))] = generator.integers(len(PALETTE))
    return clusters
