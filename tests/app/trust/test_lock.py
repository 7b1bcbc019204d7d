import pytest
from sqlalchemy import func, select

from app.db import reading, transaction
from app.languages.figures import signed
from app.models import Kind, Project, Role, Run, TrustBar, User
from app.models.figures import Estimate
from app.projects.actions import create_project
from app.runs.actions import start_once, start_run
from app.runs.parameters import AnalysisParameters, RealignmentParameters
from app.trust.actions import AskedBar
from app.trust.figures import Agreement
from app.trust.lock import AFTER_READING, Lock, LockedError, lock_of, lock_under, owns, record_of
from tests.factories import Loop, add_user, whole_loop
from tests.trusted import add_bar, read_sample

pytestmark = pytest.mark.usefixtures("sqlite")


@pytest.fixture
def loop(sqlite: None) -> Loop:
    with transaction() as session:
        return whole_loop(session)


def asked(loop: Loop, override: str = "") -> RealignmentParameters:
    return RealignmentParameters(critique_id=loop.critique.id, override=override)


def start(loop: Loop, user: User | None = None, override: str = "") -> Run:
    with transaction() as session:
        return start_run(session, loop.project.id, asked(loop, override), user.id if user else None)


def realignments() -> int:
    with reading() as session:
        return session.scalar(select(func.count()).select_from(Run).where(Run.kind == Kind.REALIGNMENT)) or 0


def over_all(cases: int, kappa: Estimate) -> Agreement:
    none = Estimate()
    return Agreement("All classes", cases, cases, none, none, kappa, none, none, none, 1, none)


BAR = TrustBar(locks=True, least_kappa=0.4, least_cases=20)


@pytest.mark.parametrize(
    ("cases", "kappa", "words"),
    [
        (0, Estimate(), "At least 20 cases have to be read blind, and nobody has read one yet."),
        (1, Estimate(), "At least 20 cases have to be read blind, and only 1 is."),
        (19, Estimate(value=0.9, low=0.7, high=1.0, n=19), "At least 20 cases have to be read blind, and only 19 are."),
        (20, Estimate(missing="all were called the same"), "can’t be told: all were called the same."),
        (20, Estimate(value=0.39, low=-0.1, high=0.7, n=18), "a kappa of 0.39 (−0.10 to 0.70, n = 18); the bar asks"),
        (20, Estimate(value=0.2, n=18, missing="no interval: x"), "a kappa of 0.20 (no interval: x, n = 18); the bar"),
        (20, Estimate(value=0.4 - 1e-12, low=-0.001, high=0.7, n=18), ""),
    ],
)
def test_the_lock_says_why_and_what_would_unlock_it(cases: int, kappa: Estimate, words: str) -> None:
    lock = lock_under(BAR, over_all(cases, kappa), judged=True)
    assert words in lock.reason
    assert bool(lock.unlock) == bool(words)
    assert lock.is_open == (not words)


def test_a_kappa_without_an_interval_asks_for_more_pictures_not_for_other_words() -> None:
    lock = lock_under(BAR, over_all(24, Estimate(value=0.0, n=24, missing="no interval: x")), judged=True)
    assert "explain more pictures" in lock.unlock
    assert "specification" not in lock.unlock


def test_a_kappa_is_written_with_a_true_minus_sign_and_none_before_zero() -> None:
    assert [signed(each) for each in (-0.004, 0.126, -0.5, None)] == ["0.00", "0.13", "−0.50", "–"]


def test_how_the_judge_does_is_kept_from_who_is_to_read_blind() -> None:
    low = lock_under(BAR, over_all(24, Estimate(value=0.1, n=24)), judged=True)
    assert low.told(blind=True) == Lock("The judge is under the trust bar.", AFTER_READING)
    assert low.told(blind=False) == low
    few = lock_under(BAR, over_all(3, Estimate()), judged=True)
    assert few.told(blind=True) == few


