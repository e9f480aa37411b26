"""The first cell of a lesson says which `helpers` was found where it is not ours."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
GUARD = """\
import helpers

assert hasattr(helpers, "PROJECT"), f"Wrong {helpers!r}: start with `make lab`, or move it away."
"""


@pytest.mark.parametrize("kind", ["module", "package", "namespace"])
def test_the_guard_names_another_helpers_and_what_to_do(tmp_path, kind):
    if kind == "module":
        (tmp_path / "helpers.py").touch()
    else:
        (tmp_path / "helpers").mkdir()
    if kind == "package":
        (tmp_path / "helpers" / "__init__.py").touch()
    result = subprocess.run(
        [sys.executable, "-S", "-c", GUARD], cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60,
        env={},
    )  # fmt: skip
    assert result.returncode == 1
    assert "Wrong <module 'helpers'" in result.stderr and "make lab" in result.stderr
    assert str(tmp_path) in result.stderr or kind == "namespace"  # named from Python 3.12 on


def test_the_guard_lets_ours_pass():
    exec(GUARD, {})


def test_the_guard_is_what_contributing_tells_authors_to_write():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert GUARD in text
