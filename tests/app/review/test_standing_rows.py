"""What the database counts of the verdicts that stand is what is told of them one by one."""

import random
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from app.db import now, reading, transaction
from app.models import Answer, Review, Role, Run, Source, VerdictValue
from app.realignment.ingredients import ingredients_of
from app.realignment.queries import corrected_pictures
from app.review.standing import newest_consensus, standings
from app.review.standing_rows import silent_rows, spoken_rows
from tests import factories
from tests.app.review.test_similar import add_consensus, clusters
from tests.factories import Loop

SPOKEN_OF = 1 / 4  # of the clusters, so that of some pictures nobody speaks


def let_people_speak(loop: Loop, seed: int) -> None:
    """Readers and adjudicators say this and that, and take back some of it, in whatever order."""
    chance, began = random.Random(seed), now()
    with transaction() as session:
        people = [factories.add_user(session, f"reader-{number}", Role.CLINICIAN) for number in range(3)]
        for cluster in clusters(loop):
            words = chance.randint(1, 6) if chance.random() < SPOKEN_OF else 0
            for minute in chance.sample(range(60), words):
                said = Review(
                    cluster_id=cluster, user_id=chance.choice(people).id, run_id=loop.critique.id, blind=False
                )
                said.answer, said.settles = chance.choice(list(Answer)), chance.random() < 1 / 4
                said.created_at = began + timedelta(minutes=minute)
                session.add(said)


def agree(loop: Loop, seed: int) -> None:
    chance, ids = random.Random(seed), clusters(loop)
    columns = {
        name: {each: chance.choice(choices) for each in ids}
        for name, choices in {"value": list(VerdictValue), "source": list(Source)}.items()
    }
    add_consensus(loop, value=columns["value"], source=columns["source"])


def counted(critique: Run, closed: frozenset[UUID] = frozenset()) -> Counter[tuple[UUID, VerdictValue, Source]]:
    """Where nobody spoke it is the silent rows that stand."""
    with reading() as session:
        consensus = session.scalar(select(newest_consensus(critique.id)))
        spoken = [(row[0], row[1], row[2]) for row in session.execute(spoken_rows(critique, consensus, closed))]
        silent = [(row[0], row[2], row[3]) for row in session.execute(silent_rows(critique, consensus))]
    pictures = {row[0] for row in spoken}
    return Counter([*spoken, *(row for row in silent if row[0] not in pictures)])


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("agreed", [False, True])
def test_the_rows_are_those_that_stand(loop: Loop, seed: int, agreed: bool) -> None:
    let_people_speak(loop, seed)
    if agreed:
        agree(loop, seed)
    with reading() as session:
        told = standings(session, loop.critique.id)
    assert {each.source for each in told} == set(Source) - (set() if agreed else {Source.PROBE})
    assert counted(loop.critique) == Counter((each.explanation_id, each.value, each.source) for each in told)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("agreed", [False, True])
def test_what_is_closed_stands_as_if_nobody_had_answered(loop: Loop, agreed: bool) -> None:
    let_people_speak(loop, 5)
    if agreed:
        agree(loop, 5)
    closed = frozenset(clusters(loop)[::2])
    with reading() as session:
        told = standings(session, loop.critique.id, closed)
        pages = corrected_pictures(session, loop.critique, 0, 100, closed)
    assert not any(each.reviewed for each in told if each.cluster_id in closed)
    assert counted(loop.critique, closed) == Counter((each.explanation_id, each.value, each.source) for each in told)
    assert counted(loop.critique, closed) != counted(loop.critique)
    spurious = {each.explanation_id for each in told if each.value is VerdictValue.SPURIOUS}
    assert ({row.explanation.id for row in pages[0]}, pages[1]) == (spurious, len(spurious))


@pytest.mark.usefixtures("database")
def test_what_goes_in_is_counted_as_it_stands(loop: Loop) -> None:
    let_people_speak(loop, 2)
    agree(loop, 2)
    with reading() as session:
        told, found = standings(session, loop.critique.id), ingredients_of(session, loop.critique)
    values = Counter(each.value for each in told)
    assert (found.spurious, found.relevant, found.uncertain) == tuple(values[value] for value in VerdictValue)
    assert found.pictures == len({each.explanation_id for each in told})
    assert found.with_spurious == len({each.explanation_id for each in told if each.value is VerdictValue.SPURIOUS})
    assert found.by_people == sum(each.reviewed for each in told)
    assert found.by_similar == sum(each.source is Source.PROBE for each in told)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("agreed", [False, True])
def test_what_people_say_afterwards_counts_though_the_machine_s_words_are_counted_once(
    loop: Loop, agreed: bool
) -> None:
    if agreed:
        agree(loop, 6)
    with reading() as session:
        ingredients_of(session, loop.critique)
    let_people_speak(loop, 6)
    with reading() as session:
        values = Counter(each.value for each in standings(session, loop.critique.id))
        found = ingredients_of(session, loop.critique)
    assert (found.spurious, found.relevant, found.uncertain) == tuple(values[value] for value in VerdictValue)


@pytest.mark.usefixtures("database")
def test_the_pictures_that_go_in_are_listed_page_by_page_as_they_stand(loop: Loop) -> None:
    let_people_speak(loop, 3)
    agree(loop, 3)
    numbers: dict[UUID, list[int]] = {}
    with reading() as session:
        for each in standings(session, loop.critique.id):
            if each.value is VerdictValue.SPURIOUS:
                numbers.setdefault(each.explanation_id, []).append(each.number)
        pages = [corrected_pictures(session, loop.critique, first, 3) for first in range(0, len(numbers) + 3, 3)]
    assert {total for _, total in pages} == {len(numbers)}
    assert [(row.explanation.id, row.spurious) for rows, _ in pages for row in rows] == list(numbers.items())


def test_of_some_pictures_alone_the_same_stands(loop: Loop) -> None:
    let_people_speak(loop, 4)
    some = {each.id for each in loop.explanations[::2]}
    with reading() as session:
        told, few = standings(session, loop.critique.id), standings(session, loop.critique.id, pictures=some)
    assert few == [each for each in told if each.explanation_id in some]
