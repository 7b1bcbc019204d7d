"""Whether a checkpoint may leave: its newest decision has to approve it."""

from sqlalchemy.orm import Session

from app.decisions.queries import decisions_on
from app.languages.catalogue import gettext, msgid
from app.models import Checkpoint, Decision

NOT_APPROVED = msgid("This checkpoint is not approved, so it is not given out. Decide on it first.")


class NotApprovedError(Exception):
    """Nobody has decided on the checkpoint, or the newest decision rejects it; the message is for a person."""


def approval_of(session: Session, checkpoint: Checkpoint) -> Decision:
    """The decision that counts. Raises NotApprovedError."""
    newest = next(iter(decisions_on(session, checkpoint)), None)
    if newest is None or not newest.approved:
        raise NotApprovedError(gettext(NOT_APPROVED))
    return newest
