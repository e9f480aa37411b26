"""The built site, read once; these tests run under `make site` alone, which builds it first."""

import dataclasses
import html.parser
import os

import pytest
from browsing import browser  # noqa: F401, a fixture

from tools.site import SITE

CHECKED = "GENERALIZE_SITE"  # set by `make site`

if CHECKED not in os.environ:
    collect_ignore_glob = ["test_*.py"]


@dataclasses.dataclass
class Page:
    """What the tests ask of one page."""

    place: str
    text: str
    ids: set = dataclasses.field(default_factory=set)
    links: list = dataclasses.field(default_factory=list)
    images: list = dataclasses.field(default_factory=list)
    loaded: list = dataclasses.field(default_factory=list)


class Reader(html.parser.HTMLParser):
    """Collects anchors, links, pictures and whatever a browser would load."""

    def __init__(self, page):
        super().__init__()
        self.page = page

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.page.ids |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and given.get("href"):
            self.page.links.append(given["href"])
        if tag == "img":
            self.page.images.append(given)
        if tag in ("script", "img", "iframe", "source", "video", "audio", "embed"):
            self.page.loaded.append(given.get("src") or "")
        if tag == "link":
            self.page.loaded.append(given.get("href") or "")

    handle_startendtag = handle_starttag


def read(path):
    page = Page(path.relative_to(SITE).as_posix(), path.read_text(encoding="utf-8"))
    Reader(page).feed(page.text)
    return page


def made_by_sphinx(path):
    """Whether it is a page, and no file that was copied as it is."""
    return not path.relative_to(SITE).parts[0].startswith("_")


@pytest.fixture(scope="session")
def pages():
    """Every page of the site by its place."""
    found = {
        path.relative_to(SITE).as_posix(): read(path)
        for path in sorted(SITE.rglob("*.html"))
        if made_by_sphinx(path)
    }
    assert len(found) > 250, "build it with `make site`"
    return found


@pytest.fixture
def tab(browser):  # noqa: F811
    """A tab that keeps what went wrong and what was asked of a network, in ``errors`` and ``outside``."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    tab.errors, tab.outside = [], []
    tab.on("pageerror", lambda error: tab.errors.append(str(error)))
    tab.on("console", lambda m: tab.errors.append(m.text) if m.type == "error" else None)
    tab.on("request", lambda r: tab.outside.append(r.url) if r.url.startswith("http") else None)
    yield tab
    tab.close()
