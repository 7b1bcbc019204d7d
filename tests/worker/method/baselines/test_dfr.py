import torch

from tests.worker.method.baselines.stripes import SCHEDULE, case
from worker.method.baselines import dfr
from worker.method.baselines.dfr import GRID, Settings
from worker.method.baselines.last_layer import features
from worker.method.baselines.sparse_logistic import fit_logistic
from worker.method.baselines.subg import subset


def test_the_last_layer_is_the_mean_of_fits_on_balanced_subsets_of_standardised_features() -> None:
    given = case(0)
    settings = Settings(inverse_penalty=0.3, subsets=3)
    fitted = dfr.fit(given.original, given.train.data, given.validation.grouped, SCHEDULE, 5, settings)
    seen, _ = features(given.original, given.train.data)
    held, labels = features(given.original, given.validation.data)
    scale = seen.std(dim=0, correction=0)
    scale[scale == 0] = 1
    generator, logits = torch.Generator().manual_seed(5), []
    for _ in range(3):
        chosen = subset(given.validation.grouped.groups, generator)
        one = fit_logistic(((held[chosen] - seen.mean(dim=0)) / scale)[None], labels[chosen][None], 2, 0.3)
        logits.append(((held - seen.mean(dim=0)) / scale) @ one.weights[0].T + one.bias[0])
    with torch.no_grad():
        answer = fitted(given.validation.images).double()
    torch.testing.assert_close(answer, torch.stack(logits).mean(dim=0), atol=1e-3, rtol=1e-3)


def test_all_but_the_last_layer_stays() -> None:
    given = case(0)
    fitted = dfr.fit(given.original, given.train.data, given.validation.grouped, SCHEDULE, 0).state_dict()
    changed = [name for name, value in given.original.state_dict().items() if not torch.equal(value, fitted[name])]
    assert changed == ["3.weight", "3.bias"]


def test_the_penalty_is_judged_on_images_that_were_not_fitted() -> None:
    # Features that are noise: whatever is fitted, the half left out is right half of the time.
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(400) % 2
    noise = torch.randn(400, 150, generator=generator, dtype=torch.float64)
    held = dfr._Held(noise, labels, labels, 2)
    assert all(0.3 < score < 0.65 for score in dfr.chosen(held, 0, GRID[:2]))
