from io import BytesIO
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image as Picture

from app.config import settings
from app.db import transaction
from app.models import Image
from app.pictures import drawing
from app.storage import storage
from tests import factories
from tests.app.conftest import Browser
from tests.drawn import SIDE
from tests.factories import Loop


@pytest.fixture
def whole(sqlite: None) -> Loop:
    with transaction() as session:
        return factories.whole_loop(session, per_class=1)


def opened(data: bytes) -> Picture.Image:
    return Picture.open(BytesIO(data))


def encoded(picture: Picture.Image, form: str = "PNG") -> bytes:
    buffer = BytesIO()
    picture.save(buffer, form)
    return buffer.getvalue()


def test_an_image_is_shown_as_it_was_imported(clinician: Browser, whole: Loop) -> None:
    image = whole.images[0]
    answer = clinician.get(f"/pictures/images/{image.id}")
    assert answer.content == storage().get(image.blob)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"


def test_a_picture_that_is_known_is_not_sent_again(clinician: Browser, whole: Loop) -> None:
    for address in (f"/pictures/images/{whole.images[0].id}", f"/pictures/explanations/{whole.explanations[0].id}/map"):
        tag = clinician.get(address).headers["etag"]
        for given in (tag, f'"other", W/{tag}'):
            again = clinician.get(address, headers={"If-None-Match": given})
            assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("size", [96, 240, 480])
def test_thumbnails_come_in_three_sizes(clinician: Browser, whole: Loop, size: int) -> None:
    answer = clinician.get(f"/pictures/images/{whole.images[0].id}/thumbnail?size={size}")
    assert opened(answer.content).size == (size, size)


def test_a_case_shows_the_picture_of_its_cluster_and_a_planted_one_its_copy(clinician: Browser, whole: Loop) -> None:
    explanation = whole.explanations[0]
    case = f"/pictures/cases/{explanation.clusters[0].id}"
    for rest in ("image", "image?size=240", "layer", "layer?cluster=1"):
        assert clinician.get(f"{case}/{rest}").content == (
            clinician.get(f"/pictures/explanations/{explanation.id}/{rest}").content
        )
    with transaction() as session:
        planted = factories.add_honeypots(session, whole, 1)[0]
    image = clinician.get(f"/pictures/cases/{planted.id}/image")
    assert opened(image.content).getextrema() == ((0, 0),) * 3
    assert image.content != clinician.get(f"{case}/image").content
    assert clinician.get(f"/pictures/cases/{uuid4()}/image").status_code == 404


def test_other_sizes_are_refused(clinician: Browser, whole: Loop) -> None:
    assert clinician.get(f"/pictures/images/{whole.images[0].id}/thumbnail?size=100000").status_code == 422


def test_a_thumbnail_is_drawn_once(clinician: Browser, whole: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"/pictures/images/{whole.images[0].id}/thumbnail"
    first = clinician.get(address).content
    assert len(list((settings().data / "cache" / "pictures").rglob("*.png"))) == 1
    monkeypatch.delattr(drawing, "fitted")
    assert clinician.get(address).content == first


def test_map_overlay_layer_and_image_lie_over_one_another(clinician: Browser, whole: Loop) -> None:
    start = f"/pictures/explanations/{whole.explanations[0].id}"
    found = {kind: opened(clinician.get(f"{start}/{kind}").content) for kind in ("image", "map", "overlay", "layer")}
    assert {picture.size for picture in found.values()} == {(480, 480)}
    assert found["layer"].mode == "RGBA"
    laid = Picture.alpha_composite(found["image"].convert("RGBA"), found["layer"]).convert("RGB")
    assert np.array_equal(np.asarray(laid), np.asarray(found["overlay"]))


def test_a_layer_of_one_cluster_shows_that_one_alone(clinician: Browser, whole: Loop) -> None:
    start = f"/pictures/explanations/{whole.explanations[0].id}/layer"
    every = np.asarray(opened(clinician.get(start).content))
    one = np.asarray(opened(clinician.get(f"{start}?cluster=1").content))
    assert 0 < (one[..., 3] > 0).sum() < (every[..., 3] > 0).sum()
    colours = {tuple(pixel[:3]) for pixel in one[one[..., 3] == drawing.FILL]}
    assert colours == {drawing.PALETTE[0]}
    assert clinician.get(f"{start}?cluster=7").status_code == 422


def test_clusters_have_their_numbers_colours() -> None:
    cells = np.zeros((60, 60), dtype=np.uint8)
    cells[:, 30:] = 2
    picture = np.asarray(drawing.cluster_map(cells))
    assert tuple(picture[5, 5]) == drawing.GROUND
    assert tuple(picture[5, 35]) == drawing.PALETTE[1]


def test_edges_are_where_the_cluster_changes() -> None:
    cells = np.zeros((8, 8), dtype=np.uint8)
    cells[:, 4:] = 1
    assert drawing.edges(cells)[0].tolist() == [False, False, True, True, True, True, False, False]
    assert not drawing.edges(np.ones((8, 8), dtype=np.uint8)).any()


def test_wide_pictures_keep_their_shape_and_digits_their_pixels() -> None:
    wide = Picture.new("RGB", (600, 300))
    assert drawing.fitted(wide, 240).size == (240, 120)
    digit = Picture.fromarray(np.array([[0, 255], [255, 0]], dtype=np.uint8)).convert("RGB")
    assert set(np.unique(np.asarray(drawing.fitted(digit, 240)))) == {0, 255}


def test_deep_grey_and_turned_pictures_are_shown_right() -> None:
    deep = Picture.fromarray(np.array([[1000, 2000], [3000, 4000]], dtype=np.uint16))
    assert np.asarray(drawing.opened(encoded(deep)))[..., 0].tolist() == [[0, 85], [170, 255]]
    turned = Picture.new("RGB", (4, 2))
    exif = Picture.Exif()
    exif[274] = 6  # held on its side
    buffer = BytesIO()
    turned.save(buffer, "JPEG", exif=exif)
    assert drawing.opened(buffer.getvalue()).size == (2, 4)


def test_forms_that_browsers_do_not_show_become_png(clinician: Browser, whole: Loop) -> None:
    with transaction() as session:
        image = session.get_one(Image, whole.images[0].id)
        image.blob = storage().put(encoded(Picture.new("RGB", (SIDE, SIDE), "red"), "TIFF"))
    answer = clinician.get(f"/pictures/images/{image.id}")
    assert answer.headers["content-type"] == "image/png"
    assert opened(answer.content).getpixel((3, 3)) == (255, 0, 0)


def test_a_file_that_the_store_lost_is_told(clinician: Browser, whole: Loop) -> None:
    with transaction() as session:
        session.get_one(Image, whole.images[0].id).blob = "0" * 64
    answer = clinician.get(f"/pictures/images/{whole.images[0].id}/thumbnail")
    assert answer.status_code == 404
    assert "an engineer can import it again" in answer.text
