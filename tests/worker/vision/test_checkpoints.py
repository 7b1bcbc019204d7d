import io
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from worker.vision.architectures import build
from worker.vision.checkpoints import CheckpointError, fit_weights, read_weights, to_safetensors
from worker.vision.preprocessing import Preprocessing

PRE = Preprocessing(8, 1, (0.0,), (1.0,))
SIZE = (1, 1, 8, 8)


def saved(content: object, **options: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


@pytest.fixture
def model() -> nn.Module:
    return build("small_cnn", 3, PRE, seed=1)


def same_answers(data: bytes, model: nn.Module) -> bool:
    other = build("small_cnn", 3, PRE, seed=2)
    fit_weights(other, read_weights(data, "weights"))
    images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    return bool(torch.equal(other.eval()(images), model.eval()(images)))


def test_weights_go_out_and_come_in_as_safetensors(model: nn.Module) -> None:
    assert same_answers(to_safetensors(model), model)


def test_tensors_that_share_memory_can_be_written(model: nn.Module) -> None:
    layers = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    layers[1].weight = layers[0].weight
    assert set(safetensors.torch.load(to_safetensors(layers))) == {"0.weight", "0.bias", "1.weight", "1.bias"}


@pytest.mark.parametrize("zipped", [True, False])
def test_both_forms_of_torch_save_are_read(model: nn.Module, zipped: bool) -> None:
    assert same_answers(saved(model.state_dict(), _use_new_zipfile_serialization=zipped), model)


@pytest.mark.parametrize("nested", [["state_dict"], ["model"], ["model", "state_dict"], ["net"]])
def test_nested_weights_are_found_beside_other_things(model: nn.Module, nested: list[str]) -> None:
    content: object = model.state_dict()
    for name in nested:
        content = {name: content, "epoch": 3, "optimizer": {"lr": 0.1}}
    assert same_answers(saved(content), model)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod."])
def test_prefixes_of_wrappers_are_removed(model: nn.Module, prefix: str) -> None:
    assert same_answers(saved({prefix + key: value for key, value in model.state_dict().items()}), model)


def test_half_precision_and_missing_counters_are_no_hindrance(model: nn.Module) -> None:
    state = {k: v.half() for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    other = build("small_cnn", 3, PRE, seed=2)
    fit_weights(other, read_weights(saved(state), "weights"))
    assert all(value.dtype == torch.float32 for value in other.parameters())
    assert torch.allclose(next(other.parameters()), next(model.parameters()), atol=1e-3)


class Payload:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("form", ["zip", "legacy", "bare", "nested"])
def test_a_pickle_with_code_is_refused_and_never_run(tmp_path: Path, form: str) -> None:
    trace = tmp_path / "it_ran"
    payload = Payload(trace)
    data = {
        "zip": lambda: saved({"weight": payload}),
        "legacy": lambda: saved({"weight": payload}, _use_new_zipfile_serialization=False),
        "bare": lambda: pickle.dumps(payload),
        "nested": lambda: saved({"state_dict": {"weight": torch.zeros(1)}, "extra": payload}),
    }[form]()
    with pytest.raises(CheckpointError):
        read_weights(data, "model.pt")
    assert not trace.exists()
    # The payload is a live one: it would have run under a plain unpickler.
    pickle.loads(pickle.dumps(payload))
    assert trace.exists()


def test_a_whole_pickled_model_is_refused_with_advice(model: nn.Module) -> None:
    with pytest.raises(CheckpointError, match=r"never run here\. Save model\.state_dict\(\)"):
        read_weights(saved(model), "model.pt")


def test_a_torchscript_archive_is_refused() -> None:
    # What torch.jit.save writes is told by the file constants.pkl inside.
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("m/constants.pkl", b"x")
        archive.writestr("m/data.pkl", b"x")
        archive.writestr("m/version", b"3\n")
    with pytest.raises(CheckpointError, match=r"model\.pt is damaged or no file of torch\.save"):
        read_weights(buffer.getvalue(), "model.pt")


def test_a_compressed_archive_is_refused_before_it_is_unpacked() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(10_000_000))
    with pytest.raises(CheckpointError, match="compressed archive"):
        read_weights(buffer.getvalue(), "model.pt")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([torch.zeros(1)], "no weights by name"),
        ({}, "no weights by name"),
        (torch.zeros(1), "no weights by name"),
        ({"weight": 3, "epoch": "x"}, "no plain tensors: weight, epoch"),
        ({"weight": torch.zeros(2, dtype=torch.complex64)}, "no plain tensors: weight"),
        ({"weight": torch.zeros(2, device="meta")}, "no plain tensors: weight"),
    ],
)
def test_a_file_without_plain_weights_is_told(content: object, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        read_weights(saved(content), "model.pt")


@pytest.mark.parametrize("cut", [0, 5, 100, 2000, -50])
def test_cut_files_are_told(model: nn.Module, cut: int) -> None:
    for data in (to_safetensors(model), saved(model.state_dict())):
        with pytest.raises(CheckpointError, match="model is"):
            read_weights(data[:cut], "model")


def test_wrong_keys_are_named(model: nn.Module) -> None:
    state = model.state_dict()
    state["head.weight"] = state.pop("6.weight")
    with pytest.raises(CheckpointError, match=r"Missing: 6\.weight\. Not part of it: head\.weight\."):
        fit_weights(model, state)


def test_a_long_list_of_keys_is_cut() -> None:
    with pytest.raises(CheckpointError, match="and 37 more"):
        fit_weights(build("small_cnn", 3, PRE), build("mlp", 3, PRE).state_dict())


def test_wrong_shapes_are_named_with_what_was_expected(model: nn.Module) -> None:
    state = {**model.state_dict(), "0.0.weight": torch.zeros(16, 3, 3, 3)}
    with pytest.raises(CheckpointError, match=r"0\.0\.weight \(expected \(16, 1, 3, 3\), found \(16, 3, 3, 3\)\)\.$"):
        fit_weights(model, state)


def test_a_wrong_number_of_classes_is_said_as_such(model: nn.Module) -> None:
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match="They answer for 5 classes; 3 were expected"):
        fit_weights(model, build("small_cnn", 5, PRE).state_dict())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_weights_that_are_not_finite_are_refused(model: nn.Module) -> None:
    state: dict[str, Tensor] = {key: value.clone() for key, value in model.state_dict().items()}
    state["6.bias"][0] = float("nan")
    with pytest.raises(CheckpointError, match=r"not finite numbers: 6\.bias"):
        fit_weights(model, state)
