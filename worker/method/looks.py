"""Clusters that look alike, where no LVLM has named them: by place, size, spread, brightness and colour.

Nothing is learnt: the differences that count are written down as ``SCALES``, and every kind of look is described in
words that are computed from it, such as "a small bright area in the upper left corner".
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Colour = tuple[float, float, float]  # red, green and blue, 0 to 1

# Differences that the eye takes for another kind, each on its own: x and y in widths of the image, spread likewise,
# doublings of the area, brightness, red against green, yellow against blue.
SCALES = np.array([0.2, 0.2, 0.1, 2.0, 0.25, 0.2, 0.2])
CANDIDATES = 256  # clusters of the most evidence of which one becomes the middle of a kind
SMALL, LARGE = 0.04, 0.15  # shares of the image
BRIGHTER = 0.12  # than the picture's median, from which it is said
OTHER_COLOUR = 0.1  # difference of an opponent colour to the picture's median, likewise
COLOURLESS = 0.12  # difference of the strongest and the weakest channel up to which there is no colour
THERE = 0.9  # share of a kind's clusters that lie in a place, from which the kind does too
LUMA = np.array([0.299, 0.587, 0.114])  # brightness of red, green and blue (ITU-R BT.601)
OPPONENT = np.array([LUMA, [1, -1, 0], [0.5, 0.5, -1]])  # brightness, red against green, yellow against blue
TOGETHER = 0.2  # share of the images with something in a corner that may have the like in another one, if it moves
EVERYWHERE = "large part of the image"
CORNERS = frozenset({"upper left corner", "upper right corner", "lower left corner", "lower right corner"})
ANY_CORNER = "one of the corners"
# Upper bounds of the hue in degrees; the last one is red again.
HUES = ((20, "red"), (45, "orange"), (70, "yellow"), (170, "green"), (260, "blue"), (330, "purple"), (360, "red"))
DARK, PALE = 0.6, 0.5  # red and orange whose strongest channel is under it are brown, red whose weakest is over it pink


@dataclass(frozen=True)
class Look:
    """What can be seen of one cluster.

    place:  in words, as ``summary.place`` says it.
    x, y:   middle of its evidence, 0 to 1 from the upper left corner.
    spread: standard deviation, in widths of the image.
    area:   share of the image, over 0.
    colour: mean under its evidence.
    ground: the picture's median colour.
    """

    place: str
    x: float
    y: float
    spread: float
    area: float
    colour: Colour
    ground: Colour


def colours(picture: Floats, weights: Floats, assignment: npt.NDArray[np.uint8]) -> tuple[dict[int, Colour], Colour]:
    """The mean colour of each cluster, weighted by its evidence, and the picture's median colour.

    picture: (H, W, 3), 0 to 1; weights: (H, W), not negative; assignment: (H, W), the cluster's number or 0.
    A cluster without evidence is left out.
    """
    numbers, pixels, evidence = assignment.ravel(), picture.reshape(-1, 3), weights.ravel()
    totals = np.bincount(numbers, evidence)
    sums = np.stack([np.bincount(numbers, evidence * channel) for channel in pixels.T], axis=1)  # (J + 1, 3)
    found = (number for number in range(1, len(totals)) if totals[number] > 0)
    return {number: _colour(sums[number] / totals[number]) for number in found}, _colour(np.median(pixels, axis=0))


def kinds_by_look(looks: Sequence[Look], shares: Sequence[float], images: Sequence[str]) -> list[str]:
    """What each cluster's kind looks like, in words; clusters of one kind have the same words, others do not.

    shares: of the positive evidence of each cluster's image; images: the ids of these images.
    Those that ``gathered`` gathers are of one kind, and so are kinds that would be described by the same words, and
    what moves from corner to corner.
    """
    groups = gathered(looks, shares)
    members: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    kinds: dict[int, tuple[str, str]] = {}
    for group, alike in members.items():
        seen = [looks[index] for index in alike]
        kinds[group] = _appearance(seen), _main_place(look.place for look in seen)
    moving = _moving([kinds[group] for group in groups], images)
    kinds = {
        group: (kind[0], ANY_CORNER) if kind[0] in moving and kind[1] in CORNERS else kind
        for group, kind in kinds.items()
    }
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for group, look in zip(groups, looks, strict=True):
        places[kinds[group]].append(look.place)
    return [f"{kinds[group][0]} {_located(kinds[group][1], places[kinds[group]])}" for group in groups]


def _moving(kinds: Sequence[tuple[str, str]], images: Sequence[str]) -> set[str]:
    """Appearances that are found in several corners, but seldom in two of the same image: one thing that moves.

    kinds: appearance and main place of each cluster's kind.
    """
    corners: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for (appearance, place), image in zip(kinds, images, strict=True):
        if place in CORNERS:
            corners[appearance][image].add(place)
    return {
        appearance
        for appearance, found in corners.items()
        if len(set().union(*found.values())) > 1
        and sum(len(here) > 1 for here in found.values()) <= TOGETHER * len(found)
    }


def gathered(looks: Sequence[Look], shares: Sequence[float]) -> list[int]:
    """For each cluster, the index of the one around which its kind gathers.

    The first kind gathers around the cluster near which most evidence lies, up to a distance of 1 in units of
    ``SCALES``; what is left over gathers likewise; at last each goes to the nearest such cluster. So there are as many
    kinds as it takes, and nothing is counted to a kind from which it differs plainly.
    """
    if not looks:
        return []
    features, evidence = _features(looks), np.array(shares, dtype=float)
    middles: list[int] = []
    left = np.arange(len(features))
    while len(left):
        heaviest = left[np.argsort(-evidence[left], kind="stable")[:CANDIDATES]]
        near = _distances(features[heaviest], features[left]) <= 1
        best = int((near @ evidence[left]).argmax())
        middles.append(int(heaviest[best]))
        left = left[~near[best]]
    return [middles[nearest] for nearest in _distances(features, features[middles]).argmin(axis=1)]


def _features(looks: Sequence[Look]) -> Floats:
    """(n, 7), one for each of ``SCALES`` and in its unit."""
    shapes = np.array([(look.x, look.y, look.spread, np.log2(look.area)) for look in looks])
    colour, ground = (np.array([getattr(look, name) for look in looks]) for name in ("colour", "ground"))
    features: Floats = np.concatenate([shapes, (colour - ground) @ OPPONENT.T], axis=1) / SCALES
    return features


def _distances(one: Floats, other: Floats) -> Floats:
    """(m, F), (n, F) -> (m, n)."""
    squares = np.zeros((len(one), len(other)))
    for left, right in zip(one.T, other.T, strict=True):
        squares += np.subtract.outer(left, right) ** 2
    return np.sqrt(squares)


def _appearance(looks: Sequence[Look]) -> str:
    """The median of these in words, without its place."""
    area = float(np.median([look.area for look in looks]))
    colour, ground = (np.median([getattr(look, name) for look in looks], axis=0) for name in ("colour", "ground"))
    brighter, *tints = (OPPONENT @ (colour - ground)).tolist()
    size = "small" if area <= SMALL else "large" if area >= LARGE else ""
    brightness = "bright" if brighter >= BRIGHTER else "dark" if brighter <= -BRIGHTER else ""
    hue = _hue(colour) if max(map(abs, tints)) >= OTHER_COLOUR else ""
    words = " ".join(word for word in (size, brightness, hue, "area") if word)
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _main_place(places: Iterable[str]) -> str:
    return min(Counter(places).items(), key=lambda item: (-item[1], item[0]))[0]


def _hue(colour: Floats) -> str:
    """The name of a colour (red, green, blue), of which the hue and the saturation are as in HSV."""
    (red, green, blue), most = colour.tolist(), float(colour.max())
    chroma = most - float(colour.min())
    if chroma < COLOURLESS:
        return "colourless"
    if most == red:
        sixth = (green - blue) / chroma % 6
    else:
        sixth = 2 + (blue - red) / chroma if most == green else 4 + (red - green) / chroma
    name = next(name for upper, name in HUES if 60 * sixth <= upper)
    if name in {"red", "orange"} and most < DARK:
        return "brown"
    return "pink" if name == "red" and most - chroma > PALE else name


def _located(place: str, places: Sequence[str]) -> str:
    """places: of each cluster of the kind, which is mostly in this place."""
    inside = [each in CORNERS if place == ANY_CORNER else each == place for each in places]
    always = sum(inside) >= THERE * len(inside)
    if place == EVERYWHERE:
        return f"over a {place}" if always else f"mostly over a {place}"
    name = place if place == ANY_CORNER else f"the {place}"
    return f"in {name}" if always else f"in or near {name}"


def _colour(channels: Floats) -> Colour:
    red, green, blue = channels.tolist()
    return red, green, blue
