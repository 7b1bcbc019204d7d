import pytest

from app.db import reading, transaction
from app.models import Answer, Run, VerdictValue
from app.models.figures import Estimate
from app.review.disagreements import disagreements, settle_case
from app.trust.figures import ALONE, NOBODY, NONE_HERE, Trust, blind_cases, trust_in
from tests.factories import Loop, add_critique, add_user, whole_loop
from tests.trusted import judge, read_sample, say
from worker.method import agreement as method

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def loop(database: str) -> Loop:
    with transaction() as session:
        return whole_loop(session)


def trust(loop: Loop) -> Trust:
    with reading() as session:
        return trust_in(session, loop.project, session.get_one(Run, loop.critique.id))


def figures(found: Estimate) -> tuple[float | None, float | None, float | None, int]:
    return found.value, found.low, found.high, found.n


def test_every_figure_is_that_of_the_method(loop: Loop) -> None:
    with transaction() as session:
        read_sample(session, loop.critique, loop.clinician, wrong=5, cant_tell=3)
        other = add_user(session, "bo")
        read_sample(session, loop.critique, other, wrong=5, cant_tell=3)
        cases = blind_cases(session, loop.critique)
    judged = [case.judged.value for case in cases if case.reference]
    truth = [case.reference.value for case in cases if case.reference]
    positive = [[each == "spurious" for each in given] for given in (judged, truth)]
    found = trust(loop).whole
    sensitivity, specificity = method.sensitivity(*positive), method.specificity(*positive)
    kappa = method.cohens_kappa(judged, truth, seed=0)
    for mine, expected in ((found.sensitivity, sensitivity), (found.specificity, specificity), (found.kappa, kappa)):
        assert figures(mine) == pytest.approx((expected.value, expected.low, expected.high, expected.n))
    assert (found.cases, found.readings, found.kappa.n, len(judged)) == (24, 48, 21, 21)
    assert figures(found.cant_tell)[::3] == (6 / 48, 48)


def test_the_classes_add_up_to_the_whole(loop: Loop) -> None:
    with transaction() as session:
        read_sample(session, loop.critique, loop.clinician, wrong=4)
    found = trust(loop)
    assert [each.name for each in found.classes] == ["healthy", "osteoarthritis"]
    assert sum(each.cases for each in found.classes) == found.whole.cases == 24
    assert sum(each.kappa.n for each in found.classes) == found.whole.kappa.n == 24


def test_an_answer_with_the_verdict_in_view_is_no_blind_one(loop: Loop) -> None:
    with transaction() as session:
        first, second, *_ = read_sample(session, loop.critique, loop.clinician, count=20)
    before = trust(loop)
    assert before.whole.cases == 20
    with transaction() as session:
        say(session, loop.critique, loop.clinician, first, Answer.CANT_TELL, blind=False)
    assert trust(loop) == before
    with transaction() as session:
        say(session, loop.critique, loop.clinician, second, Answer.WITHDRAWN)
    assert trust(loop).whole.cases == 19


def test_what_judge_or_reader_leave_open_is_counted_apart(loop: Loop) -> None:
    with transaction() as session:
        cases = read_sample(session, loop.critique, loop.clinician, cant_tell=6)
        for cluster_id in cases[6:9]:
            judge(session, loop.critique, cluster_id, VerdictValue.UNCERTAIN)
    found = trust(loop).whole
    assert (found.cases, found.kappa.n) == (24, 15)
    assert figures(found.uncertain)[::3] == (3 / 24, 24)
    assert figures(found.cant_tell)[::3] == (6 / 24, 24)


def test_readers_who_differ_settle_nothing_and_are_measured_by_themselves(loop: Loop) -> None:
    with transaction() as session:
        read_sample(session, loop.critique, loop.clinician)
        read_sample(session, loop.critique, add_user(session, "bo"), wrong=6)
    found = trust(loop).whole
    assert (found.readers, found.kappa.n) == (2, 18)
    assert figures(found.differ)[::3] == (6 / 24, 24)
    first = [case % 2 for case in range(24)]
    second = [1 - each if place < 6 else each for place, each in enumerate(first)]
    expected = method.cohens_kappa(first, second, seed=0)
    assert figures(found.between) == pytest.approx((expected.value, expected.low, expected.high, 24))


def test_more_than_two_readers_are_measured_by_alpha(loop: Loop) -> None:
    with transaction() as session:
        read_sample(session, loop.critique, loop.clinician)
        read_sample(session, loop.critique, add_user(session, "bo"), wrong=6)
        read_sample(session, loop.critique, add_user(session, "cy"), count=12, cant_tell=3)
        cases = blind_cases(session, loop.critique)
    found = trust(loop).whole
    expected = method.krippendorffs_alpha([list(case.decided.values()) for case in cases], seed=0)
    assert found.readers == 3
    assert figures(found.between) == pytest.approx((expected.value, expected.low, expected.high, expected.n))
    by_all = [list(case.decided.values()) for case in cases if len(case.decided) == 3]
    counts = [[case.count(answer) for answer in ("relevant", "spurious")] for case in by_all]
    of_all = method.fleiss_kappa(counts, seed=0)
    assert found.fleiss is not None
    assert figures(found.fleiss) == (of_all.value, of_all.low, of_all.high, of_all.n)
    assert 0 < found.fleiss.n < 12


def test_two_readers_have_no_fleiss_kappa(loop: Loop) -> None:
    with transaction() as session:
        read_sample(session, loop.critique, loop.clinician)
        read_sample(session, loop.critique, add_user(session, "bo"), wrong=6)
    assert trust(loop).whole.fleiss is None


def test_how_a_difference_is_settled_changes_no_figure(loop: Loop) -> None:
    with transaction() as session:
        read_sample(session, loop.critique, loop.clinician)
        read_sample(session, loop.critique, add_user(session, "bo"), wrong=6)
        judge = add_user(session, "cy")
    before = trust(loop)
    with transaction() as session:
        found, total = disagreements(session, loop.critique, judge, 0, 10)
        assert total == 6
        for each in found:
            settle_case(session, loop.critique, judge, each.cluster.id, Answer.SPURIOUS)
    assert trust(loop) == before


def test_what_is_missing_says_why(loop: Loop) -> None:
    nothing = trust(loop)
    assert (nothing.whole.cases, nothing.whole.kappa.missing, nothing.whole.between.missing) == (0, NOBODY, NOBODY)
    assert nothing.classes[0].sensitivity.missing == NONE_HERE
    with transaction() as session:
        read_sample(session, loop.critique, loop.clinician, count=1)
    one = trust(loop).whole
    assert one.between.missing == ALONE
    assert "chance alone would agree" in one.kappa.missing
    assert one.specificity.missing == "readers called no judged region relevant"


def test_an_answer_outlasts_the_critique_it_was_given_under(loop: Loop) -> None:
    with transaction() as session:
        cases = read_sample(session, loop.critique, loop.clinician)
        later = add_critique(session, loop.project, loop.analysis, loop.specification, loop.explanations)
        for cluster_id in cases:
            judge(session, later, cluster_id, VerdictValue.UNCERTAIN)
    with reading() as session:
        found = trust_in(session, loop.project, session.get_one(Run, later.id)).whole
    assert (found.cases, found.uncertain.value, found.kappa.value) == (24, 1.0, None)
    assert trust(loop).whole.kappa.value == 1.0
