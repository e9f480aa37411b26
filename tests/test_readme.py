"""What the README and the pages in docs/ promise is there: commands, links, files, the example; citations resolve."""

import json
import pathlib
import re

import nbformat
import pytest

from helpers.claims import registry

ROOT = pathlib.Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
BIB = (ROOT / "references.bib").read_text(encoding="utf-8")
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for folder in ("", "benchmarks", "data", "docs", "results")
    for path in sorted((ROOT / folder).glob("*.md"))
    if path.name != "CHANGELOG.md"  # which also says what is gone
}
README = PAGES["README.md"]


def found(pattern):
    """Return every (page, match) of a pattern in the pages, each once."""
    return sorted({(p, m) for p, text in PAGES.items() for m in re.findall(pattern, text, re.M)})


@pytest.mark.parametrize(("page", "target"), found(r"(?:`|^)make ([a-z]+)"))
def test_each_command_exists(page, target):
    assert target in TARGETS


def test_every_target_has_a_line_of_help():
    assert set(re.findall(r"^([a-z]+):[^#\n]*## \S", MAKEFILE, re.MULTILINE)) == TARGETS


@pytest.mark.parametrize(("page", "link"), found(r"\]\(([^)#\s]+)(?:#[^)]*)?\)"))
def test_each_link_to_a_file_resolves(page, link):
    assert link.startswith("https://") or ((ROOT / page).parent / link).exists()


@pytest.mark.parametrize(
    ("page", "place"), found(r"`((?:[\w.]+/)+(?:[\w.-]+\.(?:md|py|toml|json|ipynb|npz|sh|yml|bib|csv))?)`")
)  # fmt: skip
def test_each_file_and_folder_that_is_named_exists(page, place):
    made_later = place.startswith(("build/", ".venv/", "claims/mine.toml"))
    to_be_named = re.search("NN|WORLD", place)
    places = (ROOT, (ROOT / page).parent, ROOT / "helpers")
    assert made_later or to_be_named or any((folder / place).exists() for folder in places)


def test_a_verdict_that_is_printed_is_the_one_that_its_mark_checks():
    words = "supported|contradicted|open|weaker than stated|not testable here"
    marked = re.compile(rf"\b({words})\*?\]?(?:\([^)]*\))?<!-- [^>]*? is ({words})\b[^>]*-->")
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md")]
    printed = [found for text in texts for found in marked.findall(text)]
    assert len(printed) > 50 and all(word == checked for word, checked in printed)


def test_the_synthesis_judges_every_sentence_of_the_thread_once():
    page = PAGES["docs/synthesis.md"]
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    judged = re.findall(
        r"results/README\.md#(generalization-thread/\S+)\)<!-- (\S+) is", "\n".join(rows)
    )
    known = registry.load().claims
    assert [link for link, _ in judged] == [mark for _, mark in judged]
    assert sorted(link for link, _ in judged) == sorted(
        id
        for id, one in known.items()
        if one.source == "generalization-thread" and not one.withdrawn
    )


@pytest.mark.parametrize("page", ["docs/synthesis.md", "docs/what_to_do.md"])
def test_each_row_rests_on_a_claim_whose_verdict_is_guarded(page):
    rows = [
        line for line in PAGES[page].splitlines() if re.match(r"\| (?!---|it says|do this)", line)
    ]
    assert len(rows) > 10 and all("results/README.md#" in row for row in rows)
    links = re.findall(r"results/README\.md#([^)\s]+)\)(?:<!-- (\S+) is )?", "\n".join(rows))
    assert all(link == mark for link, mark in links)


def test_the_example_runs():
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(example, names)
    assert names["runs"].history["mse"].shape == (200, 200)


@pytest.mark.slow
def test_the_examples_for_ones_own_networks_run(capsys):
    names = {}
    for example in re.findall(
        r"```python\n(.*?)```", PAGES["docs/your_own_networks.md"], re.DOTALL
    ):
        exec(example, names)
    assert names["probabilities"].shape == (100, 5, 3) and names["gain"].shape == (100,)


def prose(path):
    """Return the Markdown of a notebook."""
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_citation_keys_are_unique_and_each_is_cited_and_known():
    keys = re.findall(r"^@\w+\{([^,]+),", BIB, re.MULTILINE)
    assert len(keys) == len(set(keys))
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "helpers").rglob("*.py"))
    code += "".join(path.read_text(encoding="utf-8") for path in (ROOT / "claims").glob("*.toml"))
    text = "\n".join(prose(path) for path in (ROOT / "notebooks").glob("*.ipynb"))
    cited = set(re.findall(r"\[([a-z]+\d{4})\]", code)) | set(
        re.findall(r"\[([a-z0-9-]+)\](?!\()", text)
    )
    cited |= set(re.findall(r'^source = "([^"]+)"', code, re.MULTILINE))
    for path in (ROOT / "results" / "first_edition" / "claims").glob("*.json"):
        records = json.loads(path.read_text(encoding="utf-8"))["claims"]
        cited |= {record["source"] for record in records}
    assert not cited - set(keys), "cited, and not in references.bib"
    assert not set(keys) - cited, "in references.bib, and cited nowhere"
