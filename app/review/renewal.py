"""When the consensus of a critique is worked out: once the critique is done, and again when people have answered.

Nothing is sent for an answer: the workers' sweep looks every few seconds for critiques whose answers no consensus has
read. So a message can't be lost, and a request that gives an answer does nothing but that.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, load_only

from app.db import now
from app.models import Kind, Review, Run, State
from app.runs.actions import start_once, start_run
from app.runs.parameters import ConsensusParameters

# So many new answers start another consensus, later a fifth of those before: a long review has some twenty.
FEW_ANSWERS, FURTHER = 4, 5
# Whoever has given no answer for so long has stopped, and what they said last is read too.
QUIET = timedelta(seconds=30)


def follow_critique(session: Session, run: Run) -> None:
    """A critique that has just succeeded gets its first consensus, which reads the answers of earlier critiques too."""
    if run.kind is Kind.CRITIQUE:
        start_run(session, run.project_id, ConsensusParameters(critique_id=run.id), run.created_by_id)


def renew_consensus(session: Session) -> None:
    """Starts the consensus of every critique with unread answers, unless one is under way."""
    newest = newest_consensus_runs(session)
    for critique_id, project_id, answers, last in answered_critiques(session):
        before = newest.get(critique_id)
        if before is not None and not before.state.is_final:
            continue
        read = ConsensusParameters.model_validate(before.parameters).answers if before else 0
        if is_due(answers, read, now() - last):
            start_once(session, project_id, ConsensusParameters(critique_id=critique_id, answers=answers))


def is_due(answers: int, read: int, quiet_for: timedelta) -> bool:
    """answers: how many were given under the critique, withdrawals too; read: how many the newest consensus knew of."""
    unread = answers - read
    return unread >= max(FEW_ANSWERS, read // FURTHER) or (unread > 0 and quiet_for >= QUIET)


def answered_critiques(session: Session) -> list[tuple[UUID, UUID, int, datetime]]:
    """Each with its project, the number of answers given under it, and when the last one was."""
    rows = session.execute(
        select(Run.id, Run.project_id, func.count(), func.max(Review.created_at))
        .join(Review, Review.run_id == Run.id)
        .where(Run.kind == Kind.CRITIQUE, Run.state == State.SUCCEEDED)
        .group_by(Run.id, Run.project_id)
    )
    return [(critique_id, project_id, answers, last) for critique_id, project_id, answers, last in rows]


def newest_consensus_runs(session: Session) -> dict[UUID, Run]:
    """By critique, whatever has become of them; without their results, which are long."""
    columns = load_only(Run.state, Run.parameters)
    rows = session.scalars(select(Run).where(Run.kind == Kind.CONSENSUS).order_by(Run.created_at).options(columns))
    return {UUID(run.parameters["critique_id"]): run for run in rows}
