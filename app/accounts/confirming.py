"""Asking for the password again: what is asked for is the person's wish, not that of whoever sits at their browser."""

from uuid import UUID

from sqlalchemy.orm import Session

from app.accounts.actions import find_by_password
from app.accounts.attempts import attempts
from app.audit.actions import note_refusal
from app.config import settings
from app.languages.catalogue import gettext
from app.models import User


def refusal(session: Session, user: User, password: str, what: str, project_id: UUID | None = None) -> str:
    """Why not, as a sentence; empty where the password is the user's. ``what`` names it in the audit log."""
    keys = (f"name {user.name}",)
    if attempts.wait(keys, settings().sign_in_attempts):
        return gettext("Too many wrong passwords. Wait a quarter of an hour.")
    found = find_by_password(session, user.name, password)
    if found is not None and found.id == user.id:
        return ""
    attempts.note_failure(keys)
    note_refusal(session, what, user.name, project_id)
    return gettext("That is not your password.")
