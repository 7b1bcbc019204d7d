"""The API, /api/v1: everything the pages do, for programs. Its description: /api/v1/openapi.json, for people: /api."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response

from app.api import adjudication, critiques, expert, projects, runs, tokens, trust, uploads
from app.api.shapes import Problem
from app.config import settings
from app.deps import SignedIn, page

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": words,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, words in (
        (401, "No token that stands"),
        (403, "Not with this role"),
        (404, "There is no such thing"),
        (409, "It is there already"),
        (413, "Too large"),
        (422, "Something in the request can't be read"),
    )
}

PREFIX = "/api/v1"


def add_api(app: FastAPI) -> None:
    api = APIRouter(prefix=PREFIX, responses=PROBLEMS)
    for part in (projects, runs, critiques, trust, expert, adjudication, tokens):
        api.include_router(part.router)
    api.include_router(uploads.router, max_body_size=settings().max_upload_bytes)
    app.include_router(api)
    describe(app)


def describe(app: FastAPI) -> None:
    """Adds to the OpenAPI document what FastAPI can't know: errors are problem+json, not its own form."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        schemas = document["components"]["schemas"]
        schemas["Problem"] = Problem.model_json_schema()
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the documented way


pages = APIRouter()


@pages.get("/api")
def show_api(request: Request, user: SignedIn) -> Response:
    """The description for people: FastAPI's own loads scripts from another host."""
    del user
    return page(request, "api/api.html", groups=operations(request.app.openapi()))


def operations(document: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    """The operations of an OpenAPI document by their tag."""
    groups: dict[str, list[dict[str, str]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            words = f"{operation['summary'].capitalize()}. {operation.get('description', '')}"
            entry = {"method": method.upper(), "path": path, "words": words}
            groups.setdefault(operation.get("tags", ["other"])[0], []).append(entry)
    return groups