def test_nothing_is_locked_without_a_bar_or_without_a_judge() -> None:
    nothing = over_all(0, Estimate())
    assert lock_under(None, nothing, judged=True).is_open
    assert lock_under(TrustBar(locks=False, least_kappa=1, least_cases=24), nothing, judged=True).is_open
    assert lock_under(BAR, nothing, judged=False).is_open


def test_a_locked_realignment_is_not_started(loop: Loop) -> None:
    with transaction() as session:
        add_bar(session, loop.project)
        read_sample(session, loop.critique, loop.clinician, wrong=12)
    before = realignments()
    with pytest.raises(LockedError, match=r"kappa of 0\.00"):
        start(loop, loop.engineer)
    with pytest.raises(LockedError, match=r"kappa of 0\.00"), transaction() as session:
        start_once(session, loop.project.id, asked(loop), loop.clinician.id)
    assert realignments() == before


def test_a_bar_that_is_met_lets_it_start_and_the_run_says_so(loop: Loop) -> None:
    with transaction() as session:
        add_bar(session, loop.project)
        read_sample(session, loop.critique, loop.clinician, wrong=2)
    record = record_of(start(loop, loop.clinician, override="not needed"))
    assert record is not None
    assert (record.least_kappa, record.least_cases, record.cases, record.kappa.n) == (0.4, 20, 24, 24)
    assert (record.locked, record.override, record.overridden_by) == ("", "", "")


def test_without_a_bar_the_run_says_that_there_was_none(loop: Loop) -> None:
    record = record_of(start(loop))
    assert record is not None
    assert (record.judged, record.least_kappa, record.cases) == (True, None, 0)


def test_an_owner_overrides_with_a_reason_that_stays_with_the_run(loop: Loop) -> None:
    with transaction() as session:
        session.get_one(Project, loop.project.id).created_by_id = loop.engineer.id
        add_bar(session, loop.project)
    with pytest.raises(LockedError, match="nobody has read one yet"):
        start(loop, loop.engineer, override="   ")
    record = record_of(start(loop, loop.engineer, override=" A rehearsal. "))
    assert record is not None
    assert (record.override, record.overridden_by) == ("A rehearsal.", "Grace Engineer")
    assert "nobody has read one yet" in record.locked


def test_nobody_but_an_owner_overrides(loop: Loop) -> None:
    with transaction() as session:
        add_bar(session, loop.project)
    for user in (None, loop.clinician, loop.engineer):
        with pytest.raises(LockedError, match="or an administrator, may start it all the same"):
            start(loop, user, override="I know better.")


def test_administrators_and_who_made_a_project_own_it(loop: Loop) -> None:
    with transaction() as session:
        project = create_project(session, "Mine", "", ["a", "b"], loop.engineer.id)
        admin = add_user(session, "root", Role.ADMIN)
        assert (owns(admin, project), owns(loop.engineer, project), owns(loop.clinician, project)) == (
            True,
            True,
            False,
        )
        assert not owns(loop.engineer, loop.project)


def test_the_newest_bar_counts_and_the_earlier_ones_stay(loop: Loop) -> None:
    with transaction() as session:
        add_bar(session, loop.project)
        assert not lock_of(session, session.get_one(Run, loop.critique.id)).is_open
        add_bar(session, loop.project, locks=False)
        assert lock_of(session, session.get_one(Run, loop.critique.id)).is_open
        assert session.scalar(select(func.count()).select_from(TrustBar)) == 2


def test_other_work_is_never_locked(loop: Loop) -> None:
    with transaction() as session:
        add_bar(session, loop.project)
        run = start_run(session, loop.project.id, AnalysisParameters(checkpoint_id=loop.original.id))
    assert run.result == {}


def test_a_project_may_be_made_with_its_bar(loop: Loop) -> None:
    with transaction() as session:
        project = create_project(session, "Mine", "", ["a", "b"], loop.engineer.id, bar=AskedBar(reason="Usual."))
    with reading() as session:
        bar = session.scalars(select(TrustBar).where(TrustBar.project_id == project.id)).one()
    assert (bar.locks, bar.least_kappa, bar.least_cases, bar.created_by_id) == (True, 0.4, 20, loop.engineer.id)
