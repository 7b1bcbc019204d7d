"""How far the judge agrees with blind readers, and the bar under which realignment is locked, on the terminal."""

from typing import Annotated

import typer
from sqlalchemy.orm import Session

from app.cli.bringing import ProjectName
from app.cli.finding import acting_user, newest_critique, project_named, ready_database
from app.cli.loop import As, told
from app.cli.output import CommandError, Json, show, show_table
from app.db import reading, transaction
from app.languages.figures import coefficient
from app.models import Project
from app.projects.lvlm import speaker_in
from app.trust.actions import AskedBar, set_bar
from app.trust.figures import Agreement, Trust, trust_in
from app.trust.lock import LEAST_CASES, LEAST_KAPPA, NOT_THEIRS, Lock, lock_under, newest_bar, owns


def trust(
    project: ProjectName,
    least_kappa: Annotated[float | None, typer.Option(help=f"Sets the bar; {LEAST_KAPPA} where not said.")] = None,
    least_cases: Annotated[int | None, typer.Option(help=f"Sets the bar; {LEAST_CASES} where not said.")] = None,
    off: Annotated[bool, typer.Option("--off", help="Switches the bar off.")] = False,
    reason: Annotated[str, typer.Option(help="Why the bar is set so, or switched off.")] = "",
    acting: As = "",
    as_json: Json = False,
) -> None:
    """Show how far the judge of the newest critique can be trusted; with a bar, set what realignment waits for."""
    ready_database()
    if off or least_kappa is not None or least_cases is not None:
        if not reason.strip():
            raise CommandError("A bar needs its --reason.")
        asked = AskedBar(
            locks=not off,
            least_kappa=LEAST_KAPPA if least_kappa is None else least_kappa,
            least_cases=LEAST_CASES if least_cases is None else least_cases,
            reason=reason,
        )
        with transaction() as session:
            set_as(session, project_named(session, project), asked, acting)
        show(asked.model_dump(), as_json, f"The trust bar of project {project} is set.")
        return
    with reading() as session:
        found = project_named(session, project)
        critique, bar = newest_critique(session, found), newest_bar(session, found.id)
        figures = trust_in(session, found, critique)
        lock = lock_under(bar, figures.whole, judged=speaker_in(session, critique) is not None)
    show(document(figures, lock), as_json)
    if not as_json:
        tell(project, figures, lock, has_bar=bar is not None and bar.locks)


def set_as(session: Session, project: Project, asked: AskedBar, acting: str) -> None:
    user = acting_user(session, acting)
    if not owns(user, project):
        raise CommandError(NOT_THEIRS)
    set_bar(session, project.id, asked, user.id)


def document(figures: Trust, lock: Lock) -> dict[str, object]:
    return {
        "locked": lock.reason,
        "unlock": lock.unlock,
        **{each.name: row_as_document(each) for each in (figures.whole, *figures.classes)},
    }


def row_as_document(each: Agreement) -> dict[str, object]:
    estimates = {
        name: getattr(each, name).model_dump(mode="json")
        for name in ("sensitivity", "specificity", "kappa", "uncertain", "cant_tell", "differ", "between")
    }
    fleiss = each.fleiss.model_dump(mode="json") if each.fleiss else None
    return {"cases": each.cases, "readings": each.readings, "readers": each.readers, **estimates, "fleiss": fleiss}


def tell(project: str, figures: Trust, lock: Lock, *, has_bar: bool) -> None:
    columns = ("class", "cases", "sensitivity", "specificity", "kappa", "left uncertain", "readers' agreement")
    rows = [
        (
            each.name,
            str(each.cases),
            told(each.sensitivity),
            told(each.specificity),
            coefficient(each.kappa),
            told(each.uncertain),
            coefficient(each.between),
        )
        for each in (*figures.classes, figures.whole)
    ]
    show_table(f"{project}: the judge and blind readers", columns, rows)
    if not lock.is_open:
        print(f"Realignment is locked. {lock.reason} {lock.unlock}")
    else:
        print("Realignment is open." if has_bar else "Realignment is open: no trust bar is set.")
