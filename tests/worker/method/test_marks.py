import numpy as np
import pytest
from PIL import Image

from worker.method.marks import GROUND, OPACITY, PALETTE, draw_marks, number_position


def halves() -> np.ndarray:
    """Cluster 1 in the left half, cluster 2 on the right, a gap between them."""
    assignment = np.full((28, 28), -1, dtype=np.int8)
    assignment[:, :12] = 0
    assignment[:, 16:] = 1
    return assignment


def test_the_three_pictures_have_the_asked_size_and_keep_the_proportions() -> None:
    marks = draw_marks(Image.new("L", (100, 50)), np.zeros((25, 50), dtype=np.int8), size=200)
    assert {picture.size for picture in (marks.image, marks.cluster_map, marks.overlay)} == {(200, 100)}
    assert {picture.mode for picture in (marks.image, marks.cluster_map, marks.overlay)} == {"RGB"}


def test_clusters_have_their_colour_on_the_map_and_a_tint_of_it_on_the_overlay() -> None:
    marks = draw_marks(Image.new("L", (28, 28), 200), halves(), size=280)
    for x, colour in ((5, PALETTE[0]), (275, PALETTE[1])):
        assert marks.cluster_map.getpixel((x, 5)) == colour.rgb
        mixed = [round(OPACITY * part + (1 - OPACITY) * 200) for part in colour.rgb]
        assert marks.overlay.getpixel((x, 5)) == pytest.approx(mixed, abs=2)


def test_outside_every_cluster_the_map_is_plain_and_the_overlay_is_the_image() -> None:
    marks = draw_marks(Image.new("L", (28, 28), 200), halves(), size=280)
    assert marks.cluster_map.getpixel((140, 5)) == GROUND
    assert marks.overlay.getpixel((140, 5)) == marks.image.getpixel((140, 5)) == (200, 200, 200)


def test_every_cluster_carries_its_number_on_the_map_and_on_the_overlay_but_never_on_the_image() -> None:
    assignment = np.repeat(np.arange(6, dtype=np.int8), 5)[:, None].repeat(28, axis=1)
    marks = draw_marks(Image.new("L", (28, 30), 90), assignment, size=300)
    assert marks.clusters == (1, 2, 3, 4, 5, 6)
    for number in marks.clusters:
        x, y = number_position(assignment, number)
        box = [round(x * 280) - 8, round(y * 300) - 12, round(x * 280) + 8, round(y * 300) + 12]
        for picture in (marks.cluster_map, marks.overlay):
            assert (255, 255, 255) in {colour for _, colour in picture.crop(box).getcolors(1000)}
    assert marks.image.getcolors() == [(280 * 300, (90, 90, 90))]


def test_a_number_stands_on_its_own_cluster_even_where_that_is_a_ring() -> None:
    assignment = np.zeros((28, 28), dtype=np.int8)
    assignment[4:24, 4:24] = 1
    x, y = number_position(assignment, 1)
    assert assignment[int(y * 28), int(x * 28)] == 0


def test_clusters_without_a_pixel_are_not_listed() -> None:
    assignment = np.full((28, 28), -1, dtype=np.int8)
    assert draw_marks(Image.new("L", (28, 28)), assignment).clusters == ()
    assignment[3, 3] = 4
    assert draw_marks(Image.new("L", (28, 28)), assignment).clusters == (5,)


def test_pixels_of_a_small_image_stay_squares() -> None:
    checks = Image.fromarray((np.indices((28, 28)).sum(axis=0) % 2 * 255).astype(np.uint8))
    marks = draw_marks(checks, np.full((28, 28), -1, dtype=np.int8), size=280)
    assert {colour for _, colour in marks.image.getcolors()} == {(0, 0, 0), (255, 255, 255)}


def test_more_clusters_than_colours_are_refused() -> None:
    with pytest.raises(ValueError, match="6 clusters"):
        draw_marks(Image.new("L", (28, 28)), np.full((28, 28), 6, dtype=np.int8))


def test_colours_are_named_as_a_reader_would_and_can_be_told_apart() -> None:
    assert [colour.name for colour in PALETTE] == ["blue", "orange", "purple", "light blue", "green", "yellow"]
    assert len({colour.rgb for colour in PALETTE}) == 6
    assert PALETTE[0].rgb == (0, 0x72, 0xB2)
