"""How fast attributions are clustered at 224 x 224, and whether the answer is as good as pomegranate's.

The maps are DeepLIFT SHAP attributions of a small CNN that is trained here, on the digits enlarged to 224 x 224.
Everything is timed on one thread, in the same run.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from worker.benchmarks.form import BenchmarkOptions, Figure, figure
from worker.datasets.digits import decoy_digits
from worker.method.attribution import attribute
from worker.method.clustering import Clustering, cluster, evidence
from worker.method.realignment import RealignmentSettings, realign, start
from worker.vision.baselines import baselines

if TYPE_CHECKING:
    from pomegranate.gmm import GeneralMixtureModel

SIDE = 224
COMPONENTS = 5
TOLERANCE = 1e-4
POOLED = (2, 4)
# Its random initialisation fails for some seeds, with an empty cluster; so more are tried until there are enough.
MOST_SEEDS = 60
# Steps between two looks at pomegranate's log-likelihood; the looks are not timed.
STEPS = 10


@dataclass(frozen=True)
class _Sizes:
    training: int = 1500
    epochs: int = 3
    images: int = 32
    compared: int = 1
    # Of pomegranate on each map that is compared.
    starts: int = 5
    # At most, for both; pomegranate, which starts at random, often needs them all.
    iterations: int = 100


@dataclass(frozen=True)
class _Compared:
    """pomegranate on one map: seconds of each start, and the best start's log-likelihood."""

    seconds: list[float]
    log_likelihood: float


def measure(options: BenchmarkOptions) -> list[Figure]:
    """The maps of each seed are those of a net and a split of their own. Raises ImportError without pomegranate."""
    sizes = _Sizes(200, epochs=1, images=2, compared=1, starts=1, iterations=10) if options.quick else _Sizes()
    with _one_thread():
        return _figures([_measure_seed(seed, sizes) for seed in range(options.seeds)])


def _figures(seeds: list[dict[str, list[float]]]) -> list[Figure]:
    """Every value is one image's, of whichever seed; rates are those of the mean time."""
    pooled = {name: [value for seed in seeds for value in seed[name]] for name in seeds[0]}
    rates = {"images_per_second": "seconds", **{f"images_per_second_pool_{p}": f"seconds_pool_{p}" for p in POOLED}}
    found = [figure(f"clustering.{rate}", [1 / value for value in pooled[name]]) for rate, name in rates.items()]
    theirs, ours = np.array(pooled["pomegranate_seconds"]), float(np.mean(pooled["seconds"]))
    best, own = np.array(pooled["pomegranate_log_likelihood"]), np.array(pooled["log_likelihood"])
    return [
        *found,
        figure("clustering.speedup_over_pomegranate", (theirs / ours).tolist()),
        figure("clustering.log_likelihood", own.tolist()),
        figure("clustering.pomegranate_log_likelihood", best.tolist()),
        # Positive where ours is below, as a share of theirs.
        figure("clustering.log_likelihood_shortfall", [float((best.mean() - own.mean()) / abs(best.mean()))]),
    ]


def _measure_seed(seed: int, sizes: _Sizes) -> dict[str, list[float]]:
    phi = attribution_maps(seed, sizes)
    pools = {"seconds": 1, **{f"seconds_pool_{pool}": pool for pool in POOLED}}
    seconds = {name: _seconds(phi, pool, sizes) for name, pool in pools.items()}
    some = phi[: sizes.compared]
    theirs = [_pomegranate(weights, sizes) for weights in evidence(some)]
    return {
        **seconds,
        "log_likelihood": _cluster(some, 1, sizes).log_likelihood.tolist(),
        "pomegranate_seconds": [float(np.mean(fits.seconds)) for fits in theirs],
        "pomegranate_log_likelihood": [fits.log_likelihood for fits in theirs],
    }


