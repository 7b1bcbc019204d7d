import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, select

from app.accounts.attempts import attempts
from app.db import reading, transaction
from app.decisions.queries import compare, paired
from app.models import Checkpoint, Decision, Kind, Origin, Prediction, Report, Run, Split, User
from app.models.guard_record import KEY
from app.runs.parameters import EvaluationParameters
from app.storage import storage
from tests.app.conftest import Browser
from tests.drawn import tiny_safetensors
from tests.factories import PASSWORD, Loop, add_project, add_run, add_user
from tests.measured import AFTER, BEFORE, add_report, estimate, figures, guard_record
from tests.trusted import overridden
from worker.benchmarks.own_database import counted


@pytest.fixture
def page(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.clinician)


def address(loop: Loop, rest: str = "") -> str:
    return f"/projects/{loop.project.id}/compare{rest}"


def shown(page: Browser, loop: Loop) -> dict[str, str]:
    """The reports that the page's form names."""
    return dict(re.findall(r'name="(\w+_report_id)" value="([^"]*)"', page.get(address(loop)).text))


def sign(loop: Loop, page: Browser, decision: str = "approve", **changed: str) -> int:
    form = {
        "decision": decision,
        "reason": "The worst group rose.",
        "password": PASSWORD,
        **shown(page, loop),
        **changed,
    }
    return page.change(address(loop, f"/{loop.realigned.id}/decision"), data=form).status_code


def decisions() -> list[Decision]:
    with reading() as session:
        return list(session.scalars(select(Decision).order_by(Decision.created_at)))


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))


@pytest.mark.usefixtures("database")
def test_the_bar_stands_line_by_line_with_what_came_of_it(loop: Loop, page: Browser) -> None:
    text = plain(page.get(address(loop)).text)
    assert re.search(r"The worst group rises by at least 5 points [^✓✕]+n = 98\) \+32\.0 ✓ met", text)
    assert re.search(r"No group falls by more than 5 points healthy, letter absent [^✓✕]+n = 98\) −4\.0 ✓ met", text)


def test_what_an_added_region_only_hides_stands_apart(loop: Loop, page: Browser) -> None:
    text = plain(page.get(address(loop)).text)
    rows = re.findall(r"(taken away|added|filled in from around it|moved to another class) regions[^%]*?(\d+)", text)
    assert rows == [
        ("taken away", "40"),
        ("added", "32"),
        ("filled in from around it", "4"),
        ("moved to another class", "44"),
    ]
    assert "Answers that change when its place is only filled in change because of that" in text


def test_groups_that_lost_are_named(loop: Loop, page: Browser) -> None:
    text = plain(page.get(address(loop)).text)
    assert "2 groups lost: healthy, letter absent −4.0; osteoarthritis, letter present −4.0." in text


@pytest.mark.usefixtures("database")
def test_newly_wrong_pictures_come_first(loop: Loop, page: Browser) -> None:
    text = page.get(address(loop)).text
    shown = re.findall(r"newly wrong</span>|newly right</span>|unchanged", text)
    order = [re.sub(r"</span>", "", each) for each in shown]
    assert order == sorted(order, key=["newly wrong", "newly right", "unchanged"].index)
    assert order[0] == "newly wrong"


def test_pairs_are_counted_on_the_same_images(loop: Loop) -> None:
    with reading() as session:
        found, pairs = paired(session, compare(session, loop.realigned), limit=4)
        run = loop.realignment.id
        rows = {
            checkpoint: dict(
                session.execute(
                    select(Prediction.image_id, Prediction.correct).where(
                        Prediction.run_id == run, Prediction.checkpoint_id == checkpoint
                    )
                ).all()  # type: ignore[arg-type]
            )
            for checkpoint in (loop.original.id, loop.realigned.id)
        }
    before, after = rows[loop.original.id], rows[loop.realigned.id]
    assert found is not None
    assert found.newly_wrong == sum(before[image] and not after[image] for image in before)
    assert found.newly_right == sum(after[image] and not before[image] for image in before)
    assert found.n == len(before)
    assert len(pairs) == 4


