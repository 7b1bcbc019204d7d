"""Checks of an LVLM as they stand in the database, with figures that are made up."""

from PIL import Image as Picture
from sqlalchemy.orm import Session

from app.models import Honeypot, Kind, LVLMCheck, Named, Project, VerdictValue
from app.models.check_figures import CheckFigures, CheckLine, ClusterSaid, DomainCheck, PlantedCase
from app.models.figures import Estimate
from app.runs.parameters import CheckParameters, HoneypotParameters
from app.storage import storage
from tests.drawn import png
from tests.factories import Loop, add_run
from worker.lvlm.check.bar import BARS

IDENTITY = "transformers:0123456789abcdef, float32 on cpu, temperature 1.0"


def add_check(
    session: Session, project: Project, passed: bool = True, identity: str = IDENTITY, words: str = "a grey square"
) -> LVLMCheck:
    run = add_run(session, project, CheckParameters(domains=("digits",)), Kind.CHECK)
    check = LVLMCheck(
        project_id=project.id,
        run_id=run.id,
        lvlm=project.lvlm,
        identity=identity,
        passed=passed,
        figures=figures(passed, words).model_dump(mode="json"),
    )
    session.add(check)
    session.flush()
    return check


def figures(passed: bool, words: str) -> CheckFigures:
    lines = [
        CheckLine(
            key=key,
            asks=bar.asks,
            figure=Estimate(value=0.93, low=0.84, high=0.97, n=72),
            bar=bar.text,
            why=bar.why,
            met=passed or key != "listens",
        )
        for key, bar in BARS.items()
    ]
    lines.append(CheckLine(key="never", asks="Calling nothing spurious, of all", figure=Estimate(value=0.5, n=72)))
    case = PlantedCase(
        way="straight",
        picture=storage().put(png(Picture.new("RGB", (8, 8), "grey"))),
        class_name="7",
        relevant="the strokes",
        spurious="the square",
        said=(ClusterSaid(number=1, covers="artefact", truth="spurious", value="relevant", words=words),),
    )
    return CheckFigures(
        pictures=12,
        seed=0,
        images=120,
        seconds=60.0,
        tokens_read=54321,
        tokens_written=999,
        domains=(DomainCheck(domain="digits", passed=passed, lines=tuple(lines), cases=(case,)),),
    )


def plant(session: Session, loop: Loop, lvlm: str = "embedded", words: str = "a letter") -> list[Honeypot]:
    """Two copies: of what was to be ignored both are judged so, of what was to be used one."""
    run = add_run(session, loop.project, HoneypotParameters(critique_id=loop.critique.id), Kind.HONEYPOT)
    run.result = {"lvlm": lvlm}
    judged = (
        (0, Named.SPURIOUS, VerdictValue.SPURIOUS),
        (0, Named.RELEVANT, VerdictValue.RELEVANT),
        (1, Named.SPURIOUS, VerdictValue.SPURIOUS),
        (1, Named.RELEVANT, VerdictValue.SPURIOUS),
    )
    made = [
        Honeypot(
            run_id=run.id,
            explanation_id=loop.explanations[copy].id,
            thing="letter",
            named=named,
            number=2,
            value=value,
            p_spurious=0.9,
            text=words,
            picture=storage().put(png(Picture.new("RGB", (96, 96), (copy, 40 * place, 0)))),
        )
        for place, (copy, named, value) in enumerate(judged)
    ]
    session.add_all(made)
    session.flush()
    return made
