import pytest

from app.db import transaction
from app.models import Kind, State
from app.runs.belonging import ForeignError, refuse_foreign
from app.runs.parameters import (
    ConsensusParameters,
    CritiqueParameters,
    EvaluationParameters,
    Parameters,
    RealignmentParameters,
)
from tests import factories
from tests.factories import Loop


@pytest.fixture
def loop(sqlite: None) -> Loop:
    with transaction() as session:
        return factories.whole_loop(session)


def on_what_stands(loop: Loop) -> list[Parameters]:
    return [
        CritiqueParameters(analysis_id=loop.analysis.id, specification_id=loop.specification.id),
        RealignmentParameters(critique_id=loop.critique.id),
        ConsensusParameters(critique_id=loop.critique.id),
        EvaluationParameters(checkpoint_ids=(loop.original.id,), critique_id=loop.critique.id),
    ]


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.FAILED, State.CANCELLED])
def test_nothing_builds_on_a_run_that_has_not_succeeded(loop: Loop, state: State) -> None:
    for parameters in on_what_stands(loop):
        with transaction() as session:
            refuse_foreign(session, loop.project.id, parameters)
    with transaction() as session:
        for run in (loop.analysis, loop.critique):
            session.merge(run).state = state
    for parameters in on_what_stands(loop):
        with transaction() as session, pytest.raises(ForeignError, match="has not succeeded"):
            refuse_foreign(session, loop.project.id, parameters)


def test_a_run_of_another_project_is_no_run_of_this_one(loop: Loop) -> None:
    with transaction() as session:
        elsewhere = factories.add_run(
            session, factories.add_project(session, "Other"), on_what_stands(loop)[0], Kind.CRITIQUE
        )
    with transaction() as session, pytest.raises(ForeignError, match="no such critique"):
        refuse_foreign(session, loop.project.id, RealignmentParameters(critique_id=elsewhere.id))
