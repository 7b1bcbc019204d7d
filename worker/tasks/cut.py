"""How an analysis cuts its attributions into clusters: as asked, or as is chosen on a sample of its images."""

from collections.abc import Sequence
from dataclasses import asdict

import torch
from torch import Tensor

from app.runs.clustering import Candidate, ChosenClustering, asked_for
from app.runs.parameters import AnalysisParameters
from worker.method.cluster_choice import compare_settings, settings
from worker.method.halves import in_halves
from worker.tasks.inputs import ImageRow, Loaded, device, labels_of, pictures
from worker.tasks.job import Job

# More say little more, and each costs a covering for every cluster of every setting.
IMAGES = 32


def chosen_clustering(job: Job, loaded: Loaded, rows: Sequence[ImageRow], baselines: Tensor) -> ChosenClustering:
    """rows: the alignment set, of which a sample is drawn with the run's seed. What was asked for is not varied."""
    parameters = job.parameters(AnalysisParameters)
    if asked := asked_for(parameters):
        return asked
    drawn = torch.randperm(len(rows), generator=torch.Generator().manual_seed(abs(parameters.seed)))[:IMAGES]
    some, on = [rows[i] for i in drawn.sort().values.tolist()], device()
    images, labels = pictures(some, loaded.preprocessing).to(on), labels_of(some).to(on)
    halves = in_halves(loaded.model, images, labels, baselines.to(on), loaded.method)
    job.check()
    grid = settings(parameters.sharpening, parameters.support, parameters.components)

    def predict(covered: Tensor) -> Tensor:
        job.check()
        with torch.inference_mode():
            logits: Tensor = loaded.model(covered)
        return logits

    found = compare_settings(predict, images, labels, halves, grid)
    tried = tuple(
        Candidate(**asdict(each.setting), stability=each.stability, share=each.share, effect=each.effect)
        for each in found
    )
    return ChosenClustering(**asdict(found[0].setting), images=len(some), tried=tried)
