"""What is told besides changes of rows: refused passwords, and what is given out."""

from uuid import UUID

from sqlalchemy.orm import Session

from app.audit.acting import address, who_acts
from app.audit.chain import Checked, Fact
from app.audit.recording import note
from app.db import transaction
from app.models import Action, AuditCheck


def note_refusal(session: Session, what: str, name: str, project_id: UUID | None = None) -> None:
    """A password or link that was not the right one; the name is what was typed, whether there is such an account."""
    after = {"name": name.strip()[:200], "address": address()}
    note(session, Fact(Action.REFUSED, what, project_id=project_id, after=after))


def note_check(checked: Checked) -> None:
    """To be called once the whole chain was followed, or up to where it is broken."""
    with transaction() as session:
        session.add(AuditCheck(entries=checked.last.number, broken=checked.broken, who=who_acts().name))


def note_export(
    thing: str, thing_id: UUID | None = None, project_id: UUID | None = None, **details: str | int | None
) -> None:
    """In a transaction of its own, before anything is given out: who only reads has none that could be committed."""
    with transaction() as session:
        note(session, Fact(Action.EXPORTED, thing, thing_id, project_id, after=details))
