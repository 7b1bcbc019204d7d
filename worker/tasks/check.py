"""A check of the project's LVLM: planted cases, a few at a time, counted when the last are answered."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from io import BytesIO
from typing import Any

from PIL.Image import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.check.standing import IDENTITY
from app.db import reading
from app.languages.messages import Message
from app.models import LVLMCheck, Run, Shard, Stage
from app.models.check_figures import CheckFigures, CheckLine, ClusterSaid, DomainCheck, PlantedCase
from app.models.figures import Estimate
from app.projects.lvlm import NONE
from app.runs.parameters import CheckParameters
from app.storage import storage
from worker.lvlm import Identified
from worker.lvlm.check import Answers, Asked, Line, ask, lines, plant
from worker.lvlm.check.asking import Example, Said, Way
from worker.lvlm.check.figures import passed
from worker.tasks.cases import asked_lvlm, keep_lvlm, kept_lvlm
from worker.tasks.job import Job, Plan, RefusedError, Write

SHARD = 3  # planted pictures: whoever tries a specification meanwhile waits for no more
SHOWN: frozenset[Way] = frozenset({"straight", "inverted", "bare", "order"})  # of each domain's first picture


def plan(session: Session, run: Run) -> Plan:
    """One shard after the other, so that a check leaves room for the work that people wait for."""
    if keep_lvlm(session, run) == NONE:
        raise RefusedError(
            Message("This project has no LVLM, so there is nothing to check. People judge alone, under Review.")
        )
    return Plan(pictures_of(CheckParameters.model_validate(run.parameters)), SHARD, sequential=True)


def pictures_of(parameters: CheckParameters) -> int:
    return len(parameters.domains) * parameters.cases


def work(job: Job) -> Write:
    parameters = job.parameters(CheckParameters)
    with reading() as session:
        lvlm = kept_lvlm(session, job.run_id)
        before = outcomes(session, job)
    pictures = [picture(parameters, place) for place in range(job.first, job.last)]
    model = asked_lvlm(job.run_id, lvlm)  # not from answers that were kept: how long it takes is asked as well
    outcome = told(ask(model, pictures, SHOWN), model.identity)
    is_last = job.last == pictures_of(parameters)
    figures = counted(parameters, [*before, outcome]) if is_last else None

    def write(session: Session, run: Run) -> dict[str, Any]:
        if figures is not None:
            session.add(
                LVLMCheck(
                    project_id=run.project_id,
                    run_id=run.id,
                    lvlm=lvlm,
                    identity=model.identity,
                    passed=all(domain.passed for domain in figures.domains),
                    figures=figures.model_dump(mode="json"),
                )
            )
        run.result = {**run.result, IDENTITY: model.identity}
        return outcome

    return write


def checked(
    model: Identified, parameters: CheckParameters, at_once: int, done: Callable[[int, int], None]
) -> CheckFigures:
    """The whole check in one go, without examples, for the command line: nothing is stored."""
    total = pictures_of(parameters)
    found = []
    for first in range(0, total, at_once):
        last = min(first + at_once, total)
        answers = ask(model, [picture(parameters, place) for place in range(first, last)])
        found.append(told(answers, model.identity))
        done(last, total)
    return counted(parameters, found)


def picture(parameters: CheckParameters, place: int) -> Asked:
    domain, index = parameters.domains[place // parameters.cases], place % parameters.cases
    return Asked(index, plant(domain, index, parameters.seed))


def outcomes(session: Session, job: Job) -> list[dict[str, Any]]:
    """What the shards before this one found, in order."""
    mine = (Shard.run_id == job.run_id, Shard.stage == Stage.CHECK, Shard.number < job.number)
    return list(session.scalars(select(Shard.outcome).where(*mine).order_by(Shard.number)))


def told(answers: Answers, identity: str) -> dict[str, Any]:
    """A shard's outcome. Pictures go into the store, of the first case of each domain alone."""
    return {
        "identity": identity,
        "said": [asdict(one) for one in answers.said],
        "cases": [
            (example.said[0].domain, case_of(example).model_dump(mode="json"))
            for example in answers.examples
            if example.said[0].picture == 0
        ],
        "images": answers.images,
        "seconds": answers.seconds,
        "tokens": None if answers.read is None else (answers.read, answers.written),
    }


def case_of(example: Example) -> PlantedCase:
    return PlantedCase(
        way=example.way,
        picture=storage().put(png(example.overlay)),
        class_name=example.specification.name,
        relevant=example.specification.relevant,
        spurious=example.specification.spurious,
        said=tuple(
            ClusterSaid(number=one.number, covers=one.thing, truth=one.truth, value=one.value, words=one.words)
            for one in example.said
        ),
    )


def png(image: Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def counted(parameters: CheckParameters, found: Sequence[dict[str, Any]]) -> CheckFigures:
    """All shards' outcomes together. Raises RefusedError where the weights were exchanged between two of them."""
    if len({outcome["identity"] for outcome in found}) > 1:
        raise RefusedError(
            Message("The LVLM was exchanged while it was checked, so the figures belong to no one. Check again.")
        )
    said = [Said(**one) for outcome in found for one in outcome["said"]]
    cases = [(domain, PlantedCase.model_validate(case)) for outcome in found for domain, case in outcome["cases"]]
    tokens = [outcome["tokens"] for outcome in found]
    read, written = (sum(pair[0] for pair in tokens), sum(pair[1] for pair in tokens)) if all(tokens) else (None, None)
    return CheckFigures(
        pictures=parameters.cases,
        seed=parameters.seed,
        images=sum(outcome["images"] for outcome in found),
        seconds=sum(outcome["seconds"] for outcome in found),
        tokens_read=read,
        tokens_written=written,
        domains=tuple(
            domain_check(
                domain,
                lines([one for one in said if one.domain == domain]),
                [case for of, case in cases if of == domain],
            )
            for domain in parameters.domains
        ),
    )


def domain_check(domain: str, found: Sequence[Line], cases: Sequence[PlantedCase]) -> DomainCheck:
    return DomainCheck(
        domain=domain, passed=passed(found), lines=tuple(line_of(line) for line in found), cases=tuple(cases)
    )


def line_of(line: Line) -> CheckLine:
    figure = Estimate(value=line.value, low=line.low, high=line.high, n=line.n, missing="" if line.n else "no case")
    return CheckLine(key=line.key, asks=line.asks, figure=figure, bar=line.bar, why=line.why, met=line.met)
