"""What a second round adds to a project that went round the loop once, whose realigned model found something new."""

from app.db import transaction
from app.models import Checkpoint, Run, Split
from tests import factories
from tests.factories import Loop
from tests.measured import AFTER, add_report, figures

NEW = "a round spot"
BETTER = (0.96, 0.93, 0.9, 0.92)  # than AFTER, as tests.measured has it


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
        for checkpoint, by_group, flipped in ((loop.realigned, AFTER, 0.06), (realigned, BETTER, 0.03)):
            add_report(session, run, checkpoint, Split.TEST, figures(loop.project, by_group, flipped=flipped))
    return run, realigned
