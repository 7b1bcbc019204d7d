"""Critique, trial and description through the real stages, asked of a real LVLM: tiny, with random weights."""

from collections.abc import Iterator, Sequence
from uuid import UUID

import pytest
import torch
from sqlalchemy import func, select

from app.config import settings
from app.db import reading, transaction
from app.models import (
    Cluster,
    Critique,
    Explanation,
    LVLMCall,
    Project,
    Run,
    Specification,
    SpecificationEntry,
    Split,
    State,
    Verdict,
    VerdictValue,
)
from app.runs.parameters import AnalysisParameters, CritiqueParameters, EntryText, Parameters, TrialParameters
from tests import factories
from tests.worker.lvlm.answering import Reply, Server, completion, serving
from tests.worker.lvlm.families import save_family
from tests.worker.tasks import small
from worker.benchmarks.own_database import forget_settings
from worker.lvlm import Patience
from worker.tasks import criticise, engine
from worker.tasks.cases import loaded_lvlm
from worker.tasks.here import run_here

pytestmark = pytest.mark.usefixtures("sqlite")
SAID = "\n".join(f"{number}: letter {number}; named as spurious; spurious" for number in range(1, 7))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model as people name it to a project."""
    folder = tmp_path_factory.mktemp("tiny")
    save_family("LLaVA", folder)
    return f"transformers:{folder}"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No model of another test, and short answers: random words end only where the room ends."""
    monkeypatch.setattr("worker.method.critic.TOKENS_PER_CLUSTER", 4)
    loaded_lvlm.cache_clear()
    yield
    loaded_lvlm.cache_clear()
    torch.set_num_threads(1)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """It says of every cluster that it is spurious, and is nine tenths sure."""
    monkeypatch.setenv("RIGHTREASONS_LVLM_HOSTS", "127.0.0.1")
    monkeypatch.setenv("RIGHTREASONS_LVLM_TRIES", "2")
    monkeypatch.setenv("RIGHTREASONS_LVLM_TIMEOUT_SECONDS", "5")
    monkeypatch.setenv("RIGHTREASONS_LVLM_REQUESTS_PER_MINUTE", "60000")
    forget_settings()
    with serving(Reply(body=completion(SAID, {"spurious": 0.9, "relevant": 0.1}))) as here:
        yield here


@pytest.fixture
def explained() -> Run:
    """An analysis of four drawn pictures, in a project with a specification."""
    with transaction() as session:
        project = factories.add_project(session)
        dataset = factories.add_images(session, project, per_class=2, splits=[Split.TRAIN])
        checkpoint = factories.add_checkpoint(session, project)
        analysis = factories.add_analysis(
            session, project, checkpoint, factories.images_of(session, dataset, Split.TRAIN)
        )
        factories.add_specification(session, project, factories.add_user(session))
    return analysis


def choose(analysis: Run, lvlm: str) -> Project:
    with transaction() as session:
        project = session.get_one(Project, analysis.project_id)
        project.lvlm = lvlm
    return project


def critique_of(analysis: Run) -> CritiqueParameters:
    with reading() as session:
        specification = session.scalars(select(Specification.id)).one()
    return CritiqueParameters(analysis_id=analysis.id, specification_id=specification)


def trial_of(analysis: Run) -> TrialParameters:
    with reading() as session:
        shown = session.scalars(select(Explanation.id).where(Explanation.run_id == analysis.id).limit(2)).all()
        explanation = session.get_one(Explanation, shown[0])
    entries = (EntryText(class_id=explanation.predicted_id, spurious="letters"),)
    return TrialParameters(analysis_id=analysis.id, entries=entries, explanation_ids=tuple(shown))


def succeeded(project: Project, parameters: Parameters) -> Run:
    run = small.ended(project, parameters)
    assert run.state is State.SUCCEEDED, run.error + run.error_details
    return run


def verdicts_of(run: Run) -> Sequence[Verdict]:
    with reading() as session:
        statement = select(Verdict).join(Critique, Critique.id == Verdict.critique_id)
        return session.scalars(statement.where(Critique.run_id == run.id)).all()


def lvlms_of(run: Run) -> Sequence[str]:
    with reading() as session:
        return session.scalars(select(Critique.lvlm).where(Critique.run_id == run.id)).all()


def calls_of(run_id: UUID) -> Sequence[LVLMCall]:
    with reading() as session:
        return session.scalars(select(LVLMCall).where(LVLMCall.run_id == run_id)).all()


