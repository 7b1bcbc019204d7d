"""Critic and judge on the alignment set, for a critique that is kept and for a trial that is only shown."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from app.db import reading
from app.languages.messages import Message
from app.models import (
    Critique,
    Explanation,
    Kind,
    Project,
    Run,
    Specification,
    SpecificationEntry,
    TargetClass,
    Verdict,
    VerdictValue,
)
from app.projects.lvlm import NONE
from app.review.order import place_of
from app.runs.parameters import CritiqueParameters, TrialParameters
from worker.method.critic import ClassSpecification
from worker.method.critic import Critique as Critic
from worker.method.judge import DEFAULT_EXAMPLES, Example
from worker.method.judge import Verdict as Judged
from worker.method.passes import judge_in_passes
from worker.tasks.cases import Explained, explained, keep_identity, keep_lvlm, kept_lvlm, lvlm_for, subjects
from worker.tasks.job import Job, Plan, RefusedError, Write

SHARD = 16


@dataclass(frozen=True)
class Asked:
    """What a critique or a trial asks: whom, about which explanations, under which words."""

    lvlm: str
    rows: list[Explained]
    specification: dict[UUID, ClassSpecification]
    examples: tuple[Example, ...]
    thresholds: tuple[float, float]
    passes: int = 1


def plan(session: Session, run: Run) -> Plan:
    lvlm = keep_lvlm(session, run)
    if run.kind is Kind.TRIAL:
        if lvlm == NONE:
            raise RefusedError(
                Message("This project has no LVLM, so there is no critic to ask. People judge alone, under Review.")
            )
        parameters = TrialParameters.model_validate(run.parameters)
        return Plan(len(parameters.explanation_ids), SHARD)
    analysis = CritiqueParameters.model_validate(run.parameters).analysis_id
    total = session.scalar(select(func.count()).select_from(Explanation).where(Explanation.run_id == analysis))
    return Plan(total or 0, SHARD)


def work(job: Job) -> Write:
    with reading() as session:
        asked = ask_for_trial(session, job) if job.kind is Kind.TRIAL else ask_for_critique(session, job)
    if asked.lvlm == NONE:
        return keep_critique(job, asked, *left_to_people(asked.rows))
    model = lvlm_for(job.run_id, asked.lvlm)
    shown = subjects(asked.rows, asked.specification)
    critiques, verdicts = judge_in_passes(model, shown, asked.passes, asked.examples, asked.thresholds, check=job.check)
    if job.kind is Kind.TRIAL:
        return keep_trial(asked, critiques, verdicts)
    return keep_critique(job, asked, critiques, verdicts)


def ask_for_critique(session: Session, job: Job) -> Asked:
    parameters = job.parameters(CritiqueParameters)
    specification = session.get_one(
        Specification,
        parameters.specification_id,
        options=[joinedload(Specification.entries).joinedload(SpecificationEntry.target_class)],
    )
    notes = session.get_one(Project, job.project_id).critic_notes
    return Asked(
        lvlm=kept_lvlm(session, job.run_id),
        rows=explained(session, Explanation.run_id == parameters.analysis_id)[job.first : job.last],
        specification={
            entry.class_id: ClassSpecification(
                entry.target_class.name, entry.relevant, entry.spurious, with_notes(notes, entry.notes)
            )
            for entry in specification.entries
        },
        examples=examples_of(parameters.examples),
        thresholds=(parameters.uncertain_from, parameters.uncertain_to),
        passes=parameters.passes,
    )


def ask_for_trial(session: Session, job: Job) -> Asked:
    parameters = job.parameters(TrialParameters)
    by_class = select(TargetClass.id, TargetClass.name).where(TargetClass.project_id == job.project_id)
    names: dict[UUID, str] = dict(session.execute(by_class).all())
    notes = session.get_one(Project, job.project_id).critic_notes
    defaults = CritiqueParameters.model_fields
    return Asked(
        lvlm=kept_lvlm(session, job.run_id),
        rows=explained(session, Explanation.id.in_(parameters.explanation_ids))[job.first : job.last],
        specification={
            entry.class_id: ClassSpecification(
                names[entry.class_id], entry.relevant, entry.spurious, with_notes(notes, entry.notes)
            )
            for entry in parameters.entries
        },
        examples=examples_of(parameters.examples),
        thresholds=(defaults["uncertain_from"].default, defaults["uncertain_to"].default),
    )


def left_to_people(rows: list[Explained]) -> tuple[list[Critic], list[tuple[Judged, ...]]]:
    """Without an LVLM nothing is said and nothing is judged: every cluster waits for a person's word."""
    unsaid = Judged("uncertain", 0.5, "This project has no LVLM: a person's word decides.")
    verdicts = [(unsaid,) * max(row.clusters, default=0) for row in rows]
    return [Critic("", ("",) * len(judged)) for judged in verdicts], verdicts


def with_notes(*notes: str) -> str:
    return "\n".join(note.strip() for note in notes if note.strip())


def examples_of(pairs: tuple[tuple[str, str], ...]) -> tuple[Example, ...]:
    return tuple(Example(text, verdict) for text, verdict in pairs) or DEFAULT_EXAMPLES  # type: ignore[arg-type]


def keep_critique(job: Job, asked: Asked, critiques: list[Critic], verdicts: list[tuple[Judged, ...]]) -> Write:
    parameters = job.parameters(CritiqueParameters)
    made = [
        Critique(
            run_id=job.run_id,
            explanation_id=row.id,
            specification_id=parameters.specification_id,
            lvlm=asked.lvlm,
            text=critique.text,
            verdicts=[
                Verdict(
                    cluster_id=row.clusters[number],
                    run_id=job.run_id,
                    value=(value := VerdictValue(verdict.value)),
                    p_spurious=verdict.p_spurious,
                    place=place_of(value, verdict.p_spurious, row.influence[number]),
                    text=critique.by_cluster[number - 1] if number <= len(critique.by_cluster) else "",
                    reason=verdict.reason,
                    flag=verdict.flag,
                    agreement=verdict.agreement,
                )
                for number, verdict in enumerate(judged, 1)
                if number in row.clusters
            ],
        )
        for row, critique, judged in zip(asked.rows, critiques, verdicts, strict=True)
    ]

    def write(session: Session, run: Run) -> dict[str, Any]:
        keep_identity(run, asked.lvlm)
        session.add_all(made)
        return {}

    return write


def keep_trial(asked: Asked, critiques: list[Critic], verdicts: list[tuple[Judged, ...]]) -> Write:
    shown = [
        {
            "explanation_id": str(row.id),
            "text": critique.text,
            "verdicts": [
                {
                    "number": number,
                    "value": verdict.value,
                    "p_spurious": verdict.p_spurious,
                    "text": critique.by_cluster[number - 1] if number <= len(critique.by_cluster) else "",
                    "reason": verdict.reason,
                    "flag": verdict.flag,
                }
                for number, verdict in enumerate(judged, 1)
            ],
        }
        for row, critique, judged in zip(asked.rows, critiques, verdicts, strict=True)
    ]

    def write(session: Session, run: Run) -> dict[str, Any]:
        del session
        keep_identity(run, asked.lvlm)
        run.result = {**run.result, "cases": [*run.result.get("cases", []), *shown]}
        return {}

    return write