def attribution_maps(seed: int, sizes: _Sizes) -> Tensor:
    """(images, 224, 224): what speaks for the label in digits that the net has not seen."""
    data = decoy_digits(seed)
    images = torch.tensor(data.images, dtype=torch.float32)[:, None] / 255
    labels = torch.tensor(data.labels)
    train = torch.from_numpy(np.random.default_rng(seed).permutation(data.train_index)[: sizes.training])
    test = torch.from_numpy(np.random.default_rng(seed).permutation(data.test_index)[: sizes.images])
    model = _trained(images[train], labels[train], seed, sizes.epochs)
    references = _enlarged(baselines(images[train], 4, seed))
    return attribute(model, _enlarged(images[test]), labels[test], references, "deeplift_shap")


@dataclass(frozen=True)
class _Enlarged:
    """Training digits, enlarged batch by batch: all at once would not fit in memory."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        return _enlarged(self.images[indices]), self.labels[indices]


def _enlarged(images: Tensor) -> Tensor:
    return F.interpolate(images, size=SIDE, mode="bilinear")


def _trained(images: Tensor, labels: Tensor, seed: int, epochs: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Sequential(
            *(nn.Conv2d(1, 16, 7, stride=4), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(16, 32, 3), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(32, 32, 3), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveAvgPool2d(3)),
            *(nn.Flatten(), nn.Linear(288, 10)),
        )
    settings = RealignmentSettings(loss="control", epochs=epochs, learning_rate=2e-3)
    training = _Enlarged(images, labels)
    realign(model, start(model, settings), training, None, settings, seed=seed, device="cpu", epochs=epochs)
    return model


def _cluster(phi: Tensor, pool: int, sizes: _Sizes) -> Clustering:
    return cluster(phi, COMPONENTS, pool=pool, iterations=sizes.iterations, tolerance=TOLERANCE)


def _seconds(phi: Tensor, pool: int, sizes: _Sizes) -> list[float]:
    """Mean seconds for one image, once for every portion of eight."""
    _cluster(phi[:1], pool, sizes)  # the first call pays for what later ones find ready
    found = []
    for first in range(0, len(phi), 8):
        portion = phi[first : first + 8]
        started = time.perf_counter()
        _cluster(portion, pool, sizes)
        found.append((time.perf_counter() - started) / len(portion))
    return found


def _pomegranate(weights: Tensor, sizes: _Sizes) -> _Compared:
    """Several starts of pomegranate's mixture on one map, each until its weighted log-likelihood settles as ours does.

    Its own stopping rule looks at the unweighted log-likelihood, which falls while the weighted one rises, so that it
    would stop after two steps. weights: (H, W), sum 1.
    """
    from pomegranate.distributions import Normal
    from pomegranate.gmm import GeneralMixtureModel

    points, flat = _centres(weights), weights.flatten()
    seconds, best = [], -np.inf
    for seed in range(MOST_SEEDS):
        mixture = GeneralMixtureModel(
            [Normal() for _ in range(COMPONENTS)], max_iter=STEPS, tol=-np.inf, random_state=seed
        )
        try:
            spent, log_likelihood = _settle(mixture, points, flat, sizes.iterations)
        except IndexError:
            continue
        seconds.append(spent)
        best = max(best, log_likelihood)
        if len(seconds) == sizes.starts:
            return _Compared(seconds, best)
    raise RuntimeError(f"pomegranate started {len(seconds)} of {sizes.starts} times with {MOST_SEEDS} seeds.")


def _settle(mixture: "GeneralMixtureModel", points: Tensor, weights: Tensor, iterations: int) -> tuple[float, float]:
    """Seconds and weighted log-likelihood of EM, in chunks of steps until a step brings less than the tolerance."""
    spent, previous = 0.0, -np.inf
    for _ in range(iterations // STEPS):
        started = time.perf_counter()
        # The weights of the paper: as many points as there are pixels.
        mixture.fit(points, sample_weight=(weights * len(weights))[:, None])
        spent += time.perf_counter() - started
        log_likelihood = float(mixture.log_probability(points) @ weights)
        if log_likelihood - previous < STEPS * TOLERANCE:
            break
        previous = log_likelihood
    return spent, log_likelihood


def _centres(weights: Tensor) -> Tensor:
    """Pixel centres (H * W, 2), x then y, in [0, 1]."""
    height, width = weights.shape
    y, x = torch.meshgrid((torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