def test_the_rise_is_set_against_the_training_without_correction(loop: Loop, page: Browser) -> None:
    after = "The worst group after the same training without correction:"
    text = plain(page.get(address(loop)).text)
    assert f"{after} 52 % (42–62, n = 98); with it: 79 % (71–87, n = 98)." in text
    with transaction() as session:
        session.execute(delete(Report).where(Report.checkpoint_id == loop.control.id))
    text = plain(page.get(address(loop)).text)
    assert after not in text
    assert "The training without correction was not measured." in text


def test_figures_on_validation_pictures_are_told_to_flatter(loop: Loop, page: Browser) -> None:
    assert "Test: 392 pictures it has never learnt from." in plain(page.get(address(loop)).text)
    with transaction() as session:
        for report in session.scalars(select(Report)):
            report.split = Split.VALIDATION
    text = plain(page.get(address(loop)).text)
    assert "Validation: 392 pictures that it was not trained on. By such pictures its epoch is chosen" in text
    assert "never learnt from" not in text


def test_a_decision_on_earlier_figures_says_so(loop: Loop, page: Browser) -> None:
    sign(loop, page)
    told = "Signed on earlier figures: the checkpoints were measured again since."
    card = f"/projects/{loop.project.id}/checkpoints/{loop.realigned.id}/card"
    assert told not in page.get(address(loop)).text
    assert told not in page.get(card).text
    with transaction() as session:
        run = add_run(
            session,
            loop.project,
            EvaluationParameters(checkpoint_ids=(loop.original.id, loop.realigned.id)),
            Kind.EVALUATION,
        )
        for checkpoint in (loop.original, loop.realigned):
            add_report(session, run, checkpoint, Split.TEST, figures(loop.project, BEFORE))
    assert told in page.get(address(loop)).text
    assert told in page.get(card).text
    assert told in page.get(card.removesuffix("card") + "report").text


def test_what_could_not_be_measured_while_it_was_trained_says_why(loop: Loop, page: Browser) -> None:
    none_held_out, no_validation = "Too few pictures have a spurious region", "The data set has no validation images."
    agreement, accuracy = {"missing": f"{none_held_out} to hold one out."}, {"missing": no_validation}
    told = {"agreement_before": agreement, "agreement": agreement, "accuracy_before": accuracy, "accuracy": accuracy}
    guarded(loop, held_out=0, **told)
    text = plain(page.get(address(loop)).text)
    assert text.count(none_held_out) == text.count(no_validation) == 1
    assert "0 pictures held out" not in text


def test_a_signature_needs_the_password_again(loop: Loop, page: Browser) -> None:
    attempts.failures.clear()
    assert sign(loop, page, password="not mine") == 422
    assert sign(loop, page, reason="  ") == 422
    assert decisions() == []
    assert sign(loop, page) == 303
    (decision,) = decisions()
    assert decision.approved
    assert decision.signed_name == "Dr. Ada Reader"
    assert decision.meaning.startswith("I have compared")
    assert decision.checkpoint_id == loop.realigned.id


def test_a_refused_signature_keeps_what_was_written(loop: Loop, page: Browser) -> None:
    form = {"decision": "reject", "reason": "Too few pictures.", "password": "not mine", **shown(page, loop)}
    text = page.change(address(loop, f"/{loop.realigned.id}/decision"), data=form).text
    assert "That is not your password. Nothing was signed." in text
    assert "Too few pictures.</textarea>" in text
    assert re.search(r'value="reject" required checked', text)
    attempts.failures.clear()


def test_guessing_passwords_at_the_signature_is_stopped(loop: Loop, page: Browser) -> None:
    attempts.failures.clear()
    for _ in range(10):
        sign(loop, page, password="a guess")
    assert sign(loop, page) == 422
    assert decisions() == []
    attempts.failures.clear()


@pytest.mark.usefixtures("database")
def test_a_decision_names_the_reports_that_were_shown(loop: Loop, page: Browser) -> None:
    sign(loop, page)
    (decision,) = decisions()
    with reading() as session:
        before = session.get_one(Report, decision.before_report_id)
        after = session.get_one(Report, decision.after_report_id)
    assert (before.checkpoint_id, after.checkpoint_id) == (loop.original.id, loop.realigned.id)
    assert before.run_id == after.run_id == loop.realignment.id


