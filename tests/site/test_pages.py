"""What was built: nothing from elsewhere, no picture without words, no dead link, the numbers of the results."""

import html
import pathlib
import re
import urllib.parse
import zipfile

import nbformat
import numpy as np
import pytest

from helpers.claims import _words, ledger, registry, replicates
from helpers.experiments import judge
from tools import editions, notebooks
from tools.site import ROOT, SITE, finish, reading

RECORDS = ledger.load()
LESSONS = notebooks.lessons(ROOT)
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
each_claim = pytest.mark.parametrize("id", RECORDS)


def place_of(path):
    return f"notebooks/{path.stem}.html"


def outputs(path):
    cells = nbformat.read(path, as_version=4).cells
    return [out for cell in cells for out in cell.get("outputs", []) if "data" in out]


def test_nothing_is_loaded_from_elsewhere(pages):
    found = {p.place: [x for x in p.loaded if re.match(r"(https?:)?//", x)] for p in pages.values()}
    assert not {place: some for place, some in found.items() if some}


def test_no_style_sheet_asks_for_a_file_from_elsewhere():
    for path in SITE.rglob("*.css"):
        assert not re.findall(r"url\([\"']?https?:|@import[^;]*https?:", path.read_text("utf-8"))


def test_every_picture_has_words_for_those_who_cannot_see_it(pages):
    bare = {
        p.place: [i.get("src", "")[:80] for i in p.images if not i.get("alt")]
        for p in pages.values()
    }
    assert not {place: some for place, some in bare.items() if some}
    for page in pages.values():
        assert all("aria-label" in tag for tag in re.findall(r'<svg role="img"[^>]*>', page.text))


def test_every_picture_is_there(pages):
    for page in pages.values():
        for source in (image.get("src", "") for image in page.images):
            assert (
                source.startswith("data:") or (SITE / page.place).parent.joinpath(source).is_file()
            )


def targets(page):
    """Yield the page and the anchor that each link within the site leads to."""
    for link in page.links:
        parts = urllib.parse.urlsplit(link)
        if not parts.scheme and not parts.netloc:
            base = pathlib.PurePosixPath(page.place).parent
            path = (
                (SITE / base / urllib.parse.unquote(parts.path))
                if parts.path
                else SITE / page.place
            )
            yield link, path.resolve(), urllib.parse.unquote(parts.fragment)


def test_every_link_within_the_site_leads_somewhere(pages):
    broken = []
    for page in pages.values():
        for link, path, anchor in targets(page):
            if not path.is_file():
                broken.append((page.place, link))
            elif anchor and path.suffix == ".html" and SITE in path.parents:
                known = pages.get(path.relative_to(SITE).as_posix())
                if known is not None and anchor not in known.ids:
                    broken.append((page.place, link))
    assert not broken


@each_lesson
def test_the_download_is_the_committed_notebook(path):
    assert (SITE / "_sources" / "notebooks" / path.name).read_bytes() == path.read_bytes()


@each_lesson
def test_a_lesson_keeps_the_words_of_every_figure(pages, path):
    shown = "".join(output.data.get("text/html", "") for output in outputs(path))
    wanted = [html.unescape(alt) for alt in re.findall(r'<img alt="([^"]*)"', shown)]
    found = [image.get("alt") for image in pages[place_of(path)].images]
    assert wanted and [alt for alt in found if alt in wanted] == wanted


@each_lesson
def test_cells_that_only_set_up_are_folded(pages, path):
    cells = nbformat.read(path, as_version=4).cells
    hidden = sum("hide-input" in cell.metadata.get("tags", []) for cell in cells)
    assert pages[place_of(path)].text.count("hide above-input") == hidden > 0


@each_lesson
def test_no_key_of_the_literature_is_left_in_brackets(pages, path):
    text = re.sub(r"<pre>.*?</pre>", "", pages[place_of(path)].text, flags=re.DOTALL)  # not in code
    assert not [key for key in reading.known_keys() if f"[{key}]" in text]


