"""The judge's examples: rows a person can edit, shown to the judge before every verdict."""

from typing import Annotated, Self

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.deps import Clinician, CurrentProject, DBSession, page
from app.languages.catalogue import gettext
from app.models import JudgeExample, Project, VerdictValue
from app.projects.queries import Step, loop_state
from app.specifications.queries import BUILT_IN, judge_examples

router = APIRouter(prefix="/examples")  # within the specification's

MOST = 12  # the judge reads all of them before every verdict
LONGEST = 500
EMPTY_ROWS = 2


class ExamplesForm(BaseModel):
    """Two lists in the same order; a row without text is no row."""

    text: list[str]
    verdict: list[VerdictValue]

    @model_validator(mode="after")
    def match(self) -> Self:
        if len(self.text) != len(self.verdict) or len(self.text) > MOST + EMPTY_ROWS:
            raise ValueError(gettext("there may be %(most)s examples, each with its verdict", most=MOST))
        if any(len(text) > LONGEST for text in self.text) or VerdictValue.UNCERTAIN in self.verdict:
            raise ValueError(gettext("an example is a sentence, and spurious or relevant"))
        return self

    def rows(self) -> list[tuple[str, VerdictValue]]:
        pairs = zip(self.text, self.verdict, strict=True)
        return [(" ".join(text.split()), verdict) for text, verdict in pairs if text.strip()]


@router.get("")
def show_examples(request: Request, session: DBSession, project: CurrentProject, saved: bool = False) -> Response:
    rows = judge_examples(session, project)
    return page(
        request,
        "specifications/examples.html",
        project=project,
        step=Step.SPECIFY,
        loop=loop_state(session, project),
        rows=rows,
        built_in=rows is BUILT_IN,
        empty_rows=range(min(EMPTY_ROWS, MOST - len(rows)) if len(rows) < MOST else 0),
        most=MOST,
        saved=saved,
    )


@router.post("")
def save_examples(
    session: DBSession, user: Clinician, project: CurrentProject, given: Annotated[ExamplesForm, Form()]
) -> Response:
    del user  # asked for: nobody else may write here
    replace_examples(session, project, given.rows())
    return RedirectResponse(f"/projects/{project.id}/specification/examples?saved=true", 303)


def replace_examples(session: Session, project: Project, rows: list[tuple[str, VerdictValue]]) -> None:
    """The rows as they are from now on; every critique keeps those it used among its own parameters."""
    mine = select(JudgeExample).where(JudgeExample.project_id == project.id)
    known = {example.position: example for example in session.scalars(mine)}
    for position, (text, verdict) in enumerate(rows):
        if example := known.pop(position, None):
            example.text, example.verdict = text, verdict
        else:
            session.add(JudgeExample(project_id=project.id, position=position, text=text, verdict=verdict))
    for example in known.values():
        session.delete(example)
    session.flush()
