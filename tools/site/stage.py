"""Lay out what Sphinx reads: the committed pages as they are or with links of the site, and the generated ones."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from helpers.claims import ledger, registry, show
from helpers.claims.ledger import Record
from tools import editions, notebooks
from tools.site import EXTRA, ROOT, SOURCE, api, claim_pages, files, literature, numbers, reading

COPIED = (  # byte for byte, in the place that links of the pages name
    "notebooks/*.ipynb",
    "notebooks/solutions/*.ipynb",
    "notebooks/assignments/*.ipynb",
    "claims/[0-9]*.toml",
    "docs/teaching/*.html",
    "helpers/claims/verdict.py",
    "results/registrations.csv",
    "results/bench/*.png",
    "references.bib",
)
PAGES = Path(__file__).parent / "pages"  # of the site alone
LAB = (
    "For the projector: [one run or fifty?](../../lab.md). Its address holds all settings and the seed, "
    "so that you can send your class a link."
)
SHOWN = ("docs/images/*",)  # pictures of pages that are HTML already
LESSON = re.compile(
    r"^\| \[(?P<title>[^\]]+)\]\((?P<path>notebooks/[^)]+)\.ipynb\) \| (?P<question>.*?) "
    r"\| (?P<found>.*?) \| (?P<minutes>\d+) \|$",
    re.MULTILINE,
)


def write(source: Path = SOURCE, extra: Path = EXTRA) -> int:
    """Write everything anew; return the number of pages."""
    source.mkdir(parents=True, exist_ok=True)
    extra.mkdir(parents=True, exist_ok=True)
    known = claim_pages.load(registry.load(), ledger.load())
    titles = lesson_titles(ROOT)
    _copy(COPIED, source)
    _copy(SHOWN, extra)
    for path in sorted((ROOT / "docs").rglob("*.md")):
        _page(path, source / path.relative_to(ROOT))
    for name in ("benchmarks/README.md", "CHANGELOG.md", "CONTRIBUTING.md"):
        _page(ROOT / name, source / name)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    _text(source / "index.md", index(readme, titles, known.records))
    _text(source / "lab.md", (PAGES / "lab.md").read_text(encoding="utf-8"))
    _teaching(source / "docs" / "teaching" / "index.md", editions.write(extra / "editions"))
    _text(source / "bibliography.md", literature.PAGE)
    cited = (ROOT / "references.bib").read_text(encoding="utf-8")
    _text(source / literature.FILE, literature.prepared(cited))
    claim_pages.write(source, known, titles)
    api.write(source / "api")
    return sum(1 for suffix in ("md", "rst", "ipynb") for _ in source.rglob(f"*.{suffix}"))


def lesson_titles(root: Path) -> dict[str, str]:
    """Return the first heading of each lesson by its stem."""
    found = {}
    for path in notebooks.lessons(root):
        cells = reading.nbformat.read(path, as_version=4).cells
        found[path.stem] = cells[0].source.split("\n")[0].removeprefix("# ")
    return found


def _copy(patterns, folder):
    for path in (path for pattern in patterns for path in sorted(ROOT.glob(pattern))):
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_file() or target.read_bytes() != path.read_bytes():
            shutil.copyfile(path, target)


def _page(path, target):
    """Write a committed page with its links and numbers as the site has them."""
    top = "../" * (len(target.relative_to(SOURCE).parts) - 1)
    _text(target, reading.page(path.read_text(encoding="utf-8"), top))


def _text(path, text):
    files.renew(path, text)


# --------------------------------------------------------------------------- pages from the README


def lessons(readme: str) -> list[Mapping[str, str]]:
    """Return the rows of the README's table of lessons: title, path, question, found, minutes."""
    return [found.groupdict() for found in LESSON.finditer(readme)]


def index(readme: str, titles: Mapping[str, str], records: Mapping[str, Record]) -> str:
    """Return the start page: the template with introduction, picture and lessons of the README, and numbers."""
    template = (PAGES / "index.md").read_text(encoding="utf-8")
    template = numbers.linked(show.fill_numbers(template, records), "")
    title, picture, first, second, *_ = readme.split("\n\n")
    alt, place = re.fullmatch(r"!\[(.*)\]\((.*)\)", picture).groups()
    filled = {
        "TITLE": title.removeprefix("# "),
        "ALT": alt,
        "PICTURE": place,
        "FIRST": numbers.linked(first, ""),
        "SECOND": numbers.linked(second, ""),
        "LESSONS": "\n".join(_card(one) for one in lessons(readme)),
        "NOTEBOOKS": "\n".join(f"notebooks/{stem}" for stem in titles),
    }
    for name, text in filled.items():
        template = template.replace(f"@{name}@", text)
    return template.replace("@OTHERS@", "\n".join(others(template)))


def others(template: str) -> list[str]:
    """Return the pages of ``docs/`` that a template does not list: a new one has its place in the menu at once."""
    pages = sorted(path.stem for path in (ROOT / "docs").glob("*.md"))
    return [f"docs/{page}" for page in pages if f"\ndocs/{page}\n" not in template]


def _card(lesson):
    """Return a lesson as a box of the start page, in HTML."""
    number, _, name = lesson["title"].partition(" ")
    found = numbers.linked(lesson["found"], "").replace("`val_loss`", "<code>val_loss</code>")
    found = re.sub(r"\*([^*]+)\*", r"<em>\1</em>", found)
    return (
        f'<div class="lesson"><div class="lesson-number">{number}</div><div>'
        f'<a class="lesson-title" href="{lesson["path"]}.html">{html.escape(name)}</a>'
        f'<div class="lesson-question">{html.escape(lesson["question"])}</div>'
        f'<div class="lesson-found">{found}</div>'
        f'<div class="lesson-minutes">{lesson["minutes"]} minutes</div></div></div>'
    )


def _teaching(page, zips):
    """Add to the page that leads to the pages for teachers what the site alone has, and what its menu needs."""
    below = sorted((ROOT / "docs" / "teaching").rglob("*.md"))
    pages = [
        path.relative_to(ROOT / "docs" / "teaching").with_suffix("").as_posix() for path in below
    ]
    menu = "\n".join(name for name in pages if name != "index")
    packed = [
        f'<a href="../../editions/{path.name}">{path.stem.rpartition("-")[2]} edition</a> '
        f"({path.stat().st_size / 1e6:.0f} MB)"
        for path in zips
    ]
    here = f"**On this site.** Zips to download: {' and '.join(packed)}. {LAB}"
    before, syllabi, rest = page.read_text(encoding="utf-8").partition("## Syllabi\n")
    text = f"{before}{here}\n\n{syllabi}{rest}"
    _text(page, f"{text}\n```{{toctree}}\n:hidden:\n\n{menu}\n```\n")
