"""Pack the course for a class: a zip for students, without solutions and plans, and one for instructors, with both.

``python -m tools.editions [LESSON ...]``; `make editions` calls this. Either zip holds the lessons, the package, the
data and the stored replicates, so that a class without a network can work once the packages are installed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from helpers._base.paths import PROJECT
from tools import notebooks, surroundings

ROOT = surroundings.ROOT
NAME = PROJECT
COMMON = (
    "helpers/**/*.py",
    "data/*",
    "claims/[0-9]*.toml",
    "claims/controls.toml",
    "results/*.*",
    "results/first_edition/README.md",
    "results/claims/*.json",
    "results/replicates/**/*.*",
    "docs/*.md",
    "docs/images/*",
    notebooks.LAB,
    *("tools/__init__.py", "tools/make_env.sh", "tools/notebooks.py", "tools/surroundings.py"),
    *(
        "pyproject.toml",
        "setup.py",
        "MANIFEST.in",
        "requirements.txt",
        "environment.yml",
        "Makefile",
    ),
    *("references.bib", "LICENSE", "CITATION.cff", "CONTRIBUTING.md"),
)
NOT_FOR_STUDENTS = ("docs/adapt.md", "CONTRIBUTING.md")
PLANS = ("docs/teaching/*.*", "docs/teaching/assignments/*")
FOR_INSTRUCTORS = ("tools/answers.py", "tools/grade.py", "tools/slides.py")
SLIDES = "build/slides"  # what `make slides` left there
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
FOR_TEACHERS = re.compile(r"(?:,? ·|,| and)? \[[^\]]*\]\((?:\.\./docs/teaching/|solutions/)[^)]*\)")
WORKSHEET = re.compile(r"^## Worksheet\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
ANSWER_PAGE = re.compile(r'<section class="answers">.*?</section>', re.DOTALL)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
RULE = re.compile(
    r"^([a-z]+):.*\n(?:\t.*\n)+\n?", re.MULTILINE
)  # of the Makefile: a command and its recipe
CALLED = re.compile(
    r"-m tools\.(\w+)|\b((?:tools|benchmarks)/\w+\.\w+)|\$\(PYTEST\)"
)  # without tests, no pytest
LONGEST = 3600  # seconds for all lessons
RULERS = "worksheet_rulers.html"
START = """\
# Why do neural networks generalize? ({edition})

```sh
make lab                                 # Linux, macOS: sets up (about 2 GB, once) and opens the lessons
pip install -e . && jupyter lab          # anywhere: in an environment of your own, Python 3.11 to 3.13
```

{what}

Each lesson begins with a run of yours: choose `MY_SEED` in its first code cell. All other networks come from the stored
replicates, so a lesson takes a minute. More: [installation](docs/installation.md), [glossary](docs/glossary.md), [how a
verdict comes about](docs/verdicts.md).

{lessons}

Code: MIT licence; text and figures: CC BY 4.0 ([LICENSE](LICENSE)).
"""
STUDENT = (
    "Each exercise has a starter cell that runs and says what is missing. To print: `worksheets/`. "
    "Graded assignments, if your class has them: `notebooks/assignments/`."
)
INSTRUCTOR = (
    "Begin with `docs/teaching/index.md`: syllabi, and for each lesson a plan, polls and a worksheet. Solutions, "
    "executed, are in `notebooks/solutions/`, rubrics in `docs/teaching/assignments/`. What students get "
    "is in the student edition."
)


# ---------------------------------------------------------------------------------------- notebooks


def cleared(notebook: NotebookNode) -> NotebookNode:
    """Return a notebook without outputs."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def for_students(notebook: NotebookNode, kept: Sequence[str]) -> NotebookNode:
    """Return a lesson without outputs and without the way to solutions and plans.

    Parameters
    ----------
    notebook : NotebookNode
        As committed; its exercises hold starter cells.
    kept : sequence of str
        Stems of the lessons in this edition; links to others become plain text.
    """
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = without_dropped(FOR_TEACHERS.sub("", cell.source), kept)
    return cleared(notebook)


def for_instructors(notebook: NotebookNode, plan: str, kept: Sequence[str]) -> NotebookNode:
    """Return a lesson as committed with the page for teachers in front, in a cell tagged ``plan``."""
    cell = nbformat.v4.new_markdown_cell(moved(plan), id="plan", metadata={"tags": ["plan"]})
    for one in notebook.cells:
        if one.cell_type == "markdown":
            one.source = without_dropped(one.source, kept)
    notebook.cells.insert(0, cell)
    return notebook


