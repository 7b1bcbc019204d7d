"""Rounds of the loop: the first begins with a checkpoint that was given or trained, the next with what it gave."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Checkpoint, Kind, Origin, Run


def rounds_of(checkpoints: Iterable[Checkpoint]) -> dict[UUID, int]:
    """By checkpoint, the round that begins with it: one more than there are realignments behind it.

    checkpoints: all of a project; a parent always has the smaller number.
    """
    rounds = dict[UUID, int]()
    for each in sorted(checkpoints, key=lambda each: each.number):
        parents = rounds.get(each.parent_id, 1) if each.parent_id else 1
        rounds[each.id] = parents + (each.origin is Origin.REALIGNED)
    return rounds


def round_of(session: Session, run: Run, rounds: Mapping[UUID, int]) -> int | None:
    """The round that a run belongs to, by the checkpoint that was explained for it; None where none was."""
    parameters = run.parameters
    for rests_on in ("critique_id", "analysis_id"):
        if parameters.get(rests_on):
            wanted = Run.id == UUID(parameters[rests_on])
            parameters = session.scalars(select(Run.parameters).where(wanted)).one()
    explains = run.kind is not Kind.EXPORT and "checkpoint_id" in parameters
    return rounds.get(UUID(parameters["checkpoint_id"])) if explains else None
