import pytest

from worker.method.contradiction import contradiction
from worker.method.critic import ClassSpecification

DIGIT = ClassSpecification("3", "the strokes of the digit", "a small grey square in a corner")
KNEE = ClassSpecification("arthritis", "joint space, bone edges", "radiographic markers, such as letters or a plaster")
INVERTED = ClassSpecification("3", "grey square", "the digit's strokes")
EMPTY = ClassSpecification("3", "", "")


@pytest.mark.parametrize(
    ("words", "verdict", "why"),
    [
        ("grey square; upper left corner; named as spurious; relevant", "relevant", "names this as spurious"),
        ("grey square; upper left corner; named as spurious", "relevant", "names this as spurious"),
        ("a thing; middle; named as relevant", "spurious", "names this as relevant"),
        ("It lies on a thing. It is named as spurious by the specification.", "relevant", "names this as spurious"),
        ("It lies mostly on the tape, which the specification names as spurious.", "relevant", "this as spurious"),
        ("a thing; middle; relevant", "spurious", "concludes that this is relevant"),
        ("a thing; middle; so it is spurious", "relevant", "concludes that this is spurious"),
        ("A thing. Conclusion: relevant.", "spurious", "concludes that this is relevant"),
        # Both halves cannot be right, whatever the verdict is.
        ("a thing; middle; named as spurious; relevant", "relevant", "names this as spurious"),
        ("a thing; middle; named as spurious; relevant", "spurious", "concludes that this is relevant"),
    ],
)
def test_a_verdict_against_the_critics_own_words_is_told(words: str, verdict: str, why: str) -> None:
    assert why in contradiction(words, verdict, EMPTY)


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ("grey square; upper left corner; named as spurious; spurious", "spurious"),
        ("digit strokes; middle; named as relevant; relevant", "relevant"),
        # Nothing was named: what then is so, the judge's examples say.
        ("empty background; lower part; not named; relevant", "spurious"),
        ("empty background; lower part; not named; spurious", "relevant"),
        ("a thing; middle; not named as spurious", "relevant"),
        ("It is beside the tape, which the specification names as spurious.", "relevant"),
        ("It does not lie on the tape, which the specification names as spurious.", "relevant"),
        ("The tape that the specification names as spurious is elsewhere.", "relevant"),
        ("a thing; named as spurious; named as relevant", "relevant"),
        ("a thing that could be relevant", "spurious"),
        ("whether this is spurious or relevant", "spurious"),
        ("not relevant", "spurious"),
        ("irrelevant", "spurious"),
        ("hardly relevant", "spurious"),
        ("spurious at first sight; of the joint", "relevant"),
        ("named as irrelevant", "spurious"),
        ("", "spurious"),
    ],
)
def test_words_that_may_go_with_the_verdict_are_let_pass(words: str, verdict: str) -> None:
    assert contradiction(words, verdict, EMPTY) == ""


@pytest.mark.parametrize(
    ("words", "verdict", "specification"),
    [
        ("grey square; corner", "relevant", DIGIT),
        ("Grey squares in the corner", "relevant", DIGIT),
        ("It covers mostly the square", "relevant", DIGIT),
        ("The cluster lies on the square; corner; named as relevant; relevant", "relevant", DIGIT),
        ("digit strokes; middle", "spurious", DIGIT),
        ("the stroke; middle", "spurious", DIGIT),
        ("a radiographic marker; side", "relevant", KNEE),
        ("letter; side", "relevant", KNEE),
        ("plaster on the skin", "relevant", KNEE),
        ("the joint space between the bones", "spurious", KNEE),
        ("grey square; corner", "spurious", INVERTED),
        ("digit strokes; middle", "relevant", INVERTED),
    ],
)
def test_a_verdict_against_the_specifications_own_words_is_told(
    words: str, verdict: str, specification: ClassSpecification
) -> None:
    why = contradiction(words, verdict, specification)
    meant = "spurious" if verdict == "relevant" else "relevant"
    assert why.startswith("The specification names “")
    assert why.endswith(f"as {meant}, but the verdict is {verdict}.")
    assert contradiction(words.split(";", maxsplit=1)[0], meant, specification) == ""


def spec(relevant: str, spurious: str, notes: str = "") -> ClassSpecification:
    return ClassSpecification("3", relevant, spurious, notes)


@pytest.mark.parametrize(
    ("words", "verdict", "specification"),
    [
        # Not the thing itself.
        ("digit strokes beside the grey square", "relevant", DIGIT),
        ("near the square", "relevant", DIGIT),
        ("no square; corner", "relevant", DIGIT),
        ("part of the square", "relevant", DIGIT),
        ("empty corner of the square picture", "relevant", DIGIT),
        ("digit strokes and part of the grey square", "relevant", DIGIT),
        ("a curve that ends at the square", "relevant", DIGIT),
        ("the shadow of a plaster", "relevant", KNEE),
        # It has words of both.
        ("square strokes", "relevant", DIGIT),
        ("bone with a marker", "spurious", spec("bone and marker", "marker")),
        ("border", "spurious", spec("border of the lesion", "black border of the image")),
        # Colours, sizes and places name nothing.
        ("a small grey area; corner", "relevant", DIGIT),
        ("dark background", "relevant", spec("", "dark hair")),
        # What the specification says of the word may be its opposite.
        ("square", "relevant", spec("", "all but the square")),
        ("square", "relevant", spec("strokes", "everything except the square")),
        ("square", "spurious", spec("the strokes, don't use the square", "")),
        ("square", "spurious", spec("ignore the square, look at strokes", "")),
        ("strokes", "relevant", spec("", "the strokes matter, the square is an accident")),
        ("marker", "relevant", spec("bone", "the marker", "the marker is not spurious where it lies on the bone")),
        ("tape", "relevant", spec("tape beside the wound", "tape")),
        ("the digit", "relevant", spec("its strokes", "the square beside the digit")),
        ("skin", "relevant", spec("lesion", "a ruler on the skin")),
        # A story, of which the first words may not be the point.
        ("the square and round and open and closed and many other forms of handwriting", "relevant", DIGIT),
        ("", "relevant", DIGIT),
        (";;", "relevant", DIGIT),
        ("grey square; corner", "relevant", EMPTY),
    ],
)
def test_where_the_specification_may_mean_something_else_nothing_is_told(
    words: str, verdict: str, specification: ClassSpecification
) -> None:
    assert contradiction(words, verdict, specification) == ""


@pytest.mark.parametrize("words", ["grey square; named as spurious; relevant", "grey square"])
def test_a_cluster_left_to_people_contradicts_nothing(words: str) -> None:
    assert contradiction(words, "uncertain", DIGIT) == ""


def test_long_words_of_a_critic_are_cut_in_the_sentence() -> None:
    why = contradiction("square" + "e" * 500, "relevant", spec("", "square" + "e" * 500))
    assert 0 < len(why) < 200
