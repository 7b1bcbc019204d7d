"""The viewer of pictures and the single keys, as a person uses them."""

import json
import time
from base64 import b64decode
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture
from playwright.sync_api import Locator, Page, expect

from app.db import transaction
from app.models import Image
from app.storage import storage
from tests import factories
from tests.browser.conftest import Complaints
from tests.browser.test_loop_pages import address, read_blind, reviews
from tests.drawn import SIDE
from tests.factories import PASSWORD, Loop

pytestmark = pytest.mark.browser


@pytest.fixture
def loop(sqlite: None) -> Loop:
    with transaction() as session:
        return factories.whole_loop(session)


@pytest.fixture
def opened(loop: Loop) -> Loop:
    """The blind reading is done, so that every region has a line."""
    read_blind(loop)
    return loop


Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def pixels(page: Page, frame: int) -> Pixels:
    """(height, width, RGBA) of a frame's canvas, once it is drawn as the page says."""
    expect(page.locator(".live .figures-of-window")).to_contain_text("W")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    url = page.locator(".frame canvas").nth(frame).evaluate("canvas => canvas.toDataURL()")
    return np.asarray(Picture.open(BytesIO(b64decode(url.split(",")[1]))).convert("RGBA"))


def middle_grey(page: Page) -> int:
    shown = pixels(page, 0)
    return int(shown[shown.shape[0] // 2, shown.shape[1] // 2, 0])


def view(page: Page) -> dict[str, Any]:
    page.wait_for_timeout(50)
    kept = "Object.entries(sessionStorage).find(([name]) => name.startsWith('rightreasons-view'))?.[1]"
    found: dict[str, Any] = json.loads(page.evaluate(kept) or '{"zoom": 1, "x": 0.5, "y": 0.5}')
    return found


def wait_for_view(page: Page, holds: Callable[[dict[str, Any]], bool]) -> None:
    """Wheels and fingers arrive when the browser has time for them."""
    deadline = time.monotonic() + 5
    while not holds(view(page)):
        assert time.monotonic() < deadline, view(page)


def review(open_as: Callable[..., Page], loop: Loop, **shape: Any) -> Page:
    page = open_as(loop.clinician, address(loop, "review"), **shape)
    expect(page.locator(".viewer.live")).to_be_visible()
    pixels(page, 1)
    return page


def middle_of(place: Locator, x: float = 0.5, y: float = 0.5) -> tuple[float, float]:
    box = place.bounding_box()
    assert box
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def set_slider(page: Page, name: str, value: int) -> None:
    page.locator(f".tools input[name={name}]").fill(str(value))


def test_the_viewer_draws_the_picture_as_it_is_stored(open_as: Callable[..., Page], loop: Loop) -> None:
    page = review(open_as, loop)
    source = page.locator(".frame").first.get_attribute("data-values")
    case = str(source).split("/")[3]
    with transaction() as session:
        clusters = {str(each.id): explanation for explanation in loop.explanations for each in explanation.clusters}
        blob = session.get_one(Image, clusters[case].image_id).blob
    plain = np.asarray(Picture.open(BytesIO(storage().get(blob))), dtype=float)
    shown = pixels(page, 0)[..., 0]
    at = (np.arange(SIDE) + 0.5) * shown.shape[0] / SIDE
    sampled = shown[np.ix_(at.astype(int), at.astype(int))].astype(float)
    assert np.abs(sampled - plain).mean() < 3
    regions = pixels(page, 1)
    assert (regions[..., 0] != regions[..., 2]).sum() > 100  # colours
    assert (pixels(page, 0)[..., 0] == pixels(page, 0)[..., 2]).all()


def test_zoom_place_window_and_opacity_stay_from_case_to_case(open_as: Callable[..., Page], loop: Loop) -> None:
    page = review(open_as, loop)
    for key in ("+", "+", "ArrowRight", "c", "b"):
        page.keyboard.press(key)
    set_slider(page, "opacity", 40)
    before = view(page)
    assert before["zoom"] == pytest.approx(1.25**2)
    assert before["x"] > 0.5
    assert before["opacity"] == 0.4
    assert before["window"]["width"] < 255
    page.keyboard.press("s")
    expect(page.locator("#where")).to_contain_text("case 2 of 24")
    pixels(page, 0)
    page.keyboard.press("+")
    page.keyboard.press("-")
    after = view(page)
    assert after.pop("window") == before.pop("window") | {"width": pytest.approx(0.95 * 255)}
    assert after == pytest.approx(before)
    expect(page.locator(".figures-of-window")).to_have_text("W 242 L 115")
    page.reload()
    pixels(page, 0)
    expect(page.locator("input[name=opacity]")).to_have_value("40")
    page.keyboard.press("0")
    assert (view(page)["zoom"], view(page)["x"]) == (1, 0.5)


def test_the_window_changes_pixels_by_drag_key_and_slider(open_as: Callable[..., Page], loop: Loop) -> None:
    page = review(open_as, loop)
    grey = middle_grey(page)
    assert 0 < grey < 250
    x, y = middle_of(page.locator(".frame").first)
    page.mouse.move(x, y)
    page.mouse.down(button="right")
    page.mouse.move(x, y - 40, steps=4)  # up: a lower level, a brighter picture
    page.mouse.up(button="right")
    brighter = middle_grey(page)
    assert brighter > grey
    page.keyboard.press("v")
    page.keyboard.press("v")
    assert middle_grey(page) < brighter
    page.keyboard.press("g")
    assert middle_grey(page) == grey
    set_slider(page, "level", 255)
    set_slider(page, "width", 1)
    assert middle_grey(page) == 0
    expect(page.locator(".figures-of-window")).to_have_text("W 1 L 255")


def test_sixteen_bit_pictures_are_windowed_on_their_own_values(open_as: Callable[..., Page], loop: Loop) -> None:
    deep = np.full((SIDE, SIDE), 3000, dtype=np.uint16)
    deep[:, : SIDE // 2] = 3001  # no 8-bit picture could tell the halves apart
    deep[0, 0], deep[0, 1] = 0, 60000
    buffer = BytesIO()
    Picture.fromarray(deep).save(buffer, "PNG")
    digest = storage().put(buffer.getvalue())
    with transaction() as session:
        for image in loop.images:
            session.get_one(Image, image.id).blob = digest
    page = review(open_as, loop)
    expect(page.locator(".figures-of-window")).to_have_text("W 60000 L 30000")
    set_slider(page, "level", 3001)
    set_slider(page, "width", 1)
    shown = pixels(page, 0)
    row, quarter = shown.shape[0] // 2, shown.shape[1] // 4
    assert int(shown[row, quarter, 0]) - int(shown[row, 3 * quarter, 0]) > 100


def test_invert_turns_black_into_white_and_back(open_as: Callable[..., Page], loop: Loop) -> None:
    page = review(open_as, loop)
    before = pixels(page, 0)[..., :3].astype(int)
    page.keyboard.press("i")
    expect(page.get_by_role("button", name="Invert")).to_have_attribute("aria-pressed", "true")
    assert np.abs(pixels(page, 0)[..., :3] + before - 255).max() <= 1
    page.get_by_role("button", name="Invert").click()
    assert np.array_equal(pixels(page, 0)[..., :3], before)


def test_the_regions_are_hidden_while_the_key_or_the_button_is_held(open_as: Callable[..., Page], loop: Loop) -> None:
    page = review(open_as, loop)
    plain, marked = pixels(page, 0), pixels(page, 1)
    assert not np.array_equal(plain, marked)
    page.keyboard.down("h")
    assert np.array_equal(pixels(page, 1), plain)
    page.keyboard.up("h")
    assert np.array_equal(pixels(page, 1), marked)
    hide = page.get_by_role("button", name="Hide regions")
    hide.hover()
    page.mouse.down()
    assert np.array_equal(pixels(page, 1), plain)
    page.mouse.up()
    assert np.array_equal(pixels(page, 1), marked)
    hide.evaluate("button => button.click()")  # as a screen reader presses it
    expect(hide).to_have_attribute("aria-pressed", "true")
    assert np.array_equal(pixels(page, 1), plain)
    set_slider(page, "opacity", 0)
    hide.evaluate("button => button.click()")
    assert np.array_equal(pixels(page, 1), plain)


def test_a_click_on_a_region_lights_it_and_its_line_alone(open_as: Callable[..., Page], opened: Loop) -> None:
    page = review(open_as, opened)
    marked = pixels(page, 1)
    case = str(page.locator(".frame").nth(1).get_attribute("data-values")).split("/")[3]
    shown = next(each for each in opened.explanations if str(each.id) == case)
    chosen = shown.clusters[-1]
    line = page.locator(f".line[data-region='{chosen.number}']")
    x, y = middle_of(page.locator(".frame").nth(1), chosen.x, chosen.y)
    page.mouse.click(x, y)
    expect(line).to_have_class("line lit" if "asked" not in str(line.get_attribute("class")) else "line asked lit")
    expect(page.locator(".line.lit")).to_have_count(1)
    alone = pixels(page, 1)
    assert not np.array_equal(alone, marked)
    page.mouse.click(x, y)
    expect(page.locator(".line.lit")).to_have_count(0)
    assert np.array_equal(pixels(page, 1), marked)
    line.click()
    expect(line).to_have_class("line lit" if "asked" not in str(line.get_attribute("class")) else "line asked lit")
    assert np.array_equal(pixels(page, 1), alone)
    page.get_by_role("button", name=f"Region {chosen.number} alone").press("Enter")
    assert np.array_equal(pixels(page, 1), marked)


def test_wheel_and_drag_keep_the_point_under_the_mouse(open_as: Callable[..., Page], loop: Loop) -> None:
    page = review(open_as, loop)
    x, y = middle_of(page.locator(".frame").nth(1), 0.25, 0.25)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -500)
    wait_for_view(page, lambda found: found["zoom"] > 2)
    before = view(page)
    assert before["x"] < 0.5
    page.mouse.down()
    page.mouse.move(x + 30, y, steps=3)
    page.mouse.up()
    wait_for_view(page, lambda found: found["x"] < before["x"])
    assert page.locator(".line.lit").count() == 0  # a drag is no click
    page.mouse.wheel(0, 5000)
    wait_for_view(page, lambda found: found["zoom"] == 1)


def test_two_fingers_enlarge_and_one_moves(open_as: Callable[..., Page], loop: Loop) -> None:
    page = review(open_as, loop, width=390, height=800)
    canvas = page.locator(".frame canvas").nth(1)
    expect(page.locator(".frame.alone")).to_be_hidden()
    expect(canvas).to_be_visible()
    x, y = middle_of(canvas)

    def touch(kind: str, finger: int, dx: float) -> None:
        told = {"pointerId": finger, "pointerType": "touch", "clientX": x + dx, "clientY": y, "button": 0}
        canvas.dispatch_event(kind, told | {"bubbles": True})

    page.evaluate("Element.prototype.setPointerCapture = () => {}")  # of fingers that only the test has
    touch("pointerdown", 1, -20)
    touch("pointerdown", 2, 20)
    touch("pointermove", 1, -60)
    touch("pointermove", 2, 60)
    assert view(page)["zoom"] == pytest.approx(3, rel=0.01)
    touch("pointerup", 1, -60)
    middle = view(page)["x"]
    touch("pointermove", 2, 20)
    assert view(page)["x"] > middle


def test_without_scripts_the_plain_pictures_are_shown(
    browser: Any, server: str, loop: Loop, open_as: Callable[..., Page]
) -> None:
    signed_in = open_as(loop.clinician).context.storage_state()
    context = browser.new_context(base_url=server, java_script_enabled=False, storage_state=signed_in)
    page = context.new_page()
    for width in (390, 900, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(address(loop, "review"))
        expect(page.locator(".tools")).to_be_hidden()
        picture, *layers = page.locator(".marked img").all()
        expect(picture).to_be_visible()
        assert [layer.bounding_box() for layer in layers] == 2 * [picture.bounding_box()]
    context.close()


def test_a_key_is_changed_and_follows_the_person(
    open_as: Callable[..., Page], new_page: Callable[..., Page], loop: Loop
) -> None:
    page = review(open_as, loop)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Spurious: the model should not use this region").fill("z")
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("Saved.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#say-spurious kbd")).to_have_text("Z")
    page.keyboard.press("s")
    page.wait_for_timeout(300)
    assert reviews() == []
    page.keyboard.press("z")
    expect(page.locator("#where")).to_contain_text("case 2 of 24")

    other = new_page()
    other.goto("/sign-in")
    other.get_by_label("Name").fill(loop.clinician.name)
    other.get_by_label("Password").fill(PASSWORD)
    other.get_by_role("button", name="Sign in").click()
    other.goto(address(loop, "review"))
    expect(other.locator("#where")).to_contain_text("case 2 of 24")
    other.keyboard.press("s")
    other.keyboard.press("z")
    expect(other.locator("#where")).to_contain_text("case 3 of 24")
    assert len(reviews()) == 2

    other.goto("/account")
    other.get_by_role("button", name="As they were at first").click()
    expect(other.get_by_label("Spurious: the model should not use this region")).to_have_value("s")


def test_two_alike_keys_are_refused_where_they_were_typed(
    open_as: Callable[..., Page], loop: Loop, complaints: Complaints
) -> None:
    page = review(open_as, loop)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Invert").fill("s")
    dialog.get_by_role("button", name="Save the keys").click()
    expect(dialog.get_by_text("have the same key, S")).to_be_visible()
    expect(dialog.get_by_label("Invert")).to_have_value("s")
    assert len(complaints.heard) == 1  # the refusal, an answer with the status 422
    complaints.heard.clear()
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    expect(page.locator("#where")).to_contain_text("case 2 of 24")


def test_everything_in_the_viewer_is_done_with_the_keyboard_alone(open_as: Callable[..., Page], loop: Loop) -> None:
    page = review(open_as, loop)
    frame = page.get_by_role("group", name="The picture with its regions")
    frame.focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowDown")
    assert view(page)["y"] > 0.5
    names = []
    for _ in range(16):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent.trim()"))
    assert [name for name in names if "alone" in name]
    page.get_by_label("Opacity").focus()
    page.keyboard.press("ArrowLeft")
    assert view(page)["opacity"] == 0.99
    page.get_by_role("button", name="Hide regions").focus()
    marked = pixels(page, 1)
    page.keyboard.down("Space")
    assert np.array_equal(pixels(page, 1), pixels(page, 0))
    page.keyboard.up("Space")
    assert np.array_equal(pixels(page, 1), marked)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1440])
