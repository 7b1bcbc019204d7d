"""In which language somebody reads, and that it is theirs."""

from collections.abc import Callable

import pytest

from app.db import reading, transaction
from app.languages.readers import asked_for
from app.models import Action, AuditEntry, User
from tests.app.conftest import Browser
from tests.factories import PASSWORD, add_user

GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.8"}


@pytest.fixture
def ada(stored: None) -> User:
    with transaction() as session:
        return add_user(session)


def language_of(user: User) -> str:
    with reading() as session:
        return session.get_one(User, user.id).language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-CH, en;q=0.7", "de"),
        ("fr, de;q=0.5, en;q=0.9", "en"),
        ("fr;q=0.9, it", "en"),
        ("de;q=0, en;q=0.1", "en"),
        ("*;q=0.5, de;q=0.1", "de"),
        ("de;q=much, en;q=0.2;;,,", "en"),
    ],
)
def test_the_browser_is_given_the_first_of_our_languages_that_it_asks_for(header: str, language: str) -> None:
    assert asked_for(header) == language


def test_a_page_follows_the_browser(visitor: Browser) -> None:
    german, english = visitor.get("/sign-in", headers=GERMAN).text, visitor.get("/sign-in").text
    assert '<html lang="de">' in german
    assert "Anmelden" in german
    assert '<html lang="en">' in english
    assert "Anmelden" not in english


def test_what_an_account_chose_counts_before_the_browser(ada: User, signed_in: Callable[[User], Browser]) -> None:
    browser = signed_in(ada)
    answer = browser.change("/account/language", data={"language": "de", "next": "/account?of=mine"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/account?of=mine")
    page = browser.get("/account").text
    assert '<html lang="de">' in page
    assert "Passwort ändern" in page
    assert '<html lang="de">' in signed_in(ada).get("/", headers={"Accept-Language": "en"}).text  # another browser
    browser.change("/account/language", data={"language": "en"})
    assert '<html lang="en">' in browser.get("/", headers=GERMAN).text


def test_a_language_that_we_do_not_have_changes_nothing(ada: User, signed_in: Callable[[User], Browser]) -> None:
    assert signed_in(ada).change("/account/language", data={"language": "tlh"}).status_code == 303
    assert not language_of(ada)


def test_a_choice_leads_to_no_other_site(ada: User, signed_in: Callable[[User], Browser]) -> None:
    asked = {"language": "de", "next": "https://elsewhere.example/"}
    assert signed_in(ada).change("/account/language", data=asked).headers["location"] == "/"


def test_the_choice_is_in_the_audit_log(ada: User, signed_in: Callable[[User], Browser]) -> None:
    signed_in(ada).change("/account/language", data={"language": "de"})
    with reading() as session:
        newest = session.query(AuditEntry).order_by(AuditEntry.number.desc()).first()
    assert newest is not None
    assert (newest.action, newest.thing, newest.after) == (Action.CHANGED, "user_account", {"language": "de"})


def test_what_is_chosen_on_the_sign_in_page_stays_with_the_account(ada: User, visitor: Browser) -> None:
    page = visitor.get("/sign-in?language=de&next=/account").text
    assert '<html lang="de">' in page
    assert '<input type="hidden" name="language" value="de">' in page
    form = {"name": "ada", "password": "wrong", "next": "/account", "language": "de"}
    refused = visitor.change("/sign-in", data=form)
    assert "Name und Passwort passen nicht zusammen." in refused.text
    assert 'name="language" value="de"' in refused.text
    assert not language_of(ada)
    assert visitor.change("/sign-in", data=form | {"password": PASSWORD}).status_code == 303
    assert language_of(ada) == "de"
    assert '<html lang="de">' in visitor.get("/account", headers={"Accept-Language": "en"}).text


def test_signing_in_without_a_choice_leaves_the_account_as_it_is(ada: User, visitor: Browser) -> None:
    visitor.get("/sign-in", headers=GERMAN)
    visitor.change("/sign-in", data={"name": "ada", "password": PASSWORD, "language": ""}, headers=GERMAN)
    assert not language_of(ada)


def test_refusals_are_said_in_the_readers_language(ada: User, signed_in: Callable[[User], Browser]) -> None:
    browser = signed_in(ada)
    browser.change("/account/language", data={"language": "de"})
    assert "Unter dieser Adresse gibt es nichts." in browser.get("/projects/none").text
    told = browser.change("/account/password", data={"password": "wrong", "new_password": "another password"}).text
    assert "Das ist nicht Ihr Passwort. Es wurde nichts geändert." in told
    missing = browser.change("/account/password", data={"password": "wrong"})
    assert missing.status_code == 422
    assert "Etwas in den gesendeten Daten ist nicht lesbar." in missing.text
    assert "new_password: fehlt." in missing.text


def test_programs_are_answered_in_english(visitor: Browser) -> None:
    answer = visitor.get("/api/v1/projects", headers=GERMAN).json()
    assert answer["detail"].startswith("This needs a token that stands.")


def test_numbers_and_moments_are_written_as_in_german(ada: User, signed_in: Callable[[User], Browser]) -> None:
    browser = signed_in(ada)
    browser.change("/account/tokens", data={"name": "nightly"})
    page = browser.get("/account", headers=GERMAN).text
    with reading() as session:
        made = session.get_one(User, ada.id).created_at
    assert f"{made:%d.%m.%Y}, " in page
