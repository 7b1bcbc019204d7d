"""The web server."""

from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi.staticfiles import StaticFiles
from sqlalchemy import text
from starlette.types import ASGIApp, Scope

from app.accounts import routes as accounts
from app.api import routes as api
from app.audit import routes as audit
from app.audit.acting import Visitors
from app.behaviour import routes as behaviour
from app.check import routes as check
from app.config import settings
from app.db import reading
from app.decisions import routes as decisions
from app.deps import check_csrf, check_text
from app.drafts import routes as drafts
from app.errors import LargeBodies, add_error_pages
from app.exports import onnx_routes as onnx
from app.exports import routes as exports
from app.headers import A_YEAR, Headers
from app.languages.readers import Readers
from app.pictures import routes as pictures
from app.projects import routes as projects
from app.realignment import routes as realignment
from app.review import routes as review
from app.review import settling
from app.runs import routes as runs
from app.specifications import routes as specifications
from app.system import routes as system
from app.templating import STATIC
from app.trust import routes as trust

# Pages, one router for each folder.
PAGES: tuple[APIRouter, ...] = (
    accounts.router,
    projects.router,
    runs.router,
    pictures.router,
    api.pages,
    behaviour.router,
    specifications.router,
    review.router,
    settling.router,
    realignment.router,
    decisions.router,
    exports.router,
    onnx.router,
    check.router,
    trust.router,
    audit.router,
    system.router,
)
FORM_BYTES = 2**20

health = APIRouter()


class Application(FastAPI):
    def build_middleware_stack(self) -> ASGIApp:
        """Outside of everything, so that the framework's own answers to failures are no exception."""
        return Readers(Headers(LargeBodies(Visitors(super().build_middleware_stack()))))


def create_app() -> FastAPI:
    app = Application(
        title="Right Reasons",
        version=version("rightreasons"),
        summary="Bring small vision models to agree with what a domain expert knows.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # their pages load scripts from other hosts; /api is our own
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        dependencies=[Depends(check_text)],
        max_body_size=FORM_BYTES,  # uploads have a limit of their own, below and in app/api
    )
    add_error_pages(app)
    app.include_router(health, include_in_schema=False)
    # Before the pages of projects, whose address it would else be taken for; it takes files.
    limit = settings().max_upload_bytes
    app.include_router(drafts.router, dependencies=[Depends(check_csrf)], include_in_schema=False, max_body_size=limit)
    for router in PAGES:
        app.include_router(router, dependencies=[Depends(check_csrf)], include_in_schema=False)
    api.add_api(app)
    app.mount("/static", Static(directory=STATIC), name="static")
    return app


@health.get("/healthz")
def healthz() -> dict[str, str]:
    """For load balancers: the server runs and its database answers."""
    with reading() as session:
        session.execute(text("SELECT 1"))
    return {"status": "ok"}


class Static(StaticFiles):
    """Files whose address carries their version are kept for ever; others are asked for anew."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        versioned = scope["query_string"].startswith(b"v=") and response.status_code in {200, 304}
        response.headers["Cache-Control"] = f"public, max-age={A_YEAR}, immutable" if versioned else "no-cache"
        return response
