"""Whether a project's LVLM has shown on planted cases that its words can be used: asked with what every page asks."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ScalarSelect, select

from app.languages.catalogue import msgid
from app.models import LVLMCheck, Project, Run
from app.projects.lvlm import NONE

IDENTITY = "lvlm_identity"  # in the result of a run that asked: the weights its words are from


@dataclass(frozen=True)
class Standing:
    """``unproven``: why its words can't be taken as those of a checked LVLM; empty where they can."""

    unproven: str = ""


NEVER = msgid("The LVLM of this project has not been checked yet.")
FAILED = msgid("The LVLM of this project was checked and did not pass.")
OTHER_WEIGHTS = msgid("The LVLM of this project answers with other weights than those that were checked.")


def proof() -> tuple[ScalarSelect[Any], ScalarSelect[Any], ScalarSelect[Any]]:
    """Columns beside a Project: whether the newest check of its LVLM was passed, the identity that was checked, and
    the identity that last answered in it. Null where there is none.
    """
    checked = (LVLMCheck.project_id == Project.id, LVLMCheck.lvlm == Project.lvlm)
    passed, identity = (
        select(column).where(*checked).order_by(LVLMCheck.created_at.desc()).limit(1).scalar_subquery()
        for column in (LVLMCheck.passed, LVLMCheck.identity)
    )
    given = Run.result[IDENTITY].as_string()
    of_this_lvlm = Run.result["lvlm"].as_string() == Project.lvlm
    answered = (
        select(given)
        .where(Run.project_id == Project.id, of_this_lvlm, given != "")
        .order_by(Run.created_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    return passed, identity, answered


def standing_by(project: Project, passed: bool | None, identity: str | None, answered: str | None) -> Standing:
    """What these columns say. Other weights count from their first answer in the project on."""
    if project.lvlm == NONE:
        return Standing()
    if passed is None:
        return Standing(NEVER)
    if not passed:
        return Standing(FAILED)
    return Standing(OTHER_WEIGHTS if answered and weights_of(answered) != weights_of(identity or "") else "")


def weights_of(identity: str) -> str:
    """The weights alone: another version of a library, or a graphics card, is no other model."""
    return identity.partition(", ")[0]
