"""Stage 3b of an analysis: the LVLM names what each cluster covers, without having seen any specification."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.db import reading
from app.models import Cluster, Explanation, Run
from app.projects.lvlm import NONE
from worker.method.critic import describe
from worker.tasks.cases import cases, explained, keep_identity, keep_lvlm, kept_lvlm, lvlm_for
from worker.tasks.job import Job, Plan, Write

SHARD = 20


def plan(session: Session, run: Run) -> Plan:
    """Nothing to do in a project without an LVLM: its clusters are told by their place alone."""
    if keep_lvlm(session, run) == NONE:
        return Plan(0, SHARD)
    total = session.scalar(select(func.count()).select_from(Explanation).where(Explanation.run_id == run.id))
    return Plan(total or 0, SHARD)


def work(job: Job) -> Write:
    with reading() as session:
        lvlm = kept_lvlm(session, job.run_id)
        rows = explained(session, Explanation.run_id == job.run_id)[job.first : job.last]
    named: dict[UUID, str] = {}
    model = lvlm_for(job.run_id, lvlm)
    for row, words in zip(rows, describe(model, cases(rows, {})), strict=True):
        named |= {row.clusters[number]: text for number, text in enumerate(words, 1) if number in row.clusters and text}

    def write(session: Session, run: Run) -> dict[str, Any]:
        keep_identity(run, lvlm)
        for cluster_id, words in named.items():
            session.execute(update(Cluster).where(Cluster.id == cluster_id).values(words=words[:200]))
        return {}

    return write
