"""A browser for tests that look at pages: the system's own, driven by playwright; absent, they say why they skip."""

import os
import shutil

import pytest

BROWSER = "GENERALIZE_BROWSER"  # "required": a machine without a browser fails instead of skipping
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def browser_path():
    """Return where a browser is, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def absent(reason):
    """Skip what needs a browser, or fail where one is required."""
    (pytest.fail if os.environ.get(BROWSER) == "required" else pytest.skip)(reason)


@pytest.fixture(scope="module")  # no longer: playwright's event loop is in the way of other tests
def browser():
    """A browser without a window."""
    path = browser_path()
    if path is None:
        absent(f"No browser here: none of {', '.join(BROWSERS)} is on the PATH.")
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        absent("No playwright here, which drives the browser: `make site` installs it.")
    with sync_playwright() as playwright:
        try:
            running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except Error as error:
            absent(f"{path} does not start: {error}")
        yield running
        running.close()
