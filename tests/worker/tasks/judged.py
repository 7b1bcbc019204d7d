"""A project whose drawn pictures are explained and judged; no model is trained, so that it takes a second."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from app.db import reading, transaction
from app.models import (
    AgreedVerdict,
    Answer,
    Cluster,
    Critique,
    Project,
    Review,
    Run,
    Split,
    State,
    User,
    Verdict,
    VerdictValue,
)
from app.review.standing import Standing, standings
from app.runs.parameters import ConsensusParameters
from tests import factories
from tests.worker.tasks import small


@dataclass(frozen=True)
class Case:
    project: Project
    analysis: Run
    critique: Run
    reader: User


def judged(per_class: int = 12, lvlm: str = "embedded") -> Case:
    """Letters and nothing else are judged spurious; what has no words is uncertain."""
    with transaction() as session:
        project = factories.add_project(session, lvlm=lvlm)
        dataset = factories.add_images(session, project, per_class=per_class)
        checkpoint = factories.add_checkpoint(session, project)
        images = factories.images_of(session, dataset, Split.TRAIN)
        analysis = factories.add_analysis(session, project, checkpoint, images)
        reader = factories.add_user(session)
        specification = factories.add_specification(session, project, reader)
        explanations = factories.explanations_of(session, analysis)
        critique = factories.add_critique(session, project, analysis, specification, explanations, reader)
    return Case(project, analysis, critique, reader)


def agree(case: Case) -> Run:
    run = small.ended(case.project, ConsensusParameters(critique_id=case.critique.id))
    assert run.state is State.SUCCEEDED, run.error + run.error_details
    return run


def clusters_called(words: str) -> list[UUID]:
    with reading() as session:
        return list(session.scalars(select(Cluster.id).where(Cluster.words == words).order_by(Cluster.id)))


def judge_says(ids: list[UUID], value: VerdictValue, p_spurious: float, text: str = "said") -> None:
    with transaction() as session:
        for verdict in session.scalars(select(Verdict).where(Verdict.cluster_id.in_(ids))):
            verdict.value, verdict.p_spurious, verdict.text = value, p_spurious, text


def people_say(case: Case, answers: dict[UUID, Answer]) -> None:
    with transaction() as session:
        for cluster_id, answer in answers.items():
            said = {"cluster_id": cluster_id, "user_id": case.reader.id, "run_id": case.critique.id, "blind": False}
            session.add(Review(answer=answer, **said))


def rows_of(run: Run) -> dict[UUID, AgreedVerdict]:
    with reading() as session:
        found = session.scalars(select(AgreedVerdict).where(AgreedVerdict.run_id == run.id))
        return {row.cluster_id: row for row in found}


def verdicts_of(case: Case) -> dict[UUID, Verdict]:
    with reading() as session:
        mine = select(Verdict).join(Critique, Critique.id == Verdict.critique_id)
        return {each.cluster_id: each for each in session.scalars(mine.where(Critique.run_id == case.critique.id))}


def standing(case: Case) -> dict[UUID, Standing]:
    with reading() as session:
        return {each.cluster_id: each for each in standings(session, case.critique.id)}
