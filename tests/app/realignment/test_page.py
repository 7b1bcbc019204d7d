import re
from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.db import reading, transaction
from app.models import (
    Answer,
    Checkpoint,
    Critique,
    Epoch,
    Kind,
    Project,
    Report,
    Review,
    Run,
    State,
    User,
    Verdict,
    VerdictValue,
)
from app.projects.queries import loop_state
from app.realignment.ingredients import ingredients_of
from app.realignment.queries import Outcome, outcomes_of, past_of
from app.runs.actions import cancel_run
from app.runs.parameters import RealignmentParameters
from app.trust.lock import record_of
from tests.app.conftest import Browser
from tests.app.decisions.test_page import guarded
from tests.factories import Loop, add_project, add_run, add_user, read_blind
from tests.trusted import add_bar, overridden, read_sample, say
from worker.benchmarks.own_database import counted

FORM = {
    "worst_group_rises": "15",
    "accuracy_falls_at_most": "1",
    "group_falls_at_most": "4.5",
    "agreement_rises": "7",
    "answers_flip_at_most": "8",
    "owed_at_most": "12",
    "loss": "consistency",
    "epochs": "6",
    "learning_rate": "",
    "strength": "",
    "batch_size": "32",
    "seed": "3",
}


@pytest.fixture
def page(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.clinician)


def address(loop: Loop, rest: str = "") -> str:
    return f"/projects/{loop.project.id}/realign{rest}"


def started() -> list[Run]:
    with reading() as session:
        return list(session.scalars(select(Run).where(Run.kind == Kind.REALIGNMENT, Run.state == State.QUEUED)))


def test_the_bar_is_stored_in_shares_before_the_training_starts(loop: Loop, page: Browser) -> None:
    answer = page.change(
        address(loop), data={**FORM, "critique_id": str(loop.critique.id), "control": "true", "balanced": "true"}
    )
    assert answer.status_code == 303
    (run,) = started()
    parameters = RealignmentParameters.model_validate(run.parameters)
    assert parameters.bar.worst_group_rises == pytest.approx(0.15)
    assert parameters.bar.accuracy_falls_at_most == pytest.approx(0.01)
    assert parameters.bar.group_falls_at_most == pytest.approx(0.045)
    assert parameters.bar.agreement_rises == pytest.approx(0.07)
    assert parameters.bar.answers_flip_at_most == pytest.approx(0.08)
    assert parameters.bar.owed_at_most == pytest.approx(0.12)
    assert (parameters.control, parameters.balanced) == (True, True)
    assert (parameters.strength, parameters.learning_rate) == (None, None)
    assert "Realigning the checkpoint" in page.get(address(loop)).text


def test_a_rise_of_agreement_that_is_left_empty_is_not_asked_for(loop: Loop, page: Browser) -> None:
    page.change(address(loop), data={**FORM, "critique_id": str(loop.critique.id), "agreement_rises": ""})
    assert RealignmentParameters.model_validate(started()[0].parameters).bar.agreement_rises is None


def test_a_switch_that_is_off_is_off(loop: Loop, page: Browser) -> None:
    page.change(
        address(loop), data={**FORM, "critique_id": str(loop.critique.id), "strength": "2.5", "consistency": "0.1"}
    )
    parameters = RealignmentParameters.model_validate(started()[0].parameters)
    assert (parameters.control, parameters.strength, parameters.consistency) == (False, 2.5, 0.1)


