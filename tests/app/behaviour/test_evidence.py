from collections import defaultdict
from uuid import UUID

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from app.behaviour.evidence import Asked, examples_of, figure_of, short_summaries, summaries_of, summary_of
from app.db import reading, transaction
from app.models import Run
from app.models.figures import Estimate
from app.models.summary import Behind, ClassSummary, Evidence, Outside, Part, Region, Sentence
from tests.factories import Loop, whole_loop

ONE, OTHER = Evidence(explanation_id=UUID(int=1), numbers=(2, 1)), Evidence(explanation_id=UUID(int=2))


@pytest.fixture
def loop(database: str) -> Loop:
    with transaction() as session:
        return whole_loop(session)


def region(name: str, percent: int, by_look: bool = False) -> Region:
    share = Estimate(value=percent / 100, n=2)
    return Region(
        name=name, by_look=by_look, share=share, percent=percent, images=1, effect=Estimate(value=0.1), evidence=(ONE,)
    )


TOLD = ClassSummary(
    images=2,
    without_evidence=1,
    regions=tuple(
        region(name, percent, name == "z") for name, percent in zip("vwxyz", (40, 20, 10, 8, 7), strict=True)
    ),
    outside=Outside(share=Estimate(value=0.15, n=2), percent=15, images=2, evidence=(OTHER, ONE)),
    sentences=(Sentence(parts=(Part(text="40 % on v, "), Part(text=" in 1 of 2 images", evidence=(ONE,)))),),
)


def test_what_a_run_stored_is_what_its_page_reads(loop: Loop) -> None:
    """Through JSON and either database."""
    with reading() as session:
        found = summaries_of(session.scalars(select(Run).where(Run.id == loop.analysis.id)).one())
    assert found == summaries_of(loop.analysis)
    assert found.keys() == {target.id for target in loop.project.classes}
    known = {(each.id, cluster.number): cluster.words for each in loop.explanations for cluster in each.clusters}
    for told in found.values():
        for each in told.regions:
            words = {known[one.explanation_id, number] for one in each.evidence for number in one.numbers}
            assert words == {"" if each.by_look else each.name}


def test_in_short_all_is_said_and_one_picture_stands_for_those_behind_a_figure(loop: Loop) -> None:
    with reading() as session:
        found = short_summaries(session, loop.analysis)
    whole = summaries_of(loop.analysis)
    assert found.keys() == whole.keys()
    for class_id, told in whole.items():
        short = found[class_id]
        assert [each.text for each in short.sentences] == [each.text for each in told.sentences]
        assert [each.name for each in short.regions] == [each.name for each in told.regions]
        assert (short.images, short.typical, short.untypical) == (told.images, told.typical, told.untypical)
        for few, all_of_them in zip(short.regions, told.regions, strict=True):
            assert few.evidence == all_of_them.evidence[:1]
            assert few.images == len(all_of_them.evidence) > 1
        assert short.outside is not None
        assert told.outside is not None
        assert (short.outside.images, len(short.outside.evidence)) == (len(told.outside.evidence), 1)


def test_the_summary_of_one_class_is_whole(loop: Loop) -> None:
    target = loop.project.classes[0]
    with reading() as session:
        assert summary_of(session, loop.analysis, target.id) == summaries_of(loop.analysis)[target.id]
        assert summary_of(session, loop.analysis, UUID(int=0)) == ClassSummary(images=0, without_evidence=0)


def test_what_is_not_shown_one_by_one_is_other() -> None:
    assert [each.name for each in TOLD.shown] == ["v", "w", "x", "y"]
    assert TOLD.other_percent == 7
    assert TOLD.outside is not None
    assert sum(each.percent for each in TOLD.shown) + TOLD.other_percent + TOLD.outside.percent == 100


def test_words_of_the_lvlm_are_quoted_and_computed_ones_are_not() -> None:
    assert [each.quoted for each in TOLD.regions[3:]] == ["“y”", "z"]


def test_a_figure_is_that_of_a_region_of_a_sentence_or_of_what_lies_outside() -> None:
    named, looked = figure_of(TOLD, Asked(region=0)), figure_of(TOLD, Asked(region=4))
    assert named is not None
    assert looked is not None
    assert (named.text, named.evidence, named.by_lvlm) == ("“v”", (ONE,), True)
    assert (looked.text, looked.by_lvlm) == ("z", False)
    said = figure_of(TOLD, Asked(sentence=0, part=1))
    assert said is not None
    assert (said.text, said.evidence, said.by_lvlm) == ("in 1 of 2 images", (ONE,), False)
    assert said.sentence == TOLD.sentences[0].text
    outside = figure_of(TOLD, Asked(outside=True))
    assert outside is not None
    assert outside.evidence == (OTHER, ONE)


@pytest.mark.parametrize(
    "asked",
    [
        *(Asked(region=5), Asked(region=-1), Asked(sentence=0, part=0), Asked(sentence=0, part=2), Asked(part=1)),
        *(Asked(sentence=1, part=0), Asked(sentence=-1, part=1), Asked(sentence=0)),
    ],
)
def test_there_is_no_figure_where_none_stands(asked: Asked) -> None:
    assert asked.for_a_figure
    assert figure_of(TOLD, asked) is None


def test_without_a_figure_none_is_asked_for() -> None:
    assert not Asked().for_a_figure
    assert figure_of(ClassSummary(images=0, without_evidence=0), Asked(outside=True)) is None


def test_typical_images_have_their_evidence_where_the_class_has_it(loop: Loop) -> None:
    with reading() as session:
        summaries = summaries_of(loop.analysis)
        examples = dict(zip(summaries, examples_of(session, list(summaries.values())), strict=True))
    for class_id, told in summaries.items():
        shares: dict[UUID, dict[int, float]] = defaultdict(lambda: defaultdict(float))
        known = {(each.id, cluster.number): cluster.share for each in loop.explanations for cluster in each.clusters}
        for kind, each in enumerate(told.regions):
            for one in each.evidence:
                shares[one.explanation_id][kind] += sum(known[one.explanation_id, number] for number in one.numbers)
        totals = {kind: sum(mine[kind] for mine in shares.values()) for kind in range(len(told.regions))}
        scores = {image: sum(share * totals[kind] for kind, share in mine.items()) for image, mine in shares.items()}
        ranked = sorted(scores.values(), reverse=True)
        assert [scores[each.id] for each in examples[class_id].typical] == pytest.approx(ranked[:2])
        assert [scores[each.id] for each in examples[class_id].untypical] == pytest.approx(ranked[-2:])


def test_evidence_is_read_where_it_is_looked_at_and_stays_what_was_stored() -> None:
    stored = [ONE.model_dump(mode="json"), {"explanation_id": "of another version"}]
    part = Part.model_validate({"text": "in 2 images", "evidence": stored})
    assert (len(part.evidence), part.evidence[0], part.evidence[:1]) == (2, ONE, (ONE,))
    with pytest.raises(ValidationError):
        part.evidence[1]
    whole = Part(text="in 1 image", evidence=Behind((ONE,)))
    assert Part.model_validate_json(whole.model_dump_json()) == whole
    with pytest.raises(ValidationError):
        Part.model_validate({"text": "in 2 images", "evidence": 2})
