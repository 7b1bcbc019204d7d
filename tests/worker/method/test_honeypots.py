import numpy as np
import pytest
from PIL import Image

from worker.method.critic import ClassSpecification
from worker.method.honeypots import NAMES, THINGS, Mark, Thing, extended, marks_for, plant, plant_mark, things_for

WORDS = ClassSpecification("healthy", "the joint space", "hair.", "one knee in each image")


def halves(clusters: int = 2) -> np.ndarray:
    """Columns of clusters on the left half, nothing on the right."""
    cells = np.full((48, 48), -1, dtype=np.int8)
    cells[:, :24] = np.arange(24) * clusters // 24
    return cells


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize("side", [28, 300])
def test_the_cluster_lies_on_what_was_planted_and_nothing_else_is_changed(thing: Thing, side: int) -> None:
    image = Image.new("L", (side, side), 40)
    pot = plant(image, halves(), thing, np.random.default_rng(0))
    picture = np.asarray(pot.image)
    changed = (picture != 40).any(axis=2)
    on_it = Image.fromarray(pot.assignment == pot.number - 1).resize(pot.image.size, Image.Resampling.NEAREST)
    inside = np.asarray(on_it)
    assert changed.any()
    grown = np.asarray(on_it.convert("L").resize((50, 50)).resize(pot.image.size)) > 0
    assert not changed[~(inside | grown)].any()
    assert thing == "letter" or changed[inside].mean() > 0.8
    assert picture.max() > 100


def test_it_is_planted_where_it_hides_least_and_keeps_the_other_clusters() -> None:
    for seed in range(5):
        pot = plant(Image.new("L", (96, 96)), halves(), "square", np.random.default_rng(seed))
        numbers = set(np.unique(pot.assignment)) - {-1}
        assert len(numbers) == 3
        assert np.flatnonzero((pot.assignment == pot.number - 1).any(axis=0)).min() >= 24
        others = np.where(pot.assignment == pot.number - 1, -1, pot.assignment)
        assert ((others >= 0) == (halves() >= 0)).all()


def test_its_number_says_nothing() -> None:
    numbers = {
        plant(Image.new("L", (96, 96)), halves(), "square", np.random.default_rng(seed)).number for seed in range(20)
    }
    assert numbers == {1, 2, 3}


def test_the_smallest_cluster_gives_way_where_every_colour_is_taken() -> None:
    cells = halves(6)
    cells[cells == 2] = 1
    cells[:2, 9] = 2
    pot = plant(Image.new("L", (96, 96)), cells, "patch", np.random.default_rng(1))
    sizes = sorted(int((pot.assignment == number).sum()) for number in range(6))
    assert sizes[0] > 2
    assert pot.assignment.max() == 5


def test_the_specification_is_extended_on_the_side_that_is_asked_for() -> None:
    assert extended(WORDS, "letter", "spurious").spurious == f"hair; {NAMES['letter']}"
    assert extended(WORDS, "letter", "spurious").relevant == WORDS.relevant
    assert extended(WORDS, "patch", "relevant").relevant == f"the joint space; {NAMES['patch']}"
    assert extended(ClassSpecification("a", "", ""), "square", "relevant").relevant == NAMES["square"]


def test_what_a_specification_speaks_of_itself_is_not_planted() -> None:
    assert things_for(WORDS) == THINGS
    assert things_for(ClassSpecification("7", "the strokes", "the grey Square in the corner")) == ("letter", "patch")
    assert things_for(ClassSpecification("a", "the lesion", "bandages", "a label names the side")) == ("square",)


@pytest.mark.parametrize("mark", [*THINGS, "star"])
@pytest.mark.parametrize("number", [1, 2])
def test_a_mark_for_readers_takes_the_place_of_one_cluster_and_leaves_the_others(mark: Mark, number: int) -> None:
    image = Image.new("RGB", (300, 300), (40, 40, 40))
    marked = plant_mark(image, halves(), mark, number, np.random.default_rng(0))
    assert marked.image.size == image.size
    assert set(np.unique(marked.assignment)) == {-1, 0, 1}
    other = 1 - (number - 1)
    assert ((marked.assignment == other) <= (halves() == other)).all()
    mine = marked.assignment == number - 1
    rows, columns = np.nonzero(mine)
    assert (marked.x, marked.y) == pytest.approx(((columns.mean() + 0.5) / 48, (rows.mean() + 0.5) / 48), abs=0.01)
    assert marked.spread == pytest.approx(columns.std() / 48, rel=0.1)
    changed = (np.asarray(marked.image) != 40).any(axis=2)
    around = np.asarray(Image.fromarray(mine).resize((300, 300), Image.Resampling.NEAREST))
    assert changed.any()
    assert not changed[~around].any()


def test_readers_are_shown_nothing_that_the_specification_speaks_of() -> None:
    assert marks_for(WORDS, "spurious") == THINGS
    assert marks_for(WORDS, "relevant") == ("star",)
    assert marks_for(ClassSpecification("a", "a Star in the lesion", "the letter"), "relevant") == ()
    assert marks_for(ClassSpecification("a", "a Star in the lesion", "the letter"), "spurious") == ("patch", "square")
