"""Where a run stands, in words, figured from its row alone."""

from dataclasses import dataclass
from datetime import datetime

from app.config import settings
from app.db import now
from app.languages.catalogue import gettext, msgid
from app.languages.figures import count
from app.models import Kind, Run, Stage, State
from app.projects.queries import Step
from app.runs.stages import STAGES

TITLES: dict[Kind, str] = {
    Kind.IMPORT: msgid("Importing images"),
    Kind.REGISTRATION: msgid("Adding a checkpoint"),
    Kind.TRAINING: msgid("Training a first checkpoint"),
    Kind.ANALYSIS: msgid("Explaining the checkpoint"),
    Kind.CRITIQUE: msgid("The critic reads the regions"),
    Kind.CALIBRATION: msgid("Comparing the judge’s probabilities with people’s answers"),
    Kind.TRIAL: msgid("Trying the specification on a few images"),
    Kind.CONSENSUS: msgid("Comparing the verdicts on similar regions"),
    Kind.REALIGNMENT: msgid("Realigning the checkpoint"),
    Kind.EVALUATION: msgid("Measuring the checkpoints"),
    Kind.CHECK: msgid("Checking the LVLM on planted cases"),
    Kind.HONEYPOT: msgid("Planting artefacts in copies of the pictures"),
    Kind.EXPORT: msgid("Writing the approved checkpoint as an ONNX file"),
}
STAGES_IN_WORDS: dict[Stage, str] = {
    Stage.READ: msgid("checking and reading the images"),
    Stage.REGISTER: msgid("reading the weights and choosing how to explain them"),
    Stage.FIT: msgid("training"),
    Stage.SELECT: msgid("choosing the alignment set"),
    Stage.ATTRIBUTE: msgid("explaining and finding the regions"),
    Stage.DESCRIBE: msgid("naming what the regions cover"),
    Stage.SUMMARISE: msgid("putting it into sentences"),
    Stage.CALIBRATE: msgid("comparing with people’s answers"),
    Stage.CRITICISE: msgid("criticising and judging"),
    Stage.CHARACTERISE: msgid("describing what each region looks like"),
    Stage.AGREE: msgid("reading each region from those most like it"),
    Stage.REALIGN: msgid("training with the corrective masks"),
    Stage.PREDICT: msgid("answering for every image"),
    Stage.MEASURE: msgid("measuring"),
    Stage.CHECK: msgid("asking critic and judge about planted pictures"),
    Stage.PLANT: msgid("asking critic and judge about what was planted"),
    Stage.EXPORT: msgid("writing the file and comparing its answers"),
}
STEPS_DONE, EPOCHS, IMAGES = msgid("steps"), msgid("epochs"), msgid("images")
UNITS: dict[Stage, str] = {
    Stage.READ: STEPS_DONE,
    Stage.REGISTER: STEPS_DONE,
    Stage.FIT: EPOCHS,
    Stage.REALIGN: EPOCHS,
    Stage.SUMMARISE: STEPS_DONE,
    Stage.CALIBRATE: STEPS_DONE,
    Stage.AGREE: STEPS_DONE,
    Stage.MEASURE: STEPS_DONE,
    Stage.EXPORT: STEPS_DONE,
}
# The step of the loop that a kind of run belongs to; what checks the LVLM belongs to none.
STEPS: dict[Kind, Step] = {
    Kind.IMPORT: Step.UNDERSTAND,
    Kind.REGISTRATION: Step.UNDERSTAND,
    Kind.TRAINING: Step.UNDERSTAND,
    Kind.ANALYSIS: Step.UNDERSTAND,
    Kind.TRIAL: Step.SPECIFY,
    Kind.CRITIQUE: Step.REVIEW,
    Kind.CALIBRATION: Step.REVIEW,
    Kind.CONSENSUS: Step.REVIEW,
    Kind.REALIGNMENT: Step.REALIGN,
    Kind.EVALUATION: Step.DECIDE,
    Kind.EXPORT: Step.DECIDE,
}
PATIENCE = 15  # seconds in the queue after which the page says that it waits


@dataclass(frozen=True)
class Progress:
    title: str
    stage: str  # in words
    stage_number: int  # from 1; 0 before the first
    stages: int
    done: int
    total: int
    unit: str
    speed: str  # "12 images a second"; empty while unknown
    seconds_left: float | None  # of this stage
    waiting_long: bool  # no worker has been at it for a while: others are before it, or none runs

    @property
    def share(self) -> float | None:
        return self.done / self.total if self.total else None


def progress_of(run: Run, at: datetime | None = None) -> Progress:
    at = at or now()
    stages = STAGES[run.kind]
    per_second = speed(run, at)
    unit = gettext(UNITS.get(run.stage, IMAGES) if run.stage else IMAGES)
    return Progress(
        title=gettext("Looking at what was sent") if is_preview(run) else gettext(TITLES[run.kind]),
        stage=gettext(STAGES_IN_WORDS[run.stage]) if run.stage else "",
        stage_number=stages.index(run.stage) + 1 if run.stage in stages else 0,
        stages=len(stages),
        done=run.done,
        total=run.total,
        unit=unit,
        speed=speed_in_words(per_second, unit),
        seconds_left=max(0.0, (run.total - run.done) / per_second) if per_second and run.total else None,
        waiting_long=waits_long(run, at),
    )


def is_preview(run: Run) -> bool:
    """Whether it looks at a draft's files and stores nothing."""
    return bool(run.parameters and run.parameters.get("preview"))


def speed(run: Run, at: datetime) -> float:
    """Items of the stage a second; 0 while nothing is known."""
    if run.state is not State.RUNNING or run.stage_started_at is None:
        return 0.0
    seconds = (at - run.stage_started_at).total_seconds()
    return run.done / seconds if seconds > 0 else 0.0


def speed_in_words(per_second: float, unit: str) -> str:
    if per_second <= 0:
        return ""
    if per_second >= 1:
        return gettext("%(number)s %(unit)s a second", number=count(per_second), unit=unit)
    if per_second > 1 / 120:
        return gettext("%(number)s seconds each", number=count(1 / per_second))
    return gettext("%(number)s minutes each", number=count(1 / per_second / 60))


def waits_long(run: Run, at: datetime) -> bool:
    """A worker that is at it gives a sign of life every few seconds, however long its part takes."""
    if run.state is State.QUEUED:
        return (at - run.created_at).total_seconds() > PATIENCE
    if run.state is not State.RUNNING or run.heartbeat_at is None:
        return False
    return (at - run.heartbeat_at).total_seconds() > settings().lost_after_seconds


def result_url(run: Run) -> str:
    """The page where what the run made is seen."""
    if is_preview(run):
        return f"/projects/new/{run.project_id}"
    if run.kind is Kind.CALIBRATION:
        return f"/projects/{run.project_id}/review/{run.parameters['critique_id']}/reliability"
    if run.kind in {Kind.CHECK, Kind.HONEYPOT}:
        return f"/projects/{run.project_id}/check"
    if run.kind is Kind.EXPORT:
        return f"/projects/{run.project_id}/compare?checkpoint={run.parameters['checkpoint_id']}"
    step = Step.DECIDE if run.kind is Kind.REALIGNMENT else STEPS[run.kind]
    return f"/projects/{run.project_id}/{step.path}"
