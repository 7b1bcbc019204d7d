"""A consensus through its real stages, on drawn pictures with letters in their corners."""

from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import func, select

from app.db import reading, transaction
from app.models import AgreedVerdict, Answer, Cluster, Run, Source, Stage, VerdictValue, consensus_record
from app.review.disagreements import settle_case, take_settlement_back
from app.review.standing import standings
from tests import factories
from tests.trusted import say
from tests.worker.tasks.judged import (
    Case,
    agree,
    clusters_called,
    judge_says,
    judged,
    people_say,
    rows_of,
    standing,
    verdicts_of,
)
from worker.method.cluster_features import FEATURES
from worker.tasks import characterise
from worker.tasks.inputs import load_array
from worker.tasks.material import called
from worker.vision.activations import imagenet_network

pytestmark = pytest.mark.usefixtures("sqlite")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the describing network, which takes most of the time; one test has it."""
    monkeypatch.setattr(characterise, "describing_network", lambda: None)


@pytest.fixture
def case() -> Case:
    return judged()


def images_of(ids: list[UUID]) -> dict[UUID, UUID]:
    with reading() as session:
        return dict(session.execute(select(Cluster.id, Cluster.explanation_id).where(Cluster.id.in_(ids))).all())


def test_an_error_that_stands_alone_is_overruled_and_the_nearest_clusters_say_why(case: Case) -> None:
    letters = clusters_called("letter")
    judge_says(letters[:1], VerdictValue.RELEVANT, 0.1)
    row = rows_of(agree(case))[letters[0]]
    assert (row.value, row.source, row.overruled) == (VerdictValue.SPURIOUS, Source.PROBE, True)
    assert row.p_spurious > 0.9
    nearest = [UUID(each) for each in row.nearest]
    assert len(set(nearest)) == 5
    assert len(set(nearest) & set(letters)) >= 4
    images = images_of([*nearest, letters[0]])
    assert images[letters[0]] not in {images[each] for each in nearest}


def test_the_judges_verdicts_stay_as_they_were(case: Case) -> None:
    judge_says(clusters_called("letter")[:2], VerdictValue.RELEVANT, 0.1)
    before = {key: (each.value, each.p_spurious) for key, each in verdicts_of(case).items()}
    rows = rows_of(agree(case))
    assert {key: (each.value, each.p_spurious) for key, each in verdicts_of(case).items()} == before
    assert set(rows) == set(before)


def test_what_the_judge_left_uncertain_follows_the_clusters_like_it(case: Case) -> None:
    without_words = clusters_called("")
    run = agree(case)
    rows = rows_of(run)
    settled = [rows[each].value for each in without_words]
    assert settled.count(VerdictValue.UNCERTAIN) < len(settled) / 2
    assert not any(rows[each].overruled for each in without_words)
    assert run.result["difference"]["differ"] == sum(row.overruled for row in rows.values())


def test_a_few_reviews_set_right_what_the_judge_gets_wrong_everywhere(case: Case) -> None:
    letters, joints = clusters_called("letter"), clusters_called("joint space")
    judge_says(letters, VerdictValue.RELEVANT, 0.1)
    judge_says(clusters_called(""), VerdictValue.SPURIOUS, 0.9)
    before = rows_of(agree(case))
    assert all(before[each].value is VerdictValue.RELEVANT for each in letters)
    said = dict.fromkeys(letters[:5], Answer.SPURIOUS) | dict.fromkeys(joints[:5], Answer.RELEVANT)
    people_say(case, said)
    run = agree(case)
    rows, unseen = rows_of(run), letters[5:]
    right = [each for each in unseen if rows[each].value is VerdictValue.SPURIOUS]
    assert len(right) > 0.8 * len(unseen)
    assert all(rows[each].overruled and rows[each].source is Source.PROBE for each in right)
    reasons = {rows[each].reason_id for each in right} - {None}
    assert reasons
    assert reasons <= set(letters[:5])
    assert {rows[each].source for each in said} == {Source.REVIEW}
    assert all(rows[each].p_spurious == (answer is Answer.SPURIOUS) for each, answer in said.items())
    kinds = run.result["kinds"]
    assert kinds[0]["name"].startswith("letter")
    assert sum(kind["differ"] for kind in kinds) == run.result["difference"]["differ"] > 10
    in_letters = sum(kind["differ"] for kind in kinds if kind["name"].startswith("letter"))
    assert in_letters > 0.5 * run.result["difference"]["differ"]
    assert kinds[0]["reviewed"] == sum(rows[each].kind == kinds[0]["kind"] for each in said)
    assert sum(kind["clusters"] for kind in kinds) == run.result["difference"]["clusters"] == len(rows)


def test_people_who_can_not_tell_or_differ_stay_uncertain_and_are_not_asked_again(case: Case) -> None:
    letters = clusters_called("letter")
    people_say(case, {letters[0]: Answer.CANT_TELL})
    row = rows_of(agree(case))[letters[0]]
    assert (row.value, row.source, row.overruled) == (VerdictValue.UNCERTAIN, Source.REVIEW, False)
    assert row.place == len(verdicts_of(case))


def test_where_readers_differ_an_adjudicators_word_goes_into_consensus_and_training(case: Case) -> None:
    letter = clusters_called("letter")[0]
    with transaction() as session:
        second, third = (factories.add_user(session, name) for name in ("second", "third"))
        say(session, case.critique, case.reader, letter, Answer.SPURIOUS, blind=False)
        say(session, case.critique, second, letter, Answer.RELEVANT, blind=False)
    row = rows_of(agree(case))[letter]
    assert (row.value, row.source) == (VerdictValue.UNCERTAIN, Source.REVIEW)
    with transaction() as session:
        settle_case(session, case.critique, third, letter, Answer.RELEVANT)
    row = rows_of(agree(case))[letter]
    assert (row.value, row.p_spurious, row.source) == (VerdictValue.RELEVANT, 0, Source.REVIEW)
    with reading() as session:
        cluster = session.get_one(Cluster, letter)
        assert (
            cluster.number
            not in called(standings(session, case.critique.id), VerdictValue.SPURIOUS)[cluster.explanation_id]
        )
    with transaction() as session:
        take_settlement_back(session, case.critique, third)
        settle_case(session, case.critique, third, letter, Answer.SPURIOUS)
    with reading() as session:
        assert (
            cluster.number
            in called(standings(session, case.critique.id), VerdictValue.SPURIOUS)[cluster.explanation_id]
        )


def test_the_order_of_review_has_every_place_once_and_none_that_is_answered(case: Case) -> None:
    first = {row.place: key for key, row in rows_of(agree(case)).items()}
    assert sorted(first) == list(range(1, len(verdicts_of(case)) + 1))
    people_say(case, {first[1]: Answer.RELEVANT, first[2]: Answer.CANT_TELL})
    second = {key: row.place for key, row in rows_of(agree(case)).items()}
    assert {second[first[1]], second[first[2]]} == {len(second) - 1, len(second)}


def test_after_the_first_places_comes_what_is_uncertain_then_doubt_times_influence(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.tasks.agree.ORDERED", 3)
    rows, verdicts = rows_of(agree(case)), verdicts_of(case)
    with reading() as session:
        influence = {each.id: each.share + abs(each.effect) for each in session.scalars(select(Cluster))}

    def key(cluster_id: UUID) -> tuple[bool, float]:
        doubt = 1 - abs(2 * verdicts[cluster_id].p_spurious - 1)
        return rows[cluster_id].value is not VerdictValue.UNCERTAIN, -doubt * influence[cluster_id]

    in_order = sorted(rows, key=lambda each: rows[each].place)
    assert in_order[3:] == sorted(in_order[3:], key=key)
    assert len({rows[each].value for each in in_order[3:]}) > 1


def test_every_consensus_adds_its_rows_and_the_newest_one_stands(case: Case) -> None:
    letters = clusters_called("letter")
    first = agree(case)
    judge_says(letters, VerdictValue.RELEVANT, 0.1)
    second = agree(case)
    assert len(rows_of(first)) == len(rows_of(second)) == len(verdicts_of(case))
    assert rows_of(first)[letters[0]].value is VerdictValue.SPURIOUS
    assert standing(case)[letters[0]].value is VerdictValue.RELEVANT


def test_what_clusters_look_like_is_computed_once_for_an_analysis(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(characterise, "SHARD", 7)
    first = agree(case)
    assert len(first.result["looks"]) == 4
    monkeypatch.setattr(characterise, "looks", None)
    second = agree(case)
    assert second.result["looks"] == first.result["looks"]
    assert {key: row.p_spurious for key, row in rows_of(second).items()} == {
        key: row.p_spurious for key, row in rows_of(first).items()
    }


def test_looks_are_those_of_the_clusters_in_the_order_of_the_images(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(characterise, "SHARD", 10)
    looks = np.concatenate([load_array(blob) for blob in agree(case).result["looks"]])
    with reading() as session:
        explanations = session.scalars(
            select(Cluster).join(Cluster.explanation).order_by("position", Cluster.number)
        ).all()
    for name, known in (("x", [each.x for each in explanations]), ("y", [each.y for each in explanations])):
        assert np.abs(looks[:, FEATURES.index(name)] - known).mean() < 0.03


def test_workers_without_the_describing_network_may_share_the_work(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(characterise, "SHARD", 12)
    networks = iter([imagenet_network(), None])
    monkeypatch.setattr(characterise, "PORTION", 12)
    monkeypatch.setattr(characterise, "describing_network", lambda: next(networks))
    run = agree(case)
    widths = {load_array(blob).shape[1] for blob in run.result["looks"]}
    assert min(widths) == len(FEATURES)
    assert len(widths) == 2
    assert len(rows_of(run)) == len(verdicts_of(case))


def test_without_an_lvlm_people_are_heard_alone_and_the_result_says_so(case: Case) -> None:
    judge_says(list(verdicts_of(case)), VerdictValue.UNCERTAIN, 0.5, text="")
    run = agree(case)
    assert {row.value for row in rows_of(run).values()} == {VerdictValue.UNCERTAIN}
    assert {row.source for row in rows_of(run).values()} == {Source.JUDGE}
    assert run.result["needed"] == consensus_record.TOO_FEW
    letters, joints = clusters_called("letter"), clusters_called("joint space")
    people_say(case, dict.fromkeys(letters[:5], Answer.SPURIOUS) | dict.fromkeys(joints[:6], Answer.RELEVANT))
    run = agree(case)
    rows = rows_of(run)
    assert (run.result["fell_back"], run.result["needed"]) == (consensus_record.UNJUDGED, "")
    found = [rows[each].value for each in letters[5:]]
    assert found.count(VerdictValue.SPURIOUS) > 0.7 * len(found)
    assert {rows[each].source for each in letters[5:]} == {Source.PROBE}


def test_a_judge_of_one_word_is_left_alone_and_the_result_says_why(case: Case) -> None:
    judge_says(list(verdicts_of(case)), VerdictValue.SPURIOUS, 0.9)
    run = agree(case)
    rows = rows_of(run).values()
    assert {(row.value, row.p_spurious, row.source) for row in rows} == {(VerdictValue.SPURIOUS, 0.9, Source.JUDGE)}
    assert (run.result["fell_back"], run.result["needed"]) == (consensus_record.ONE_VERDICT, consensus_record.TOO_FEW)
    assert any(row.place == 1 for row in rows)


def test_too_few_pictures_are_not_compared() -> None:
    few = judged(per_class=4)
    judge_says(clusters_called("letter")[:1], VerdictValue.RELEVANT, 0.1)
    run = agree(few)
    assert (run.result["fell_back"], run.result["needed"]) == (consensus_record.FEW_IMAGES, "")
    assert not any(row.overruled for row in rows_of(run).values())
    assert {row.source for row in rows_of(run).values()} == {Source.JUDGE}


def test_an_analysis_without_any_cluster_has_a_consensus_of_nothing(case: Case) -> None:
    with transaction() as session:
        for cluster in session.scalars(select(Cluster)):
            session.delete(cluster)
    run = agree(case)
    assert run.stage is Stage.AGREE
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(AgreedVerdict)) == 0


def test_a_project_of_many_clusters_is_compared_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    many = judged(per_class=24)
    total = len(verdicts_of(many))
    monkeypatch.setattr("worker.tasks.agree.MOST", total // 2 + 1)
    letters = clusters_called("letter")
    judge_says(letters[:1], VerdictValue.RELEVANT, 0.1)
    rows = rows_of(agree(many))
    assert len(rows) == total
    assert rows[letters[0]].value is VerdictValue.SPURIOUS


def test_the_thresholds_are_the_critiques(case: Case) -> None:
    with transaction() as session:
        critique = session.get_one(Run, case.critique.id)
        critique.parameters = {**critique.parameters, "uncertain_from": 0.0, "uncertain_to": 1.0}
    rows = rows_of(agree(case)).values()
    assert {row.value for row in rows} == {VerdictValue.UNCERTAIN}
    assert not any(row.overruled for row in rows)
