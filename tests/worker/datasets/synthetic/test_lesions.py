import numpy as np

from worker.datasets.synthetic import draw_lesions
from worker.datasets.synthetic.lesions import sample_suspicion

COUNT = 60


def test_malignant_lesions_show_more_of_every_sign_and_overlap_with_benign_ones() -> None:
    benign, malignant = (
        np.array([list(vars(sample_suspicion(label, np.random.default_rng(seed))).values()) for seed in range(200)])
        for label in (0, 1)
    )
    assert (malignant.mean(axis=0) > 1.5 * benign.mean(axis=0)).all()
    assert (malignant.min(axis=0) < benign.max(axis=0)).all()


def test_malignant_lesions_have_the_more_ragged_border() -> None:
    benign, malignant = (lesions(label) for label in (0, 1))
    assert np.mean([raggedness(core) for core in malignant]) > 1.1 * np.mean([raggedness(core) for core in benign])


def test_malignant_lesions_have_more_colours() -> None:
    benign, malignant = (
        np.mean([image[core].std(axis=0).sum() for image, core in zip(*drawn(label), strict=True)]) for label in (0, 1)
    )
    assert malignant > 1.2 * benign


def test_lesions_are_darker_than_the_skin_around_them() -> None:
    images, cores = drawn(0)
    darker = [image[core].mean() < image[~core].mean() for image, core in zip(images, cores, strict=True)]
    assert np.mean(darker) > 0.8


def test_patches_have_many_colours_and_lie_mostly_at_the_sides() -> None:
    result = draw_lesions(np.zeros(COUNT, dtype=int), np.ones(COUNT, dtype=bool), 64, np.random.default_rng(0))
    middles = np.array([np.argwhere(mask).mean(axis=0) / 64 for mask in result.artefact])
    assert (np.abs(middles[:, 1] - 0.5) > 0.2).mean() > 0.6
    colours = [image[mask].mean(axis=0) for image, mask in zip(result.images, result.artefact, strict=True)]
    assert (np.std(colours, axis=0) > 30).all()


def drawn(label: int):
    result = draw_lesions(np.full(COUNT, label), np.zeros(COUNT, dtype=bool), 96, np.random.default_rng(3))
    return result.images, result.core


def lesions(label: int):
    return drawn(label)[1]


def raggedness(core) -> float:
    """Length of the border over that of a circle of the same area."""
    edge = (core[1:] != core[:-1]).sum() + (core[:, 1:] != core[:, :-1]).sum()
    return float(edge / np.sqrt(core.sum()))
