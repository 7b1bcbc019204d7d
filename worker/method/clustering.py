"""Clusters of an attribution: PPEPS-WGM, a weighted Gaussian mixture on the pixel coordinates (LVLM-VA).

The evidence of a pixel is w_i = max(Phi_i, 0)^sharpening, normalised to sum 1. Expectation-maximisation maximises
sum_i w_i log sum_j pi_j N(z_i | mu_j, Sigma_j), so that pi_j ends as cluster j's share of the evidence.

Every step is two matrix products over [1, x, y, x^2, x y, y^2]: the log-densities are linear in them, and so are the
moments. A mixture starts at the peaks of a pooled map, with several distances between the peaks; the best start goes
on at full resolution. Nothing is drawn at random, so the same attribution always gives the same clusters.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

# A start takes the largest peak, damps the map around it within this distance (1 is the width of the image), and so on.
PEAK_DISTANCES = (0.06, 0.12, 0.2)
# Starts are fitted on a map pooled to about this many pixels a side.
COARSE_SIDE = 28
# Images are fitted in portions of about this many pixels x components, which stay in a processor's cache.
NUMBERS_AT_ONCE = 1 << 19


@dataclass(frozen=True)
class Clustering:
    """J clusters on each of B attributions.

    means:          (B, J, 2), x then y, in [0, 1] from the left upper corner.
    covariances:    (B, J, 2, 2) in the same unit.
    share:          (B, J) of the positive evidence, sums to 1; zeros where an image has no positive evidence.
    assignment:     (B, H, W) int8: the likeliest cluster, 0..J-1, or -1 outside every cluster's support.
    log_likelihood: (B,) mean log-density, weighted by the evidence.
    """

    means: Tensor
    covariances: Tensor
    share: Tensor
    assignment: Tensor
    log_likelihood: Tensor


@dataclass(frozen=True)
class _Mixture:
    share: Tensor  # (B, J)
    means: Tensor  # (B, J, 2), relative to the centre of the image
    covariances: Tensor  # (B, J, 3): xx, xy, yy
    log_likelihood: Tensor  # (B,)

    def take(self, images: Tensor) -> "_Mixture":
        return _Mixture(self.share[images], self.means[images], self.covariances[images], self.log_likelihood[images])


def cluster(
    attribution: Tensor,
    components: int = 5,
    sharpening: float = 1.0,
    support: float = 1.0,
    pool: int = 1,
    iterations: int = 200,
    tolerance: float = 1e-4,
) -> Clustering:
    """Cluster the positive evidence of each attribution, the largest share first.

    attribution: (B, H, W), of any scale.
    components:  J, at most 127.
    sharpening:  exponent of the evidence; 2 finds small objects that 1 loses.
    support:     keep, of each cluster, the likeliest pixels that carry this share of its evidence; 1 keeps every pixel.
    pool:        fit on a map averaged over blocks of this many pixels a side; the assignment stays at full resolution.
    iterations, tolerance: EM ends when the mean log-likelihood rises by less than ``tolerance`` nats.
    """
    weights = evidence(attribution, sharpening)
    fitted = weights if pool == 1 else _pooled(weights, pool)
    mixture = _refined(fitted, _best_start(fitted, components, iterations, tolerance), iterations, tolerance)
    mixture = _largest_first(mixture)
    empty = weights.flatten(1).sum(dim=1) == 0
    assignment = _assign(weights, mixture, support)
    assignment[empty] = -1
    xx, xy, yy = mixture.covariances.unbind(dim=2)
    return Clustering(
        means=mixture.means + 0.5,
        covariances=torch.stack([xx, xy, xy, yy], dim=2).reshape(*xx.shape, 2, 2),
        share=mixture.share.masked_fill(empty[:, None], 0.0),
        assignment=assignment,
        log_likelihood=mixture.log_likelihood,
    )


def with_support(clustering: Clustering, attribution: Tensor, sharpening: float, support: float) -> Clustering:
    """The same mixtures with another support, as ``cluster`` would give them, without fitting them anew.

    attribution: (B, H, W), of any size; sharpening: as the mixtures were fitted.
    """
    weights = evidence(attribution, sharpening)
    (xx, xy), (_, yy) = (row.unbind(dim=2) for row in clustering.covariances.unbind(dim=2))
    covariances = torch.stack([xx, xy, yy], dim=2)
    mixture = _Mixture(clustering.share, clustering.means - 0.5, covariances, clustering.log_likelihood)
    assignment = _assign(weights, mixture, support)
    assignment[weights.flatten(1).sum(dim=1) == 0] = -1
    return replace(clustering, assignment=assignment)


def evidence(attribution: Tensor, sharpening: float = 1.0) -> Tensor:
    """Positive evidence, normalised: (B, H, W) -> (B, H, W), each image sums to 1, or to 0 where it has none."""
    positive = attribution.detach().float().clamp(min=0)
    # Scaled first, so that a power of tiny attributions does not vanish.
    positive = positive / positive.amax(dim=(1, 2), keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    if sharpening != 1:
        positive = positive.pow(sharpening)
    return positive / positive.sum(dim=(1, 2), keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)


def _pooled(weights: Tensor, block: int) -> Tensor:
    """Sum over blocks of ``block`` pixels a side; the last block of a row or column may be smaller."""
    height, width = weights.shape[1:]
    padded = F.pad(weights, (0, -width % block, 0, -height % block))
    return F.avg_pool2d(padded[:, None], block)[:, 0] * block**2


def _features(weights: Tensor) -> Tensor:
    """[1, x, y, x^2, x y, y^2] of each pixel's centre, from the centre of the image: (B, H, W) -> (H * W, 6)."""
    height, width = weights.shape[1:]
    y = (torch.arange(height, dtype=weights.dtype, device=weights.device) + 0.5) / height - 0.5
    x = (torch.arange(width, dtype=weights.dtype, device=weights.device) + 0.5) / width - 0.5
    ys, xs = (grid.flatten() for grid in torch.meshgrid(y, x, indexing="ij"))
    return torch.stack([torch.ones_like(xs), xs, ys, xs * xs, xs * ys, ys * ys], dim=1)


