import torch
from torch import nn

from tests.worker.method.baselines.stripes import network, stripes
from worker.method.baselines import measured

MADE = stripes(300, 0, against=0.2)


def test_accuracies_are_those_of_the_images_one_by_one() -> None:
    model = network()
    with torch.no_grad():
        right = [
            int(model(image[None]).argmax()) == int(label)
            for image, label in zip(MADE.images, MADE.labels, strict=True)
        ]
    by_group: dict[int, list[bool]] = {}
    for hit, group in zip(right, MADE.grouped.groups.tolist(), strict=True):
        by_group.setdefault(group, []).append(hit)
    assert measured.mean_accuracy(model, MADE.data) == sum(right) / 300
    assert measured.worst_group_accuracy(model, MADE.grouped) == min(
        sum(hits) / len(hits) for hits in by_group.values()
    )


def test_answers_are_those_of_evaluation_and_the_mode_stays() -> None:
    model = nn.Sequential(network(), nn.Dropout(0.9)).train()
    first, _ = measured.answers(model, MADE.data)
    second, _ = measured.answers(model, MADE.data)
    assert torch.equal(first, second)
    assert model.training
