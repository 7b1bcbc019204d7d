import re
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from worker.lvlm import Answer, Conversation, Turn
from worker.method.critic import ORDERS, ClassSpecification, criticise
from worker.method.judge import CHOICES, judge
from worker.method.marks import PALETTE
from worker.method.passes import Subject, in_passes, judge_in_passes, reworded

SPECIFICATION = ClassSpecification("3", "the strokes", "the square", "it is grey")
SAID = {"square": 0.9, "strokes": 0.2, "nothing": 0.5}


class Fake:
    """A critic that sees each cluster as it is told to; a judge that knows what the words are worth."""

    name = "fake"

    def __init__(self, sees: Callable[[Turn, int], str]) -> None:
        self.sees = sees
        self.asked: list[list[Conversation]] = []

    def ask(
        self, conversations: Sequence[Conversation], *, max_tokens: int = 256, choices: tuple[str, ...] = ()
    ) -> list[Answer]:
        self.asked.append(list(conversations))
        return [self.judged(turns[0].text) if choices else self.told(turns[0]) for turns in conversations]

    def told(self, turn: Turn) -> Answer:
        listed = re.findall(r"(\d) (light blue|[a-z]+)[,)]", turn.text.partition("each cluster (")[2])
        lines = [(number, colour, self.sees(turn, int(number))) for number, colour in listed]
        return Answer("\n".join(f"{number} {colour}: {words}" for number, colour, words in lines if words))

    def judged(self, text: str) -> Answer:
        p = SAID[text.rpartition("Critic: ")[2].partition(". Verdict:")[0]]
        return Answer("", {CHOICES[0]: p, CHOICES[1]: 1 - p})


def by_number(turn: Turn, number: int) -> str:
    """Does not look: the first cluster is the square, whatever it covers."""
    return "square" if number == 1 else "strokes"


def by_place(turn: Turn, number: int) -> str:
    """Looks where a colour lies on the map, which it finds by its name in the prompt."""
    names = next(order for order, words in ORDERS.items() if words.format(label="3") in turn.text).split(", ")
    cells = np.asarray(turn.images[names.index("map")]).astype(int)
    mine = np.abs(cells - PALETTE[number - 1].rgb).sum(axis=2) == 0
    return "square" if np.nonzero(mine)[1].mean() < cells.shape[1] / 4 else "strokes"


def subject(clusters: int = 3, specification: ClassSpecification = SPECIFICATION) -> Subject:
    """Clusters from left to right."""
    assignment = np.repeat(np.arange(clusters, dtype=np.int8), 8)[None].repeat(24, axis=0)
    return Subject(Image.new("L", (24, 24)), assignment, "3", specification)


def test_one_pass_is_what_critic_and_judge_say_as_ever():
    plain = in_passes(subject(), 1)[0].case
    said = criticise(Fake(by_number), [plain])
    assert judge_in_passes(Fake(by_number), [subject()]) == (said, judge(Fake(by_number), [plain], said))


def test_an_lvlm_that_goes_by_the_colour_is_found_out():
    _, ((first, second, third),) = judge_in_passes(Fake(by_number), [subject()], passes=3)
    for verdict in (first, second, third):
        assert verdict.agreement == pytest.approx(2 / 3)
        assert verdict.p_spurious == pytest.approx((0.9 + 0.2 + 0.2) / 3)
        assert verdict.value == "uncertain"
        assert verdict.reason == (
            "The judge gives spurious a probability of 0.43, between the thresholds 0.35 and 0.65, "
            "on average over 3 of 3 passes (0.20 to 0.90)."
        )


@pytest.mark.parametrize("passes", [2, 3, 5])
def test_an_lvlm_that_looks_agrees_with_itself_however_it_is_asked(passes: int):
    (critique,), (verdicts,) = judge_in_passes(Fake(by_place), [subject(4)], passes)
    assert critique.by_cluster == ("square", "strokes", "strokes", "strokes")
    assert [verdict.value for verdict in verdicts] == ["spurious", "relevant", "relevant", "relevant"]
    assert [verdict.p_spurious for verdict in verdicts] == pytest.approx([0.9, 0.2, 0.2, 0.2])
    assert {verdict.agreement for verdict in verdicts} == {1}


def test_all_passes_of_all_cases_are_asked_together_with_a_check_between_critic_and_judge():
    lvlm, asked_by_then = Fake(by_place), []
    critiques, verdicts = judge_in_passes(
        lvlm, [subject(3), subject(2)], 3, check=lambda: asked_by_then.append(len(lvlm.asked))
    )
    assert (len(critiques), [len(of_case) for of_case in verdicts]) == (2, [3, 2])
    assert [len(batch) for batch in lvlm.asked][:1] == [6]
    assert len(lvlm.asked) == 2
    assert asked_by_then == [1]


