"""The same training on a processor and on a GPU: number format, and results that repeat."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
import torch.utils.deterministic

Precision = Literal["auto", "float32", "bfloat16"]

# Its attribute is a property that type checkers do not see.
_deterministic: Any = torch.utils.deterministic
# Without it cuBLAS gives other bits from one time to the next. It is read when a process first uses a GPU.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Matrix products and convolutions in bfloat16 where that is wanted; weights and losses stay float32.

    ``auto``: on a GPU that computes in it, where it is several times as fast; never on a processor. bfloat16 has the
    range of float32, so gradients need no scaling.
    """
    on_gpu = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    wanted = on_gpu if precision == "auto" else precision == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted)


@contextmanager
def repeatable(seed: int, device: torch.device) -> Iterator[None]:
    """What is drawn inside follows from the seed, and the same steps give the same bits on the same machine.

    torch's global random states are put back afterwards. An operation that has no such form warns.
    """
    cuda = [device] if device.type == "cuda" else []
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filled = _deterministic.fill_uninitialized_memory
    with torch.random.fork_rng(devices=cuda), torch.backends.cudnn.flags(benchmark=False, deterministic=True):
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
        # A step writes every tensor that it reads; filling each with NaN before costs a tenth of the step.
        _deterministic.fill_uninitialized_memory = False
        try:
            yield
        finally:
            _deterministic.fill_uninitialized_memory = filled
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
