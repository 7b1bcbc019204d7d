"""What a consensus says of similar regions, on the pages: in the order of review, beside a case, and in a line."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.db import now, reading, transaction
from app.models import (
    AgreedVerdict,
    Answer,
    CaseLock,
    Cluster,
    Critique,
    Explanation,
    Kind,
    Project,
    Review,
    Run,
    Source,
    State,
    User,
    Verdict,
    VerdictValue,
)
from app.review.cases import load_case
from app.review.order import Narrowed, need
from app.review.standing import standings
from app.review.worklist import worklist
from app.runs.parameters import ConsensusParameters
from tests import factories
from tests.app.conftest import Browser
from tests.factories import Loop, add_run
from tests.trusted import say
from worker.benchmarks.own_database import counted

KIND = {"clusters": 20, "share": 0.3, "differ": 18, "judged_spurious": 0.0, "found_spurious": 0.9, "reviewed": 0}
SAME = {"clusters": 60, "share": 0.6, "differ": 0, "judged_spurious": 0.1, "found_spurious": 0.1, "reviewed": 9}


@pytest.fixture
def page(loop: Loop, signed_in: Callable[[User], Browser]) -> Browser:
    return signed_in(loop.clinician)


def address(loop: Loop, rest: str = "") -> str:
    return f"/projects/{loop.project.id}/review{rest}"


def differences(loop: Loop, page: Browser) -> str:
    return page.fragment(address(loop, f"/{loop.critique.id}/differences")).text


def asked(text: str) -> UUID:
    found = re.search(r'name="cluster_id" value="([^"]*)"', text)
    assert found is not None
    return UUID(found[1])


def clusters(loop: Loop) -> list[UUID]:
    """In the order of the alignment set."""
    return [cluster.id for each in loop.explanations for cluster in each.clusters]


def add_consensus(loop: Loop, state: State = State.SUCCEEDED, **rows: dict[UUID, object]) -> Run:
    """Each row as the judge has it, but for the columns that are given by cluster."""
    ids = clusters(loop)
    made: dict[UUID, dict[str, Any]] = {}
    with transaction() as session:
        run = add_run(session, loop.project, ConsensusParameters(critique_id=loop.critique.id), Kind.CONSENSUS)
        run.state, run.error = state, "The disk is full." if state is State.FAILED else ""
        run.result = {
            "difference": SAME | {"clusters": 80, "differ": 18},
            "kinds": [KIND | {"kind": 3, "name": "letter, upper <left> corner"}, SAME | {"kind": 1, "name": "bone"}],
            "fell_back": "",
        }
        for verdict in session.scalars(select(Verdict).join(Critique).where(Critique.run_id == loop.critique.id)):
            standard = {
                "value": verdict.value,
                "p_spurious": verdict.p_spurious,
                "source": Source.JUDGE,
                "overruled": False,
                "kind": 1,
                "place": None,
                "nearest": [str(each) for each in ids[-5:]],
            }
            given = {
                name: by_cluster[verdict.cluster_id]
                for name, by_cluster in rows.items()
                if verdict.cluster_id in by_cluster
            }
            made[verdict.cluster_id] = standard | given
        for place, cluster_id in enumerate(in_order(loop, made), 1):
            picture = picture_of(loop, cluster_id)
            row = made[cluster_id] | {"place": place, "class_id": picture.image.class_id, "explanation_id": picture.id}
            session.add(AgreedVerdict(run_id=run.id, cluster_id=cluster_id, **row))
    return run


def in_order(loop: Loop, rows: dict[UUID, dict[str, Any]]) -> list[UUID]:
    """As a consensus writes the places; those that are given come first."""
    known = {cluster.id: cluster for each in loop.explanations for cluster in each.clusters}

    def key(cluster_id: UUID) -> object:
        row, cluster = rows[cluster_id], known[cluster_id]
        return need(row["place"], row["value"], row["p_spurious"], cluster.influence, cluster_id)

    return sorted(rows, key=key)


def picture_of(loop: Loop, cluster_id: UUID) -> Explanation:
    return next(each for each in loop.explanations if cluster_id in {cluster.id for cluster in each.clusters})


def read_blind(loop: Loop) -> None:
    with transaction() as session:
        factories.read_blind(session, loop.critique, loop.clinician)


def unread(loop: Loop) -> list[UUID]:
    with reading() as session:
        answered = set(session.scalars(select(Review.cluster_id)))
    return [each for each in clusters(loop) if each not in answered]


def answered(loop: Loop) -> UUID:
    left = unread(loop)
    return next(each for each in clusters(loop) if each not in left)


def otherwise(*ids: UUID) -> dict[str, dict[UUID, object]]:
    """Rows in which similar regions call the clusters spurious against a judge that is sure."""
    with transaction() as session:
        session.execute(
            update(Verdict).where(Verdict.cluster_id.in_(ids)).values(value=VerdictValue.RELEVANT, p_spurious=0.1)
        )
    return {
        "value": dict.fromkeys(ids, VerdictValue.SPURIOUS),
        "p_spurious": dict.fromkeys(ids, 0.97),
        "source": dict.fromkeys(ids, Source.PROBE),
        "overruled": dict.fromkeys(ids, True),
    }


@pytest.mark.usefixtures("database")
def test_people_stand_before_the_consensus_and_the_consensus_before_the_judge(loop: Loop) -> None:
    reviewed, probed, untouched, taken_back = clusters(loop)[:4]
    rows = otherwise(reviewed, probed)
    rows["source"] |= {reviewed: Source.REVIEW, taken_back: Source.REVIEW}
    rows["value"][taken_back] = VerdictValue.UNCERTAIN
    add_consensus(loop, **rows)
    with transaction() as session:
        for answer, cluster in (
            (Answer.RELEVANT, reviewed),
            (Answer.SPURIOUS, taken_back),
            (Answer.WITHDRAWN, taken_back),
        ):
            said = {"user_id": loop.clinician.id, "run_id": loop.critique.id, "blind": False}
            session.add(Review(cluster_id=cluster, answer=answer, **said))
            session.flush()
    with reading() as session:
        found = {each.cluster_id: each for each in standings(session, loop.critique.id)}
        judge = dict(session.execute(select(Verdict.cluster_id, Verdict.value)).all())
    assert (found[reviewed].value, found[reviewed].source) == (VerdictValue.RELEVANT, Source.REVIEW)
    assert found[reviewed].p_spurious == 0
    assert (found[probed].value, found[probed].source) == (VerdictValue.SPURIOUS, Source.PROBE)
    assert found[probed].p_spurious == pytest.approx(0.97)
    for each in (untouched, taken_back):
        assert (found[each].value, found[each].source, found[each].reviewed) == (judge[each], Source.JUDGE, False)


@pytest.mark.usefixtures("database")
def test_the_newest_consensus_done_stands(loop: Loop) -> None:
    cluster = clusters(loop)[0]
    add_consensus(loop, **otherwise(cluster))
    for state in (State.FAILED, State.RUNNING, State.QUEUED, State.CANCELLED):
        add_consensus(loop, state)
    with reading() as session:
        assert standings(session, loop.critique.id)[0].value is VerdictValue.SPURIOUS
    add_consensus(loop)
    with reading() as session:
        assert standings(session, loop.critique.id)[0].value is VerdictValue.RELEVANT


@pytest.mark.usefixtures("database")
def test_next_comes_what_would_change_most_then_what_stands_as_uncertain(loop: Loop, page: Browser) -> None:
    read_blind(loop)
    left = unread(loop)
    places = {left[9]: 1, left[4]: 2, answered(loop): 3}
    add_consensus(
        loop,
        place=places,
        value={left[6]: VerdictValue.UNCERTAIN} | dict.fromkeys(set(left) - {left[6]}, VerdictValue.RELEVANT),
    )
    text, seen = page.get(address(loop)).text, []
    assert "1 uncertain left" in text
    for _ in range(3):
        seen.append(asked(text))
        text = page.change(
            address(loop, f"/{loop.critique.id}/answers"),
            data={"cluster_id": str(seen[-1]), "answer": "relevant"},
            headers={"HX-Request": "true"},
        ).text
    assert seen == [left[9], left[4], left[6]]
    assert f"{len(left) - 3} of {len(clusters(loop))} left" in text


@pytest.mark.usefixtures("database")
def test_the_worklist_can_be_narrowed_to_a_kind_of_region_and_stays_so(loop: Loop, page: Browser) -> None:
    read_blind(loop)
    kind = unread(loop)[5:8]
    add_consensus(loop, kind=dict.fromkeys(kind, 3))
    text = page.get(address(loop, "?kind=3")).text
    for left in (3, 2, 1):
        assert f"{left} of 3 left of one kind" in text
        assert asked(text) in kind
        data = {"cluster_id": str(asked(text)), "answer": "relevant", "kind": "3", "class_id": ""}
        text = page.change(
            address(loop, f"/{loop.critique.id}/answers"), data=data, headers={"HX-Request": "true"}
        ).text
    assert "Every region of this kind is read" in text
    with reading() as session:
        work = worklist(session, loop.project, loop.critique, loop.clinician, Narrowed(kind=3))
        assert work.counts.left == 0
    plain = page.change(address(loop, f"/{loop.critique.id}/undo"), data={"kind": "3"})
    assert plain.headers["location"] == address(loop, "?kind=3")


def test_a_case_shows_the_similar_regions_that_say_otherwise_and_whose_word_they_carry(
    loop: Loop, page: Browser
) -> None:
    read_blind(loop)
    (shown, *_, like), reviewed = unread(loop), answered(loop)
    rows = otherwise(shown) | {"place": {shown: 1}, "reason_id": {shown: reviewed}, "nearest": {shown: [str(like)]}}
    add_consensus(loop, **rows)
    text = page.get(address(loop)).text
    assert "Similar regions say otherwise" in text
    assert "A person’s word on the first of these is carried over" in text
    with reading() as session:
        nearest = session.scalars(select(Cluster).where(Cluster.id.in_([reviewed, like]))).all()
    for each in nearest:
        assert f"/pictures/explanations/{each.explanation_id}/layer?size=240&amp;cluster={each.number}" in text
    similar = text.split('class="similar"')[1].split("</ol>")[0]
    assert similar.count("<li>") == len(nearest)
    assert 'spurious</span>\n      <span class="soft small">a person' in similar
    assert "the judge" in similar


def test_nothing_of_the_consensus_is_sent_in_a_blind_reading(loop: Loop, page: Browser) -> None:
    ids = clusters(loop)
    add_consensus(loop, **otherwise(*ids), place={each: place for place, each in enumerate(ids, 1)})
    text = page.get(address(loop)).text
    case = text.split('<div id="case"')[1].split("<dialog")[0]
    assert "imilar regions say" not in text
    assert "/differences" not in text
    assert ".97" not in case
    with reading() as session:
        lines = load_case(session, loop.critique, loop.clinician, asked(text), blind=True).lines
    assert {line.agreed for line in lines} == {None}
    line = differences(loop, page)
    assert "after your blind reading" in line
    assert "letter" not in line
    whole = page.get(address(loop, f"/{loop.critique.id}/differences")).text
    assert "letter" not in whole.split('class="differences under"')[1]


def test_a_line_tells_how_far_they_differ_and_asks_for_reviews_where_that_is_much(loop: Loop, page: Browser) -> None:
    read_blind(loop)
    assert "have not been compared" in differences(loop, page)
    add_consensus(loop)
    line = differences(loop, page)
    assert "18 of 80 regions" in line
    assert "</a>, 22\N{NARROW NO-BREAK SPACE}% (15–33, n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}80)." in line
    assert f'<a id="kind-3" href="{address(loop)}?kind=3">letter, upper &lt;left&gt; corner</a> (18 of 20)' in line
    assert "bone" not in line
    whole = page.get(address(loop, f"/{loop.critique.id}/differences")).text
    assert "bone" in whole
    assert whole.count("Read some</strong>") == 1


@pytest.mark.parametrize(("kind", "asks"), [({"reviewed": 4}, False), ({"differ": 3}, False), ({"differ": 8}, True)])
def test_reviews_are_asked_for_until_a_few_are_there_and_only_where_the_difference_is_certain(
    loop: Loop, page: Browser, kind: dict[str, int], asks: bool
) -> None:
    read_blind(loop)
    run = add_consensus(loop)
    with transaction() as session:
        kept = session.get_one(Run, run.id)
        kept.result = {**kept.result, "kinds": [KIND | {"kind": 3, "name": "letter"} | kind]}
    assert ("They differ much on a kind of region" in differences(loop, page)) is asks


def test_the_line_says_why_nothing_was_compared_what_failed_and_what_is_under_way(loop: Loop, page: Browser) -> None:
    read_blind(loop)
    run = add_consensus(loop)
    with transaction() as session:
        kept = session.get_one(Run, run.id)
        kept.result = {**kept.result, "fell_back": "Too few images to compare.", "needed": "Some answers.", "kinds": []}
    add_consensus(loop, State.FAILED)
    line = differences(loop, page)
    assert "Too few images to compare. Some answers." in line
    assert "failed; what stood before stands. The disk is full." in line
    add_consensus(loop, State.QUEUED)
    line = differences(loop, page)
    assert "being brought up to date" in line
    assert "The disk is full." not in line


def test_review_and_realign_ask_for_the_line_and_realign_counts_who_is_followed(loop: Loop, page: Browser) -> None:
    read_blind(loop)
    first, second = unread(loop)[:2]
    add_consensus(loop, **otherwise(first, second))
    wanted = f'hx-get="{address(loop, f"/{loop.critique.id}/differences")}"'
    assert wanted in page.get(address(loop)).text
    text = page.get(f"/projects/{loop.project.id}/realign").text
    assert wanted in text
    assert "Regions that follow those of other pictures which look like them: 2.\n" in text


def test_a_consensus_under_way_closes_no_page(loop: Loop, page: Browser) -> None:
    read_blind(loop)
    add_consensus(loop, State.RUNNING)
    for path in ("review", "realign"):
        text = page.get(f"/projects/{loop.project.id}/{path}").text
        assert "Comparing the verdicts on similar regions" not in text
        assert "See the work under way" not in text
    assert asked(page.get(address(loop)).text) in unread(loop)


def test_a_critique_of_another_project_has_no_differences_here(loop: Loop, page: Browser) -> None:
    with transaction() as session:
        other = factories.add_project(session, "Other")
    assert page.get(f"/projects/{other.id}/review/{loop.critique.id}/differences").status_code == 404


def test_a_case_with_similar_regions_takes_one_statement_more_and_the_line_is_cheap(loop: Loop, page: Browser) -> None:
    read_blind(loop)
    first, second = unread(loop)[:2]
    add_consensus(loop, **otherwise(first), place={first: 1, second: 2})
    with counted() as statements:
        text = page.get(address(loop)).text
    assert asked(text) == first
    with_similar = len(statements)
    with transaction() as session:
        said = {"user_id": loop.clinician.id, "run_id": loop.critique.id, "blind": False}
        session.add(Review(cluster_id=first, answer=Answer.RELEVANT, **said))
    with counted() as statements:
        assert asked(page.get(address(loop)).text) == second
    assert with_similar == len(statements) + 1
    with counted() as statements:
        differences(loop, page)
    assert len(statements) <= 8, "\n".join(statements)


@pytest.mark.usefixtures("database")
def test_the_page_takes_at_most_twelve_statements_where_others_hold_every_second_reading(
    loop: Loop, signed_in: Callable[[User], Browser]
) -> None:
    """In a project that is not realigned, on a case that similar regions say otherwise of: the most there can be."""
    with transaction() as session:
        session.get_one(Project, loop.project.id).second_readings = 100
        version = factories.add_specification(session, loop.project, loop.clinician, "letters and initials")
        critique = factories.add_critique(session, loop.project, loop.analysis, version, loop.explanations)
        bo, cy = (factories.add_user(session, name) for name in ("bo", "cy"))
        for reader in (loop.clinician, bo, cy):
            factories.read_blind(session, critique, reader)
    unrealigned, left = replace(loop, critique=critique), unread(loop)
    with transaction() as session:
        say(session, critique, bo, left[-1], Answer.RELEVANT, blind=False)
    add_consensus(unrealigned, **otherwise(*left), place={each: place for place, each in enumerate(left, 1)})
    assert asked(signed_in(cy).get(address(loop)).text) == left[-1]
    page = signed_in(loop.clinician)
    for lost_soon in (False, True):
        if lost_soon:
            with transaction() as session:
                nearly = now() + timedelta(minutes=1)
                session.execute(update(CaseLock).where(CaseLock.user_id == loop.clinician.id).values(until=nearly))
        with counted() as statements:
            text = page.get(address(loop)).text
        assert asked(text) == left[0]
        assert "Similar regions say otherwise" in text
        assert "Realign the checkpoint" in text
        assert len(statements) <= 12, "\n".join(statements)
    data = {"cluster_id": str(left[0]), "answer": "relevant"}
    with counted() as statements:
        given = page.change(address(loop, f"/{critique.id}/answers"), data=data, headers={"HX-Request": "true"})
    assert asked(given.text) == left[1]
    # A change costs three more: where it belongs, the log's last entry, and the new one.
    assert len(statements) <= 12 + 3, "\n".join(statements)


def test_what_a_first_reader_said_is_not_told_a_second_one_in_a_class_without_second_readings_either(
    loop: Loop, signed_in: Callable[[User], Browser]
) -> None:
    with transaction() as session:
        session.get_one(Project, loop.project.id).second_readings = 100
        bo = factories.add_user(session, "bo")
        for reader in (loop.clinician, bo):
            factories.read_blind(session, loop.critique, reader)
    left = unread(loop)
    first, last = left[0], next(each for each in reversed(left) if class_of(loop, each) != class_of(loop, left[0]))
    with transaction() as session:
        say(session, loop.critique, bo, last, Answer.RELEVANT, blind=False)
    rows = otherwise(first) | {"place": {first: 1}}
    add_consensus(loop, nearest={first: [str(last)]}, **rows)
    page = signed_in(loop.clinician)
    text = page.get(address(loop, f"?class_id={class_of(loop, first)}")).text
    assert asked(text) == first
    assert "Similar regions say otherwise" in text
    assert "a person</span>" not in text
    add_consensus(loop, nearest={first: [str(last)]}, reason_id={first: last}, **rows)
    text = page.get(address(loop, f"?class_id={class_of(loop, first)}")).text
    assert asked(text) == first
    assert "Similar regions say otherwise" not in text  # it is that person's word, carried over


def class_of(loop: Loop, cluster_id: UUID) -> UUID:
    return picture_of(loop, cluster_id).image.class_id


def test_what_lies_behind_the_judges_doubt_is_told_as_no_contradiction(loop: Loop, page: Browser) -> None:
    read_blind(loop)
    shown = unread(loop)[0]
    rows = otherwise(shown)
    rows["overruled"] = {shown: False}
    with transaction() as session:
        session.execute(update(Verdict).where(Verdict.cluster_id == shown).values(value=VerdictValue.UNCERTAIN))
    add_consensus(loop, **rows, place={shown: 1})
    text = page.get(address(loop)).text
    assert "Similar regions say\n" in text
    assert "say otherwise\n" not in text
    with reading() as session:
        assert session.scalar(select(Explanation.id).join(Cluster).where(Cluster.id == shown)) is not None
