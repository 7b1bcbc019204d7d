"""What in an image speaks for its label: DeepLIFT SHAP where it is complete, path methods where it is not.

DeepLIFT fails silently on many architectures: on a ReLU that is called twice or as a function, on ReLU6, and on
overlapping max-pooling. ``repaired`` routes every such call to a module of its own that captum has exact rules for.
What remains (SiLU, products of activations, attention) shows in the completeness error, and ``choose`` falls back.
"""

import copy
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from captum.attr import DeepLift
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Method = Literal["deeplift_shap", "integrated_gradients", "expected_gradients"]

# Nodes of the Gauss-Legendre rule along each path of integrated gradients.
PATH_STEPS = 32
# Expected gradients takes this many points for every baseline, one in each equal part of the path.
POINTS_PER_BASELINE = 4
# Integrated gradients approximates an integral, so it is held to a looser completeness than DeepLIFT, which is exact.
PATH_THRESHOLD = 0.05
# About as many pixels as one forward pass may hold: five colour images of 128 x 128, 330 digits. DeepLIFT keeps every
# layer of image and baseline: for EfficientNet-Lite0 at 128 pixels 0.2 GB a pair, so 80 pairs took 13 GB and longer.
PIXELS_AT_ONCE = 1 << 18


@dataclass(frozen=True)
class Choice:
    """The method to explain a model with, its completeness error, and why it was chosen."""

    method: Method
    error: float
    reason: str


def attribute(model: nn.Module, images: Tensor, labels: Tensor, baselines: Tensor, method: Method) -> Tensor:
    """Attribution of the logit of each image's label, averaged over the baselines and summed over the channels.

    deeplift_shap: rescale rule (Shrikumar et al. 2017), averaged over baselines (Lundberg & Lee 2017).
    integrated_gradients: Sundararajan et al. 2017, averaged over baselines.
    expected_gradients: Erion et al. 2021, with evenly spread points instead of random ones, so that it repeats.

    model: gives (B, K) logits; it is neither changed nor left in another mode. All on one device.
    images: (B, C, H, W); labels: (B,) int64; baselines: (R, C, H, W) with R at least 1.
    Returns (B, H, W) float32: positive where a pixel speaks for the label.
    """
    ready = repaired(model)
    explain = {
        "deeplift_shap": _deeplift,
        "integrated_gradients": _integrated_gradients,
        "expected_gradients": _expected_gradients,
    }[method]
    parts = [
        explain(ready, some, their_labels, baselines) for some, their_labels in _portions(images, labels, baselines)
    ]
    return torch.cat(parts) if parts else images.new_zeros(0, *images.shape[-2:])


def completeness_error(model: nn.Module, images: Tensor, labels: Tensor, baselines: Tensor, method: Method) -> float:
    """Largest |sum Phi - (f(x) - mean f(baseline))| / |f(x) - mean f(baseline)| over the images.

    f is the model as it was given, in evaluation mode, so a repair that changed its output would show as well.
    Arguments as in ``attribute``. Zero is perfect; 1 means that the attribution explains nothing.
    """
    total = attribute(model, images, labels, baselines, method).sum(dim=(1, 2))
    plain = _in_evaluation_mode(model)
    with torch.no_grad():
        output = plain(images).gather(1, labels[:, None])[:, 0]
        reference = plain(baselines).mean(dim=0)[labels]
    difference = output - reference
    tiny = torch.finfo(difference.dtype).tiny
    return float(((total - difference).abs() / difference.abs().clamp(min=tiny)).max())


def choose(model: nn.Module, images: Tensor, labels: Tensor, baselines: Tensor, threshold: float = 1e-4) -> Choice:
    """DeepLIFT SHAP if it is complete on this architecture, else integrated gradients, else expected gradients.

    Measured in double precision: whether the rules cover the architecture is asked here, and a model whose output
    hardly depends on its input would drown the answer in rounding.

    The order is that of ``rightreasons benchmark artefacts`` on EfficientNet-Lite0 and real knees (75 with a marker,
    one model): with the cut that the system chooses a cluster lies on .79 of the markers with DeepLIFT SHAP, on .72
    with integrated gradients in nine times the time, on .48 with expected gradients.
    """
    model, images, baselines = copy.deepcopy(model).double(), images.double(), baselines.double()
    reasons = []
    limits: dict[Method, float] = {"deeplift_shap": threshold, "integrated_gradients": PATH_THRESHOLD}
    for method, limit in limits.items():
        error = completeness_error(model, images, labels, baselines, method)
        if error < limit:
            reasons.append(f"{_NAMES[method]} is complete: its error of {error:.1e} is below {limit:.0e}.")
            return Choice(method, error, " ".join(reasons))
        reasons.append(f"{_NAMES[method]} is not complete: its error of {error:.1e} is not below {limit:.0e}.")
    error = completeness_error(model, images, labels, baselines, "expected_gradients")
    reasons.append(f"Expected gradients is complete only on average; its error here is {error:.1e}.")
    return Choice("expected_gradients", error, " ".join(reasons))


