"""What a generator of synthetic pictures gives back, and how it draws them one by one."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Drawn:
    images: npt.NDArray[np.uint8]  # (N, S, S, C), grey with C = 1 or colour with C = 3
    labels: npt.NDArray[np.int64]  # (N,), 0 healthy or benign, 1 osteoarthritis or malignant
    artefact: npt.NDArray[np.bool_]  # (N, S, S), the pixels that the marker or patch changes
    core: npt.NDArray[np.bool_]  # (N, S, S), where the label is to be read: the joint, the lesion

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """(N,): whether an artefact stands in the picture."""
        return np.asarray(self.artefact.any(axis=(1, 2)))


@dataclass(frozen=True)
class Picture:
    """One drawn picture: pixels (S, S, C) in 0..255, artefact and core (S, S)."""

    pixels: npt.NDArray[np.uint8]
    artefact: npt.NDArray[np.bool_]
    core: npt.NDArray[np.bool_]


# Draws a picture from its label, whether the artefact is present, its side in pixels and its own seed.
DrawOne = Callable[[int, bool, int, int], Picture]


def draw_each(
    draw: DrawOne,
    labels: npt.NDArray[np.int64],
    artefact: npt.NDArray[np.bool_],
    size: int,
    generator: np.random.Generator,
) -> Drawn:
    """Draw one picture per label (N,), N > 0, with the artefact where ``artefact`` (N,) says so, ``size`` pixels wide.

    The generator is asked for one seed per picture and for nothing else. So the same generator state gives the same
    patients whatever the labels and artefacts are, and two calls can differ in nothing but those.
    Raises ValueError when labels and artefact do not fit each other, or a label is neither 0 nor 1.
    """
    labels = np.asarray(labels, dtype=np.int64)
    artefact = np.asarray(artefact, dtype=np.bool_)
    if labels.ndim != 1 or len(labels) == 0 or labels.shape != artefact.shape:
        raise ValueError(f"One artefact per label is needed; there are {artefact.shape} for {labels.shape}.")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("Labels are 0 and 1.")
    seeds = generator.integers(2**63, size=len(labels))
    pictures = [
        draw(int(label), bool(shown), size, int(seed))
        for label, shown, seed in zip(labels, artefact, seeds, strict=True)
    ]
    return Drawn(
        images=np.stack([picture.pixels for picture in pictures]),
        labels=labels,
        artefact=np.stack([picture.artefact for picture in pictures]),
        core=np.stack([picture.core for picture in pictures]),
    )
