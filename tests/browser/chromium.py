"""A Chromium for the browser tests: the one named, the system's, else Debian's package, else Playwright's own.

As a program it installs one where none is found, and prints its path.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
INSTALL = Path(__file__).parents[2] / ".ci" / "debian"


def find() -> str | None:
    named = os.environ.get("RIGHTREASONS_CHROMIUM")
    if named:
        return named
    system = next(filter(None, map(shutil.which, NAMES)), None)
    return system or next((str(path) for path in (MAC, playwrights()) if path.exists()), None)


def playwrights() -> Path:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path)


def install() -> None:
    """Debian's package, which brings its libraries along; where that can't be had, Playwright's download."""
    by_apt = subprocess.run(["sh", INSTALL, "chromium", "fonts-dejavu-core"], check=False)
    if by_apt.returncode != 0:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], stdout=sys.stderr, check=False)


def main() -> None:
    if find() is None:
        install()
    path = find()
    if path is None:
        sys.exit("The browser tests need a Chromium: install one, or name it in RIGHTREASONS_CHROMIUM.")
    print(path)


if __name__ == "__main__":
    main()
