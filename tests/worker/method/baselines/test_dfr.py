from dataclasses import replace

import torch

from tests.worker.method.baselines.stripes import SCHEDULE, case, same_weights
from worker.method.baselines import dfr
from worker.method.baselines.dfr import GRID, Settings
from worker.method.baselines.groups import members
from worker.method.baselines.last_layer import features
from worker.method.baselines.sparse_logistic import fit_logistic
from worker.method.baselines.subg import subset
from worker.method.realignment import InMemory


def test_the_last_layer_is_the_mean_of_fits_on_balanced_subsets_of_standardised_features() -> None:
    given = case(0)
    settings = Settings(inverse_penalty=0.3, subsets=3)
    fitted = dfr.fit(given.original, given.train.grouped, given.validation.grouped, SCHEDULE, 5, settings)
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


def test_with_too_few_of_a_group_to_validate_with_the_last_layer_is_fitted_on_training_images() -> None:
    given = case(0)
    groups = given.validation.grouped.groups
    kept = torch.cat([some[:9] if number == 0 else some for number, some in enumerate(members(groups))])
    few = replace(
        given.validation,
        images=given.validation.images[kept],
        labels=given.validation.labels[kept],
        artefacts=given.validation.artefacts[kept],
    ).grouped
    assert dfr.suffices(given.validation.grouped, given.train.grouped)
    assert not dfr.suffices(few, given.train.grouped)
    asked = (given.train.grouped, few, SCHEDULE, 5)
    on_training = dfr.fit(given.original, given.train.grouped, given.train.grouped, SCHEDULE, 5, GRID[2])
    assert same_weights(dfr.fit(given.original, *asked, GRID[2]), on_training)
    # The penalty is still judged on validation images: where all of them are answered wrong, no strength is right.
    wrong = replace(
        few, data=InMemory(few.data.take(torch.arange(len(kept)))[0], 1 - few.labels), labels=1 - few.labels
    )
    right, mistaken = (dfr.tuned(given.original, given.train.grouped, of, SCHEDULE, 5).scores for of in (few, wrong))
    assert max(right) > 0.9
    assert max(mistaken) < 0.5


def test_a_group_that_is_not_there_to_validate_with_is_too_few() -> None:
    given = case(0)
    one = given.validation.artefacts == given.validation.labels
    alike = replace(
        given.validation,
        images=given.validation.images[one],
        labels=given.validation.labels[one],
        artefacts=given.validation.artefacts[one],
    )
    assert not dfr.suffices(alike.grouped, given.train.grouped)


def test_all_but_the_last_layer_stays() -> None:
    given = case(0)
    fitted = dfr.fit(given.original, given.train.grouped, given.validation.grouped, SCHEDULE, 0).state_dict()
    changed = [name for name, value in given.original.state_dict().items() if not torch.equal(value, fitted[name])]
    assert changed == ["3.weight", "3.bias"]


def test_the_penalty_is_judged_on_images_that_were_not_fitted() -> None:
    # Features that are noise: whatever is fitted, the half left out is right half of the time.
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(400) % 2
    noise = torch.randn(400, 150, generator=generator, dtype=torch.float64)
    held = dfr._Held(noise, labels, labels, 2)
    assert all(0.3 < score < 0.65 for score in dfr.chosen(*dfr.halves(held, 0), 0, GRID[:2]))
