"""The ONNX file of an approved checkpoint, as the run that made it stores it under ``result["onnx"]``."""

from uuid import UUID

from app.models.figures import Stored

KEY = "onnx"


class OnnxRecord(Stored):
    """The file, the decision whose signature is inside, and how near its answers are to the checkpoint's own."""

    decision_id: UUID
    blob: str
    bytes: int
    difference: float  # the largest, between a logit under ONNX Runtime and the same one under torch
    allowed: float  # the most that this might have been
    pictures: int  # on which the answers were compared
    split: str  # whose pictures these are
