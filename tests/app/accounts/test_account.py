from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.accounts.actions import AccountError, create_token, create_user, find_by_password, set_password
from app.db import transaction
from app.models import Role, Token, User
from tests.app.conftest import Browser
from tests.factories import PASSWORD, add_user


@pytest.fixture
def ada(sqlite: None) -> User:
    with transaction() as session:
        return add_user(session, "ada")


def test_an_account_keeps_its_password_as_argon2_only(sqlite: None) -> None:
    with transaction() as session:
        user = create_user(session, " Grace ", "Grace Hopper", Role.ENGINEER, "a long password")
    assert user.name == "grace"
    assert user.password_hash.startswith("$argon2id$")
    with transaction() as session:
        assert find_by_password(session, "GRACE", "a long password") is not None
        assert find_by_password(session, "grace", "a long passworD") is None
        assert find_by_password(session, "grace", "x" * 5000) is None


@pytest.mark.parametrize("name", ["ada", "ADA ", "", "two words", "x" * 201])
def test_a_name_is_taken_once_and_has_no_spaces(ada: User, name: str) -> None:
    with transaction() as session, pytest.raises(AccountError):
        create_user(session, name, "", Role.CLINICIAN, "a long password")


def test_a_short_password_is_refused(ada: User) -> None:
    with transaction() as session, pytest.raises(AccountError, match="at least 10"):
        set_password(session, session.get_one(User, ada.id), "short")


def test_changing_the_password_keeps_this_browser_and_signs_out_the_others(
    ada: User, signed_in: Callable[[User], Browser]
) -> None:
    here = signed_in(ada)
    there = signed_in(ada)
    answer = here.change("/account/password", data={"password": PASSWORD, "new_password": "another password"})
    assert answer.status_code == 303
    assert here.get("/account", follow_redirects=False).status_code == 200
    assert there.get("/account", follow_redirects=False).status_code == 303


def test_the_password_is_not_changed_without_the_old_one(ada: User, signed_in: Callable[[User], Browser]) -> None:
    browser = signed_in(ada)
    answer = browser.change("/account/password", data={"password": "wrong", "new_password": "another password"})
    assert answer.status_code == 422
    assert "Nothing was changed" in answer.text
    answer = browser.change("/account/password", data={"password": PASSWORD, "new_password": "short"})
    assert answer.status_code == 422
    with transaction() as session:
        assert find_by_password(session, "ada", PASSWORD) is not None


def test_a_token_is_shown_once_and_kept_as_its_hash(ada: User, signed_in: Callable[[User], Browser]) -> None:
    browser = signed_in(ada)
    shown = browser.change("/account/tokens", data={"name": "nightly"}).text
    with transaction() as session:
        token = session.scalars(select(Token)).one()
    secret = shown.split('id="secret">')[1].split("<")[0]
    assert secret not in browser.get("/account").text
    assert token.hash not in shown
    assert "nightly" in browser.get("/account").text


def test_nobody_takes_back_the_token_of_another(ada: User, clinician: Browser) -> None:
    with transaction() as session:
        token, _ = create_token(session, ada, "mine")
    assert clinician.change(f"/account/tokens/{token.id}/revoke").status_code == 404
    with transaction() as session:
        assert session.get_one(Token, token.id).revoked_at is None