@pytest.mark.usefixtures("database")
def test_what_goes_in_is_what_stands_after_review(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        verdicts = session.scalars(
            select(Verdict).join(Critique).where(Critique.run_id == loop.critique.id).order_by(Verdict.id)
        ).all()
        spurious = [verdict for verdict in verdicts if verdict.value is VerdictValue.SPURIOUS]
        relevant = [verdict for verdict in verdicts if verdict.value is VerdictValue.RELEVANT]
        for verdict, answer in ((spurious[0], Answer.RELEVANT), (relevant[0], Answer.CANT_TELL)):
            review = Review(cluster_id=verdict.cluster_id, user_id=loop.clinician.id, run_id=loop.critique.id)
            review.answer, review.blind = answer, False
            session.add(review)
    with reading() as session:
        found = ingredients_of(session, loop.critique)
    assert found.spurious == len(spurious) - 1
    assert found.relevant == len(relevant)
    assert found.by_people == 2
    assert found.clusters == len(verdicts)
    assert f">{len(spurious) - 1}</a>" in page.get(address(loop)).text


def test_the_verdicts_stay_closed_to_a_reader_until_the_blind_reading_is_done(
    loop: Loop, page: Browser, signed_in: Callable[[User], Browser]
) -> None:
    text = page.get(address(loop, "/pictures")).text
    assert "/pictures/explanations/" not in text
    assert "First comes your blind reading" in text
    assert f'href="/projects/{loop.project.id}/review">Go to the review' in text
    assert "/pictures/explanations/" in signed_in(loop.engineer).get(address(loop, "/pictures")).text


@pytest.mark.usefixtures("database")
def test_the_pictures_that_go_in_can_be_looked_at(loop: Loop, signed_in: Callable[[User], Browser]) -> None:
    page = signed_in(loop.engineer)
    text = page.get(address(loop, "/pictures")).text
    with_letter = [
        str(each.id) for each in loop.explanations if any(cluster.words == "letter" for cluster in each.clusters)
    ]
    assert re.findall(r"/pictures/explanations/([^/]*)/overlay", text) == with_letter
    count = f"{len(with_letter)} picture"
    assert count in text
    beyond = page.get(address(loop, "/pictures?page=9")).text
    assert count in beyond
    assert "/overlay" not in beyond


@pytest.mark.usefixtures("database")
def test_a_second_reader_sees_the_pictures_without_what_others_said_until_they_have_answered(
    loop: Loop, signed_in: Callable[[User], Browser]
) -> None:
    """On regions that the judge calls relevant and one other person spurious: all that would show is that answer."""
    with transaction() as session:
        session.get_one(Project, loop.project.id).second_readings = 100
        bo = add_user(session, "bo")
        for reader in (loop.clinician, bo):
            read_blind(session, loop.critique, reader)
        read = set(session.scalars(select(Review.cluster_id)))
        verdicts = session.scalars(select(Verdict).where(Verdict.cluster_id.not_in(read)).order_by(Verdict.id)).all()
        for verdict in verdicts:
            verdict.value = VerdictValue.RELEVANT
        for verdict in verdicts[:2]:
            say(session, loop.critique, bo, verdict.cluster_id, Answer.SPURIOUS, blind=False)
    open_ones = {verdict.cluster_id for verdict in verdicts[:2]}
    pictures = {
        str(each.id): [cluster.number for cluster in each.clusters if cluster.id in open_ones]
        for each in loop.explanations
    }

    def shown(user: User) -> tuple[str, dict[str, list[int]]]:
        text = signed_in(user).get(address(loop, "/pictures")).text
        found = re.findall(r"/pictures/explanations/([^/]*)/overlay.*?<figcaption(.*?)</figcaption>", text, re.DOTALL)
        return text, {name: [int(each) for each in re.findall(r"cluster-(\d)", said)] for name, said in found}

    def counted(user: User) -> tuple[int, bool]:
        text = signed_in(user).get(address(loop)).text
        count = re.search(r'realign/pictures">(\d+)</a>', text)
        assert count is not None
        return int(count[1]), "2 regions wait for your second reading" in text

    text, seen = shown(loop.clinician)
    assert "2 regions wait for your second reading" in text
    everything = counted(bo)[0]
    assert counted(loop.clinician) == (everything - 2, True)
    for name, numbers in pictures.items():
        assert not set(numbers) & set(seen.get(name, []))
    for whoever in (bo, loop.engineer):
        text, seen = shown(whoever)
        assert counted(whoever) == (everything, False)
        assert "second reading" not in text
        assert all(set(numbers) <= set(seen.get(name, [])) for name, numbers in pictures.items())
    with transaction() as session:
        for cluster_id in open_ones:
            say(session, loop.critique, loop.clinician, cluster_id, Answer.SPURIOUS, blind=False)
    text, seen = shown(loop.clinician)
    assert "second reading" not in text
    assert counted(loop.clinician) == (everything, False)
    assert all(set(numbers) <= set(seen.get(name, [])) for name, numbers in pictures.items())


def test_nothing_spurious_means_nothing_to_correct(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        for verdict in session.scalars(select(Verdict)):
            verdict.value = VerdictValue.RELEVANT
    assert "there is nothing to correct" in page.get(address(loop)).text
    answer = page.change(address(loop), data={**FORM, "critique_id": str(loop.critique.id)})
    assert answer.status_code == 409
    assert started() == []


def test_what_is_asked_twice_is_started_once(loop: Loop, page: Browser) -> None:
    asked = {**FORM, "critique_id": str(loop.critique.id)}
    for _ in range(2):
        assert page.change(address(loop), data=asked).status_code == 303
    assert len(started()) == 1
    page.change(address(loop), data={**asked, "seed": "4"})
    assert len(started()) == 2
    with transaction() as session:
        for run in started():
            cancel_run(session, session.get_one(Run, run.id))
    page.change(address(loop), data=asked)
    assert len(started()) == 1


def test_a_critique_of_another_project_is_refused(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        other = add_run(session, add_project(session, "Other"), _critique_parameters(loop), Kind.CRITIQUE)
    answer = page.change(address(loop), data={**FORM, "critique_id": str(other.id)})
    assert answer.status_code == 404
    assert started() == []


def test_a_critique_that_is_under_way_is_refused(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        session.get_one(Run, loop.critique.id).state = State.RUNNING
    answer = page.change(address(loop), data={**FORM, "critique_id": str(loop.critique.id)})
    assert answer.status_code == 404
    assert started() == []


def _critique_parameters(loop: Loop) -> RealignmentParameters:
    return RealignmentParameters(critique_id=loop.critique.id)


def test_a_training_under_way_shows_its_curves(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        run = add_run(
            session,
            loop.project,
            RealignmentParameters(critique_id=loop.critique.id),
            Kind.REALIGNMENT,
            state=State.RUNNING,
        )
        for number, loss in enumerate((1.2, 0.7), start=1):
            session.add(Epoch(run_id=run.id, number=number, figures={"loss": loss, "validation_accuracy": 0.8}))
    text = page.get(address(loop)).text
    assert "Loss: 1.2 after epoch 1, 0.7 after epoch 2." in text
    assert "Write down the bar" not in text


def outcome(loop: Loop) -> Outcome:
    with reading() as session:
        (found,) = outcomes_of(session, past_of(session, loop.project), loop_state(session, loop.project).made)
    return found


@pytest.mark.usefixtures("database")
def test_a_finished_realignment_shows_what_it_gave(loop: Loop, page: Browser) -> None:
    found = outcome(loop)
    assert found.checkpoint.id == loop.realigned.id
    assert [line.met for line in found.lines] == [True, True, True, True]
    text = re.sub(r"\s+", " ", page.get(address(loop)).text)
    assert "n = 392" in text
    assert f"checkpoint={loop.realigned.id}" in text


def test_how_long_it_takes_is_told_by_the_last_time_however_its_epochs_were_written(loop: Loop, page: Browser) -> None:
    assert "How long it takes shows after the first epoch." in plain(page.get(address(loop)).text)
    with transaction() as session:
        for epoch in session.scalars(select(Epoch).where(Epoch.run_id == loop.realignment.id)):
            epoch.figures = {**epoch.figures, "seconds": 9 + 6 * (epoch.number % 2)}
    told = plain(page.get(address(loop)).text).replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert "About 4 min for 10 epochs with the comparison, as the last time." in told


def test_a_line_that_is_not_known_is_not_told_as_missed(loop: Loop, page: Browser) -> None:
    met = '<span class="badge met"><span aria-hidden="true">✓</span> met'
    assert met in page.get(address(loop)).text
    guarded(loop)
    assert met in page.get(address(loop)).text
    guarded(loop, missed=["accuracy"])
    text = page.get(address(loop)).text
    assert met not in text
    assert '<span class="badge unmet"><span aria-hidden="true">✕</span> not met while it was trained' in text
    guarded(loop)
    with transaction() as session:
        for report in session.scalars(select(Report)):
            groups = [{**each, "name": each["class_name"], "attributes": {}} for each in report.figures["groups"][::2]]
            report.figures = {**report.figures, "groups": groups}
    text = page.get(address(loop)).text
    assert '<span class="badge uncertain"><span aria-hidden="true">?</span> 3 of 4 met, the rest not known' in text
    with transaction() as session:
        run = session.get_one(Run, loop.realignment.id)
        run.parameters = {**run.parameters, "bar": {**run.parameters["bar"], "answers_flip_at_most": 0.01}}
    assert '<span class="badge unmet"><span aria-hidden="true">✕</span> 2 of 4 met' in page.get(address(loop)).text


def test_without_an_lvlm_no_judge_is_spoken_of(loop: Loop, page: Browser) -> None:
    judge = ("The others follow the judge.", "How far the judge can be trusted", "otherwise than the judge")
    text = page.get(address(loop)).text
    for words in judge:
        assert words in text
    with transaction() as session:
        session.get_one(Run, loop.critique.id).result = {"lvlm": "none"}
        add_bar(session, loop.project)
    text = page.get(address(loop)).text
    for words in judge:
        assert words not in text
    assert "No LVLM judges here: the others stay out." in text
    trust = plain(page.get(f"/projects/{loop.project.id}/trust").text)
    assert "nothing is locked" in trust
    assert "Realignment waits for nothing: no LVLM judges here." in trust
    assert "Realignment waits until" not in trust


@pytest.mark.usefixtures("database")
def test_where_classes_were_balanced_that_is_told(loop: Loop, page: Browser) -> None:
    words = "same answer without the spurious regions, every class equally often"
    for where in ("realign", "compare"):
        assert words not in page.get(f"/projects/{loop.project.id}/{where}").text
    with transaction() as session:
        run = session.get_one(Run, loop.realignment.id)
        run.parameters = {**run.parameters, "balanced": True}
    for where in ("realign", "compare"):
        assert words in page.get(f"/projects/{loop.project.id}/{where}").text


@pytest.mark.parametrize(("trained", "ticked"), [({"balanced": True}, True), ({"balanced": False}, False), ({}, False)])
def test_a_checkpoint_of_balanced_classes_is_realigned_so_unless_told_otherwise(
    loop: Loop, page: Browser, trained: dict[str, bool], ticked: bool
) -> None:
    box, warned = 'name="balanced" value="true" checked', "This checkpoint was not trained so, as far as is known"
    before = page.get(address(loop)).text  # it was brought along
    assert box not in before
    assert warned in before
    with transaction() as session:
        run = Run(project_id=loop.project.id, kind=Kind.TRAINING, state=State.SUCCEEDED, parameters=trained)
        session.add(run)
        session.flush()
        session.get_one(Checkpoint, loop.original.id).run_id = run.id
    after = page.get(address(loop)).text
    assert ((box in after), (warned in after)) == (ticked, not ticked)


def test_before_the_review_the_page_leads_there(stored: None, signed_in: Callable[[User], Browser]) -> None:
    with transaction() as session:
        user = add_user(session)
        project = add_project(session)
    assert "Go to the review" in signed_in(user).get(f"/projects/{project.id}/realign").text


def test_the_page_takes_at_most_twelve_statements(loop: Loop, page: Browser) -> None:
    with counted() as statements:
        assert page.get(address(loop)).status_code == 200
    assert len(statements) <= 12, "\n".join(statements)


@pytest.mark.usefixtures("database")
def test_a_locked_realignment_says_why_and_is_not_started(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        add_bar(session, loop.project)
        read_sample(session, loop.critique, loop.clinician, wrong=9)
    text = plain(page.get(address(loop)).text)
    assert "Realignment is locked under the trust bar." in text
    assert "The judge agrees with blind readers to a kappa of 0.25" in text
    assert "Say more clearly in the specification" in text
    assert "Write down the bar and realign" not in text
    assert "Why it is to be realigned all the same" not in text
    for override in ("", "I know better."):
        asked = {**FORM, "critique_id": str(loop.critique.id), "override": override}
        answer = page.change(address(loop), data=asked)
        assert answer.status_code == 409
        assert "Nothing was started." in answer.text
    assert started() == []


def test_an_owner_overrides_the_bar_with_a_reason(loop: Loop, signed_in: Callable[[User], Browser]) -> None:
    with transaction() as session:
        session.get_one(Project, loop.project.id).created_by_id = loop.engineer.id
        add_bar(session, loop.project)
    owner = signed_in(loop.engineer)
    assert "Override the trust bar and realign" in owner.get(address(loop)).text
    asked = {**FORM, "critique_id": str(loop.critique.id)}
    assert owner.change(address(loop), data=asked).status_code == 409
    assert owner.change(address(loop), data={**asked, "override": " A rehearsal. "}).status_code == 303
    (run,) = started()
    record = record_of(run)
    assert record is not None
    assert (run.parameters["override"], record.override, record.overridden_by) == (
        "A rehearsal.",
        "A rehearsal.",
        "Grace Engineer",
    )


def test_what_was_started_under_the_bar_says_so(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        session.get_one(Run, loop.realignment.id).result = {"trust": overridden().model_dump(mode="json")}
    assert "Under the trust bar, by Grace Engineer: “A rehearsal.”" in plain(page.get(address(loop)).text)


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", text))
