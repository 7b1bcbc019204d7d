"""Pictures of 8 x 8 with a known shortcut: a faint stripe shows the class, a bright corner nearly always does too."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from worker.method.baselines import training
from worker.method.baselines.groups import Grouped
from worker.method.baselines.protocol import Schedule
from worker.method.realignment import AlignmentImages, InMemory

SEEDS = range(5)
SCHEDULE = Schedule(steps=120, batch_size=32, learning_rate=1e-2)


@dataclass(frozen=True)
class Stripes:
    images: Tensor
    labels: Tensor
    artefacts: Tensor

    @property
    def data(self) -> InMemory:
        return InMemory(self.images, self.labels)

    @property
    def grouped(self) -> Grouped:
        return Grouped(self.data, self.labels, self.artefacts)

    @property
    def aligned(self) -> AlignmentImages:
        masks = torch.zeros(len(self.images), 1, 8, 8)
        masks[:, :, :2, :2] = 1
        return AlignmentImages(self.images, self.labels, masks)


def stripes(count: int, seed: int, against: float) -> Stripes:
    """against: the share of the images whose corner tells the other class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(2, (count,), generator=generator)
    artefacts = labels ^ (torch.rand(count, generator=generator) < against)
    images = 0.3 * torch.randn(count, 1, 8, 8, generator=generator)
    images[torch.arange(count), 0, 4] += 0.25 * (2 * labels - 1)[:, None]
    images[:, 0, :2, :2] += 4.0 * (2 * artefacts - 1)[:, None, None]
    return Stripes(images, labels, artefacts)


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 2))


@dataclass(frozen=True)
class Case:
    """A model trained plainly, and what rivals may see."""

    original: nn.Module
    train: Stripes
    validation: Stripes


def case(seed: int, against: float = 0.03) -> Case:
    train, validation = stripes(600, seed, against), stripes(400, 100 + seed, 0.1)
    return Case(plain(network(seed), train, seed), train, validation)


def plain(model: nn.Module, train: Stripes, seed: int) -> nn.Module:
    sample = training.shuffled(torch.arange(len(train.labels)), SCHEDULE.batch_size)
    return training.train(model, train.data, sample, SCHEDULE, seed)


def without_shortcut(model: nn.Module, seed: int) -> float:
    """Accuracy on images whose corner tells the other class."""
    test = stripes(400, 1000 + seed, against=1.0)
    with torch.no_grad():
        return float((model.eval()(test.images).argmax(dim=1) == test.labels).float().mean())


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(name == twin and torch.equal(value, copy) for (name, value), (twin, copy) in pairs)
