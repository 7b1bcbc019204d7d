from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from itsdangerous import TimestampSigner

from app.accounts.actions import set_password, sign_in_link, switch_off, switch_on
from app.accounts.attempts import WINDOW, Attempts
from app.accounts.cookies import SESSION
from app.accounts.routes import own_address
from app.config import settings
from app.db import transaction
from app.models import Role, User
from tests.app.conftest import Browser
from tests.factories import PASSWORD, add_user
from worker.benchmarks.own_database import forget_settings

WRONG = "That name and password don&#39;t belong together."


@pytest.fixture
def ada(stored: None) -> User:
    with transaction() as session:
        return add_user(session, "ada", Role.CLINICIAN, "Ada")


def try_to_sign_in(browser: Browser, name: str = "ada", password: str = PASSWORD, next_page: str = "/") -> int:
    browser.get("/sign-in")
    return browser.change("/sign-in", data={"name": name, "password": password, "next": next_page}).status_code


def test_the_right_password_signs_in_and_leads_on(visitor: Browser, ada: User) -> None:
    visitor.get("/sign-in?next=/account")
    answer = visitor.change("/sign-in", data={"name": " Ada ", "password": PASSWORD, "next": "/account"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert "Ada" in visitor.get("/account").text


def test_the_form_works_with_its_hidden_field(visitor: Browser, ada: User) -> None:
    visitor.get("/sign-in")
    form = {"name": "ada", "password": PASSWORD, "csrf_token": visitor.csrf}
    assert visitor.csrf in visitor.get("/sign-in").text
    assert visitor.post("/sign-in", data=form, follow_redirects=False).status_code == 303


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(visitor: Browser, ada: User) -> None:
    visitor.get("/sign-in")
    answer = visitor.change("/sign-in", data={"name": "ada", "password": PASSWORD})
    cookie = next(each for each in answer.headers.get_list("set-cookie") if each.startswith(SESSION))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie


def test_the_cookie_is_secure_where_the_settings_say_so(
    visitor: Browser, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIGHTREASONS_SECURE_COOKIES", "true")
    forget_settings()
    with Browser(visitor.app, base_url="https://testserver") as browser:
        browser.get("/sign-in")
        answer = browser.change("/sign-in", data={"name": "ada", "password": PASSWORD})
    assert "Secure" in answer.headers["set-cookie"]
    assert "max-age" in answer.headers["strict-transport-security"]


def test_a_wrong_password_and_an_unknown_name_get_the_same_words(visitor: Browser, ada: User) -> None:
    visitor.get("/sign-in")
    for form in ({"name": "ada", "password": "wrong"}, {"name": "nobody", "password": PASSWORD}):
        answer = visitor.change("/sign-in", data=form)
        assert answer.status_code == 401
        assert WRONG in answer.text
    assert SESSION not in visitor.cookies


def test_an_account_that_is_switched_off_signs_nobody_in(
    visitor: Browser, ada: User, signed_in: Callable[[User], Browser]
) -> None:
    already = signed_in(ada)
    with transaction() as session:
        switch_off(session, session.get_one(User, ada.id))
    assert try_to_sign_in(visitor) == 401
    assert already.get("/", follow_redirects=False).status_code == 303
    with transaction() as session:
        switch_on(session, session.get_one(User, ada.id))
    assert already.get("/", follow_redirects=False).status_code == 303
    assert try_to_sign_in(visitor) == 303


@pytest.fixture
def three_tries(visitor: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGHTREASONS_SIGN_IN_ATTEMPTS", "3")
    forget_settings()


def test_guessing_ends_after_some_tries_even_with_the_right_password(
    visitor: Browser, ada: User, three_tries: None
) -> None:
    statuses = [try_to_sign_in(visitor, password=f"guess {number}") for number in range(4)]
    assert statuses == [401, 401, 401, 429]
    assert try_to_sign_in(visitor, password=PASSWORD) == 429


def test_guessing_by_many_names_from_one_address_ends_too(visitor: Browser, ada: User, three_tries: None) -> None:
    assert [try_to_sign_in(visitor, name=f"name{number}") for number in range(4)][-1] == 429


def test_one_right_password_does_not_open_the_address_for_more_guesses(
    visitor: Browser, ada: User, three_tries: None
) -> None:
    for name in ("x", "y"):
        try_to_sign_in(visitor, name=name)
    assert try_to_sign_in(visitor) == 303
    visitor.change("/sign-out")
    assert try_to_sign_in(visitor, name="z") == 401
    assert try_to_sign_in(visitor) == 429


def test_the_wait_is_over_after_a_quarter_of_an_hour() -> None:
    time = 1000.0
    attempts = Attempts(clock=lambda: time)
    for _ in range(3):
        attempts.note_failure(("name ada",))
    assert attempts.wait(("name ada",), limit=3) == WINDOW
    assert attempts.wait(("name ada",), limit=4) == 0
    assert attempts.wait(("name bob",), limit=3) == 0
    time += WINDOW
    assert attempts.wait(("name ada",), limit=3) == 0


def test_a_flood_of_names_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.accounts.attempts.MOST_KEYS", 10)
    attempts = Attempts()
    for number in range(100):
        attempts.note_failure((f"name {number}",))
    assert len(attempts.failures) == 10


@pytest.mark.usefixtures("database")
def test_a_link_signs_in_once(visitor: Browser, ada: User) -> None:
    link = sign_in_link(ada)
    assert visitor.get(link, follow_redirects=False).headers["location"] == "/"
    assert visitor.get("/").status_code == 200
    with Browser(visitor.app) as thief:
        answer = thief.get(link)
        assert answer.status_code == 401
        assert "used already" in answer.text
        assert SESSION not in thief.cookies


def test_a_link_clicked_twice_leads_whom_it_signed_in_to_the_projects(visitor: Browser, ada: User) -> None:
    link = sign_in_link(ada)
    visitor.get(link)
    assert visitor.get(link, follow_redirects=False).headers["location"] == "/"


def test_a_link_is_void_after_half_an_hour_and_with_a_new_password(
    visitor: Browser, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = sign_in_link(ada)
    with transaction() as session:
        set_password(session, session.get_one(User, ada.id), "another password")
    assert visitor.get(link).status_code == 401
    with transaction() as session:
        fresh = sign_in_link(session.get_one(User, ada.id))
    later = TimestampSigner("any").get_timestamp() + int(timedelta(minutes=31).total_seconds())
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: later)
    assert visitor.get(fresh).status_code == 401


def test_a_forged_link_and_a_forged_cookie_are_refused(visitor: Browser, ada: User) -> None:
    assert visitor.get("/sign-in/link?token=made-up").status_code == 401
    visitor.cookies.set(SESSION, f'["{ada.id}", "{ada.session_key}", "x"].aaaa.bbbb')
    assert visitor.get("/", follow_redirects=False).status_code == 303


def test_a_session_ends_after_its_hours(
    ada: User, signed_in: Callable[[User], Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = signed_in(ada)
    later = TimestampSigner("any").get_timestamp() + int(settings().session_hours * 3600) + 1
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: later)
    assert browser.get("/", follow_redirects=False).status_code == 303


def test_the_sign_in_page_leads_back_to_where_one_wanted_to_go(visitor: Browser) -> None:
    address = f"/runs/{uuid4()}?shown=all"
    answer = visitor.get(address)
    assert f'name="next" value="{address}"' in answer.text


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", "/\t/evil.example", ""]
)
def test_signing_in_never_leads_to_another_site(elsewhere: str) -> None:
    assert own_address(elsewhere) == "/"


def test_a_fragment_leaves_the_page_as_it_is_and_says_that_nobody_is_signed_in(visitor: Browser) -> None:
    answer = visitor.fragment(f"/runs/{uuid4()}/progress")
    assert (answer.status_code, answer.headers["hx-reswap"], answer.text) == (401, "none", "")


def test_a_change_after_the_session_has_ended_leads_back_to_the_page_it_was_made_on(
    ada: User, signed_in: Callable[[User], Browser]
) -> None:
    browser = signed_in(ada)
    headers = {"X-CSRF-Token": browser.csrf}
    browser.cookies.clear()
    for referer, back in (
        ("http://testserver/account?from=here", "/sign-in?next=%2Faccount%3Ffrom%3Dhere"),
        ("http://testserver//evil.example", "/sign-in?next=%2Fevil.example"),
        ("http://[", "/sign-in"),
        ("", "/sign-in"),
    ):
        answer = browser.post("/account/password", headers={**headers, "Referer": referer}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, back)


def test_signing_out_ends_the_session(ada: User, signed_in: Callable[[User], Browser]) -> None:
    browser = signed_in(ada)
    assert browser.change("/sign-out").headers["location"] == "/sign-in"
    assert browser.get("/", follow_redirects=False).status_code == 303


def test_signing_out_everywhere_ends_every_session(ada: User, signed_in: Callable[[User], Browser]) -> None:
    here = signed_in(ada)
    there = signed_in(ada)
    here.change("/account/sign-out-everywhere")
    assert there.get("/", follow_redirects=False).status_code == 303
