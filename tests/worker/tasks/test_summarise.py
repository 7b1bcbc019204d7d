"""The last stage of an analysis, on drawn pictures and a real small model, without an LVLM and any specification."""

from uuid import UUID, uuid4

import numpy as np
import pytest
from PIL import Image as Pillow
from sqlalchemy import select

from app.db import reading
from app.models import Cluster, Explanation, Image, Run, TargetClass
from app.models.summary import ClassSummary
from app.runs.parameters import AnalysisParameters
from app.storage import storage
from tests.drawn import png
from tests.worker.tasks import small
from worker.tasks.inputs import load_array, load_assignment, store_array, store_assignment
from worker.tasks.summarise import see, summaries

pytestmark = pytest.mark.usefixtures("sqlite")
SIDE = 8


def told_by(run: Run) -> dict[UUID, ClassSummary]:
    return {UUID(key): ClassSummary.model_validate(told) for key, told in run.result["summaries"].items()}


def test_an_analysis_ends_with_what_its_explanations_show() -> None:
    project = small.add_project()
    checkpoint = small.add_checkpoint(project)
    parameters = AnalysisParameters(checkpoint_id=checkpoint, count=8, strategy="random", components=3, seed=-5)
    run = small.ended(project, parameters)
    found = told_by(run)
    shares = shares_by_loops(run.id)
    with reading() as session:
        classes = {row.id: row.class_id for row in session.scalars(select(Image))}
        explained = {row.id: classes[row.image_id] for row in session.scalars(select(Explanation))}
    assert set(found) == set(explained.values())
    for class_id, told in found.items():
        mine = [each for each in explained if explained[each] == class_id]
        assert (told.images, told.without_evidence) == (len(mine), 0)
        assert told.outside is not None
        assert told.outside.share.value == pytest.approx(np.mean([shares[each][0] for each in mine]))
        assert 0 < told.outside.share.value <= 0.06  # the support is .95, and the last pixel of each cluster is whole
        for region in told.regions:
            lying = sum(shares[each.explanation_id][number] for each in region.evidence for number in each.numbers)
            assert region.share.value == pytest.approx(lying / len(mine))
            assert region.by_look
        assert sum(region.percent for region in told.regions) + told.outside.percent == 100
        assert {*told.typical, *told.untypical} == set(mine) or len(mine) > 4


def shares_by_loops(run_id: UUID) -> dict[UUID, list[float]]:
    """For each explanation, what share of its positive attribution lies on cluster 0 (none), 1, 2, ..."""
    found = {}
    with reading() as session:
        explanations = session.scalars(select(Explanation).where(Explanation.run_id == run_id)).all()
    for explanation in explanations:
        attribution, assignment = load_array(explanation.attribution), load_assignment(explanation.assignment)
        sums = [0.0] * (int(assignment.max()) + 1)
        for value, number in zip(attribution.ravel().tolist(), assignment.ravel().tolist(), strict=True):
            sums[number] += max(0.0, value)
        found[explanation.id] = [part / sum(sums) for part in sums]
    return found


def explanation_of(attribution: np.ndarray, assignment: np.ndarray, picture: Pillow.Image, **words: str) -> Explanation:
    """Of no database."""
    target = TargetClass(id=uuid4(), position=0, name="ill")
    image = Image(blob=storage().put(png(picture)), class_id=target.id, target_class=target)
    clusters = [
        Cluster(number=number, words=words.get(f"on_{number}", ""), place="middle", x=0.5, y=0.5, spread=0.1, area=0.25)
        for number in range(1, int(assignment.max()) + 1)
    ]
    for cluster in clusters:
        cluster.effect = 0.25
    return Explanation(
        id=uuid4(),
        image=image,
        attribution=store_array(attribution.astype(np.float16)),
        assignment=store_assignment(assignment),
        clusters=clusters,
    )


def halves() -> tuple[np.ndarray, np.ndarray, Pillow.Image]:
    """Evidence 3 to 1 on the left and right half, a row without a cluster, and a picture twice as large: blue, grey."""
    attribution = np.full((SIDE, SIDE), -1.0)
    attribution[:, :4], attribution[:, 4:] = 3, 1
    assignment = np.ones((SIDE, SIDE), np.uint8)
    assignment[:, 4:] = 2
    assignment[0] = 0
    picture = Pillow.new("RGB", (2 * SIDE, 2 * SIDE), (128, 128, 128))
    picture.paste((0, 0, 255), (0, 0, SIDE, 2 * SIDE))
    return attribution, assignment, picture


def test_a_cluster_is_seen_in_the_picture_where_its_evidence_lies(data_folder: object) -> None:
    seen = see(explanation_of(*halves(), on_2="a letter"), sharpening=1)
    left, right = seen.clusters
    assert seen.has_evidence
    assert (left.share, right.share) == pytest.approx((7 / 8 * 0.75, 7 / 8 * 0.25))
    assert left.look.colour == pytest.approx((0, 0, 1))
    assert right.look.colour == pytest.approx((128 / 255,) * 3)
    assert (left.words, right.words, right.effect) == ("", "a letter", 0.25)


def test_the_evidence_is_sharpened_as_the_clusters_were(data_folder: object) -> None:
    left, right = see(explanation_of(*halves()), sharpening=2).clusters
    assert (left.share, right.share) == pytest.approx((7 / 8 * 0.9, 7 / 8 * 0.1))


def test_a_picture_in_which_nothing_speaks_for_the_label_is_counted_apart(data_folder: object) -> None:
    attribution, assignment, picture = halves()
    speaking, silent = (
        explanation_of(attribution, assignment, picture),
        explanation_of(-attribution, assignment, picture),
    )
    silent.image = speaking.image
    seen = [see(speaking, sharpening=1), see(silent, sharpening=1)]
    assert [each.has_evidence for each in seen] == [True, False]
    (told,) = (ClassSummary.model_validate(each) for each in summaries(seen, seed=0).values())
    assert (told.images, told.without_evidence) == (1, 1)
    assert told.typical == (speaking.id,)
    (nothing,) = (ClassSummary.model_validate(each) for each in summaries(seen[1:], seed=0).values())
    assert (nothing.images, nothing.without_evidence, nothing.sentences) == (0, 1, ())
