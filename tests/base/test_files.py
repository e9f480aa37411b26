"""One atomic write, a trial before the work, and the generated part of a page."""

import pathlib
import sys

import pytest

from helpers._base import files


@pytest.mark.parametrize(("old", "new"), [(b"o", b"n"), ("o", "n")], ids=["bytes", "text"])
def test_a_file_is_written_aside_and_renamed(tmp_path, monkeypatch, old, new):
    path, seen = tmp_path / "new folder" / "file", []
    files.write(path, old)

    def cut_off(aside, target):
        seen.append(pathlib.Path(aside))
        assert target == path and path.read_bytes() == b"o" and seen[0].read_bytes() == b"n"
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", cut_off)
    with pytest.raises(KeyboardInterrupt):
        files.write(path, new)
    assert path.read_bytes() == b"o"
    assert seen[0].match(".*.aside") and not seen[0].exists()  # the name that git ignores


def test_line_ends_and_letters_stay(tmp_path):
    files.write(tmp_path / "a", "ä\r\nσ\n")
    assert (tmp_path / "a").read_bytes() == "ä\r\nσ\n".encode()


def test_a_folder_that_can_be_written_to_is_made_and_left_empty(tmp_path):
    folder = files.require_writable(tmp_path / "a" / "b", "Unused.")
    assert folder.is_dir() and not list(folder.iterdir())


def test_a_folder_that_cannot_be_written_to_is_named_with_the_remedy(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PermissionError, match=r"file.*\. Choose another\."):
        files.require_writable(tmp_path / "file", "Choose another.")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is a thing of Linux")
def test_a_read_only_folder_is_noticed_even_by_root():
    with pytest.raises(PermissionError, match="/proc"):
        files.require_writable("/proc", "Choose another.")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_part_between_markers_is_renewed_in_the_line_ends_of_the_page(end):
    old = end.join(["before", "<b>", "old", "<e>", "after", ""])
    new = files.renewed(old, "page.md", "<b>", "<e>", "x\ny")
    assert new.split(end) == ["before", "<b>", "", "x", "y", "<e>", "after", ""]
    assert files.renewed(new, "page.md", "<b>", "<e>", "x\ny") == new
    with pytest.raises(ValueError, match="page.md must hold one line <z>"):
        files.renewed(old, "page.md", "<z>", "<e>", "x")
