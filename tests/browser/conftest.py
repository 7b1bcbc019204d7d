"""A real server on a port of its own and a real browser; ``open_as`` opens a page for a person who is signed in."""

import socket
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.accounts.actions import sign_in_link
from app.accounts.attempts import attempts
from app.db import reading
from app.models import User
from tests.app.conftest import application
from tests.browser import chromium

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")
ALONE = ("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage")
AXE = next(Path(__file__).parent.glob("vendor/axe-*.min.js"))
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
START_SECONDS = 20.0
PATIENCE = 20_000  # milliseconds; a busy machine is slow, not wrong


@pytest.fixture(scope="session")
def browser() -> Generator[Browser]:
    expect.set_options(timeout=PATIENCE)
    path = chromium.find()
    assert path, "There is no Chromium here: run make test, or python -m tests.browser.chromium."
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=[*QUIET, *ALONE])
        yield opened
        opened.close()


@pytest.fixture
def server(sqlite: None) -> Generator[str]:
    """The address of a server on the test's own database, in a thread of the test's own process."""
    attempts.failures.clear()
    listener = socket.create_server(("127.0.0.1", 0))
    configuration = uvicorn.Config(application(), log_level="warning", ws="none", timeout_graceful_shutdown=2)
    serving = uvicorn.Server(configuration)
    thread = threading.Thread(target=serving.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not serving.started:
        assert time.monotonic() < deadline, "The server doesn't come up."
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    serving.should_exit = True
    thread.join(timeout=10)
    listener.close()


class Complaints:
    """What a page's console and network said that a person would not see; a test ends with none."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def listen(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.heard.append(f"error: {error}"))
        page.on("console", lambda said: self.heard.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("response", lambda got: self.heard.append(f"{got.status} {got.url}") if got.status >= 500 else None)


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def new_page(browser: Browser, server: str, complaints: Complaints) -> Generator[Callable[..., Page]]:
    """Makes a page in a browser profile of its own; the test fails when the page complained of something."""
    contexts = []

    def make(width: int = 1440, height: int = 900, scheme: str = "light", language: str = "en") -> Page:
        context = browser.new_context(
            base_url=server,
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
            locale=language,
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        complaints.listen(page)
        return page

    yield make
    for context in contexts:
        context.close()
    assert not complaints.heard


@pytest.fixture
def open_as(new_page: Callable[..., Page]) -> Callable[..., Page]:
    """``open_as(user, "/projects/...")``: a page that the person, signed in, has open."""

    def open_page(
        user: User,
        address: str = "/",
        width: int = 1440,
        height: int = 900,
        scheme: str = "light",
        language: str = "en",
    ) -> Page:
        page = new_page(width, height, scheme, language)
        with reading() as session:
            page.goto(sign_in_link(session.get_one(User, user.id)))
        page.goto(address)
        return page

    return open_page


@pytest.fixture(scope="session")
def check_access() -> Callable[[Page], None]:
    """Runs axe on the page and fails with what it found. By evaluation: the page's policy blocks injected scripts."""
    source = AXE.read_text()

    def check(page: Page) -> None:
        page.evaluate(source)
        found = page.evaluate("rules => axe.run(document, {runOnly: rules})", list(RULES))
        told = [
            f"{each['id']}: {node['target']}: {node['failureSummary']}"
            for each in found["violations"]
            for node in each["nodes"]
        ]
        assert not told, "\n".join(told)

    return check
