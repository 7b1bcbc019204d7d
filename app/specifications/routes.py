"""Page 3, Specification: what the model should ignore and what it should use, per class, in the clinic's words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from app.behaviour.evidence import short_summaries
from app.deps import Clinician, CurrentProject, DBSession, page
from app.languages.catalogue import gettext
from app.models import Explanation, Kind, Project, Run, Specification, TargetClass
from app.models.summary import ClassSummary
from app.projects.lvlm import speaker_in, speaker_of
from app.projects.queries import Step, loop_state
from app.runs.parameters import EntryText
from app.specifications import examples, queries
from app.specifications.actions import PASSES, THRESHOLDS, save_version, start_critique, start_trial
from app.specifications.cautions import Caution, cautions_on
from app.specifications.diff import differences
from app.specifications.forms import SaveForm, TrialForm, WordsForm
from app.specifications.suggestions import Suggestion, suggestions_for, take_over

router = APIRouter(prefix="/projects/{project_id}/specification")
router.include_router(examples.router)


@dataclass(frozen=True)
class Card:
    """What the page shows of one class."""

    target: TargetClass
    entry: EntryText
    suggestions: list[Suggestion]
    cautions: list[Caution]


@router.get("")
def show_specification(
    request: Request,
    session: DBSession,
    project: CurrentProject,
    class_id: UUID | None = None,
    ignore: str = "",
    use: str = "",
    saved: int | None = None,
) -> Response:
    versions = queries.versions_of(session, project)
    entries = tuple(
        entry.model_copy(
            update={"spurious": take_over(entry.spurious, ignore), "relevant": take_over(entry.relevant, use)}
        )
        if entry.class_id == class_id
        else entry
        for entry in queries.words_to_begin_from(versions[0] if versions else None, project.classes)
    )
    return show_words(request, session, project, versions, entries, saved=saved)


def show_words(
    request: Request,
    session: Session,
    project: Project,
    versions: Sequence[Specification],
    entries: Sequence[EntryText],
    *,
    saved: int | None = None,
    overtaken: Specification | None = None,
    reason: str = "",
) -> Response:
    """The page with these words in its fields; ``overtaken`` is the version that they were written on."""
    newest = versions[0] if versions else None
    loop = loop_state(session, project)
    return page(
        request,
        "specifications/specification.html",
        status=409 if overtaken else 200,
        project=project,
        step=Step.SPECIFY,
        loop=loop,
        analysis=loop.analysis,
        cards=cards_of(project, short_summaries(session, loop.analysis) if loop.analysis else {}, entries),
        versions=versions,
        newest=newest,
        authors=queries.authors_of(session, versions),
        critique=queries.newest_critique_run(session, project, newest, loop.analysis),
        speaker=speaker_of(project.lvlm),
        saved=saved,
        changed=differences(overtaken, newest, project.classes) if overtaken and newest else None,
        reason=reason,
    )


def cards_of(project: Project, summaries: Mapping[UUID, ClassSummary], entries: Sequence[EntryText]) -> list[Card]:
    targets = {target.id: target for target in project.classes}
    said = any(entry.spurious or entry.relevant for entry in entries)  # nobody is warned of an untouched page
    cautions = cautions_of(project, summaries, entries) if said else []
    return [
        Card(
            targets[entry.class_id],
            entry,
            suggestions_for(entry, summaries),
            [caution for caution in cautions if caution.class_id == entry.class_id],
        )
        for entry in entries
    ]


def cautions_of(
    project: Project, summaries: Mapping[UUID, ClassSummary], entries: Sequence[EntryText]
) -> list[Caution]:
    seen = {
        class_id: [region.name for region in told.regions if not region.by_look] for class_id, told in summaries.items()
    }
    return cautions_on(entries, {target.id: target.name for target in project.classes}, seen)


@router.post("")
def save_specification(
    request: Request,
    session: DBSession,
    user: Clinician,
    project: CurrentProject,
    words: Annotated[SaveForm, Form()],
) -> Response:
    entries = checked(words, project)
    versions = queries.versions_of(session, project)
    newest = versions[0].version if versions else 0
    if newest != words.base_version and entries != queries.words_to_begin_from(versions[0], project.classes):
        base = next((version for version in versions if version.version == words.base_version), None)
        begun_from = base or Specification(project_id=project.id, version=0, entries=[])
        return show_words(request, session, project, versions, entries, overtaken=begun_from, reason=words.reason)
    version = save_version(session, project, user, entries, words.reason)
    return RedirectResponse(f"/projects/{project.id}/specification?saved={version.version}", 303)


def checked(words: WordsForm, project: Project) -> tuple[EntryText, ...]:
    """The entries in the order of the project's classes; 422 where a class is missing or strange."""
    entries = {entry.class_id: entry for entry in words.entries()}
    if entries.keys() != {target.id for target in project.classes}:
        raise HTTPException(422, gettext("The classes of this project changed. Load the page again."))
    return tuple(entries[target.id] for target in project.classes)