def test_the_page_for_teachers_leads_to_both_editions_and_to_the_lab(pages):
    links = {link.rpartition("/")[2]: link for link in pages["docs/teaching/index.html"].links}
    for name, solved in (("student", False), ("instructor", True)):
        place = links[f"{editions.NAME}-{name}.zip"]
        with zipfile.ZipFile(SITE / "docs" / "teaching" / place) as archive:
            assert any("/notebooks/solutions/" in one for one in archive.namelist()) == solved
    assert "lab.html" in links


def test_the_glossary_has_a_paragraph_a_word_in_alphabetical_order():
    words = (
        (ROOT / "docs" / "glossary.md").read_text("utf-8").partition("\n## ")[0].split("\n\n")[2:]
    )
    titles = [re.findall(r"\*\*(.+?)\.?\*\*", paragraph)[0] for paragraph in words]
    assert all(word.startswith('<a id="') and "\n<a" not in word for word in words)
    letters = [re.sub(r"[^a-z0-9 ]", "", title.lower()) for title in titles]
    assert letters == sorted(letters)


def test_names_that_share_a_description_stay_together(pages):
    text = re.sub(r"<[^>]*>", "", pages["api/claims.html"].text)
    assert "kind, passed (str, bool) –" in text and "kind (str, bool)" not in text


def test_every_public_name_is_documented_once(pages):
    ids = [id for page in pages.values() if page.place.startswith("api/") for id in page.ids]
    known = [id for id in ids if id.startswith("helpers.")]
    assert len(known) == len(set(known)) > 100 and "helpers.landscape.along" in known
    assert not [id for id in known if "geometry" in id]


def test_without_an_address_there_are_no_buttons_that_launch(pages):
    assert not [p.place for p in pages.values() if "mybinder.org" in p.text or "colab." in p.text]


# ------------------------------------------------------------------------------------------ claims


@pytest.fixture(scope="session")
def known():
    return registry.load()


@pytest.fixture(scope="session")
def arrays_of(known):
    return judge.reader(known)


def words_of(page):
    """Return the text of a page without markup, spaces joined, quotation marks as they are typed."""
    text = html.unescape(re.sub(r"<[^>]*>", "", page.text))
    return " ".join(text.translate(str.maketrans("‘’“”", "''\"\"")).split())


@each_claim
def test_a_claim_has_a_page_with_the_numbers_of_the_results(pages, id):
    record, page = RECORDS[id], pages[f"claims/{id}.html"]
    text = words_of(page)
    assert " ".join(record.statement.split()) in text and _words.spoken(record) in text
    for setting in (*record.main, *record.elsewhere):
        for part in setting.parts:
            # One of several rows names its estimate; its bar, whose text is read out, shows the interval.
            assert _words.result(part) in html.unescape(page.text).replace(finish.NO_BREAK, " ")


@each_claim
def test_the_histograms_show_every_replicate_that_counts(pages, id):
    record = RECORDS[id]
    drawn = re.findall(
        r'<div class="replicates">(.*?)</div>', pages[f"claims/{id}.html"].text, re.S
    )
    counted = [part for one in record.main for part in one.parts if part.interval]
    assert len(drawn) == len(counted)
    for drawing, part in zip(drawn, counted, strict=True):
        bars = re.findall(r'<rect class="(\w+)"[^>]*><title>([\d,]+)</title>', drawing)
        counts = [(name, int(count.replace(",", ""))) for name, count in bars]
        assert sum(count for _, count in counts) == part.interval.n
        agree = sum(count for name, count in counts if name == "inside")
        assert np.isclose(agree / part.interval.n, part.one_run)


@each_claim
def test_what_the_histograms_show_has_the_mean_of_the_results(known, arrays_of, id):
    claim, record = known.claims[id], RECORDS[id]
    for setting, result in zip(claim.main, record.main, strict=True):
        for quantity, measured in zip(claim.quantities(setting), result.parts, strict=True):
            if measured.interval is None:
                continue
            values = replicates.effects(claim, quantity, arrays_of(setting.experiment))
            if measured.statistic == "ratio":
                values = np.log(values)
            mean = np.exp(values.mean()) if measured.statistic == "ratio" else values.mean()
            assert np.isclose(mean, measured.interval.estimate, rtol=1e-6, atol=1e-9)
