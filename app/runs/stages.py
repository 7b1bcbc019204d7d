"""The stages of every kind of run, in order, and the queue that each goes to."""

from app.models import Kind, Stage
from app.queue import CPU, GPU

STAGES: dict[Kind, tuple[Stage, ...]] = {
    Kind.IMPORT: (Stage.READ,),
    Kind.REGISTRATION: (Stage.REGISTER, Stage.PREDICT, Stage.MEASURE),
    Kind.TRAINING: (Stage.FIT, Stage.PREDICT, Stage.MEASURE),
    Kind.ANALYSIS: (Stage.SELECT, Stage.ATTRIBUTE, Stage.DESCRIBE, Stage.SUMMARISE),
    Kind.CRITIQUE: (Stage.CRITICISE,),
    Kind.CALIBRATION: (Stage.CALIBRATE,),
    Kind.TRIAL: (Stage.CRITICISE,),
    Kind.CONSENSUS: (Stage.CHARACTERISE, Stage.AGREE),
    Kind.REALIGNMENT: (Stage.REALIGN, Stage.PREDICT, Stage.MEASURE),
    Kind.EVALUATION: (Stage.PREDICT, Stage.MEASURE),
    Kind.CHECK: (Stage.CHECK,),
    Kind.HONEYPOT: (Stage.PLANT,),
    Kind.EXPORT: (Stage.EXPORT,),
}

QUEUES: dict[Stage, str] = {
    Stage.READ: CPU,
    Stage.REGISTER: CPU,
    Stage.MEASURE: GPU,
    Stage.FIT: GPU,
    Stage.SELECT: GPU,
    Stage.ATTRIBUTE: GPU,
    Stage.DESCRIBE: GPU,
    Stage.SUMMARISE: CPU,
    Stage.CALIBRATE: CPU,
    Stage.CRITICISE: GPU,
    Stage.CHARACTERISE: GPU,
    Stage.AGREE: CPU,
    Stage.REALIGN: GPU,
    Stage.PREDICT: GPU,
    Stage.CHECK: GPU,
    Stage.PLANT: GPU,
    Stage.EXPORT: CPU,
}


def task_of(stage: Stage) -> str:
    return f"worker.tasks.{stage.value}"


def after(kind: Kind, stage: Stage | None) -> Stage | None:
    """The stage that follows; the first one after ``None``, ``None`` after the last."""
    stages = STAGES[kind]
    following = 0 if stage is None else stages.index(stage) + 1
    return stages[following] if following < len(stages) else None