@router.post("/cautions")
def check_words(
    request: Request, session: DBSession, project: CurrentProject, words: Annotated[WordsForm, Form()]
) -> Response:
    """The cautions of all cards anew, while a person writes."""
    entries = checked(words, project)
    analysis = loop_state(session, project).analysis
    cautions = cautions_of(project, short_summaries(session, analysis) if analysis else {}, entries)
    return page(request, "specifications/cautions.html", entries=entries, cautions=cautions)


@router.post("/trials")
def try_words(
    request: Request, session: DBSession, user: Clinician, project: CurrentProject, words: Annotated[TrialForm, Form()]
) -> Response:
    analysis = loop_state(session, project).analysis
    if analysis is None:
        raise HTTPException(409, gettext("Nothing is explained yet, so there are no pictures to try on."))
    entries = checked(words, project)
    pictures = queries.pictures_for_trial(session, analysis, words.try_class)
    if not pictures:
        raise HTTPException(
            409,
            gettext(
                "None of the explained pictures is of this class, so there are none to try on. "
                "Explain the model again under Understand, with as many pictures of every class."
            ),
        )
    run = start_trial(session, project, user, analysis, entries, pictures)
    return trial_fragment(request, session, project, run)


@router.get("/trials/{run_id}")
def show_trial(request: Request, session: DBSession, project: CurrentProject, run_id: UUID) -> Response:
    run = session.get(Run, run_id)
    if run is None or run.project_id != project.id or run.kind is not Kind.TRIAL:
        raise HTTPException(404, gettext("There is no such trial."))
    return trial_fragment(request, session, project, run)


def trial_fragment(request: Request, session: Session, project: Project, run: Run) -> Response:
    cases = run.result.get("cases", [])
    explanations: dict[UUID, Explanation] = queries.explanations_of(
        session, [UUID(case["explanation_id"]) for case in cases]
    )
    return page(
        request,
        "specifications/trial.html",
        project=project,
        run=run,
        cases=[(explanations[UUID(case["explanation_id"])], case) for case in cases],
        speaker=speaker_in(session, run),
    )


@router.get("/versions/{number}")
def show_version(request: Request, session: DBSession, project: CurrentProject, number: int) -> Response:
    versions = queries.versions_of(session, project)
    version = next((each for each in versions if each.version == number), None)
    if version is None:
        raise HTTPException(404, gettext("This project's specification has no version %(number)s.", number=number))
    before = next((each for each in versions if each.version == number - 1), None)
    return page(
        request,
        "specifications/version.html",
        project=project,
        step=Step.SPECIFY,
        loop=loop_state(session, project),
        version=version,
        before=before,
        newest=versions[0],
        changes=differences(before, version, project.classes),
        entries=dict(zip(project.classes, queries.words_to_begin_from(version, project.classes), strict=True)),
        author=queries.authors_of(session, [version]).get(version.created_by_id),
        critique=queries.newest_critique_run(session, project, version),
    )


@router.post("/critique")
def ask_critic(
    session: DBSession,
    user: Clinician,
    project: CurrentProject,
    passes: Annotated[int, Form(ge=1, le=5)] = PASSES,
    uncertain_from: Annotated[float, Form(ge=0, le=1)] = THRESHOLDS[0],
    uncertain_to: Annotated[float, Form(ge=0, le=1)] = THRESHOLDS[1],
) -> Response:
    """Asks the critic about every explained picture under the newest version."""
    if uncertain_from > uncertain_to:
        raise HTTPException(422, gettext("Verdicts are uncertain between two probabilities, the lower one first."))
    analysis = loop_state(session, project).analysis
    version = next(iter(queries.versions_of(session, project)), None)
    if analysis is None or version is None:
        raise HTTPException(
            409, gettext("The critic needs explained pictures and a saved specification. Nothing was started.")
        )
    thresholds = (uncertain_from, uncertain_to)
    start_critique(session, project, user, analysis, version, passes=passes, thresholds=thresholds)
    return RedirectResponse(f"/projects/{project.id}/review", 303)
