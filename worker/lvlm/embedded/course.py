"""Where a training stands: a course that was killed goes on from its last saved step, with the same scenes."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from worker.lvlm.embedded.scenes import Scene

SAVE_EVERY = 120.0  # seconds
STATE, LOG, PLOT = "course.pt", "log.jsonl", "training.svg"


@dataclass(frozen=True)
class Begun:
    """How far a stage had come when it was saved."""

    spent: float = 0.0  # seconds, of the processor where that learns
    step: int = 0


class Course:
    """The stages that are done, and how far the one under way has come. Only the ``first`` process writes.

    Raises OSError where the folder cannot be written.
    """

    def __init__(self, folder: Path, *, first: bool = True) -> None:
        self.folder, self.first = folder, first
        folder.mkdir(parents=True, exist_ok=True)
        self.done: list[str] = []
        self.stage, self.begun = "", Begun()
        self._optimizer: dict[str, Any] | None = None
        self._saved = time.monotonic()

    def resume(self, model: nn.Module) -> None:
        """Take up the model where it was left, if it was."""
        path = self.folder / STATE
        if path.exists():
            state = torch.load(path, map_location="cpu", weights_only=True)
            model.load_state_dict(state["model"])
            self.done, self.stage, self.begun = state["done"], state["stage"], Begun(**state["begun"])
            self._optimizer = state["optimizer"]

    def begin(self, stage: str, optimizer: torch.optim.Optimizer) -> Begun | None:
        """How far the stage has come already; None where it is done."""
        self._saved = time.monotonic()
        if stage in self.done:
            return None
        if self.stage != stage or self._optimizer is None:
            return Begun()
        optimizer.load_state_dict(self._optimizer)
        return self.begun

    def on_the_way(self, stage: str, begun: Begun, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Save, if the last time is long enough ago."""
        if self.first and time.monotonic() - self._saved >= SAVE_EVERY:
            self._write(stage, begun, model, optimizer.state_dict())

    def finish(self, stage: str, model: nn.Module) -> None:
        self.done.append(stage)
        if self.first:
            self._write("", Begun(), model, None)

    def note(self, stage: str, step: int, progress: float, losses: Mapping[str, Tensor]) -> None:
        """One line of the log."""
        if self.first:
            told = {name: loss.item() for name, loss in losses.items()}
            row = {"stage": stage, "step": step, "progress": round(progress, 4), "losses": told}
            with (self.folder / LOG).open("a", encoding="utf-8") as log:
                log.write(json.dumps(row) + "\n")

    def _write(self, stage: str, begun: Begun, model: nn.Module, optimizer: dict[str, Any] | None) -> None:
        state = {
            "done": self.done,
            "stage": stage,
            "begun": asdict(begun),
            "model": model.state_dict(),
            "optimizer": optimizer,
        }
        partial = self.folder / f"{STATE}.partial"
        torch.save(state, partial)
        partial.replace(self.folder / STATE)
        self._saved = time.monotonic()


def keep_scenes(path: Path, draw: Callable[[], Sequence[Scene]]) -> None:
    """Draw them into the file, if there is none."""
    if not path.exists():
        rows = [_row(scene) for scene in draw()]
        partial = path.with_suffix(".partial")
        torch.save(rows, partial)
        partial.replace(path)


def kept_scenes(path: Path) -> list[Scene]:
    """Raises FileNotFoundError where none were kept."""
    return [_scene(row) for row in torch.load(path, weights_only=True)]


ARRAYS = ("image", "assignment", "artefact_pixels", "core_pixels")


def _row(scene: Scene) -> dict[str, Any]:
    plain = {"domain": scene.domain, "label": scene.label, "artefact": list(scene.artefact), "core": list(scene.core)}
    return plain | {name: torch.from_numpy(np.ascontiguousarray(getattr(scene, name))) for name in ARRAYS}


def _scene(row: dict[str, Any]) -> Scene:
    arrays = {name: row[name].numpy() for name in ARRAYS}
    return Scene(
        domain=row["domain"], label=row["label"], artefact=tuple(row["artefact"]), core=tuple(row["core"]), **arrays
    )


def plot(folder: Path) -> Path:
    """Draw the losses of the log, one panel a stage."""
    from matplotlib.figure import Figure

    rows = [json.loads(line) for line in (folder / LOG).read_text(encoding="utf-8").splitlines()]
    stages = list(dict.fromkeys(row["stage"] for row in rows))
    figure = Figure(figsize=(3 * max(1, len(stages)), 3), layout="constrained")
    panels = figure.subplots(1, max(1, len(stages)), squeeze=False)[0]
    for panel, stage in zip(panels, stages, strict=False):
        mine = [row for row in rows if row["stage"] == stage]
        for name in dict.fromkeys(name for row in mine for name in row["losses"]):
            points = [(row["progress"], row["losses"][name]) for row in mine if name in row["losses"]]
            panel.plot(*zip(*points, strict=True), label=name)
        panel.set(title=stage, xlabel="share of its time", yscale="log")
        panel.legend(fontsize="x-small")
    figure.savefig(folder / PLOT)
    return folder / PLOT
