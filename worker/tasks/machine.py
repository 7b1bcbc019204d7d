"""What decides the bits of a training beside what is stored with its run anyway."""

from importlib.metadata import version

import torch
from pydantic import BaseModel, ConfigDict

from app.config import settings
from app.models import Run
from worker.method.hardware import Precision
from worker.tasks.inputs import device

MACHINES = "machines"


class Machine(BaseModel):
    """device: ``cpu`` with its vector instructions, or a GPU's name; the rest as in the settings."""

    model_config = ConfigDict(frozen=True)

    rightreasons: str
    torch: str
    device: str
    threads: int
    precision: Precision
    images_at_once: int | None

    def unlike(self, other: "Machine") -> list[str]:
        """What differs, in words: ``threads 2 instead of 1``."""
        mine, theirs = self.model_dump(), other.model_dump()
        return [f"{name} {mine[name]} instead of {theirs[name]}" for name in mine if mine[name] != theirs[name]]


def this_machine() -> Machine:
    on = device()
    is_gpu = on.type == "cuda"
    return Machine(
        rightreasons=version("rightreasons"),
        torch=torch.__version__,
        device=torch.cuda.get_device_name(on) if is_gpu else f"cpu {torch.backends.cpu.get_cpu_capability()}",
        threads=torch.get_num_threads(),
        precision=settings().precision,
        images_at_once=settings().images_at_once,
    )


def note_machine(run: Run) -> None:
    """Keeps with the run that this machine trained some of it."""
    here = this_machine().model_dump(mode="json")
    if here not in (known := run.result.get(MACHINES, [])):
        run.result = {**run.result, MACHINES: [*known, here]}


def machines_of(run: Run) -> list[Machine]:
    """Those that trained it; none where nobody noted them, which came later than the first runs."""
    return [Machine.model_validate(each) for each in run.result.get(MACHINES, [])]