def _coefficients(mixture: _Mixture) -> Tensor:
    """(B, J, 6): what the features are multiplied by to give log pi_j + log N(z | mu_j, Sigma_j)."""
    xx, xy, yy = mixture.covariances.unbind(dim=2)
    x, y = mixture.means.unbind(dim=2)
    determinant = xx * yy - xy * xy
    a, b, c = yy / determinant, -xy / determinant, xx / determinant  # the inverse covariance
    log_share = mixture.share.clamp(min=torch.finfo(xx.dtype).tiny).log()
    constant = log_share - math.log(2 * math.pi) - determinant.log() / 2
    return torch.stack(
        [constant - (a * x * x + 2 * b * x * y + c * y * y) / 2, a * x + b * y, b * x + c * y, -a / 2, -b, -c / 2],
        dim=2,
    )


def _em_step(weights: Tensor, features: Tensor, mixture: _Mixture, floor: float) -> _Mixture:
    """One step of weighted EM. weights: (B, P); features: (P, 6). The log-likelihood is that of the mixture given."""
    log_joint = _coefficients(mixture) @ features.T  # (B, J, P)
    largest = log_joint.amax(dim=1, keepdim=True)
    joint = log_joint.sub_(largest).exp_()
    total = joint.sum(dim=1, keepdim=True)
    log_likelihood = ((total.log() + largest)[:, 0] * weights).sum(dim=1)
    moments = joint.mul_(weights[:, None] / total) @ features  # (B, J, 6)
    return _from_moments(moments, log_likelihood, floor)


def _from_moments(moments: Tensor, log_likelihood: Tensor, floor: float) -> _Mixture:
    mass = moments[..., 0].clamp(min=1e-12)
    x, y, xx, xy, yy = (moments[..., 1:] / mass[..., None]).unbind(dim=2)
    covariances = _floored(torch.stack([xx - x * x, xy - x * y, yy - y * y], dim=2), floor)
    return _Mixture(moments[..., 0], torch.stack([x, y], dim=2), covariances, log_likelihood)


def _floored(covariances: Tensor, floor: float) -> Tensor:
    """Raise each eigenvalue to at least ``floor``: the likeliest covariance that is nowhere narrower than a pixel."""
    xx, xy, yy = covariances.unbind(dim=2)
    middle, half = (xx + yy) / 2, (xx - yy) / 2
    radius = torch.hypot(half, xy)
    high, low = (middle + radius).clamp(min=floor), (middle - radius).clamp(min=floor)
    # The same eigenvectors around the new middle, with the new distance between the eigenvalues.
    stretch = (high - low) / (2 * radius).clamp(min=torch.finfo(xx.dtype).tiny)
    centre = (high + low) / 2
    return torch.stack([centre + half * stretch, xy * stretch, centre - half * stretch], dim=2)


def _pixel_variance(weights: Tensor) -> float:
    """Variance of a position within one pixel."""
    return 1 / (12 * min(weights.shape[1:]) ** 2)


