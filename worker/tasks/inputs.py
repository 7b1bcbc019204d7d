"""Rows of the database as what the method takes: images as tensors, checkpoints as models."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

import numpy as np
import torch
from PIL import Image as Pillow
from sqlalchemy import select
from sqlalchemy.orm import Session
from torch import Tensor, nn

from app.config import settings
from app.db import reading
from app.models import Checkpoint, Dataset, Image, Split, TargetClass
from app.storage import storage
from worker.method.attribution import Method
from worker.vision import architectures, checkpoints
from worker.vision.baselines import baseline_index
from worker.vision.preprocessing import Preprocessing, mask_to_tensor, to_tensor

# Images taken as baselines of an attribution; METHOD: averaged over, so more are steadier and slower.
BASELINES = 8


@dataclass(frozen=True)
class ImageRow:
    id: UUID
    blob: str
    mask_blob: str | None
    label: int  # position of its class
    class_name: str
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Loaded:
    """A checkpoint, ready: in evaluation mode, on the device of the settings."""

    id: UUID
    model: nn.Module
    preprocessing: Preprocessing
    method: Method


def device() -> torch.device:
    wanted = settings().device
    torch.set_num_threads(settings().torch_threads)
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(wanted)


def image_rows(session: Session, datasets: Sequence[UUID], split: Split) -> list[ImageRow]:
    """All images of a split in these data sets, in the order of their import."""
    statement = (
        select(Image, TargetClass.position, TargetClass.name)
        .join(Dataset, Dataset.id == Image.dataset_id)
        .join(TargetClass, TargetClass.id == Image.class_id)
        .where(Dataset.id.in_(datasets), Image.split == split)
        .order_by(Dataset.created_at, Image.position)
    )
    return [_row(image, position, name) for image, position, name in session.execute(statement)]


def rows_by_id(session: Session, ids: Sequence[UUID]) -> list[ImageRow]:
    """In the order of the ids."""
    statement = (
        select(Image, TargetClass.position, TargetClass.name)
        .join(TargetClass, TargetClass.id == Image.class_id)
        .where(Image.id.in_(ids))
    )
    found = {image.id: _row(image, position, name) for image, position, name in session.execute(statement)}
    return [found[id_] for id_ in ids]


def _row(image: Image, position: int, name: str) -> ImageRow:
    return ImageRow(image.id, image.blob, image.mask_blob, position, name, image.attributes)


def pictures(rows: Sequence[ImageRow], preprocessing: Preprocessing) -> Tensor:
    """(N, C, S, S) float32, normalised, on the CPU."""
    if not rows:
        return torch.empty(0, preprocessing.channels, preprocessing.size, preprocessing.size)
    return to_tensor([storage().get(row.blob) for row in rows], preprocessing, settings().max_image_pixels)


def labels_of(rows: Sequence[ImageRow]) -> Tensor:
    return torch.tensor([row.label for row in rows], dtype=torch.int64)


def true_masks(rows: Sequence[ImageRow], size: int) -> Tensor:
    """(N, S, S) bool; false everywhere where an image has no mask. For measuring only."""
    empty = torch.zeros(size, size, dtype=torch.bool)
    most = settings().max_image_pixels
    masks = [mask_to_tensor(storage().get(row.mask_blob), size, most) if row.mask_blob else empty for row in rows]
    return torch.stack(masks) if masks else torch.zeros(0, size, size, dtype=torch.bool)


def preprocessing_of(checkpoint: Checkpoint) -> Preprocessing:
    return Preprocessing(
        size=checkpoint.size,
        channels=1 if checkpoint.channels == 1 else 3,
        mean=tuple(checkpoint.mean),
        std=tuple(checkpoint.std),
    )


@lru_cache(maxsize=4)
def load_checkpoint(checkpoint_id: UUID) -> Loaded:
    """A checkpoint never changes, so a process keeps the last few."""
    with reading() as session:
        checkpoint = session.get_one(Checkpoint, checkpoint_id)
        classes = len(
            session.scalars(select(TargetClass.id).where(TargetClass.project_id == checkpoint.project_id)).all()
        )
    preprocessing = preprocessing_of(checkpoint)
    model = architectures.build(checkpoint.architecture, classes, preprocessing)
    checkpoints.fit_weights(model, checkpoints.read_weights(storage().get(checkpoint.weights), "weights.safetensors"))
    method: Method = checkpoint.attribution  # type: ignore[assignment]  # written by registration from this very type
    return Loaded(checkpoint_id, model.eval().to(device()), preprocessing, method)


def baseline_images(session: Session, datasets: Sequence[UUID], preprocessing: Preprocessing, seed: int) -> Tensor:
    """(R, C, S, S): training images drawn with the run's seed, the background of an attribution."""
    rows = image_rows(session, datasets, Split.TRAIN)
    return pictures([rows[i] for i in baseline_index(len(rows), BASELINES, seed).tolist()], preprocessing)


def store_array(array: np.ndarray[Any, Any]) -> str:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return storage().put(buffer.getvalue())


def load_array(digest: str) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any] = np.load(io.BytesIO(storage().get(digest)), allow_pickle=False)
    return array


def store_assignment(assignment: np.ndarray[Any, Any]) -> str:
    """(H, W) of cluster numbers from 1, 0 for none, as a grey PNG."""
    buffer = io.BytesIO()
    Pillow.fromarray(assignment.astype(np.uint8)).save(buffer, "PNG")
    return storage().put(buffer.getvalue())


def load_assignment(digest: str) -> np.ndarray[Any, Any]:
    with Pillow.open(io.BytesIO(storage().get(digest))) as picture:
        return np.asarray(picture, dtype=np.uint8).copy()
