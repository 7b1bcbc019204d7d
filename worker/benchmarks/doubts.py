"""How often each doubt about a judge is raised before a training, for judges that err in known ways.

A doubt should be raised on noise and on a judge that is wrong about a kind of region, and not on one that errs now and
then, with which the consensus still works. Beside the shares of draws stands how right the verdicts were after the
consensus, so that it shows what each doubt would have kept from being trained. Errors and the 24 blind cases are drawn
anew for every seed; the clusters of a set are the same. Nobody has reviewed anything but those cases.
"""

from app.realignment.doubts import Found, is_chance, is_far, is_noise
from app.realignment.ingredients import Ingredients
from app.statistics import wilson
from worker.benchmarks.alignment.delivered import blind_kappa
from worker.benchmarks.cluster_sets import RECIPES, ClusterSet, cluster_set
from worker.benchmarks.consensus import QUICK_SETS, SEED, balanced
from worker.benchmarks.form import BenchmarkOptions, Figure, figure
from worker.benchmarks.shortcut_pictures import MissingSetError
from worker.benchmarks.verdict_errors import RATES, SYSTEMATIC, erring
from worker.method.consensus import consensus, probe
from worker.tasks.agree import WHY

ERRORS = {"0": "", **{name: name for name in RATES}, **{f"systematic_{name}": name for name in SYSTEMATIC}}
DOUBTS = {".noise": is_noise, ".far": is_far, ".chance": is_chance}
NOT_COUNTED = Ingredients(0, 0, 0, 0, 0, 0, 0)


def measure(options: BenchmarkOptions) -> list[Figure]:
    """Every set that is here: ``doubts.ERROR.SET`` is the share of the draws in which any doubt is raised.

    With ``.noise``, ``.far`` or ``.chance`` behind it, of one of them; with ``.balanced``, the balanced accuracy after
    the consensus.
    """
    figures: list[Figure] = []
    for name in QUICK_SETS if options.quick else options.sets or RECIPES:
        try:
            data = cluster_set(name, SEED, quick=options.quick)
        except MissingSetError as missing:
            print(f"The set {name} is left out: {missing}")
            continue
        for error, erring_as in ERRORS.items():
            rows = [drawn(data, erring_as, draw) for draw in range(options.seeds)]
            figures += [figure(f"doubts.{error}.{name}{key}", [row[key] for row in rows]) for key in rows[0]]
        options.so_far(figures)
    return figures


def drawn(data: ClusterSet, error: str, draw: int) -> dict[str, float]:
    """Of one judge, by what its figure is called after the set's name: a doubt that is raised is 1."""
    said = erring(error, data.truth, data.places, data.clusters.classes, draw)
    found = probe(data.clusters, said.words)
    agreed = consensus(found, {})
    before = Found(
        NOT_COUNTED,
        blind_kappa(said.verdicts, data.truth, draw),
        WHY[found.fell_back],
        wilson(int(agreed.overruled.sum()), len(data.truth)),
        without=(),
    )
    told = {name: float(is_raised(before)) for name, is_raised in DOUBTS.items()}
    return {"": max(told.values()), **told, ".balanced": balanced(agreed.spurious, data.truth)}
