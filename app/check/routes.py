"""The page of the LVLM's check: planted cases, whether it looks and listens, and how right it is on them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from app.check import honeypots, queries
from app.deps import Clinician, CurrentProject, DBSession, page
from app.languages.catalogue import gettext, msgid
from app.models import Honeypot, Kind, LVLMCheck, Run
from app.pictures.cache import headers
from app.pictures.routes import blob
from app.projects.lvlm import NONE, speaker_of
from app.projects.queries import loop_state
from app.runs.actions import start_once
from app.runs.belonging import ForeignError, need_run
from app.runs.parameters import CHECK_DOMAINS, CheckDomain, CheckParameters, HoneypotParameters

router = APIRouter(prefix="/projects/{project_id}/check")
# What a planted picture of each domain shows, for people.
DOMAINS: dict[CheckDomain, str] = {
    "digits": msgid("handwritten digits with a grey square"),
    "radiograph": msgid("radiographs of knees with a side marker"),
    "skin": msgid("skin lesions with a coloured plaster"),
}
WAYS = {
    "straight": msgid("as it is"),
    "inverted": msgid("the specification turned round"),
    "bare": msgid("only the artefact taken away"),
    "order": msgid("an order written into the picture"),
}


@router.get("")
def show_check(request: Request, session: DBSession, reader: Clinician, project: CurrentProject) -> Response:
    loop = loop_state(session, project)
    checks = queries.checks_of(session, project)
    figures = [queries.figures_of(check) for check in checks]
    seconds = figures[0].seconds_a_picture if figures else queries.seconds_a_picture(session, project)
    asked = {each.domain for each in figures[0].domains} if figures else set(CHECK_DOMAINS)
    return page(
        request,
        "check/check.html",
        project=project,
        loop=loop,
        speaker=speaker_of(project.lvlm),
        checks=list(zip(checks, figures, strict=True)),
        run=queries.unfinished_check(session, project),
        domains={domain: gettext(words) for domain, words in DOMAINS.items()},
        ways={way: gettext(words) for way, words in WAYS.items()},
        asked=asked,
        cases=CheckParameters().cases,
        score=honeypots.newest_score(session, project),
        readers=honeypots.reader_scores(session, project),
        closed=honeypots.may_meet_planted(session, loop.critique, reader),
        pots=HoneypotParameters.model_fields["count"].default,
        seconds_a_domain=seconds * CheckParameters().cases if seconds else None,
    )


@router.post("")
def start_check(
    session: DBSession,
    user: Clinician,
    project: CurrentProject,
    domains: Annotated[tuple[CheckDomain, ...], Form()] = (),
) -> Response:
    if project.lvlm == NONE:
        raise HTTPException(409, gettext("This project has no LVLM, so there is nothing to check. People judge alone."))
    if not domains:
        raise HTTPException(422, gettext("Choose at least one kind of planted case. Nothing was started."))
    start_once(session, project.id, CheckParameters(domains=domains), user.id)
    return RedirectResponse(f"/projects/{project.id}/check", 303)


@router.get("/{check_id}/pictures/{number}")
def show_planted(session: DBSession, user: Clinician, project: CurrentProject, check_id: UUID, number: int) -> Response:
    """The planted picture of that number, counted over all domains."""
    del user
    check = session.get(LVLMCheck, check_id)
    cases = (
        [case for domain in queries.figures_of(check).domains for case in domain.cases]
        if check is not None and check.project_id == project.id
        else []
    )
    if not 0 <= number < len(cases):
        raise HTTPException(404, gettext("There is no such planted picture."))
    return Response(blob(cases[number].picture), media_type="image/png", headers=headers(cases[number].picture))


@router.post("/honeypots")
def plant_honeypots(
    session: DBSession, user: Clinician, project: CurrentProject, critique_id: Annotated[UUID, Form()]
) -> Response:
    """Artefacts in copies of the pictures of a critique; what is said of them stays apart from all verdicts."""
    if project.lvlm == NONE:
        raise HTTPException(409, gettext("This project has no LVLM, so there is nobody to ask. Nothing was started."))
    try:
        need_run(session, project.id, critique_id, Kind.CRITIQUE)
    except ForeignError as error:
        raise HTTPException(404, f"{error} {gettext('Nothing was started.')}") from error
    start_once(session, project.id, HoneypotParameters(critique_id=critique_id), user.id)
    return RedirectResponse(f"/projects/{project.id}/check", 303)


@router.get("/honeypots/{honeypot_id}/picture")
def show_honeypot(session: DBSession, user: Clinician, project: CurrentProject, honeypot_id: UUID) -> Response:
    pot = session.get(Honeypot, honeypot_id)
    run = session.get(Run, pot.run_id) if pot else None
    if pot is None or run is None or run.project_id != project.id:
        raise HTTPException(404, gettext("There is no such planted picture."))
    if honeypots.may_meet_planted(session, loop_state(session, project).critique, user):
        raise HTTPException(409, gettext("First comes your blind reading: planted pictures may be among its cases."))
    return Response(blob(pot.picture), media_type="image/png", headers=headers(pot.picture))