def test_figures_that_changed_since_the_page_was_opened_are_not_signed(loop: Loop, page: Browser) -> None:
    seen = shown(page, loop)
    with transaction() as session:
        evaluation = EvaluationParameters(checkpoint_ids=(loop.original.id, loop.realigned.id))
        run = add_run(session, loop.project, evaluation, Kind.EVALUATION)
        for checkpoint in (loop.original, loop.realigned):
            add_report(session, run, checkpoint, Split.TEST, figures(loop.project, BEFORE))
    form = {"decision": "approve", "reason": "It rose.", "password": PASSWORD, **seen}
    answer = page.change(address(loop, f"/{loop.realigned.id}/decision"), data=form)
    assert answer.status_code == 409
    assert "measured again since. Look at the new figures, then sign. Nothing was signed." in answer.text
    assert "It rose.</textarea>" in answer.text
    assert decisions() == []
    assert sign(loop, page, "reject") == 303


def under_the_bar(loop: Loop) -> None:
    """The bar that was written down asks for more than there is."""
    with transaction() as session:
        run = session.get_one(Run, loop.realignment.id)
        bar = {**run.parameters["bar"], "worst_group_rises": 0.5}
        run.parameters = {**run.parameters, "bar": bar}


def test_what_fails_the_bar_is_not_offered_for_approval_and_may_be_rejected(loop: Loop, page: Browser) -> None:
    under_the_bar(loop)
    text = page.get(address(loop)).text
    assert "this checkpoint can’t be approved" in text
    assert 'value="approve"' not in text
    assert sign(loop, page) == 409
    assert decisions() == []
    assert sign(loop, page, "reject") == 303
    assert [decision.approved for decision in decisions()] == [False]


def test_which_epoch_was_delivered_and_why_stands_on_the_page(loop: Loop, page: Browser) -> None:
    told = "After epoch 6 of 7: of the epochs that met the bar while it was trained"
    assert told not in plain(page.get(address(loop)).text)
    guarded(loop)
    text = plain(page.get(address(loop)).text)
    assert told in text
    assert "most right answers. Of 8 epochs the rest was spared: nothing more was gained. Right answers on" in text
    assert "on 40 pictures held out of the correction: 60 % (45–75, n = 40) → 95 % (88–100, n = 40)." in text
    guarded(loop, missed=["accuracy", "agreement"])
    text = plain(page.get(address(loop)).text)
    assert "none met the bar while it was trained, and this one does least harm." in text
    assert "Missed: right answers, answers with and without the spurious regions." in text
    assert "this checkpoint can’t be approved" in text
    assert sign(loop, page) == 409
    assert decisions() == []
    assert sign(loop, page, "reject") == 303


def test_more_owed_than_the_bar_lets_go_is_told(loop: Loop, page: Browser) -> None:
    told = "So many are owed where the shortcut is strong, and where the regions are what the model rightly goes by:"
    guarded(loop, owed=estimate(0.45, 200))
    assert told not in plain(page.get(address(loop)).text)  # the bar is from before this was asked
    with transaction() as session:
        run = session.get_one(Run, loop.realignment.id)
        run.parameters = {**run.parameters, "bar": {**run.parameters["bar"], "owed_at_most": 0.2}}
    assert f"{told} look at them once more. No more than 20 points of them may go. Same answers" in plain(
        page.get(address(loop)).text
    )
    guarded(loop, owed=estimate(0.22, 200))
    assert told not in plain(page.get(address(loop)).text)


def test_what_a_parent_is_measured_anew_with_changes_nothing_beside_an_older_child(loop: Loop, page: Browser) -> None:
    seen, text = shown(page, loop), plain(page.get(address(loop)).text)
    with transaction() as session:
        again = add_run(
            session, loop.project, EvaluationParameters(checkpoint_ids=(loop.original.id,)), Kind.EVALUATION
        )
        add_report(session, again, loop.original, Split.TEST, figures(loop.project, AFTER, n=20))
        old = add_run(session, loop.project, EvaluationParameters(checkpoint_ids=(loop.realigned.id,)), Kind.EVALUATION)
        add_report(session, old, loop.realigned, Split.TEST, figures(loop.project, BEFORE, n=20))
    assert shown(page, loop) == seen
    assert plain(page.get(address(loop)).text) == text
    assert sign(loop, page) == 303


