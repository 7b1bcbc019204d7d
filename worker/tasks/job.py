"""What a stage's ``plan`` gives and its ``work`` receives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from app.languages.messages import Message, MessageError
from app.models import Kind, Run
from app.runs.parameters import Parameters
from worker.tasks.material import Material

P = TypeVar("P", bound=Parameters)


class CancelledError(Exception):
    """The run was cancelled, or this shard was given to another worker."""


class RefusedError(MessageError):
    """The work can't be done as asked; the message says why, for the person who asked, the result may say more."""

    def __init__(self, message: Message, result: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.result = result or {}


@dataclass(frozen=True)
class Plan:
    """How many items a stage has, how many go into a shard, and whether the shards build on each other."""

    total: int
    shard_size: int
    sequential: bool = False


@dataclass(frozen=True)
class Job:
    """One claimed shard: items ``first <= i < last`` of its stage."""

    run_id: UUID
    project_id: UUID
    kind: Kind
    raw_parameters: Parameters
    material: Material
    number: int
    first: int
    last: int
    previous: dict[str, Any]  # outcome of the shard before, in a sequential stage
    check: Callable[[], None]  # raises CancelledError; to be called between batches

    def parameters(self, model: type[P]) -> P:
        assert isinstance(self.raw_parameters, model)
        return self.raw_parameters


# Called in the one short transaction at the end; returns the shard's outcome.
Write = Callable[[Session, Run], dict[str, Any]]
