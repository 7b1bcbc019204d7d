"""How much longer a step of consistency takes than one of plain training on the same batches."""

import time
from dataclasses import replace

import torch

from worker.benchmarks.alignment.plans import planned
from worker.benchmarks.cluster_sets import untrained
from worker.benchmarks.shortcut_pictures import splits
from worker.method.realignment import AlignmentImages, Loss, realign, start

REPEATS, IMAGES = 5, 256


def ratios(*, quick: bool = False) -> list[float]:
    """Processor time of an epoch of consistency over that of one of control, measured turn by turn on one thread.

    On the drawn knees and the small network, with true masks. quick: once, on few pictures.
    """
    plan = planned("synthetic_knees")
    data = splits(plan.source, (32 if quick else IMAGES, 2, 2), plan.recipe.preprocessing, 0).train
    aligned = AlignmentImages(data.images, data.labels, data.truth[:, None].float())
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def seconds(loss: Loss) -> float:
        settings = replace(plan.realignment, loss=loss)
        model = untrained(plan.recipe, len(plan.classes), 0)
        began = time.process_time()
        realign(
            model, start(model, settings), (data.images, data.labels), aligned, settings, seed=0, device="cpu", epochs=1
        )
        return time.process_time() - began

    try:
        seconds("control")  # the first epoch of a process also loads what torch needs
        return [seconds("consistency") / seconds("control") for _ in range(1 if quick else REPEATS)]
    finally:
        torch.set_num_threads(threads)
