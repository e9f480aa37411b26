"""environment.yml, the ranges in pyproject.toml, the lock and what is installed name the same versions."""

import importlib.metadata
import os
import pathlib
import platform
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = pathlib.Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DIRECT = [
    Requirement(line) for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]
]
LOCKED_PLATFORM = {"sys_platform": "linux", "platform_machine": "x86_64"}


def locked(name="requirements.txt"):
    """Return the requirements of a lock, hashes cut off."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [
        Requirement(line.rstrip(" \\"))
        for line in lines
        if line and not line.startswith(("#", " "))
    ]


def environment():
    """Return the requirements of environment.yml, conda's and pip's, as {name: Requirement} plus the Python range."""
    entries = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    pip = next(entry["pip"] for entry in entries if isinstance(entry, dict))
    conda = [
        re.sub(r"(?<![<>=])=(?!=)", "==", entry) for entry in entries if isinstance(entry, str)
    ]
    found = [Requirement(line) for line in (*conda, *pip) if line != "-e ."]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def test_every_direct_dependency_is_locked_inside_its_range():
    pins = {canonicalize_name(requirement.name): requirement for requirement in locked()}
    for requirement in DIRECT:
        if requirement.marker is None or requirement.marker.evaluate(LOCKED_PLATFORM):
            pin = pins[canonicalize_name(requirement.name)]
            assert pin.marker is None, f"{pin} is not for every Python"
            assert requirement.specifier.contains(next(iter(pin.specifier)).version), (
                f"{pin} is outside {requirement}"
            )


def test_the_lock_has_one_version_and_hashes_of_each_package_and_no_other_platform():
    names = [canonicalize_name(requirement.name) for requirement in locked()]
    assert len(names) == len(set(names))
    assert "tensorflow-cpu" in names and "tensorflow" not in names
    blocks = re.split(
        r"\n(?=\S)",
        (ROOT / "requirements.txt").read_text(encoding="utf-8").split("make lock\n")[1].strip(),
    )
    assert len(blocks) == len(names)
    for block in blocks:
        assert re.search(r"^\S+==\S+.* \\\n    --hash=sha256:[0-9a-f]{64}", block), block[:80]


def test_the_lock_of_the_site_changes_no_version_and_holds_its_direct_dependencies_with_hashes():
    pins = {canonicalize_name(entry.name): entry.specifier for entry in locked()}
    site = {canonicalize_name(entry.name): entry for entry in locked("requirements-site.txt")}
    shared = pins.keys() & site.keys()
    assert shared and all(site[name].specifier == pins[name] for name in shared)
    for entry in map(Requirement, PROJECT["optional-dependencies"]["site"]):
        pin = site[canonicalize_name(entry.name)]
        assert entry.specifier.contains(next(iter(pin.specifier)).version)
    text = (ROOT / "requirements-site.txt").read_text(encoding="utf-8")
    assert len(re.findall(r"^\S+==\S+.* \\\n    --hash=sha256:", text, re.MULTILINE)) == len(site)


def test_the_versions_that_built_the_data_are_in_range_and_the_locked_ones():
    pins = {canonicalize_name(requirement.name): requirement.specifier for requirement in locked()}
    ranges = {
        entry.name: entry.specifier
        for entry in map(Requirement, PROJECT["optional-dependencies"]["data"])
    }
    lines = (ROOT / "requirements-data.txt").read_text(encoding="utf-8").splitlines()
    listed = [Requirement(line) for line in lines if line and not line.startswith(("#", " "))]
    assert {entry.name for entry in listed} >= set(ranges)
    for entry in listed:
        if entry.name in ranges:
            assert ranges[entry.name].contains(next(iter(entry.specifier)).version)
        else:
            assert entry.specifier == pins[canonicalize_name(entry.name)]


def test_environment_yml_names_the_locked_versions_of_every_direct_dependency_and_nothing_else():
    pins = {canonicalize_name(requirement.name): requirement.specifier for requirement in locked()}
    pins["tensorflow"] = pins["tensorflow-cpu"]
    listed = environment()
    assert listed.pop("python").specifier == SpecifierSet(PROJECT["requires-python"])
    assert not listed.pop("pip").specifier
    assert {name: entry.specifier for name, entry in listed.items()} == {
        canonicalize_name(requirement.name): pins[canonicalize_name(requirement.name)]
        for requirement in DIRECT
    }


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="the lock holds for Linux x86-64 only",
)
def test_the_installed_versions_are_the_locked_ones():
    wanted = [entry for entry in locked() if entry.marker is None or entry.marker.evaluate()]
    different = {}
    for requirement in wanted:
        version = importlib.metadata.version(requirement.name)
        if not requirement.specifier.contains(version):
            different[requirement.name] = f"{version}, locked {requirement.specifier}"
    assert not different, "run `make env`, or `make lock` if the new versions are meant"


def test_this_python_is_in_the_range():
    assert platform.python_version() in SpecifierSet(PROJECT["requires-python"])


def test_ranges_are_bounded_above():
    assert not [str(entry) for entry in DIRECT if "<" not in str(entry.specifier)]


@pytest.mark.parametrize(
    ("python", "message"),
    [
        ("no-such-python", "PYTHON=no-such-python does not run"),
        ("", "exists and is not a virtual environment"),
    ],
)
def test_the_setup_says_what_is_wrong_and_leaves_folders_alone(tmp_path, python, message):
    folder = tmp_path / "folder"
    if not python:
        folder.mkdir()
        (folder / "thesis.tex").touch()
    before = sorted(tmp_path.rglob("*"))
    command = ["sh", "tools/make_env.sh", folder, python]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=60)
    assert result.returncode == 1
    assert message in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(sys.platform == "win32", reason="make_env.sh needs a POSIX shell")
@pytest.mark.parametrize("given", ["~/my pythons/python", "HOME/my pythons/python"])
def test_a_python_may_have_spaces_in_its_path_and_stand_in_the_home_folder(tmp_path, given):
    home = tmp_path / "a home"
    python = home / "my pythons" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho called >>"$0.log"\nexit 1\n', encoding="utf-8")
    python.chmod(0o755)
    command = ["sh", "tools/make_env.sh", tmp_path / "env", given.replace("HOME", str(home))]
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=60
    )
    assert result.returncode == 1
    assert f"PYTHON={python} does not run or has another version" in result.stderr
    assert set(python.with_name("python.log").read_text(encoding="utf-8").split()) == {"called"}


def test_files_that_are_compared_or_run_have_the_same_line_ends_in_every_checkout():
    names = ["tools/make_env.sh", "Makefile", ".ci/run", "pyproject.toml", "helpers/stats.py"]
    names += ["notebooks/01_overfitting.ipynb", "README.md", "a.csv", "data/mnist1d.npz", "a.png"]
    command = ["git", "check-attr", "eol", "text", "--", *names]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=60)
    if result.returncode:
        pytest.skip("this is no git checkout")
    found = {
        tuple(line.split(": ")[:2]): line.split(": ")[2] for line in result.stdout.splitlines()
    }
    for name in names:
        binary = name.endswith((".npz", ".png"))
        assert found[name, "text"] == (
            "unset" if binary else "auto" if ".ipynb" not in name else "set"
        )
        assert binary or found[name, "eol"] == "lf"
