"""Whether the judge's probabilities hold, and which thresholds follow, on the terminal."""

from typing import Annotated

import typer

from app.cli.bringing import ProjectName
from app.cli.finding import newest_critique, project_named, ready_database
from app.cli.loop import told
from app.cli.output import CommandError, Json, percent, show, show_table
from app.cli.waiting import do
from app.db import reading
from app.models.reliability import Reliability
from app.review.reliability import KEY
from app.runs.parameters import MOST_ERROR, CalibrationParameters


def reliability(
    project: ProjectName,
    target_error: Annotated[float, typer.Option(help="Of the verdicts that are not left uncertain.")] = 0.05,
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Compare the judge's probabilities in the newest critique with people's answers."""
    if not 0 < target_error < MOST_ERROR:
        raise CommandError(f"The error rate aimed at lies between 0 and {MOST_ERROR}.")
    ready_database()
    with reading() as session:
        found = project_named(session, project)
        asked = CalibrationParameters(
            critique_id=newest_critique(session, found).id, target_error=target_error, seed=seed
        )
    known = Reliability.model_validate(do(found.id, asked, quiet=as_json).result[KEY])
    show(known.model_dump(mode="json"), as_json)
    if not as_json:
        show_table(
            f"{project}: {known.answered} of {known.regions} regions answered", ("figure", "value"), lines(known)
        )


def lines(known: Reliability) -> list[tuple[str, str]]:
    """Every figure with its interval and its n."""
    figures = [
        ("calibration error as the judge said", known.raw.error),
        ("the same, blind answers only", known.blind),
        ("judged rightly where all passes agree", known.passes_agree),
        ("judged rightly where they differ", known.passes_differ),
    ]
    if not known.why:
        figures.insert(1, ("calibration error, corrected", known.calibrated.error))
    told_first = [("correction", known.why or known.method)]
    return [*told_first, *((name, told(figure)) for name, figure in figures), *thresholds(known)]


def thresholds(known: Reliability) -> list[tuple[str, str]]:
    chosen = known.thresholds
    now = ("left uncertain now", percent(chosen.uncertain_now))
    if chosen.uncertain_from is None or chosen.uncertain_to is None:
        return [now, ("thresholds", chosen.missing)]
    return [
        now,
        ("thresholds", f"--uncertain-from {chosen.uncertain_from:.4f} --uncertain-to {chosen.uncertain_to:.4f}"),
        ("left uncertain with these", percent(chosen.uncertain)),
        ("wrong among the decided", told(chosen.wrong)),
    ]
