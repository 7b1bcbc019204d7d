"""Radiographs and skin lesions drawn by code: to teach the embedded LVLM, and to measure the method on known ground."""

from worker.datasets.synthetic.drawing import Drawn
from worker.datasets.synthetic.knees import draw_knees
from worker.datasets.synthetic.lesions import draw_lesions
from worker.datasets.synthetic.shortcut import ShortcutSplit, shortcut_split

__all__ = ["Drawn", "ShortcutSplit", "draw_knees", "draw_lesions", "shortcut_split"]