_NAMES: dict[Method, str] = {
    "deeplift_shap": "DeepLIFT SHAP",
    "integrated_gradients": "Integrated gradients",
    "expected_gradients": "Expected gradients",
}


def repaired(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode, giving the same outputs, on which DeepLIFT's rules are exact.

    Each call of an activation gets a module of its own, whether it was a shared module, a function or a method.
    ReLU6 and hardtanh become two ReLUs, and max-pooling becomes a chain of max(a, b) = a + relu(b - a).
    The modules are made by the first forward pass; a model's calls must not depend on its input.
    """
    return model if isinstance(model, Repaired) else Repaired(model)


class Repaired(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        # In a tuple, because captum would hook the model's own ReLU modules as well, and apply its rule twice.
        self._plain = (_in_evaluation_mode(model),)
        self.calls = nn.ModuleList()

    def forward(self, images: Tensor) -> Tensor:
        with _OwnModules(self.calls):
            output: Tensor = self._plain[0](images)
        return output


def _in_evaluation_mode(model: nn.Module) -> nn.Module:
    if isinstance(model, Repaired):
        return model._plain[0]  # noqa: SLF001 - the model it repairs
    return copy.deepcopy(model).eval().requires_grad_(requires_grad=False)


class _OwnModules(TorchFunctionMode):
    """While active, the n-th activation call of a forward pass goes through the n-th module of ``calls``."""

    def __init__(self, calls: nn.ModuleList) -> None:
        super().__init__()
        self._calls = calls
        self._used = 0

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        rule = _RULES.get(func)
        return func(*args, **kwargs) if rule is None else rule(self, *args, **kwargs)

    def through(self, make: Callable[[], nn.Module], value: Tensor) -> Tensor:
        if self._used == len(self._calls):
            self._calls.append(make())
        module = self._calls[self._used]
        self._used += 1
        # Captum replaces the whole gradient of the tensor it is given, so a value that is also used elsewhere, as where
        # a shortcut skips an activation, goes in as a copy; and out comes one that the model may change in place.
        output: Tensor = module(value.clone())
        return output.clone()

    def relu(self, value: Tensor, inplace: bool = False) -> Tensor:  # noqa: ARG002 - the signature it stands for
        return self.through(nn.ReLU, value)

    def relu6(self, value: Tensor, inplace: bool = False) -> Tensor:
        return self.hardtanh(value, 0.0, 6.0, inplace)

    def hardtanh(
        self,
        value: Tensor,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,  # noqa: ARG002 - the signature it stands for
    ) -> Tensor:
        return min_val + self.through(nn.ReLU, value - min_val) - self.through(nn.ReLU, value - max_val)

    def leaky_relu(
        self,
        value: Tensor,
        negative_slope: float = 0.01,
        inplace: bool = False,  # noqa: ARG002 - the signature it stands for
    ) -> Tensor:
        return self.through(lambda: nn.LeakyReLU(negative_slope), value)

    def elu(
        self,
        value: Tensor,
        alpha: float = 1.0,
        inplace: bool = False,  # noqa: ARG002 - the signature it stands for
    ) -> Tensor:
        return self.through(lambda: nn.ELU(alpha), value)

    def sigmoid(self, value: Tensor) -> Tensor:
        return self.through(nn.Sigmoid, value)

    def tanh(self, value: Tensor) -> Tensor:
        return self.through(nn.Tanh, value)

    def max_pool2d(
        self,
        value: Tensor,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> object:
        if _pair(dilation) != (1, 1) or return_indices:
            return _MAX_POOL(value, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
        sizes, strides, paddings = _pair(kernel_size), _pair(stride or kernel_size), _pair(padding)
        for dimension in (-1, -2):
            size, step, pad = sizes[dimension], strides[dimension], paddings[dimension]
            value = self._max_along(value, dimension, size, step, pad, ceil_mode)
        return value

    def _max_along(self, value: Tensor, dimension: int, size: int, step: int, pad: int, ceil: bool) -> Tensor:
        """Largest value of every window along one dimension, by max(a, b) = a + relu(b - a)."""
        length = value.shape[dimension]
        outputs = _pooled_length(length, size, step, pad, ceil)
        # Every window holds the border pixel it reaches beyond, so repeating that pixel never changes a maximum.
        cells = (torch.arange((outputs - 1) * step + size, device=value.device) - pad).clamp(0, length - 1)
        value = value.index_select(dimension, cells)
        parts = [_every(value, dimension, first, step, outputs) for first in range(size)]
        largest = parts[0]
        for part in parts[1:]:
            largest = largest + self.through(nn.ReLU, part - largest)
        return largest


_RULES: dict[Callable[..., Any], Callable[..., Any]] = {
    **dict.fromkeys((F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_), _OwnModules.relu),
    F.relu6: _OwnModules.relu6,
    **dict.fromkeys((F.hardtanh, F.hardtanh_), _OwnModules.hardtanh),
    **dict.fromkeys((F.leaky_relu, F.leaky_relu_), _OwnModules.leaky_relu),
    **dict.fromkeys((F.elu, F.elu_), _OwnModules.elu),
    **dict.fromkeys((F.sigmoid, torch.sigmoid, Tensor.sigmoid), _OwnModules.sigmoid),
    **dict.fromkeys((F.tanh, torch.tanh, Tensor.tanh), _OwnModules.tanh),
    **dict.fromkeys((F.max_pool2d, torch.max_pool2d), _OwnModules.max_pool2d),
}


# Typed as any function is: torch's own declaration has a form for each value of ``return_indices``.
_MAX_POOL: Callable[..., object] = F.max_pool2d


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


def _pooled_length(length: int, size: int, step: int, pad: int, ceil: bool) -> int:
    """Number of windows along one dimension, as torch counts them."""
    windows = (length + 2 * pad - size + (step - 1 if ceil else 0)) // step + 1
    # Torch drops a last window that would start beyond the image and its left padding.
    return windows - 1 if ceil and (windows - 1) * step >= length + pad else windows


def _every(value: Tensor, dimension: int, first: int, step: int, count: int) -> Tensor:
    """``count`` slices of the given dimension, from ``first`` on, ``step`` apart."""
    window = slice(first, first + (count - 1) * step + 1, step)
    return value[..., window] if dimension == -1 else value[..., window, :]


def _portions(images: Tensor, labels: Tensor, baselines: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Cut the images so that a portion, paired with all baselines, fits in one forward pass."""
    size = max(1, PIXELS_AT_ONCE // math.prod(baselines.shape))
    for start in range(0, len(images), size):
        yield images[start : start + size], labels[start : start + size]


def _pairs(images: Tensor, labels: Tensor, baselines: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Every image beside every baseline: (B * R, C, H, W), (B * R,), (B * R, C, H, W)."""
    repeats = len(baselines)
    return (
        images.repeat_interleave(repeats, dim=0),
        labels.repeat_interleave(repeats),
        baselines.repeat(len(images), 1, 1, 1),
    )


def _mean_map(pairs: Tensor, repeats: int) -> Tensor:
    """Sum over the channels, then mean over the baselines: (B * R, C, H, W) -> (B, H, W)."""
    summed = pairs.sum(dim=1)
    return summed.reshape(-1, repeats, *summed.shape[1:]).mean(dim=1)


def _deeplift(ready: nn.Module, images: Tensor, labels: Tensor, baselines: Tensor) -> Tensor:
    with torch.no_grad():
        ready(images[:1])  # makes the modules, so that captum finds them
    inputs, targets, references = _pairs(images, labels, baselines)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Setting forward, backward hooks", category=UserWarning)
        explained: Tensor = DeepLift(ready).attribute(inputs.requires_grad_(), references, target=targets)
    return _mean_map(explained.detach(), len(baselines))


def _integrated_gradients(ready: nn.Module, images: Tensor, labels: Tensor, baselines: Tensor) -> Tensor:
    pairs = len(images) * len(baselines)
    nodes, weights = _gauss_legendre(PATH_STEPS)
    alphas = torch.tensor(nodes)[:, None].expand(-1, pairs)
    return _along_paths(ready, images, labels, baselines, alphas, weights)


def _expected_gradients(ready: nn.Module, images: Tensor, labels: Tensor, baselines: Tensor) -> Tensor:
    # The golden ratio's multiples, modulo 1, spread evenly for any number of baselines.
    offsets = (torch.arange(1, len(baselines) + 1, dtype=torch.float64) * (math.sqrt(5) - 1) / 2) % 1
    alphas = (torch.arange(POINTS_PER_BASELINE)[:, None] + offsets) / POINTS_PER_BASELINE
    weights = [1 / POINTS_PER_BASELINE] * POINTS_PER_BASELINE
    return _along_paths(ready, images, labels, baselines, alphas.repeat(1, len(images)), weights)


def _along_paths(
    ready: nn.Module, images: Tensor, labels: Tensor, baselines: Tensor, alphas: Tensor, weights: list[float]
) -> Tensor:
    """Sum over the steps of weight x gradient at the point x (image - baseline). alphas: (steps, B * R)."""
    inputs, targets, references = _pairs(images, labels, baselines)
    way = inputs - references
    total = torch.zeros_like(inputs)
    for alpha, weight in zip(alphas.to(inputs), weights, strict=True):
        point = (references + alpha[:, None, None, None] * way).requires_grad_()
        output = ready(point).gather(1, targets[:, None]).sum()
        (gradient,) = torch.autograd.grad(output, point)
        total += weight * gradient
    return _mean_map(total * way, len(baselines))


def _gauss_legendre(steps: int) -> tuple[list[float], list[float]]:
    """Nodes and weights of the Gauss-Legendre rule on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return ((nodes + 1) / 2).tolist(), (weights / 2).tolist()