def without_dropped(text: str, kept: Sequence[str]) -> str:
    """Return a text whose links to lessons that are not in this edition are plain words.

    Examples
    --------
    >>> without_dropped("see [lesson 1](01_a.ipynb) and [lesson 2](02_b.ipynb)", ["02_b"])
    'see lesson 1 and [lesson 2](02_b.ipynb)'
    """
    numbers = {stem[:2] for stem in kept}

    def link(found):
        path = Path(found[2].partition("#")[0])
        if path.stem.isdigit():  # an assignment, a page for teachers
            return found[0] if path.stem in numbers else found[1]
        dropped = (
            path.suffix == ".ipynb"
            and path.parent.name != "solutions"
            and path.stem not in (*kept, "lab")
        )
        return found[1] if dropped else found[0]

    return LINK.sub(link, text)


# -------------------------------------------------------------------------------------------- pages


def moved(text: str) -> str:
    """Return a page of ``docs/teaching`` whose links hold from ``notebooks/``.

    Examples
    --------
    >>> moved("[a](../../notebooks/01_a.ipynb) [b](../glossary.md) [c](#polls) [d](worksheet_rulers.html)")
    '[a](01_a.ipynb) [b](../docs/glossary.md) [c](#polls) [d](../docs/teaching/worksheet_rulers.html)'
    """

    def link(found):
        place = found[2]
        if not place.startswith(("http", "#")):
            place = os.path.normpath(f"docs/teaching/{place}").replace(os.sep, "/")
            place = (
                place.removeprefix("notebooks/")
                if place.startswith("notebooks/")
                else f"../{place}"
            )
        return f"[{found[1]}]({place})"

    return COMMENT.sub("", LINK.sub(link, text))


def worksheet(page: str) -> str:
    """Return the worksheet of a page for teachers, without its answers, as a page of ``worksheets/``."""
    title = page.split("\n", 1)[0].replace("Teaching lesson", "Worksheet of lesson")
    text = WORKSHEET.search(page)[1].replace(f"({RULERS})", "(rulers.html)")
    text = text.replace("(../../", "(@").replace("(../", "(../docs/").replace("(@", "(../")
    return f"{title}\n{COMMENT.sub('', text).rstrip()}\n"


def readme(edition: str, stems: Sequence[str]) -> str:
    """Return the first page of an edition."""
    what = {"student edition": STUDENT, "instructor edition": INSTRUCTOR}[edition]
    lessons = "\n".join(f"- [{stem}](notebooks/{stem}.ipynb)" for stem in stems)
    return START.format(edition=edition, what=what, lessons=lessons)


# ----------------------------------------------------------------------------------------- editions


def common(stems: Sequence[str]) -> dict[str, bytes]:
    """Return the files that both editions hold, by their place; pages link to lessons of the edition only."""
    found = {}
    for path in (path for pattern in COMMON for path in sorted(ROOT.glob(pattern))):
        if path.is_file() and "__pycache__" not in path.parts:
            content = path.read_bytes()
            if path.suffix == ".md":
                content = without_dropped(content.decode("utf-8"), stems).encode("utf-8")
            found[path.relative_to(ROOT).as_posix()] = content
    for path in assigned(stems):
        notebook = for_students(nbformat.read(path, as_version=4), stems)
        found[path.relative_to(ROOT).as_posix()] = _bytes(notebook)
    return found


def assigned(stems: Sequence[str]) -> list[Path]:
    """Return the graded assignments of these lessons: notebooks that are empty, for both editions."""
    paths = sorted((ROOT / "notebooks" / "assignments").glob("[0-9][0-9].ipynb"))
    return [path for path in paths if any(stem.startswith(path.stem) for stem in stems)]


def student(stems: Sequence[str]) -> dict[str, bytes]:
    """Return the files of the student edition, by their place."""
    found = common(stems)
    for place in NOT_FOR_STUDENTS:
        del found[place]
    for place in [place for place in found if place.endswith(".md")]:
        text = found[place].decode("utf-8")
        top = "../" * place.count("/")
        text = text.replace(f"(teaching/{RULERS})", f"({top}worksheets/rulers.html)")
        found[place] = text.encode("utf-8")
    for stem in stems:
        notebook = for_students(_lesson(stem), stems)
        found[f"notebooks/{stem}.ipynb"] = _bytes(notebook)
        page = (ROOT / "docs" / "teaching" / f"{stem[:2]}.md").read_text(encoding="utf-8")
        if WORKSHEET.search(page):
            found[f"worksheets/{stem[:2]}.md"] = worksheet(page).encode("utf-8")
    rulers = (ROOT / "docs" / "teaching" / RULERS).read_text(encoding="utf-8")
    found["worksheets/rulers.html"] = ANSWER_PAGE.sub("", rulers).encode("utf-8")
    found["README.md"] = readme("student edition", stems).encode("utf-8")
    found["Makefile"] = makefile(found["Makefile"].decode("utf-8"), found).encode("utf-8")
    return found


