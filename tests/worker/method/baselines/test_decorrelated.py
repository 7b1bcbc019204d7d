import pytest
import torch

from worker.method.baselines.decorrelated import weights

LABELS = torch.tensor([0] * 40 + [1] * 60)
ARTEFACTS = torch.tensor([0] * 30 + [1] * 10 + [0] * 5 + [1] * 55)


def test_under_the_weights_label_and_artefact_are_independent_and_as_frequent_as_before() -> None:
    given = weights(LABELS, ARTEFACTS) / 100
    together = [[float(given[(y == LABELS) & (a == ARTEFACTS)].sum()) for a in (0, 1)] for y in (0, 1)]
    expected = [[0.4 * 0.35, 0.4 * 0.65], [0.6 * 0.35, 0.6 * 0.65]]
    torch.testing.assert_close(torch.tensor(together), torch.tensor(expected))


def test_an_artefact_that_a_class_never_has_is_left_out() -> None:
    given = weights(LABELS, ARTEFACTS * (LABELS == 1))
    assert bool((given[40:45] > 0).all())
    assert float(given[45:].sum()) == 0
    assert len(set(given[:45].tolist())) == 1


def test_where_every_artefact_is_missing_in_some_class_there_is_no_such_set() -> None:
    with pytest.raises(ValueError, match="cannot be made independent"):
        weights(LABELS, LABELS)
