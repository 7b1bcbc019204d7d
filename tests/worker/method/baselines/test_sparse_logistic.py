import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from worker.method.baselines.sparse_logistic import Logistic, fit_logistic


@pytest.mark.parametrize("strength", [1.0, 0.1])
def test_it_finds_the_minimum_that_a_general_optimiser_finds(strength: float) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 4, generator=generator, dtype=torch.float64)
    y = (x[:, 0] + 0.5 * x[:, 1] + torch.randn(60, generator=generator) > 0).long() + (x[:, 2] > 1)
    found = fit_logistic(x[None], y[None], 3, strength)

    def loss(both: np.ndarray) -> float:
        # The weights as positive parts minus negative parts, whose sum is |weights|.
        positive, negative, bias = both[:12].reshape(3, 4), both[12:24].reshape(3, 4), both[24:]
        logits = x.numpy() @ (positive - negative).T + bias
        each = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(60), y.numpy()]
        return float(each.sum() + both[:24].sum() / strength)

    best = minimize(loss, np.zeros(27), bounds=[(0, None)] * 24 + [(None, None)] * 3, method="L-BFGS-B").fun
    w, b = found.weights[0].numpy(), found.bias[0].numpy()
    assert loss(np.concatenate([w.clip(0).ravel(), (-w).clip(0).ravel(), b])) == pytest.approx(best, abs=1e-3)


def test_a_strong_penalty_leaves_only_the_bias_and_fits_do_not_disturb_each_other() -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 30, 3, generator=generator, dtype=torch.float64)
    y = (x[..., 0] > 0.5).long()
    assert not bool(fit_logistic(x, y, 2, 1e-4).weights.any())
    both, first = fit_logistic(x, y, 2, 0.5), fit_logistic(x[:1], y[:1], 2, 0.5)
    torch.testing.assert_close(both.weights[0], first.weights[0], atol=1e-4, rtol=0)
    assert bool((both.weights[0].abs() < 1e-12).any())


def test_the_mean_of_fits_predicts() -> None:
    fits = Logistic(torch.tensor([[[1.0], [-1.0]], [[3.0], [-1.0]]]).double(), torch.zeros(2, 2).double())
    assert fits.mean().weights.tolist() == [[2.0], [-1.0]]
    assert fits.mean().predict(torch.tensor([[1.0], [-1.0]]).double()).tolist() == [0, 1]
