"""Page 5, Trust: how far the judge agrees with blind human reading, and the bar under which realignment is locked."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ConfigDict
from sqlalchemy.orm import Session

from app.check import honeypots
from app.check.queries import checks_of, figures_of
from app.check.routes import DOMAINS
from app.deps import Clinician, CurrentProject, DBSession, page
from app.languages.catalogue import gettext
from app.models import Project
from app.models.check_figures import CheckLine
from app.projects.lvlm import speaker_in
from app.projects.queries import REVIEW_SAMPLE, Step, loop_state, newest_critique
from app.review.blind import blind_cases_left
from app.trust.actions import AskedBar, set_bar
from app.trust.figures import trust_in
from app.trust.lock import LEAST_CASES, LEAST_KAPPA, NOT_THEIRS, Lock, bars_of, lock_under, owns

router = APIRouter(prefix="/projects/{project_id}/trust")
LOOKING = ("looks", "blank", "bare")  # the figures of a check that are told here, in short


class BarForm(AskedBar):
    """As the page sends it: a switch only where it is on, beside the token."""

    model_config = ConfigDict(extra="ignore")

    locks: bool = False


@router.get("")
def show_trust(request: Request, session: DBSession, user: Clinician, project: CurrentProject) -> Response:
    loop, bars = loop_state(session, project), bars_of(session, project.id)
    critique = loop.critique or newest_critique(session, project)
    blind_left = blind_cases_left(session, critique, user) if critique else 0
    speaker = speaker_in(session, critique) if critique else None
    found = trust_in(session, project, critique) if critique else None
    lock = lock_under(bars[0] if bars else None, found.whole, judged=speaker is not None) if found else Lock()
    return page(
        request,
        "trust/trust.html",
        project=project,
        step=Step.REVIEW,
        loop=loop,
        critique=critique,
        outdated=loop.critique is None,
        speaker=speaker,
        blind_left=blind_left,
        found=None if blind_left else found,
        lock=lock.told(blind=bool(blind_left)),
        bars=bars,
        owns=owns(user, project),
        sample=REVIEW_SAMPLE,
        usual=(LEAST_KAPPA, LEAST_CASES),
        looking=looking(session, project),
        domains={domain: gettext(words) for domain, words in DOMAINS.items()},
        score=honeypots.newest_score(session, project),
    )


def looking(session: Session, project: Project) -> Sequence[tuple[str, CheckLine]]:
    """From the newest check of the LVLM that the project has: by kind of planted case, whether it looks."""
    newest = next(iter(checks_of(session, project)), None)
    domains = figures_of(newest).domains if newest else ()
    return [(each.domain, line) for each in domains for line in each.lines if line.key in LOOKING]


@router.post("/bar")
def set_trust_bar(
    session: DBSession, user: Clinician, project: CurrentProject, asked: Annotated[BarForm, Form()]
) -> Response:
    if not owns(user, project):
        raise HTTPException(403, gettext(NOT_THEIRS))
    set_bar(session, project.id, asked, user.id)
    return RedirectResponse(f"/projects/{project.id}/trust#bar", 303)
