import gzip
from io import BytesIO

import numpy as np
import pytest
from PIL import Image as Picture

from app.db import transaction
from app.models import HoneypotCase, Image
from app.pictures import drawing, values
from app.storage import storage
from tests import factories
from tests.app.conftest import Browser
from tests.drawn import INPUT, SIDE
from tests.factories import Loop


@pytest.fixture
def whole(sqlite: None) -> Loop:
    with transaction() as session:
        return factories.whole_loop(session, per_class=1)


def encoded(array: values.Values, form: str = "PNG") -> bytes:
    buffer = BytesIO()
    Picture.fromarray(array).save(buffer, form)
    return buffer.getvalue()


def read(netpbm: bytes) -> values.Values:
    """A slow reader, from the description of the format."""
    kind, size, top, rest = netpbm.split(b"\n", 3)
    width, height = map(int, size.split())
    depth = np.dtype(">u2" if int(top) > 255 else "u1")
    shape = (height, width) if kind == b"P5" else (height, width, 3)
    return np.frombuffer(rest, depth).reshape(shape)


def ramp(side: int, step: int = 1) -> values.Values:
    return (np.arange(side * side).reshape(side, side) * step).astype(np.uint16)


def test_sixteen_bits_arrive_as_they_were_stored() -> None:
    deep = ramp(240)
    assert np.array_equal(read(gzip.decompress(values.as_netpbm(values.values_of(encoded(deep))))), deep)


def test_equal_channels_are_grey_and_others_stay_colours() -> None:
    grey = np.full((240, 240), 7, dtype=np.uint8)
    assert np.array_equal(values.values_of(encoded(np.dstack([grey] * 3))), grey)
    colours = np.dstack([grey, grey, grey + 1])
    sent = gzip.decompress(values.as_netpbm(values.values_of(encoded(colours))))
    assert sent.startswith(b"P6\n240 240\n255\n")
    assert np.array_equal(read(sent), colours)


def test_small_pictures_repeat_their_pixels_and_large_ones_are_averaged() -> None:
    assert values.values_of(encoded(ramp(28))).shape == (224, 224)
    assert np.array_equal(values.values_of(encoded(ramp(28)))[::8, ::8], ramp(28))
    large = np.zeros((2, 2 * values.LONGEST), dtype=np.uint16)
    large[1] = 50000
    assert values.values_of(encoded(large)).tolist() == [[25000] * values.LONGEST]


@pytest.mark.parametrize("side", [5, 28, 100, 119, 120, 239, 240, 1000])
def test_repeating_twice_is_repeating_once(side: int) -> None:
    factor = drawing.squares((side, side // 2))
    assert drawing.squares((side * factor, side // 2 * factor)) == 1


def test_a_planted_copy_has_the_depth_of_its_original_and_its_mark() -> None:
    deep = ramp(60, step=9) + np.uint16(1000)
    copy = np.asarray(drawing.opened(encoded(deep))).repeat(3, axis=0).repeat(3, axis=1).copy()
    copy[10:20, 10:20] = 255
    found = values.copied_values(encoded(copy), encoded(deep))
    expected = deep.repeat(3, axis=0).repeat(3, axis=1)
    expected[10:20, 10:20] = deep.max()
    assert np.array_equal(found, expected)
    shallow = np.full((240, 240), 7, dtype=np.uint8)
    assert np.array_equal(values.copied_values(encoded(shallow + 1), encoded(shallow)), shallow + 1)


def test_the_viewer_is_given_values_and_cells(clinician: Browser, whole: Loop) -> None:
    explanation = whole.explanations[0]
    plain = np.asarray(Picture.open(BytesIO(storage().get(explanation.image.blob))))
    for start in (f"images/{explanation.image_id}", f"explanations/{explanation.id}"):
        answer = clinician.get(f"/pictures/{start}/values")
        factor = drawing.squares((SIDE, SIDE))
        assert np.array_equal(read(answer.content)[::factor, ::factor], plain)
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    cells = read(clinician.get(f"/pictures/explanations/{explanation.id}/cells").content)
    assert cells.shape == (INPUT, INPUT)
    assert set(np.unique(cells)) == {0, *(cluster.number for cluster in explanation.clusters)}


def test_values_and_cells_tell_no_planted_case_from_the_others(clinician: Browser, whole: Loop) -> None:
    explanation = whole.explanations[0]
    deep = ramp(SIDE)
    with transaction() as session:
        planted = factories.add_honeypots(session, whole, 1)[0]
        session.get_one(Image, explanation.image_id).blob = storage().put(encoded(deep))
        copy = np.asarray(drawing.opened(encoded(deep))).repeat(2, axis=0).repeat(2, axis=1)
        session.get_one(HoneypotCase, planted.id).picture = storage().put(encoded(copy))
    for what in ("values", "cells"):
        real = clinician.get(f"/pictures/cases/{explanation.clusters[0].id}/{what}")
        made = clinician.get(f"/pictures/cases/{planted.id}/{what}")
        assert made.content == real.content
        assert {*made.headers} == {*real.headers}


def test_nobody_reads_values_without_signing_in(visitor: Browser, whole: Loop) -> None:
    answer = visitor.get(f"/pictures/images/{whole.images[0].id}/values", follow_redirects=False)
    assert answer.status_code == 303
