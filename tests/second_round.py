"""What a second round adds to a project that went round the loop once, whose realigned model found something new."""

from app.db import transaction
from app.models import Checkpoint, Run
from tests import factories
from tests.factories import Loop

NEW = "a round spot"


def explain(loop: Loop) -> Run:
    """The realigned checkpoint looks at something new where the letter was."""
    with transaction() as session:
        return factories.add_analysis(session, loop.project, loop.realigned, loop.images, called={"letter": NEW})


def second_realignment(loop: Loop) -> tuple[Run, Checkpoint]:
    """Everything of the second round but its decision."""
    analysis = explain(loop)
    with transaction() as session:
        words = factories.add_specification(session, loop.project, loop.clinician, spurious=f"letters, {NEW}")
        explanations = factories.explanations_of(session, analysis)
        critique = factories.add_critique(session, loop.project, analysis, words, explanations)
        run, realigned, _ = factories.add_realignment(session, loop.project, critique, loop.realigned, [])
    return run, realigned
