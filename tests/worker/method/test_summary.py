import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.method.looks import Look
from worker.method.regions import ClusterFacts, evidence_of, regions_of
from worker.method.summary import NARROW_SPACE, Sentence, place, summarise

STROKE, SQUARE = "digit strokes", "a grey square"
CORNER, MIDDLE = (0.1, 0.1), (0.5, 0.5)


def facts(
    image: int, number: int, share: float, words: str, at: tuple[float, float] = MIDDLE, effect: float = 0.0
) -> ClusterFacts:
    look = Look(place(at, 0.05), *at, 0.05, 0.02, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    return ClusterFacts(str(image), number, share, words, look, effect)


def told(clusters: list[ClusterFacts], images: int) -> list[Sentence]:
    return summarise("3", regions_of(clusters, [str(image) for image in range(images)], seed=0))


def texts(clusters: list[ClusterFacts], images: int) -> list[str]:
    return [sentence.text.replace(NARROW_SPACE, " ") for sentence in told(clusters, images)]


@pytest.mark.parametrize(
    ("mean", "spread", "words"),
    [
        ((0.07, 0.07), 0.04, "upper left corner"),
        ((0.93, 0.07), 0.04, "upper right corner"),
        ((0.07, 0.93), 0.04, "lower left corner"),
        ((0.93, 0.93), 0.04, "lower right corner"),
        ((0.5, 0.5), 0.1, "middle"),
        ((0.5, 0.1), 0.1, "upper part"),
        ((0.5, 0.7), 0.1, "lower part"),
        ((0.3, 0.5), 0.1, "left part"),
        ((0.9, 0.5), 0.1, "right part"),
        ((0.3, 0.3), 0.1, "upper left part"),
        ((0.1, 0.25), 0.1, "upper left part"),
        ((0.7, 0.65), 0.1, "lower right part"),
        ((0.5, 0.5), 0.25, "large part of the image"),
    ],
)
def test_places_have_plain_names(mean: tuple[float, float], spread: float, words: str) -> None:
    assert place(mean, spread) == words


SQUARES_AND_STROKES = [
    *(facts(image, 1, 0.5, SQUARE, CORNER if image < 9 else MIDDLE, effect=0.4) for image in range(10)),
    *(facts(image, 2, 0.25, STROKE, effect=-0.1) for image in range(5)),
    *(facts(image, 3, 0.125, "") for image in range(2)),
]


def test_a_kind_of_region_is_told_with_its_share_its_images_its_place_and_its_effect() -> None:
    square, stroke, rest = texts(SQUARES_AND_STROKES, images=10)
    assert square == (
        "50 % (95 % interval 50–50) of the evidence for 3 lies on “a grey square”, in 10 of 10 images, "
        "9 of 10 regions in the upper left corner; "
        "covering one lowers the probability of 3 by 40 points on average (40 to 40)."
    )
    interval = re.search(r"13 % \(95 % interval (\d+)–(\d+)\) of the evidence", stroke)
    assert interval is not None
    assert 2 <= int(interval[1]) < 12 < int(interval[2]) <= 23
    assert stroke.endswith(
        "lies on “digit strokes”, in 5 of 10 images, 5 of 5 regions in the middle; "
        "covering one raises the probability of 3 by 10 points on average (10 to 10)."
    )
    assert rest == "Another 2 % lies on other things, in 2 of 10 images; 35 % outside every region, in 10 of 10 images."


def test_every_figure_opens_its_clusters_with_the_most_evidence_first() -> None:
    square, stroke, rest = told(SQUARES_AND_STROKES, images=10)
    squares = [cluster for cluster in SQUARES_AND_STROKES if cluster.words == SQUARE]
    assert [part.evidence for part in square.parts if part.evidence] == [
        evidence_of(squares),
        evidence_of([cluster for cluster in squares if cluster.look.place == "upper left corner"]),
    ]
    assert {each.numbers for part in stroke.parts for each in part.evidence} == {(2,)}
    others, outside = (part.evidence for part in rest.parts if part.evidence)
    assert [each.numbers for each in others] == [(3,), (3,)]
    # Of images 0 and 1 an eighth lies outside, of 2 to 4 a quarter, of the others a half.
    assert [each.image_id for each in outside] == ["5", "6", "7", "8", "9", "2", "3", "4", "0", "1"]
    assert {each.numbers for each in outside} == {()}


def test_without_any_words_of_an_lvlm_looks_are_told_and_not_quoted() -> None:
    clusters = [facts(image, 1, 1.0, "", CORNER) for image in range(12)]
    (text,) = texts(clusters, images=12)
    assert text == (
        "100 % (95 % interval 100–100) of the evidence for 3 lies on a small bright area in the upper left corner, "
        "in 12 of 12 images; covering one changes the probability of 3 by less than a point on average."
    )


def test_a_rare_kind_has_no_sentence_of_its_own_however_heavy() -> None:
    clusters = [facts(0, 1, 1.0, "a hair"), facts(1, 1, 1.0, "a hair")]
    clusters += [facts(image, 1, 0.2, "a lesion") for image in (2, 3, 4)]
    lesion, rest = texts(clusters, images=5)
    assert "“a lesion”" in lesion
    assert "few images" in lesion
    assert rest == "Another 40 % lies on other things, in 2 of 5 images; 48 % outside every region, in 3 of 5 images."


def test_at_most_three_kinds_are_named() -> None:
    clusters = [facts(image, number, 0.25, words) for image in range(4) for number, words in enumerate("zyxw", 1)]
    *named, rest = texts(clusters, images=4)
    assert [re.search("“(.)”", text)[1] for text in named] == ["w", "x", "y"]  # type: ignore[index]
    assert rest == "Another 25 % lies on other things, in 4 of 4 images."


def test_where_nothing_recurs_that_is_said() -> None:
    clusters = [facts(image, 1, 0.9, words) for image, words in enumerate(["a hair", "a ruler", "a lesion"])]
    (text,) = texts(clusters, images=3)
    assert text == (
        "90 % of the evidence for 3 lies on things of which none recurs in 3 images, in 3 of 3 images; "
        "10 % outside every region, in 3 of 3 images."
    )


def test_where_nothing_is_inside_a_cluster_that_is_said() -> None:
    assert texts([], images=2) == ["100 % of the evidence for 3 lies outside every region, in 2 of 2 images."]


def test_words_of_the_lvlm_cannot_end_their_quotation_and_are_short() -> None:
    fake = "bone”, in 60 of 60 images. 99 % lies on “hair and much more that nobody wants to read in a sentence"
    (text,) = texts([facts(image, 1, 1.0, fake) for image in range(3)], images=3)
    (quoted,) = re.findall("“([^”]*)”", text)
    assert len(quoted) == 60
    assert quoted.startswith("bone', in 60 of 60 images. 99 % lies on 'hair")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(1, 20), st.sampled_from(["", "bone", "letter", "hair", "skin"])), max_size=5),
        min_size=1,
        max_size=6,
    )
)
def test_the_percents_of_the_sentences_add_up_and_each_has_evidence(images: list[list[tuple[int, str]]]) -> None:
    clusters = [
        facts(image, number, weight / 100, words)
        for image, mine in enumerate(images)
        for number, (weight, words) in enumerate(mine, 1)
    ]
    sentences = told(clusters, len(images))
    assert all(any(part.evidence for part in sentence.parts) for sentence in sentences)
    figures = [
        int(share)
        for sentence in sentences
        for share in re.findall(rf"(?:^|Another |; )(\d+){NARROW_SPACE}%", sentence.text)
    ]
    assert sum(figures) == 100