def clusters() -> int:
    with reading() as session:
        return session.scalar(select(func.count()).select_from(Cluster)) or 0


def test_what_the_critic_said_and_nobody_can_read_leaves_every_cluster_to_people(explained: Run, tiny: str) -> None:
    run = succeeded(choose(explained, tiny), critique_of(explained))
    verdicts = verdicts_of(run)
    assert run.result["lvlm"] == tiny
    assert lvlms_of(run) == [tiny] * 4
    assert len(verdicts) == clusters()
    assert {verdict.value for verdict in verdicts} == {VerdictValue.UNCERTAIN}
    assert {verdict.reason.split(" of region")[0] for verdict in verdicts} == {"The critic said nothing"}


def test_a_trial_shows_the_words_and_keeps_no_verdict(explained: Run, tiny: str) -> None:
    run = succeeded(choose(explained, tiny), trial_of(explained))
    assert run.result["lvlm"] == tiny
    assert len(run.result["cases"]) == 2
    assert {verdict["value"] for case in run.result["cases"] for verdict in case["verdicts"]} == {"uncertain"}
    assert verdicts_of(run) == []


def test_a_trial_needs_an_lvlm(explained: Run) -> None:
    run = small.ended(choose(explained, "none"), trial_of(explained))
    assert run.state is State.FAILED
    assert run.error.startswith("This project has no LVLM")


def test_an_analysis_has_its_clusters_described(tiny: str, server: Server) -> None:
    project = small.add_project()
    checkpoint = small.add_checkpoint(project)
    parameters = AnalysisParameters(checkpoint_id=checkpoint, count=4, components=2)
    for lvlm, named in ((tiny, False), (f"openai:m@{server.url}", True)):
        with transaction() as session:
            session.get_one(Project, project.id).lvlm = lvlm
        run = succeeded(project, parameters)
        assert run.result["lvlm"] == lvlm
        with reading() as session:
            mine = select(Cluster.words).join(Explanation, Explanation.id == Cluster.explanation_id)
            words = set(session.scalars(mine.where(Explanation.run_id == run.id)))
        assert any(each.startswith("letter 1") for each in words) == named
    assert len(calls_of(run.id)) == 4


def test_a_servers_answers_become_verdicts_and_every_call_is_logged_under_its_run(
    explained: Run, server: Server
) -> None:
    project = choose(explained, f"openai:m@{server.url}")
    first, second = succeeded(project, critique_of(explained)), succeeded(project, trial_of(explained))
    verdicts = verdicts_of(first)
    assert {(verdict.value, round(verdict.p_spurious, 3)) for verdict in verdicts} == {(VerdictValue.SPURIOUS, 0.9)}
    assert all(verdict.text.startswith("letter") and not verdict.flag for verdict in verdicts)
    pictures = [sorted(call.images for call in calls_of(run.id)) for run in (first, second)]
    assert [each.count(3) for each in pictures] == [4, 2]  # the critic sees three pictures of each, the judge none
    assert sum(len(each) for each in pictures) == len(server.requests)
    assert {call.host for call in calls_of(first.id)} == {"127.0.0.1"}
    assert all(call.bytes > 100 for call in calls_of(first.id))


def test_several_passes_ask_as_often_and_keep_how_far_they_agree(explained: Run, server: Server) -> None:
    project, asked = choose(explained, f"openai:m@{server.url}"), critique_of(explained)
    once = succeeded(project, asked)
    assert {verdict.agreement for verdict in verdicts_of(once)} == {None}
    thrice = succeeded(project, asked.model_copy(update={"passes": 3}))
    assert {(verdict.value, verdict.agreement) for verdict in verdicts_of(thrice)} == {(VerdictValue.SPURIOUS, 1.0)}
    assert all("on average over 3 of 3 passes (0.90 to 0.90)" in verdict.reason for verdict in verdicts_of(thrice))
    pictures = [sorted(call.images for call in calls_of(run.id)) for run in (once, thrice)]
    assert [each.count(3) for each in pictures] == [4, 8], "the first pass was asked before"


def test_a_verdict_against_the_critics_words_is_kept_and_shown_with_its_flag(explained: Run, server: Server) -> None:
    server.replies[:] = [Reply(body=completion(SAID, {"spurious": 0.1, "relevant": 0.9}))]
    project = choose(explained, f"openai:m@{server.url}")
    verdicts = verdicts_of(succeeded(project, critique_of(explained)))
    assert {verdict.value for verdict in verdicts} == {VerdictValue.RELEVANT}
    assert all("names this as spurious, but the verdict is relevant" in verdict.flag for verdict in verdicts)
    shown = [
        verdict for case in succeeded(project, trial_of(explained)).result["cases"] for verdict in case["verdicts"]
    ]
    assert {verdict["flag"] for verdict in shown} == {verdict.flag for verdict in verdicts}