def guarded(loop: Loop, **told: Any) -> None:
    with transaction() as session:
        session.get_one(Run, loop.realignment.id).result = {KEY: guard_record(**told).model_dump(mode="json")}


def test_a_fall_of_what_was_owed_to_the_spurious_regions_is_told_and_no_hindrance(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        add_report(session, loop.realignment, loop.original, Split.TEST, figures(loop.project, (0.9, 0.4, 0.9, 0.94)))
        lower = figures(loop.project, (0.9, 0.7, 0.9, 0.6), flipped=0.05)
        add_report(session, loop.realignment, loop.realigned, Split.TEST, lower)
    name = f"{loop.project.classes[1].name}, letter present"
    assert sign(loop, page) == 409
    guarded(loop, owed=estimate(0.15, 200), owed_by_group={name: estimate(0.31, 50)})
    text = plain(page.get(address(loop)).text)
    assert f"{name}, not counting the 31 points that were owed to the spurious regions alone" in text
    assert "Owed to the spurious regions alone, before: 15 %" in text
    assert sign(loop, page) == 303


def test_another_decision_follows_and_the_first_stays(loop: Loop, page: Browser) -> None:
    sign(loop, page)
    sign(loop, page, "reject", reason="One picture more.")
    assert [decision.approved for decision in decisions()] == [True, False]
    text = plain(page.get(address(loop)).text)
    assert text.index("✕ rejected") < text.index("✓ approved")
    assert "(followed by a newer one)" in text


@pytest.mark.usefixtures("database")
def test_the_same_signature_sent_twice_is_one(loop: Loop, page: Browser) -> None:
    for reason in ("It is good.", " It is good. ", "It is good.", "I looked again."):
        assert sign(loop, page, reason=reason) == 303
    assert [each.reason for each in decisions()] == ["It is good.", "I looked again."]


def test_approved_weights_carry_the_signature_and_the_same_tensors(
    loop: Loop, page: Browser, signed_in: Callable[[User], Browser]
) -> None:
    sign(loop, page, reason="Gut so – weiß ich.")
    answer = signed_in(loop.engineer).get(f"/projects/{loop.project.id}/checkpoints/{loop.realigned.id}/weights")
    assert answer.status_code == 200
    assert 'filename="knees-checkpoint-2.safetensors"' in answer.headers["content-disposition"]
    length = int.from_bytes(answer.content[:8], "little")
    header = json.loads(answer.content[8 : 8 + length])
    assert length % 8 == 0
    assert header["__metadata__"]["rightreasons.signed_by"] == "Dr. Ada Reader"
    assert header["__metadata__"]["rightreasons.reason"] == "Gut so – weiß ich."
    assert all(isinstance(value, str) for value in header["__metadata__"].values())
    original = storage().get(loop.realigned.weights)
    assert original == tiny_safetensors(2)
    assert answer.content[8 + length :] == original[-4:]
    assert header["weight"] == {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


def test_weights_that_the_store_has_lost_are_told(
    loop: Loop, page: Browser, signed_in: Callable[[User], Browser]
) -> None:
    sign(loop, page, reason="Good.")
    storage().forget(loop.realigned.weights)
    answer = signed_in(loop.engineer).get(f"/projects/{loop.project.id}/checkpoints/{loop.realigned.id}/weights")
    assert answer.status_code == 404
    assert "Its figures and decisions are kept." in answer.text


def test_weights_are_not_given_to_clinicians_nor_without_an_approval(
    loop: Loop, page: Browser, signed_in: Callable[[User], Browser]
) -> None:
    weights = f"/projects/{loop.project.id}/checkpoints/{loop.realigned.id}/weights"
    engineer = signed_in(loop.engineer)
    assert engineer.get(weights).status_code == 409
    sign(loop, page)
    assert page.get(weights).status_code == 403
    sign(loop, page, "reject")
    assert engineer.get(weights).status_code == 409


def test_a_checkpoint_that_is_no_realigned_one_is_not_decided_on(loop: Loop, page: Browser) -> None:
    with reading() as session:
        control = session.scalars(select(Checkpoint).where(Checkpoint.origin == Origin.CONTROL)).one()
    form = {"decision": "approve", "reason": "why not", "password": PASSWORD, **shown(page, loop)}
    assert page.change(address(loop, f"/{control.id}/decision"), data=form).status_code == 404


def test_without_reports_nothing_can_be_signed_and_an_engineer_can_measure(
    loop: Loop, page: Browser, signed_in: Callable[[User], Browser]
) -> None:
    with transaction() as session:
        for report in session.scalars(select(Report)):
            session.delete(report)
    assert "Not measured yet" in page.get(address(loop)).text
    assert sign(loop, page) == 422
    assert page.change(address(loop, f"/{loop.realigned.id}/measure")).status_code == 403
    assert signed_in(loop.engineer).change(address(loop, f"/{loop.realigned.id}/measure")).status_code == 303
    with reading() as session:
        run = session.scalars(select(Run).where(Run.kind == Kind.EVALUATION)).one()
    parameters = EvaluationParameters.model_validate(run.parameters)
    assert parameters.checkpoint_ids == (loop.original.id, loop.realigned.id, loop.control.id)
    assert parameters.critique_id == loop.critique.id


def test_before_a_realignment_the_page_leads_there(stored: None, signed_in: Callable[[User], Browser]) -> None:
    with transaction() as session:
        user = add_user(session)
        project = add_project(session)
    assert "Nothing to compare yet" in signed_in(user).get(f"/projects/{project.id}/compare").text


def test_the_page_takes_at_most_twelve_statements(loop: Loop, page: Browser) -> None:
    with counted() as statements:
        assert page.get(address(loop)).status_code == 200
    assert len(statements) <= 12, "\n".join(statements)


def test_an_override_of_the_trust_bar_stands_on_the_page(
    loop: Loop, page: Browser, signed_in: Callable[[User], Browser]
) -> None:
    assert "How far the judge was trusted when this was started is not on record." in plain(
        page.get(address(loop)).text
    )
    with transaction() as session:
        session.get_one(Run, loop.realignment.id).result = {"trust": overridden().model_dump(mode="json")}
    told = "Started under the trust bar by Grace Engineer: “A rehearsal.”"
    blind = plain(page.get(address(loop)).text)  # this reader is still to read blind
    assert told in blind
    assert "kappa of 0.25" not in blind
    text = plain(signed_in(loop.engineer).get(address(loop)).text)
    assert told in text
    assert "The judge agrees with blind readers to a kappa of 0.25" in text


def test_trust_as_it_stood_at_the_start_stands_on_the_page(loop: Loop, signed_in: Callable[[User], Browser]) -> None:
    with transaction() as session:
        record = overridden().model_copy(
            update={"override": "", "overridden_by": "", "locked": "", "least_kappa": None}
        )
        session.get_one(Run, loop.realignment.id).result = {"trust": record.model_dump(mode="json")}
    text = plain(signed_in(loop.engineer).get(address(loop)).text)
    assert "no trust bar was set. 24 cases were read blind" in text
    assert "0.25 (−0.10 to 0.60, n = 24)" in text


def test_an_override_of_the_trust_bar_goes_with_the_weights(
    loop: Loop, page: Browser, signed_in: Callable[[User], Browser]
) -> None:
    with transaction() as session:
        session.get_one(Run, loop.realignment.id).result = {"trust": overridden().model_dump(mode="json")}
    sign(loop, page)
    weights = f"/projects/{loop.project.id}/checkpoints/{loop.realigned.id}/weights"
    given = signed_in(loop.engineer).get(weights).content
    told = json.loads(given[8 : 8 + int.from_bytes(given[:8], "little")])["__metadata__"]
    assert told["rightreasons.trust_override"] == "A rehearsal."
    assert told["rightreasons.trust_overridden_by"] == "Grace Engineer"
    assert "kappa of 0.25" in told["rightreasons.trust_locked"]
