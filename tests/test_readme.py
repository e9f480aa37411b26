"""The README's commands, links, table and module list hold, and citation keys resolve."""

import pathlib
import re

import nbformat
import pytest

from helpers._first_edition import claims

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TARGETS = set(
    re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
)
BIB = (ROOT / "references.bib").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE)))
)
def test_each_command_exists(target):
    assert target in TARGETS


def test_every_target_has_a_line_of_help():
    described = set(
        re.findall(
            r"^([a-z]+):[^#\n]*## \S", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
        )
    )
    assert described == TARGETS


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_each_link_to_a_file_resolves(link):
    assert link.startswith("https://") or (ROOT / link).exists()


@pytest.mark.parametrize(
    "place", sorted(set(re.findall(r"^\| \[?`([\w./]+)`", README, re.MULTILINE)))
)
def test_each_place_and_module_named_in_a_table_exists(place):
    assert (ROOT / place).exists() or (ROOT / "helpers" / f"{place}.py").exists()


def test_the_module_list_is_complete():
    listed = re.findall(r"^\| `(\w+)`", README, re.MULTILINE)
    modules = {path.stem for path in (ROOT / "helpers").glob("[a-z]*.py")}
    assert set(listed) >= modules


def test_the_example_runs():
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(example, names)
    assert names["runs"].history["mse"].shape == (200, 200)


def test_the_claims_table_is_current():
    assert claims.readme_is_current(ROOT / "README.md", ROOT / "results" / "claims"), (
        "run `make notebooks`"
    )


def prose(path):
    """Return the Markdown of a notebook."""
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_citation_keys_are_unique_and_each_is_cited_and_known():
    keys = re.findall(r"^@\w+\{([^,]+),", BIB, re.MULTILINE)
    assert len(keys) == len(set(keys))
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "helpers").glob("*.py"))
    text = "\n".join(prose(path) for path in (ROOT / "notebooks").glob("*.ipynb"))
    cited = set(re.findall(r"\[([a-z]+\d{4})\]", code)) | set(
        re.findall(r"\[([a-z0-9-]+)\](?!\()", text)
    )
    records = claims.load(ROOT / "results" / "claims")
    assert not claims.missing_citations(records, ROOT / "references.bib")
    assert cited | {record["source"] for record in records} == set(keys)
