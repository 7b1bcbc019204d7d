"""How often a cluster lies on the artefact that a model has learned, however small it is: the words can only be right
about what the clusters show.

For every set and attribution method, with the settings that the product can choose by itself and with two fixed ones
beside them; the true masks are used to measure and for nothing else. Every value is one image's, of whichever seed,
but for the times and correlations, of which each model gives one. The real sets have one model, that of seed 0.
How settings are chosen was developed on drawn sets of seeds from 100 on, which are not measured here.
"""

from typing import get_args

from scipy.stats import spearmanr
from torch import Tensor

from worker.benchmarks.cluster_sets import RECIPES
from worker.benchmarks.explained_models import ExplainedModel, attributions, explained_model
from worker.benchmarks.form import BenchmarkOptions, Figure, figure
from worker.benchmarks.shortcut_pictures import REAL, MissingSetError
from worker.method.attribution import Method
from worker.method.cluster_choice import Candidate, Setting, compare_settings, members, settings
from worker.method.clustering import cluster, with_support
from worker.method.masks import overlap

METHODS: tuple[Method, ...] = get_args(Method)
QUICK_SETS = ("digits",)
# What the product takes where nothing is said, and what a person chose for the knees by looking at true masks.
FIXED = {"fixed": Setting(1.0, 0.95, 5), "fixed_sharp": Setting(2.0, 1.0, 5)}
MOSTLY = 0.5
Measured = dict[str, list[float]]


def measure(options: BenchmarkOptions) -> list[Figure]:
    """Every set that is here, or those that are named."""
    found = list[Figure]()
    for name in QUICK_SETS if options.quick else options.sets or RECIPES:
        try:
            measured = measure_set(name, options)
        except MissingSetError as missing:
            print(f"The set {name} is left out: {missing}")
            continue
        found += [figure(f"artefacts.{name}.{key}", values) for key, values in measured.items()]
        options.so_far(found)
    return found


def measure_set(name: str, options: BenchmarkOptions) -> Measured:
    """Raises MissingSetError."""
    found: Measured = {}
    for seed in range(1 if name in REAL else options.seeds):
        explained = explained_model(name, seed, quick=options.quick)
        for method in METHODS:
            for key, values in measure_method(explained, method, quick=options.quick).items():
                found.setdefault(f"{method}.{key}", []).extend(values)
    return found


def measure_method(explained: ExplainedModel, method: Method, *, quick: bool = False) -> Measured:
    """found: whether a cluster has more than half of its sharpened evidence on the artefact; overlap: the largest
    intersection over union of a cluster with it; seconds: of a processor, for the attribution of an image;
    rank_correlation: Spearman's, over all candidates, of what the choice goes by with the mean overlap.
    """
    timed, ready = attributions(explained, method, quick=quick), explained.ready
    sample = explained.sample
    candidates = settings()[::6] if quick else settings()
    tried = compare_settings(
        explained.predict, ready.images[sample], ready.labels[sample], timed.halves.take(sample), candidates
    )
    phi, truth = timed.halves.whole[explained.marked], ready.truth[explained.marked]
    found: Measured = {}
    for name, setting in {"chosen": tried[0].setting, **FIXED}.items():
        assignment = cluster(phi, setting.components, setting.sharpening, setting.support).assignment
        on_it = overlap(assignment, phi, truth, setting.sharpening, setting.components)
        found[f"{name}.found"] = (on_it > MOSTLY).any(dim=1).double().tolist()
        found[f"{name}.overlap"] = best_overlap(assignment, truth, setting.components).tolist()
    return found | {
        "chosen.sharpening": [tried[0].setting.sharpening],
        "chosen.support": [tried[0].setting.support],
        "chosen.components": [float(tried[0].setting.components)],
        "rank_correlation": [rank_correlation(tried, phi, truth)],
        "seconds": [timed.seconds_an_image],
    }


def best_overlap(assignment: Tensor, truth: Tensor, components: int) -> Tensor:
    """(B, H, W), (B, H, W) bool -> (B,) double: intersection over union with the cluster that has the largest."""
    inside = members(assignment, components)
    both = (inside & truth[:, None]).sum(dim=(2, 3)).double()
    either = (inside | truth[:, None]).sum(dim=(2, 3)).clamp(min=1)
    return (both / either).amax(dim=1)


def rank_correlation(tried: list[Candidate], phi: Tensor, truth: Tensor) -> float:
    fitted = {
        (sharpening, components): cluster(phi, components, sharpening)
        for sharpening, components in {(each.setting.sharpening, each.setting.components) for each in tried}
    }
    overlaps = []
    for setting in (each.setting for each in tried):
        cut = with_support(fitted[setting.sharpening, setting.components], phi, setting.sharpening, setting.support)
        overlaps.append(best_overlap(cut.assignment, truth, setting.components).mean().item())
    return float(spearmanr([each.effect for each in tried], overlaps).statistic)
