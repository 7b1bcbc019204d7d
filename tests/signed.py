"""Decisions that stand in the database as if somebody had signed them."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Checkpoint, Decision, Report, User
from tests import factories


def add_decision(session: Session, checkpoint_id: UUID, *, approved: bool = True, user: User | None = None) -> Decision:
    """On a checkpoint that was measured; by a person of its own where nobody is given."""
    checkpoint = session.get_one(Checkpoint, checkpoint_id)
    report_id = session.scalars(select(Report.id).where(Report.checkpoint_id == checkpoint_id)).first()
    assert report_id is not None
    signed = len(session.scalars(select(Decision.id)).all())
    decision = Decision(
        project_id=checkpoint.project_id,
        checkpoint_id=checkpoint_id,
        before_report_id=report_id,
        after_report_id=report_id,
        user_id=(user or factories.add_user(session, f"signer-{signed}")).id,
        signed_name="Dr. Ada Reader",
        approved=approved,
        meaning="I have compared.",
        reason="Gut so – weiß ich.",
    )
    session.add(decision)
    session.flush()
    return decision
