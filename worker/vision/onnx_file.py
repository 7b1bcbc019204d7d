"""A checkpoint as an ONNX file: pixels in, logits out, and no Python needed to run it.

The normalisation (minus ``mean``, divided by ``std``) goes into the graph. Whoever uses the file elsewhere would else
have to do it as the training did, and a model that is fed pixels of another scale answers wrongly without a complaint.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from app.languages.messages import Message, MessageError
from worker.vision.preprocessing import Preprocessing

IMAGE, LOGITS = "image", "logits"
BATCH = 16  # images answered at once; it changes no answer


class OnnxError(MessageError):
    """The model can't be written as ONNX, or the file is no valid one; the message says why."""


class FromPixels(nn.Module):
    """(B, C, S, S) of pixels in [0, 1] -> (B, K) logits, for a model that takes normalised images."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, pre: Preprocessing) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor(pre.mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(pre.std).view(1, -1, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.model((image - self.mean) / self.std)
        return logits


def as_pixels(pre: Preprocessing) -> Preprocessing:
    """The same picture, not normalised: what the file takes."""
    return replace(pre, mean=(0.0,) * pre.channels, std=(1.0,) * pre.channels)


def to_onnx(model: nn.Module, pre: Preprocessing, told: Mapping[str, str]) -> bytes:
    """The file, weights inside, for batches of any size; the same model and words make the same bytes.

    model: in evaluation mode, on the CPU; told: what goes into the file as its metadata. Raises OnnxError.
    """
    example = torch.zeros(2, pre.channels, pre.size, pre.size)  # of a batch of one the exporter would make a constant
    try:
        program = torch.onnx.export(
            FromPixels(model, pre).eval(),
            (example,),
            dynamo=True,
            input_names=[IMAGE],
            output_names=[LOGITS],
            dynamic_shapes={IMAGE: {0: torch.export.Dim("batch")}},
            verbose=False,
        )
        assert program is not None
        made = program.model_proto
        forget_source(made.graph)
        onnx.helper.set_model_props(made, dict(told))
        file: bytes = made.SerializeToString(deterministic=True)
    # What an architecture has that ONNX can't say ends in errors of many kinds; so does a file of more than 2 GB.
    except Exception as error:
        raise OnnxError(
            Message("This architecture can’t be written as an ONNX file (%(error)s).", error=first_line(error))
        ) from error
    return file


def forget_source(graph: onnx.GraphProto) -> None:
    """The exporter notes beside every node the lines of Python that it comes from, with paths of this machine."""
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for branch in (attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")):
        forget_source(branch)


def first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def check(file: bytes) -> None:
    """Raises OnnxError for what is no valid ONNX file, or does not hold all its weights."""
    try:
        onnx.checker.check_model(file, full_check=True)
    except Exception as error:  # the checker's own, protobuf's, and those of the inference of shapes
        raise OnnxError(Message("The ONNX file is not valid (%(error)s).", error=first_line(error))) from error


def answers(file: bytes, images: Tensor, threads: int) -> Tensor:
    """(N, K) logits of the file under ONNX Runtime. images: (N, C, S, S), pixels in [0, 1]."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    parts = [session.run([LOGITS], {IMAGE: part.numpy()})[0] for part in torch.split(images, BATCH)]
    return torch.from_numpy(np.concatenate(parts))
