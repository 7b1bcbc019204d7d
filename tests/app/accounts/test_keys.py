import pytest
from sqlalchemy import select

from app.accounts.keys import NAMES, SHORTCUTS, KeyChoiceError, Keys, choose_keys, keys_of
from app.db import reading, transaction
from app.models import User
from app.models.audit_entry import AuditEntry
from tests.app.conftest import Browser
from tests.factories import add_user


@pytest.fixture
def ada(sqlite: None) -> User:
    with transaction() as session:
        return add_user(session, "ada")


def form(on: bool = True, **keys: str) -> dict[str, object]:
    return {"name": [*keys], "key": [*keys.values()], **({"on": "true"} if on else {})}


def saved() -> Keys:
    with reading() as session:
        return keys_of(session.scalars(select(User)).one())


def test_every_shortcut_has_a_key_of_its_own() -> None:
    assert len({shortcut.key for shortcut in SHORTCUTS}) == len(SHORTCUTS) == len(NAMES)
    assert all(len(shortcut.key) == 1 and shortcut.key == shortcut.key.lower() for shortcut in SHORTCUTS)


def test_keys_are_kept_with_the_account(clinician: Browser) -> None:
    assert clinician.change("/account/keys", data=form(spurious="Ä", fit="9")).headers["location"] == "/account#keys"
    assert (saved()["spurious"], saved()["fit"], saved()["relevant"]) == ("ä", "9", "r")
    page = clinician.get("/account").text
    assert 'value="ä" data-does="spurious" data-saved="ä"' in page
    with reading() as session:
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.number.desc())).first()
    assert entry is not None
    assert entry.after["keys"] == {"spurious": "ä", "fit": "9"}


def test_two_shortcuts_may_change_places(ada: User) -> None:
    choose_keys(ada, [("spurious", "r"), ("relevant", "s")], on=True)
    assert ada.keys == {"spurious": "r", "relevant": "s"}


def test_a_choice_like_the_default_is_no_choice(ada: User) -> None:
    choose_keys(ada, [("spurious", "s"), ("undo", "z")], on=True)
    assert ada.keys == {"undo": "z"}


@pytest.mark.parametrize("key", ["", " ", "ab", "\t", "\u200b", "r", "?", "R"])
def test_a_key_is_one_sign_and_no_other_shortcuts(ada: User, key: str) -> None:
    with pytest.raises(KeyChoiceError):
        choose_keys(ada, [("spurious", key)], on=True)
    assert ada.keys == {}


def test_an_unknown_shortcut_is_refused(ada: User) -> None:
    with pytest.raises(KeyChoiceError):
        choose_keys(ada, [("launch", "l")], on=True)


def test_a_shortcut_that_came_later_yields_to_what_a_person_chose() -> None:
    keys = Keys(chosen={"spurious": "h"})
    assert (keys["spurious"], keys["hide"]) == ("h", "")


def test_a_refused_choice_says_why_and_keeps_what_was_typed(clinician: Browser) -> None:
    answer = clinician.change("/account/keys", data=form(spurious="r", undo="z"), headers={"HX-Request": "true"})
    assert answer.status_code == 422
    assert "have the same key, R" in answer.text
    assert 'value="z" data-does="undo" data-saved="u"' in answer.text
    assert saved().chosen == {}
    assert "have the same key" in clinician.change("/account/keys", data=form(spurious="r")).text


def test_with_htmx_the_form_comes_back_with_its_own_shortcuts(clinician: Browser) -> None:
    answer = clinician.change("/account/keys", data=form(spurious="<"), headers={"HX-Request": "true"})
    assert 'value="&lt;" data-does="spurious"' in answer.text
    assert "<html" not in answer.text
    assert "key-undo" in answer.text
    assert "key-invert" not in answer.text


def test_keys_are_switched_off_and_reset(clinician: Browser) -> None:
    clinician.change("/account/keys", data=form(on=False, spurious="y"))
    assert (saved().on, saved()["spurious"]) == (False, "y")
    assert '<body class="without-keys"' in clinician.get("/").text
    clinician.change("/account/keys", data=form(on=False, spurious="y") | {"reset": "true"})
    assert (saved().on, saved()["spurious"]) == (True, "s")


def test_lists_of_different_lengths_are_refused(clinician: Browser) -> None:
    answer = clinician.change("/account/keys", data={"name": ["spurious", "undo"], "key": ["a"]})
    assert answer.status_code == 422


def test_keys_are_changed_with_a_token_of_the_page_only(clinician: Browser) -> None:
    assert clinician.post("/account/keys", data=form(spurious="y")).status_code == 403
