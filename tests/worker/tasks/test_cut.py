"""How an analysis cuts: what a person asks for stands, the rest is chosen on its own images and kept with the run."""

import pytest
from sqlalchemy import func, select

from app.db import reading
from app.models import Cluster
from app.runs.clustering import CLUSTERING, ChosenClustering, clustering_in, clustering_of
from app.runs.parameters import AnalysisParameters
from tests.worker.tasks import small
from worker.tasks.summarise import explanations_of, see

pytestmark = pytest.mark.usefixtures("sqlite")
LEFT_EMPTY = {"sharpening": None, "support": None}


def test_what_is_left_empty_is_chosen_stored_and_used() -> None:
    project = small.add_project()
    checkpoint = small.add_checkpoint(project)
    asked = AnalysisParameters(checkpoint_id=checkpoint, count=6, strategy="random", **LEFT_EMPTY, components=4)
    run = small.ended(project, asked)
    found = clustering_of(run.result[CLUSTERING], asked)
    assert found is not None
    assert (found.components, found.images, len(found.tried)) == (4, 6, 9)  # 3 sharpenings and 3 supports
    assert found.tried[0].model_dump(include={"sharpening", "support", "components"}) == found.model_dump(
        include={"sharpening", "support", "components"}
    )
    assert [each.effect for each in found.tried] == sorted((each.effect for each in found.tried), reverse=True)
    with reading() as session:
        assert session.scalar(select(func.max(Cluster.number))) <= 4
        assert clustering_in(session, run.id) == found
        covered = session.scalars(select(Cluster.odds_fall)).all()
    assert covered
    assert None not in covered
    # What the sentences count lies on the pixels under the chosen sharpening.
    with reading() as session:
        explanation = explanations_of(session, run.id)[0]
        seen = see(explanation, found.sharpening)
    assert sum(cluster.share for cluster in seen.clusters) >= found.support - 1e-6


def test_what_a_person_asks_for_stands_and_nothing_is_tried() -> None:
    project = small.add_project()
    checkpoint = small.add_checkpoint(project)
    cut = {"components": 2, "sharpening": 1.5, "support": 0.9}
    asked = AnalysisParameters(checkpoint_id=checkpoint, count=3, **cut)
    assert clustering_of(small.ended(project, asked).result[CLUSTERING], asked) == ChosenClustering(**cut)
    assert clustering_of(None, asked) == ChosenClustering(**cut)


def test_it_is_not_known_before_the_first_stage() -> None:
    project = small.add_project()
    checkpoint = small.add_checkpoint(project)
    asked = AnalysisParameters(checkpoint_id=checkpoint, count=3, **LEFT_EMPTY)
    run_id = small.start(project, asked)
    assert clustering_of(small.run_of(run_id).result.get(CLUSTERING), asked) is None
    with reading() as session, pytest.raises(LookupError, match="not chosen"):
        clustering_in(session, run_id)