def test_every_pass_gives_each_cluster_another_number():
    ways = in_passes(subject(5), 5)
    assert all(len({way.shown_as[cluster] for way in ways}) == 5 for cluster in range(1, 6))
    assert ways[0].shown_as == {cluster: cluster for cluster in range(1, 6)}
    assert len({way.case.manner for way in ways}) > 3


def test_a_cluster_without_pixels_stays_without_a_verdict_of_its_own():
    few = subject(4)
    few.assignment[few.assignment == 1] = 0
    (critique,), (verdicts,) = judge_in_passes(Fake(by_place), [few], passes=3)
    assert critique.by_cluster[1] == ""
    assert (verdicts[1].value, verdicts[1].agreement) == ("uncertain", None)
    assert [verdict.agreement for verdict in (verdicts[0], *verdicts[2:])] == [1, 1, 1]


def test_silence_in_a_pass_is_no_word_and_no_agreement():
    def sees(turn: Turn, number: int) -> str:
        return "" if "Spurious: the square. Relevant" in turn.text else by_place(turn, number)

    (critique,), (verdicts,) = judge_in_passes(Fake(sees), [subject(2)], passes=3)
    assert verdicts[0].p_spurious == pytest.approx(0.9)
    assert verdicts[0].agreement == pytest.approx(2 / 3)
    assert critique.by_cluster == ("square", "strokes")
    _, (unheard,) = judge_in_passes(Fake(lambda *_: ""), [subject(2)], passes=3)
    assert [(verdict.value, verdict.p_spurious, verdict.agreement) for verdict in unheard] == [
        ("uncertain", 0.5, 0)
    ] * 2


def test_words_of_a_later_pass_stand_where_the_first_had_none():
    def sees(turn: Turn, number: int) -> str:
        return by_place(turn, number) if "Spurious: the square. Relevant" in turn.text else ""

    (critique,), (verdicts,) = judge_in_passes(Fake(sees), [subject(2)], passes=2)
    assert critique.by_cluster == ("square", "strokes")
    assert [verdict.value for verdict in verdicts] == ["spurious", "relevant"]


def test_the_verdict_of_all_passes_is_compared_with_the_words_that_are_shown():
    inverted = ClassSpecification("3", "the square", "the strokes")
    _, (verdicts,) = judge_in_passes(Fake(by_place), [subject(2, inverted)], passes=3)
    assert verdicts[0].flag.startswith("The specification names “square” as relevant")


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("image, map, overlay", ["an image labelled", "the map of its clusters", "both overlaid"]),
        ("image, overlay, map", ["an image labelled", "the same under its clusters", "the map of its clusters"]),
        ("map, image, overlay", ["the map of the clusters of an image", "that image, labelled", "both overlaid"]),
    ],
)
def test_the_prompt_names_the_pictures_in_the_order_in_which_they_are_shown(order: str, words: list[str]):
    case = next(way.case for way in in_passes(subject(), len(ORDERS)) if way.case.manner.pictures == order)
    lvlm = Fake(by_place)
    criticise(lvlm, [case])
    (turn,) = lvlm.asked[0][0]
    by_name = {"image": case.marks.image, "map": case.marks.cluster_map, "overlay": case.marks.overlay}
    assert [id(picture) for picture in turn.images] == [id(by_name[name]) for name in order.split(", ")]
    places = [turn.text.index(part) for part in words]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("text", "turned"),
    [
        ("letters in a corner; the ruler", "the ruler; letters in a corner"),
        ("letters.\nthe ruler; tape.", "the ruler; tape; letters"),
        ("letters, rulers and tape", "letters, rulers and tape"),
        ("letters in a corner; they are white", "letters in a corner; they are white"),
        ("the bone; nothing else", "the bone; nothing else"),
        ("the bone; but not its edge", "the bone; but not its edge"),
        ("letters; and rulers", "letters; and rulers"),
        ("Letters. They are white; the ruler", "Letters. They are white; the ruler"),
        ("", ""),
    ],
)
def test_clauses_change_places_only_where_none_leans_on_another(text: str, turned: str):
    assert reworded(ClassSpecification("3", text, ""), 1).relevant == turned


@given(
    st.lists(st.sampled_from(["letters", "the ruler", "grey tape", "it is white", "ink"]), max_size=5),
    st.integers(0, 9),
)
def test_no_clause_is_lost_or_added(clauses: list[str], turn: int):
    words = reworded(ClassSpecification("3", "", "", "; ".join(clauses)), turn).notes
    assert sorted(re.split("; ", words)) == sorted(re.split("; ", "; ".join(clauses)))


def test_a_case_is_asked_at_least_once():
    with pytest.raises(ValueError, match="at least once"):
        in_passes(subject(), 0)
