"""A set's arms as SVG: the worst-group accuracy of every seed, and their mean."""

from html import escape

from worker.benchmarks.alignment.arms import Arm
from worker.benchmarks.alignment.gathered import ORIGINAL, OfSet

ROW, TOP, LEFT, WIDTH, RIGHT = 22, 56, 190, 520, 70
WHOLE = LEFT + WIDTH + RIGHT
FONT = 'font-family="sans-serif" font-size="12"'
# Dark on white, told apart in brightness as well as in hue.
OURS, TOLD_MORE, OTHERS, RULE = "#1b5e9e", "#b8621b", "#555555", "#d5d5d5"
ON_VERDICTS = ("consistency", "consensus", "delivered", "lvlm")


def drawn(found: OfSet) -> str:
    """One row for each arm with figures; the original's mean runs through all of them as a dashed line."""
    arms = [arm for arm in found.results if found.values(arm, "wga")]
    height = TOP + ROW * len(arms) + 14
    title = f"Worst-group accuracy, {found.plan.name}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WHOLE} {height}" role="img" {FONT}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WHOLE}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="18" font-size="14" fill="#222222">{escape(title)}: points are seeds, bars means</text>',
        *_scale(height),
        *_original(found, height),
    ]
    for number, arm in enumerate(arms):
        parts += _row(found, arm, TOP + ROW * number + ROW / 2)
    return "\n".join([*parts, "</svg>\n"])


def _scale(height: int) -> list[str]:
    parts = []
    for tenth in range(0, 11, 2):
        x = _x(tenth / 10)
        parts += [
            _upright(tenth / 10, TOP - 8, height - 10, f'stroke="{RULE}"'),
            f'<text x="{x:.1f}" y="{TOP - 14}" text-anchor="middle" fill="#555555">{tenth / 10:.1f}</text>',
        ]
    return parts


def _original(found: OfSet, height: int) -> list[str]:
    values = list(found.values(ORIGINAL, "wga").values())
    if not values:
        return []
    return [_upright(sum(values) / len(values), TOP - 8, height - 10, 'stroke="#222222" stroke-dasharray="4 3"')]


def _row(found: OfSet, arm: Arm, y: float) -> list[str]:
    values = list(found.values(arm, "wga").values())
    mean, colour = sum(values) / len(values), _colour(arm)
    points = [
        f'<circle cx="{_x(value):.1f}" cy="{y:.1f}" r="3.5" fill="{colour}" fill-opacity="0.55"/>' for value in values
    ]
    return [
        f'<text x="{LEFT - 12}" y="{y + 4:.1f}" text-anchor="end" fill="{colour}">{escape(arm.name)}</text>',
        *points,
        _upright(mean, y - 8, y + 8, f'stroke="{colour}" stroke-width="2.5"'),
        f'<text x="{LEFT + WIDTH + 10}" y="{y + 4:.1f}" fill="{colour}">{mean:.2f}</text>',
    ]


def _upright(value: float, top: float, bottom: float, stroke: str) -> str:
    x = _x(value)
    return f'<line x1="{x:.1f}" y1="{top:.1f}" x2="{x:.1f}" y2="{bottom:.1f}" {stroke}/>'


def _colour(arm: Arm) -> str:
    if arm.told:
        return TOLD_MORE
    return OURS if arm.base in ON_VERDICTS else OTHERS


def _x(value: float) -> float:
    return LEFT + WIDTH * value