def instructor(stems: Sequence[str]) -> dict[str, bytes]:
    """Return the files of the instructor edition, by their place."""
    found = common(stems)
    numbers = {stem[:2] for stem in stems}
    for path in (path for pattern in PLANS for path in sorted(ROOT.glob(pattern))):
        if not path.stem.isdigit() or path.stem in numbers:
            content = path.read_bytes()
            if path.suffix == ".md":
                content = without_dropped(content.decode("utf-8"), stems).encode("utf-8")
            found[path.relative_to(ROOT).as_posix()] = content
    found |= {place: (ROOT / place).read_bytes() for place in FOR_INSTRUCTORS}
    for path in sorted((ROOT / SLIDES).glob("[0-9][0-9]/*")):
        if path.parent.name in numbers:
            found[f"slides/{path.parent.name}/{path.name}"] = path.read_bytes()
    for stem in stems:
        plan = (ROOT / "docs" / "teaching" / f"{stem[:2]}.md").read_text(encoding="utf-8")
        found[f"notebooks/{stem}.ipynb"] = _bytes(for_instructors(_lesson(stem), plan, stems))
        solutions = f"notebooks/solutions/{stem}.ipynb"
        found[solutions] = (ROOT / solutions).read_bytes()
    found["README.md"] = readme("instructor edition", stems).encode("utf-8")
    found["Makefile"] = makefile(found["Makefile"].decode("utf-8"), found).encode("utf-8")
    return found


def makefile(text: str, held: Collection[str]) -> str:
    """Return the Makefile without the commands that call what an edition does not hold."""
    for rule in list(RULE.finditer(text)):
        called = {f"tools/{tool}.py" if tool else file for tool, file in CALLED.findall(rule[0])}
        if not called <= set(held):
            text = text.replace(rule[0], "")
            text = re.sub(rf"^(\.PHONY:.*) {rule[1]}\b", r"\1", text, flags=re.MULTILINE)
    return text


EDITIONS = {"student": student, "instructor": instructor}


def _lesson(stem):
    return nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", as_version=4)


def _bytes(notebook):
    return (nbformat.writes(notebook).rstrip("\n") + "\n").encode("utf-8")


def pack(path: Path, files: dict[str, bytes]) -> None:
    """Write a zip with one folder of its own name; equal files make equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for place, content in sorted(files.items()):
            entry = zipfile.ZipInfo(f"{path.stem}/{place}", (1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o755 if place.endswith(".sh") else 0o644) << 16
            archive.writestr(entry, content)


def write(folder: Path, wanted: Sequence[str] = ()) -> list[Path]:
    """Write both zips; return their paths.

    Parameters
    ----------
    folder : pathlib.Path
        Where they go.
    wanted : sequence of str
        Beginnings of lessons, such as "01"; all by default.
    """
    stems = [path.stem for path in notebooks.find(ROOT, list(wanted), in_place=True)]
    paths = []
    for name, files in EDITIONS.items():
        paths.append(folder / f"{NAME}-{name}.zip")
        pack(paths[-1], files(stems))
    return paths


def run(archive: Path, profile: str, names: Sequence[str]) -> int:
    """Unpack an edition into an empty folder and execute lessons there; return the exit status."""
    with tempfile.TemporaryDirectory(prefix="edition-") as name:
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(name)
        root = Path(name) / archive.stem
        command = (
            sys.executable,
            "-m",
            "tools.notebooks",
            "--profile",
            profile,
            "--out",
            f"{name}/out",
        )
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
        environment |= {"PYTHONPATH": str(root), "GENERALIZE_STORE": "only"}
        return subprocess.call([*command, *names], cwd=root, env=environment, timeout=LONGEST)


def main(arguments: list[str] | None = None) -> int:
    """Write the zips and, if asked, execute the lessons of the student edition; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "lessons", nargs="*", help="beginnings of lessons, such as 01 (default: all)"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "editions")
    parser.add_argument("--run", choices=("quick", "full"), nargs="*", help="profiles to execute")
    given = parser.parse_args(arguments)
    paths = write(given.out, given.lessons)
    for path in paths:
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return max([run(paths[0], profile, given.lessons) for profile in given.run or ()], default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
