"""The training of a checkpoint once more from what is stored, to see that the same weights come of it."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session
from torch import nn

from app.db import reading
from app.languages.messages import Message
from app.models import Checkpoint, Kind, Origin, Run
from app.models.guard_record import KEY, GuardRecord
from app.runs.actions import PARAMETERS
from app.runs.parameters import RealignmentParameters, TrainingParameters
from worker.tasks import fit, realign
from worker.tasks.job import Job, RefusedError
from worker.tasks.machine import Machine, machines_of, this_machine
from worker.tasks.material import material_of
from worker.vision import checkpoints


@dataclass(frozen=True)
class Repetition:
    """weights, again: names of the checkpoint's weights and of those that came now, which are their SHA-256.

    machines: that trained it then; here: this one.
    """

    weights: str
    again: str
    machines: list[Machine]
    here: Machine

    @property
    def is_the_same(self) -> bool:
        return self.again == self.weights

    @property
    def why(self) -> str:
        """What may make the difference, as a sentence."""
        if not self.machines:
            return "On what machine it was trained is not known."
        unlike = [each for machine in self.machines for each in self.here.unlike(machine)]
        return f"This machine is another: {', '.join(unlike)}." if unlike else "Its code may have changed since."


def repeat(checkpoint_id: UUID) -> Repetition:
    """Trains it again, in this process and in one go, and changes nothing that is stored.

    Raises RefusedError for a checkpoint that was not trained here.
    """
    with reading() as session:
        checkpoint = session.get_one(Checkpoint, checkpoint_id)
        run = trained_by(session, checkpoint)
        job, machines = job_of(run, checkpoint.origin), machines_of(run)
    model = _TRAINED[job.kind](job)
    again = sha256(checkpoints.to_safetensors(model)).hexdigest()
    return Repetition(checkpoint.weights, again, machines, this_machine())


def trained_by(session: Session, checkpoint: Checkpoint) -> Run:
    run = session.get(Run, checkpoint.run_id) if checkpoint.run_id else None
    if run is None or run.kind not in _TRAINED:
        raise RefusedError(
            Message(
                "%(name)s was brought from elsewhere, so how it was trained is not known here.", name=checkpoint.name
            )
        )
    return run


def job_of(run: Run, origin: Origin) -> Job:
    """All epochs of what made the checkpoint as one shard."""
    parameters = PARAMETERS[run.kind].model_validate(run.parameters)
    assert isinstance(parameters, (TrainingParameters, RealignmentParameters))
    is_control, previous = origin is Origin.CONTROL, dict[str, Any]()
    if is_control:
        previous = {realign.CHOSEN: GuardRecord.model_validate(run.result[KEY]).epoch}
    first = parameters.epochs if is_control else 0
    return Job(
        run_id=run.id,
        project_id=run.project_id,
        kind=run.kind,
        raw_parameters=parameters,
        material=material_of(run),
        number=0,
        first=first,
        last=first + parameters.epochs,
        previous=previous,
        check=lambda: None,
    )


def _realigned(job: Job) -> nn.Module:
    ready, _, _ = realign.trained(job, job.parameters(RealignmentParameters))
    return realign.chosen_model(ready)


def _fitted(job: Job) -> nn.Module:
    model, _, _ = fit.trained(job, job.parameters(TrainingParameters))
    return model


_TRAINED = {Kind.TRAINING: _fitted, Kind.REALIGNMENT: _realigned}