def test_axe_finds_nothing_in_the_viewer_and_the_list_of_keys(
    open_as: Callable[..., Page], opened: Loop, check_access: Callable[[Page], None], scheme: str, width: int
) -> None:
    page = review(open_as, opened, width=width, scheme=scheme)
    page.get_by_role("button", name="Region 1 alone").click()
    check_access(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.locator(".tools button:visible, .tools input:visible").evaluate_all(
        "all => all.map(each => each.getBoundingClientRect()).map(box => Math.min(box.width, box.height))"
    )
    assert min(sizes) >= 24
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    check_access(page)


def test_pictures_of_behaviour_open_large_and_rows_light_regions(
    open_as: Callable[..., Page], loop: Loop, check_access: Callable[[Page], None]
) -> None:
    image = loop.explanations[0].image
    page = open_as(
        loop.clinician, address(loop, f"behaviour/pictures?analysis={loop.analysis.id}&class_id={image.class_id}")
    )
    page.locator(".gallery a").first.click()
    marked = pixels(page, 1)
    page.get_by_role("button", name="Region 2 alone").click()
    expect(page.locator("tr.lit")).to_have_count(1)
    assert not np.array_equal(pixels(page, 1), marked)
    check_access(page)
    page.get_by_role("link", name="← Pictures of").click()
    expect(page.locator(".gallery")).to_be_visible()


def test_before_and_after_follow_one_another(
    open_as: Callable[..., Page], loop: Loop, check_access: Callable[[Page], None]
) -> None:
    page = open_as(loop.clinician, address(loop, "compare"), scheme="dark")
    page.locator(".small-pictures a").first.click()
    before = pixels(page, 0)
    assert np.array_equal(pixels(page, 1), before)
    page.mouse.move(*middle_of(page.locator(".frame").first, 0.2, 0.3))
    page.mouse.wheel(0, -400)
    wait_for_view(page, lambda found: found["zoom"] > 2)
    enlarged = pixels(page, 0)
    assert not np.array_equal(enlarged, before)
    assert np.array_equal(pixels(page, 1), enlarged)
    check_access(page)
