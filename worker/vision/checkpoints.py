"""Weights in and out. Files come from anybody: they are read as numbers, and nothing inside them is ever executed."""

import io
import pickle
import zipfile
from collections.abc import Mapping, Sequence

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from app.languages.messages import Message, MessageError, joined

# Where training scripts put the weights beside their epoch and their optimizer.
CONTAINERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
# What wrappers (DataParallel, torch.compile, Lightning) put before every key.
PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
SHOWN_KEYS = 5
ZIP, PICKLE = b"PK\x03\x04", b"\x80"


class CheckpointError(MessageError):
    """Weights that cannot be used; the message says why, and what was expected."""


def read_weights(data: bytes, filename: str) -> dict[str, Tensor]:
    """The state dict in a safetensors file or in one of ``torch.save``, told apart by content, on the CPU.

    State dicts nested under a usual name are found, prefixes that wrappers put before every key are removed.
    filename: only for the messages. Raises CheckpointError, also for a pickle with anything but weights in it.
    """
    is_torch_file = data.startswith((ZIP, PICKLE))
    content = _read_torch(data, filename) if is_torch_file else _read_safetensors(data, filename)
    while isinstance(content, Mapping) and (inner := _inner(content)) is not None:
        content = inner
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError(Message("%(file)s holds no weights by name. Save model.state_dict().", file=filename))
    others = [str(key) for key, value in content.items() if not _is_plain(value)]
    if others:
        raise CheckpointError(
            Message(
                "%(file)s holds entries that are no plain tensors: %(names)s. Save model.state_dict().",
                file=filename,
                names=_listed(others),
            )
        )
    return _without_prefixes({str(key): value for key, value in content.items()})


def fit_weights(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load the weights into the model, all or nothing.

    Raises CheckpointError that names the missing, unknown and differently shaped keys and the shapes expected; the
    model is then unchanged. Batch norm's counters may be missing.
    """
    expected = model.state_dict()
    complaints = _complaints(expected, state)
    if complaints:
        raise CheckpointError(
            Message("The weights do not fit this architecture. %(complaints)s", complaints=joined(complaints))
        )
    broken = [key for key in expected if key in state and not torch.isfinite(state[key]).all()]
    if broken:
        raise CheckpointError(
            Message("These weights hold values that are not finite numbers: %(names)s.", names=_listed(broken))
        )
    model.load_state_dict({**expected, **state})


def to_safetensors(model: nn.Module) -> bytes:
    """The model's state dict as a safetensors file. Tensors that share memory are written once for each name."""
    state = {key: value.detach().cpu().contiguous().clone() for key, value in model.state_dict().items()}
    return safetensors.torch.save(state)


def _read_safetensors(data: bytes, filename: str) -> object:
    try:
        return safetensors.torch.load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        message = Message(
            "%(file)s is neither a readable safetensors file nor one of torch.save (%(error)s).",
            file=filename,
            error=str(error),
        )
        raise CheckpointError(message) from error


def _read_torch(data: bytes, filename: str) -> object:
    _refuse_compressed(data, filename)
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            Message(
                "%(file)s holds more than weights (a whole model, or code), and a pickle is never run here. "
                "Save model.state_dict(), best as safetensors.",
                file=filename,
            )
        ) from error
    # Damaged files and TorchScript archives fail in many ways, as RuntimeError, EOFError, KeyError, UserWarning ...
    except Exception as error:
        raise CheckpointError(
            Message(
                "%(file)s is damaged or no file of torch.save (%(error)s).", file=filename, error=_first_line(error)
            )
        ) from error


def _refuse_compressed(data: bytes, filename: str) -> None:
    """torch.save never compresses, so a compressed archive is something else, perhaps a bomb."""
    if not data.startswith(ZIP):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            compressed = any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise CheckpointError(Message("%(file)s is damaged (%(error)s).", file=filename, error=str(error))) from error
    if compressed:
        raise CheckpointError(
            Message(
                "%(file)s is a compressed archive. Give the file that torch.save wrote, not a zip of it.", file=filename
            )
        )


def _inner(content: Mapping[object, object]) -> Mapping[object, object] | None:
    found = (content[name] for name in CONTAINERS if name in content)
    return next((inner for inner in found if isinstance(inner, Mapping)), None)


def _is_plain(value: object) -> bool:
    """Real numbers with memory of their own: not sparse, quantised, complex or without storage."""
    if not isinstance(value, Tensor) or value.layout is not torch.strided or value.is_meta:
        return False
    return not value.is_quantized and not value.is_complex()


def _without_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in PREFIXES:
        if all(key.startswith(prefix) for key in state):
            return _without_prefixes({key.removeprefix(prefix): value for key, value in state.items()})
    return state


def _complaints(expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[Message]:
    missing = [key for key in expected if key not in state and not key.endswith("num_batches_tracked")]
    unknown = [key for key in state if key not in expected]
    shapes = [
        (key, tuple(value.shape), tuple(state[key].shape))
        for key, value in expected.items()
        if key in state and state[key].shape != value.shape
    ]
    complaints = []
    if missing:
        complaints.append(Message("Missing: %(names)s.", names=_listed(missing)))
    if unknown:
        complaints.append(Message("Not part of it: %(names)s.", names=_listed(unknown)))
    if shapes:
        wrong = [
            Message("%(key)s (expected %(wanted)s, found %(found)s)", key=key, wanted=str(wanted), found=str(found))
            for key, wanted, found in shapes
        ]
        complaints.append(Message("Wrong shapes: %(names)s.", names=_listed(wrong)))
        complaints.extend(_class_hint(shapes))
    return complaints


def _class_hint(shapes: Sequence[tuple[str, tuple[int, ...], tuple[int, ...]]]) -> list[Message]:
    """Where everything but the number of outputs fits, the classes are meant."""
    counts = {(wanted[:1], found[:1]) for _, wanted, found in shapes if wanted[1:] == found[1:]}
    if len(counts) != 1 or any(wanted[1:] != found[1:] for _, wanted, found in shapes):
        return []
    ((wanted,), (found,)) = counts.pop()
    return [
        Message("They answer for %(found)s classes; %(wanted)s were expected.", found=found, wanted=wanted),
    ]


def _listed(items: Sequence[str]) -> str:
    more = len(items) - SHOWN_KEYS
    first = joined(items[:SHOWN_KEYS], ", ")
    return Message("%(first)s and %(more)s more", first=first, more=more) if more > 0 else first


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
