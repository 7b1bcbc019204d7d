"""An approved checkpoint as an ONNX file: the one that a worker made under the decision that counts."""

from dataclasses import dataclass

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from app.models import Checkpoint, Decision, Kind, Run, State
from app.models.onnx_record import KEY, OnnxRecord


@dataclass(frozen=True)
class Export:
    """The file, else what became of the newest run that was to make it under this decision."""

    file: OnnxRecord | None = None
    run: Run | None = None

    @property
    def may_start(self) -> bool:
        return self.file is None and (self.run is None or self.run.state.is_final)


def export_of(session: Session, checkpoint: Checkpoint, decision: Decision) -> Export:
    """decision: the newest on the checkpoint, whose signature is to be inside. One statement."""
    signed = (Run.state == State.SUCCEEDED) & (Run.result[KEY, "decision_id"].as_string() == str(decision.id))
    run = session.scalar(
        select(Run)
        .where(
            Run.project_id == checkpoint.project_id,
            Run.kind == Kind.EXPORT,
            Run.parameters["checkpoint_id"].as_string() == str(checkpoint.id),
        )
        .order_by(case((signed, 0), else_=1), Run.created_at.desc())
        .limit(1)
    )
    if run is None:
        return Export()
    if run.state is State.SUCCEEDED:
        record = OnnxRecord.model_validate(run.result[KEY])
        return Export(record) if record.decision_id == decision.id else Export()
    # What ended under an earlier decision has nothing to say of this one.
    is_over = run.state.is_final and run.created_at < decision.created_at
    return Export(run=None if is_over else run)
