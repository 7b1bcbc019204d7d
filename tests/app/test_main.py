import re
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from fastapi import APIRouter, FastAPI, HTTPException
from fastapi.routing import APIRoute
from sqlalchemy import select

from app.accounts.actions import create_token
from app.db import transaction
from app.drafts import routes as drafts
from app.main import FORM_BYTES, PAGES, create_app
from app.models import Role, User
from app.templating import STATIC
from tests.app.conftest import Browser

OPEN_TO_ALL = {"/sign-in", "/sign-in/link", "/sign-out", "/healthz"}
ANY = str(uuid4())


def routes_of(router: APIRouter, prefix: str = "") -> Iterator[tuple[str, set[str]]]:
    """Path and methods of every route, of routers inside the router too."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            yield prefix + route.path, route.methods or set()
        else:
            inner = route.include_context  # type: ignore[attr-defined]  # FastAPI's own, untyped
            yield from routes_of(route.original_router, prefix + inner.prefix)  # type: ignore[attr-defined]


def addresses(method: str) -> list[str]:
    """Of every page that takes the method, with an identifier in place of each parameter."""
    every = (found for router in (*PAGES, drafts.router) for found in routes_of(router))
    return sorted(
        re.sub(r"{\w+}", ANY, path) for path, methods in every if method in methods and path not in OPEN_TO_ALL
    )


def test_the_pages_to_check_are_all_that_there_are() -> None:
    included = {id(route.original_router) for route in create_app().routes if hasattr(route, "original_router")}
    others = included - {id(router) for router in (*PAGES, drafts.router)}
    assert len(others) == 2  # healthz, and the API that test_api.py checks


def test_there_are_pages_to_check() -> None:
    assert "/" in addresses("GET")
    assert any(path.endswith("/cancel") for path in addresses("POST"))


def test_every_page_leads_a_stranger_to_the_sign_in_page(visitor: Browser) -> None:
    for address in addresses("GET"):
        answer = visitor.get(address, follow_redirects=False)
        assert answer.status_code == 303, address
        assert answer.headers["location"].startswith("/sign-in"), address


def test_no_change_is_taken_from_a_stranger(visitor: Browser) -> None:
    for address in addresses("POST"):
        answer = visitor.post(address, follow_redirects=False)
        assert answer.status_code in {303, 403}, address
        assert answer.headers.get("location", "/sign-in").startswith("/sign-in"), address


def test_no_change_is_taken_without_the_csrf_token(engineer: Browser) -> None:
    for address in [*addresses("POST"), "/sign-in", "/sign-out"]:
        for headers in ({}, {"X-CSRF-Token": "made up"}, {"X-CSRF-Token": ""}):
            answer = engineer.post(address, headers=headers, follow_redirects=False)
            assert answer.status_code == 403, address
            assert "Nothing was changed." in answer.text


def test_the_token_of_one_session_is_void_in_another(as_role: Callable[..., Browser]) -> None:
    mine, other = as_role(Role.ENGINEER), as_role(Role.CLINICIAN)
    answer = mine.post("/sign-out", headers={"X-CSRF-Token": other.csrf}, follow_redirects=False)
    assert answer.status_code == 403
    assert mine.get("/").status_code == 200


@pytest.mark.parametrize("address", ["/sign-in", "/nowhere", "/healthz", "/static/style.css", "/api/v1/openapi.json"])
def test_every_answer_carries_a_strict_policy(visitor: Browser, address: str) -> None:
    headers = visitor.get(address).headers
    policy = headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_pages_with_patients_are_kept_by_no_cache(engineer: Browser) -> None:
    assert engineer.get("/").headers["cache-control"] == "private, no-store"


def test_no_page_holds_what_the_policy_would_block(engineer: Browser) -> None:
    text = engineer.get("/").text + engineer.get("/account").text
    for forbidden in ("<style", ' style="', "onclick", "javascript:", "http://", "https://"):
        assert forbidden not in text, forbidden


def test_healthz_answers_while_the_database_does(visitor: Browser) -> None:
    answer = visitor.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_stylesheet_with_its_version_is_kept_for_ever(visitor: Browser) -> None:
    found = re.search(r"/static/style\.css\?v=[0-9a-f]+", visitor.get("/sign-in").text)
    assert found
    kept = visitor.get(found[0])
    assert "immutable" in kept.headers["cache-control"]
    assert kept.content == (STATIC / "style.css").read_bytes()
    assert visitor.get("/static/style.css").headers["cache-control"] == "no-cache"


def test_static_files_lead_nowhere_else(visitor: Browser) -> None:
    assert visitor.get("/static/../pyproject.toml").status_code == 404
    assert visitor.get("/static/%2e%2e/pyproject.toml").status_code == 404


def test_an_unknown_address_has_a_page_that_says_what_to_do(visitor: Browser) -> None:
    answer = visitor.get("/nowhere")
    assert answer.status_code == 404
    assert "There is nothing at this address." in answer.text
    assert "<!doctype html>" in answer.text


def test_htmx_gets_the_error_as_a_fragment(engineer: Browser) -> None:
    answer = engineer.fragment(f"/runs/{ANY}/progress")
    assert answer.status_code == 404
    assert answer.text.lstrip().startswith("<div")
    assert "There is no such piece of work" in answer.text


def test_an_address_with_a_broken_identifier_is_not_found(engineer: Browser) -> None:
    answer = engineer.get("/projects/broken")
    assert answer.status_code == 404
    assert "There is nothing at this address." in answer.text


def test_the_api_tells_errors_as_problems(visitor: Browser) -> None:
    answer = visitor.get("/api/v1/nowhere")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].startswith("There is nothing at this address.")


def test_a_body_that_is_too_large_is_refused(engineer: Browser) -> None:
    answer = engineer.change("/account/tokens", data={"name": "x" * (FORM_BYTES + 1)})
    assert answer.status_code == 413
    assert "more than this server takes" in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["content-type"].startswith("text/html")


def broken_app() -> FastAPI:
    app = create_app()

    @app.get("/breaks")
    def breaks() -> None:
        raise RuntimeError("the secret detail")

    @app.get("/refuses")
    def refuses() -> None:
        raise HTTPException(403, "Only on Mondays.")

    return app


def test_a_failure_says_nothing_of_its_inside_but_a_number(sqlite: None) -> None:
    with Browser(broken_app(), raise_server_exceptions=False) as browser:
        answer = browser.get("/breaks")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Something went wrong in the server" in answer.text
    assert "number" in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_a_refusal_keeps_its_own_words(sqlite: None) -> None:
    with Browser(broken_app()) as browser:
        assert "Only on Mondays." in browser.get("/refuses").text


TOLD = "A text holds a character that can&#39;t be stored, such as NUL. Take it out."


@pytest.mark.usefixtures("database")
def test_text_that_no_database_holds_is_refused_on_every_page(visitor: Browser, engineer: Browser) -> None:
    visitor.get("/sign-in")
    answers = [
        visitor.change("/sign-in", data={"name": "ada\0", "password": "open sesame"}),
        engineer.change("/account/tokens", data={"name": "night\0ly"}),
        engineer.change("/account/tokens", files={"name": (None, "night\0ly")}),
        engineer.get("/sign-in/link?token=%00"),
    ]
    for answer in answers:
        assert (answer.status_code, TOLD in answer.text) == (422, True)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("name", ["knees\\u0000", "knees\\ud800"])
def test_text_that_no_database_holds_is_refused_by_the_api(engineer: Browser, name: str) -> None:
    with transaction() as session:
        _, secret = create_token(session, session.scalars(select(User)).one(), "test")
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    for body in (f'{{"name": "{name}", "classes": ["a", "b"]}}', f'{{"name": "k", "classes": ["a", "{name}"]}}'):
        answer = engineer.post("/api/v1/projects", content=body, headers=headers)
        assert (answer.status_code, "such as NUL" in answer.json()["detail"]) == (422, True)