def _fit(weights: Tensor, mixture: _Mixture, iterations: int, tolerance: float) -> _Mixture:
    """EM until the log-likelihood settles, image by image: a settled one drops out. weights: (B, H, W)."""
    features = _features(weights)
    flat, floor = weights.flatten(1), _pixel_variance(weights)
    running = torch.arange(len(weights), device=weights.device)
    done = [torch.clone(part) for part in (mixture.share, mixture.means, mixture.covariances, mixture.log_likelihood)]
    current, previous = mixture, torch.full_like(mixture.log_likelihood, -torch.inf)
    for _ in range(iterations):
        current = _em_step(flat, features, current, floor)
        settled = current.log_likelihood - previous < tolerance
        previous = current.log_likelihood
        for kept, part in zip(done, (current.share, current.means, current.covariances, previous), strict=True):
            kept[running] = part
        if settled.any():
            going = ~settled
            running, flat, previous, current = running[going], flat[going], previous[going], current.take(going)
        if not len(running):
            break
    return _Mixture(*done)


def _best_start(weights: Tensor, components: int, iterations: int, tolerance: float) -> _Mixture:
    """The best of the starts at peaks, each fitted on a coarse map."""
    coarse = _pooled(weights, max(1, min(weights.shape[1:]) // COARSE_SIDE))
    fits = [_fit(coarse, _peaks(coarse, components, distance), iterations, tolerance) for distance in PEAK_DISTANCES]
    best = torch.stack([fit.log_likelihood for fit in fits]).argmax(dim=0)
    images = torch.arange(len(weights), device=weights.device)
    parts = (
        torch.stack([getattr(fit, name) for fit in fits])[best, images]
        for name in ("share", "means", "covariances", "log_likelihood")
    )
    return _Mixture(*parts)


def _peaks(weights: Tensor, components: int, distance: float) -> _Mixture:
    """Start at the largest peaks of the smoothed map that lie ``distance`` apart, with equal shares."""
    left = F.avg_pool2d(weights[:, None], 3, stride=1, padding=1)[:, 0].flatten(1)
    places = _features(weights)[:, 1:3]
    means = []
    for _ in range(components):
        peak = places[left.argmax(dim=1)]  # (B, 2)
        means.append(peak)
        near = (places - peak[:, None]).square().sum(dim=2) / (2 * distance**2)
        left = left * (1 - torch.exp(-near))
    batch = len(weights)
    return _Mixture(
        share=weights.new_full((batch, components), 1 / components),
        means=torch.stack(means, dim=1),
        covariances=weights.new_tensor([distance**2, 0, distance**2]).expand(batch, components, 3),
        log_likelihood=weights.new_full((batch,), -torch.inf),
    )


def _refined(weights: Tensor, mixture: _Mixture, iterations: int, tolerance: float) -> _Mixture:
    """Go on at full resolution, in portions that stay in the cache."""
    components = mixture.share.shape[1]
    size = max(1, NUMBERS_AT_ONCE // (components * weights[0].numel())) if len(weights) else 1
    images = torch.arange(len(weights), device=weights.device)
    portions = [images[start : start + size] for start in range(0, max(1, len(images)), size)]
    fits = [_fit(weights[portion], mixture.take(portion), iterations, tolerance) for portion in portions]
    return _Mixture(
        *(
            torch.cat([getattr(fit, name) for fit in fits])
            for name in ("share", "means", "covariances", "log_likelihood")
        )
    )


def _largest_first(mixture: _Mixture) -> _Mixture:
    order = mixture.share.argsort(dim=1, descending=True, stable=True)
    pick = torch.arange(len(order), device=order.device)[:, None]
    return _Mixture(
        mixture.share[pick, order], mixture.means[pick, order], mixture.covariances[pick, order], mixture.log_likelihood
    )


def _assign(weights: Tensor, mixture: _Mixture, support: float) -> Tensor:
    """The likeliest cluster of every pixel, or -1 outside the support: (B, H, W) int8."""
    features = _features(weights)
    log_joint = _coefficients(mixture) @ features.T  # (B, J, P)
    density, likeliest = log_joint.max(dim=1)
    if support < 1:
        outside = _outside(weights.flatten(1), likeliest, density, mixture.share.shape[1], support)
        likeliest = likeliest.masked_fill(outside, -1)
    return likeliest.to(torch.int8).reshape(weights.shape)


def _outside(weights: Tensor, likeliest: Tensor, density: Tensor, components: int, support: float) -> Tensor:
    """Pixels beyond the likeliest ones that carry ``support`` of their cluster's evidence: (B, P) bool."""
    order = density.argsort(dim=1, descending=True, stable=True)
    member = F.one_hot(likeliest.gather(1, order), components).to(weights.dtype)  # (B, P, J)
    carried = (member * weights.gather(1, order)[..., None]).cumsum(dim=1)
    # What the likelier pixels of the same cluster already carry decides, so the pixel that reaches the share is kept.
    before = ((carried - member * weights.gather(1, order)[..., None]) * member).sum(dim=2)
    whole = (carried[:, -1:] * member).sum(dim=2)
    beyond = before >= support * whole
    return torch.zeros_like(beyond).scatter(1, order, beyond)