def words_of(run: Run) -> list[tuple[str, float, str, str, str]]:
    found = verdicts_of(run)
    return sorted((each.value.value, each.p_spurious, each.text, each.reason, each.flag) for each in found)


def test_a_critique_run_again_asks_nothing_and_says_the_same(explained: Run, server: Server) -> None:
    project = choose(explained, f"openai:m@{server.url}")
    first = succeeded(project, critique_of(explained))
    asked = len(server.requests)
    server.replies[:] = [Reply(503)]
    second = succeeded(project, critique_of(explained))
    assert asked > 0
    assert len(server.requests) == asked
    assert calls_of(second.id) == []
    assert words_of(second) == words_of(first) != []


def test_other_words_in_the_specification_are_asked_anew(explained: Run, server: Server) -> None:
    project = choose(explained, f"openai:m@{server.url}")
    first, asked = succeeded(project, critique_of(explained)), len(server.requests)
    with transaction() as session:
        for entry in session.scalars(select(SpecificationEntry)):
            entry.notes = "letters are white"
    second = succeeded(project, critique_of(explained))
    assert len(server.requests) > asked
    assert len(calls_of(second.id)) == len(calls_of(first.id)) == asked


def test_the_answers_of_a_model_on_this_machine_are_kept_too(
    explained: Run, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = choose(explained, tiny)
    first = succeeded(project, critique_of(explained))
    monkeypatch.setattr(loaded_lvlm(tiny), "ask", None)
    assert words_of(succeeded(project, critique_of(explained))) == words_of(first)


def test_no_answer_is_kept_where_the_settings_say_so(
    explained: Run, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIGHTREASONS_LVLM_CACHE_BYTES", "0")
    forget_settings()
    project = choose(explained, f"openai:m@{server.url}")
    for times in (1, 2):
        run = succeeded(project, critique_of(explained))
        assert len(server.requests) == times * len(calls_of(run.id))
    assert not (settings().data / "cache" / "answers").exists()


def test_an_answer_spoilt_on_the_disk_is_asked_for_again_and_mended(explained: Run, server: Server) -> None:
    project = choose(explained, f"openai:m@{server.url}")
    first = succeeded(project, critique_of(explained))
    asked = len(server.requests)
    entries = [path for path in (settings().data / "cache" / "answers").rglob("*") if path.is_file()]
    for path in entries:
        path.write_bytes(path.read_bytes().replace(b"spurious", b"relevant"))
    assert words_of(succeeded(project, critique_of(explained))) == words_of(first)
    assert len(server.requests) == 2 * asked
    succeeded(project, critique_of(explained))
    assert len(server.requests) == 2 * asked


def test_answers_without_words_are_unread_and_end_nothing(explained: Run, server: Server) -> None:
    server.replies[:] = [Reply(body=completion(None))]
    run = succeeded(choose(explained, f"openai:m@{server.url}"), critique_of(explained))
    assert {verdict.value for verdict in verdicts_of(run)} == {VerdictValue.UNCERTAIN}


def test_tries_timeout_and_rate_are_those_of_the_settings(explained: Run, server: Server) -> None:
    server.replies[:] = [Reply(503)]
    run = small.ended(choose(explained, f"openai:m@{server.url}"), trial_of(explained))
    assert run.state is State.FAILED
    assert "gave no answer in 2 tries" in run.error
    assert loaded_lvlm(f"openai:m@{server.url}").patience == Patience(timeout=5, tries=2, per_minute=60000)


def test_another_lvlm_chosen_midway_does_not_answer_the_rest(
    explained: Run, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(criticise, "SHARD", 2)
    run_id = small.start(choose(explained, tiny), critique_of(explained))
    engine.begin(run_id)
    choose(explained, "none")
    run_here(run_id)
    assert lvlms_of(small.run_of(run_id)) == [tiny] * 4


def test_a_model_is_loaded_once_for_all_runs_that_ask_it(
    explained: Run, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = choose(explained, tiny)
    for _ in range(2):
        succeeded(project, trial_of(explained))
    assert loaded_lvlm.cache_info().misses == 1
