"""Whom a reader is needed for most comes first."""

from uuid import UUID

import pytest
from sqlalchemy import Select, select, text

from app.db import engine, reading
from app.models import Verdict, VerdictValue
from app.review.order import Narrowed, need, place_of
from app.review.worklist import unanswered
from tests.app.review.test_similar import add_consensus
from tests.factories import Loop

A, B = UUID(int=1), UUID(int=2)
SURE, UNSURE = VerdictValue.RELEVANT, VerdictValue.UNCERTAIN


def test_first_come_the_places_then_what_is_uncertain_then_doubt_times_influence():
    in_order = [
        need(1, SURE, 0.0, 0.0, B),
        need(2, SURE, 0.0, 0.0, A),
        need(None, UNSURE, 0.5, 0.9, A),
        need(None, UNSURE, 0.5, 0.2, A),
        need(None, UNSURE, 0.9, 0.3, A),
        need(None, SURE, 0.6, 1.0, A),
        need(None, SURE, 0.1, 1.0, A),
        need(None, SURE, 0.1, 1.0, B),
    ]
    mixed = [*in_order[4:], *in_order[:4]]
    assert sorted(mixed) == in_order


@pytest.mark.usefixtures("database")
def test_until_there_is_a_consensus_cases_come_by_the_place_that_was_stored_with_their_verdicts(loop: Loop) -> None:
    known = {cluster.id: cluster for each in loop.explanations for cluster in each.clusters}
    with reading() as session:
        verdicts = session.scalars(select(Verdict).where(Verdict.run_id == loop.critique.id)).all()
        order = session.scalars(unanswered(loop.critique, None)).all()
        target = loop.project.classes[1]
        narrowed = session.scalars(unanswered(loop.critique, None, Narrowed(target.id))).all()

    def key(verdict: Verdict) -> object:
        return need(None, verdict.value, verdict.p_spurious, known[verdict.cluster_id].influence, verdict.cluster_id)

    assert order == [verdict.cluster_id for verdict in sorted(verdicts, key=key)]
    of_class = {
        cluster.id for each in loop.explanations if each.image.class_id == target.id for cluster in each.clusters
    }
    assert narrowed == [each for each in order if each in of_class]
    assert len(narrowed) < len(order)
    assert all(
        each.place == pytest.approx(place_of(each.value, each.p_spurious, known[each.cluster_id].influence))
        for each in verdicts
    )


def plan_of(statement: Select[UUID]) -> str:
    asked = statement.compile(engine(), compile_kwargs={"literal_binds": True})
    with reading() as session:
        return "\n".join(row[3] for row in session.execute(text(f"EXPLAIN QUERY PLAN {asked}")))


def test_nothing_is_sorted_to_find_the_next_case(loop: Loop) -> None:
    before = plan_of(unanswered(loop.critique, None).limit(1))
    assert "ix_verdict_place" in before
    assert "ORDER BY" not in before
    consensus = add_consensus(loop)
    after = plan_of(unanswered(loop.critique, consensus.id).limit(1))
    assert "ix_agreed_verdict_run_id_agreed_verdict_place" in after
    assert "ORDER BY" not in after
    assert "ORDER BY" in plan_of(select(Verdict.cluster_id).order_by(Verdict.p_spurious).limit(1))
