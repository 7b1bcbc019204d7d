import numpy as np
import pytest

from worker.datasets.synthetic import Drawn, ShortcutSplit, draw_knees, draw_lesions, shortcut_split


@pytest.fixture(scope="module", params=[draw_knees, draw_lesions])
def split(request: pytest.FixtureRequest) -> ShortcutSplit:
    return shortcut_split(request.param, (80, 40, 10), 32, np.random.default_rng(7))


def rates(drawn: Drawn) -> list[float]:
    return [float(drawn.present[drawn.labels == label].mean()) for label in (0, 1)]


def test_the_artefact_tells_the_label_in_training_and_validation(split: ShortcutSplit) -> None:
    assert rates(split.train) == [0.05, 0.95]
    assert rates(split.validation) == [0.05, 0.95]


def test_the_artefact_says_nothing_in_the_test(split: ShortcutSplit) -> None:
    assert rates(split.test) == [0.5, 0.5]


def test_labels_are_balanced(split: ShortcutSplit) -> None:
    assert [part.labels.mean() for part in (split.train, split.validation, split.test)] == [0.5, 0.5, 0.5]


def test_every_test_patient_stands_once_without_and_once_with_the_artefact(split: ShortcutSplit) -> None:
    test = split.test
    assert test.present.tolist() == [False] * 10 + [True] * 10
    assert (test.labels[:10] == test.labels[10:]).all()
    elsewhere = ~test.artefact[10:]
    assert (test.images[:10][elsewhere] == test.images[10:][elsewhere]).all()


def test_no_patient_stands_in_two_parts(split: ShortcutSplit) -> None:
    pictures = [image.tobytes() for part in (split.train, split.validation) for image in part.images]
    pictures += [image.tobytes() for image in split.test.images[:10]]
    assert len(set(pictures)) == len(pictures)


def test_rates_can_be_chosen() -> None:
    split = shortcut_split(draw_knees, (40, 40, 2), 32, np.random.default_rng(7), rates=(0.2, 0.5))
    assert rates(split.train) == [0.2, 0.5]


def test_order_does_not_tell_the_label(split: ShortcutSplit) -> None:
    labels = split.train.labels
    assert 0.3 < labels[:40].mean() < 0.7
