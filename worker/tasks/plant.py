"""Honeypots of a critique: artefacts planted into copies of its images, named as spurious, then as relevant.

Readers get cases of their own beside them.
"""

from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from app.check.standing import IDENTITY
from app.config import settings
from app.db import reading
from app.languages.messages import Message
from app.models import Explanation, Honeypot, Named, Project, Run, Specification, SpecificationEntry, VerdictValue
from app.projects.lvlm import NONE
from app.runs.parameters import CritiqueParameters, HoneypotParameters
from app.storage import storage
from worker.method import honeypots
from worker.method.critic import Case, ClassSpecification, criticise
from worker.method.judge import judge
from worker.method.marks import draw_marks
from worker.tasks.cases import Explained, asked_lvlm, explained, keep_lvlm, kept_lvlm
from worker.tasks.check import png
from worker.tasks.criticise import examples_of, with_notes
from worker.tasks.honeypot_cases import add_once, cases_for_readers
from worker.tasks.inputs import load_assignment
from worker.tasks.job import Job, Plan, RefusedError, Write
from worker.vision.pictures import load_image

SHARD = 6
NAMED: tuple[honeypots.Named, ...] = ("spurious", "relevant")


def plan(session: Session, run: Run) -> Plan:
    if keep_lvlm(session, run) == NONE:
        raise RefusedError(Message("This project has no LVLM, so there is nobody to ask about what is planted."))
    parameters = HoneypotParameters.model_validate(run.parameters)
    critique = critique_of(session, parameters.critique_id)
    total = select(func.count()).select_from(Explanation).where(Explanation.run_id == critique.analysis_id)
    return Plan(min(parameters.count, session.scalar(total) or 0), SHARD)


def work(job: Job) -> Write:
    parameters = job.parameters(HoneypotParameters)
    with reading() as session:
        lvlm = kept_lvlm(session, job.run_id)
        critique = critique_of(session, parameters.critique_id)
        rows = explained(session, Explanation.run_id == critique.analysis_id)
        specification = specification_of(session, job.project_id, critique.specification_id)
    order = [int(place) for place in np.random.default_rng(parameters.seed).permutation(len(rows))]
    chosen = order[job.first : job.last]
    planted = [
        (rows[place], honeypot, case)
        for place in chosen
        for honeypot, case in planted_in(rows[place], specification, place, parameters.seed)
    ]
    shown = [case for _, _, case in planted]
    model = asked_lvlm(job.run_id, lvlm)
    critiques = criticise(model, shown)
    job.check()
    thresholds = (critique.uncertain_from, critique.uncertain_to)
    verdicts = judge(model, shown, critiques, examples_of(critique.examples), thresholds)
    made = [
        Honeypot(
            run_id=job.run_id,
            explanation_id=row.id,
            thing=honeypot.thing,
            named=Named(named),
            number=honeypot.number,
            value=VerdictValue(judged[honeypot.number - 1].value),
            p_spurious=judged[honeypot.number - 1].p_spurious,
            text=said.by_cluster[honeypot.number - 1],
            picture=storage().put(png(case.marks.overlay)),
        )
        for (row, honeypot, case), named, said, judged in zip(
            planted, NAMED * (len(planted) // len(NAMED)), critiques, verdicts, strict=True
        )
    ]

    last_first = [rows[place] for place in reversed(order)]
    for_readers = (
        cases_for_readers(job.run_id, parameters.critique_id, last_first, specification, parameters.seed)
        if job.first == 0
        else []
    )

    def write(session: Session, run: Run) -> dict[str, Any]:
        run.result = {**run.result, IDENTITY: model.identity}
        session.add_all(made)
        add_once(session, for_readers)
        return {}

    return write


def critique_of(session: Session, critique_id: UUID) -> CritiqueParameters:
    return CritiqueParameters.model_validate(session.get_one(Run, critique_id).parameters)


def specification_of(session: Session, project_id: UUID, specification_id: UUID) -> dict[UUID, ClassSpecification]:
    """The words under which the critique was asked for, by class."""
    whole = [joinedload(Specification.entries).joinedload(SpecificationEntry.target_class)]
    found = session.get_one(Specification, specification_id, options=whole)
    notes = session.get_one(Project, project_id).critic_notes
    return {
        entry.class_id: ClassSpecification(
            entry.target_class.name, entry.relevant, entry.spurious, with_notes(notes, entry.notes)
        )
        for entry in found.entries
    }


def planted_in(
    row: Explained, specification: dict[UUID, ClassSpecification], place: int, seed: int
) -> list[tuple[honeypots.Honeypot, Case]]:
    """One copy, asked about twice: once named as spurious, once as relevant. Empty where its class names all things."""
    words = specification.get(row.class_id, ClassSpecification(row.class_name, "", ""))
    things = honeypots.things_for(words)
    if not things:
        return []
    generator = np.random.default_rng([seed, place])
    image = load_image(storage().get(row.image_blob), settings().max_image_pixels)
    cells = load_assignment(row.assignment).astype("int8") - 1
    planted = honeypots.plant(image, cells, things[place % len(things)], generator)
    marks = draw_marks(planted.image, planted.assignment)
    return [(planted, Case(marks, row.class_name, honeypots.extended(words, planted.thing, named))) for named in NAMED]
