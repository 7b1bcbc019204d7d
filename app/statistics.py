"""The few exact statistics that pages need, without numpy: an interval for a share, a test for a pair."""

from math import comb, sqrt

from app.models.figures import Estimate

Z_95 = 1.959963984540054


def wilson(successes: int, n: int) -> Estimate:
    """A share with its 95 % score interval (Wilson 1927)."""
    if n == 0:
        return Estimate(missing="nothing was counted yet")
    share = successes / n
    scale = 1 + Z_95**2 / n
    middle = (share + Z_95**2 / (2 * n)) / scale
    margin = Z_95 / scale * sqrt(share * (1 - share) / n + Z_95**2 / (4 * n**2))
    return Estimate(value=share, low=max(0.0, middle - margin), high=min(1.0, middle + margin), n=n)


def mcnemar(newly_right: int, newly_wrong: int) -> float:
    """Two-sided exact p that as many answers turn right as wrong (McNemar 1947): a binomial test at one half."""
    n = newly_right + newly_wrong
    if n == 0:
        return 1.0
    tail = sum(comb(n, k) for k in range(min(newly_right, newly_wrong) + 1))
    return min(1.0, float(2 * tail / 2**n))
