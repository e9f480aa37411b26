"""The lab as a reader has it: JupyterLab in a real browser, a slider moved by a key, the picture and its numbers."""

import os
import pathlib
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from browsing import browser  # noqa: F401, a fixture

from helpers import lab, models
from helpers._base import seeds
from helpers.engine import fit_many
from tools import notebooks, surroundings

ROOT = pathlib.Path(__file__).parents[2]
NEW = 90_000  # milliseconds that a picture may take on a busy computer
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    """The address of a JupyterLab that has a copy of the notebook, in the quick profile."""
    folder = tmp_path_factory.mktemp("lab")
    text = (ROOT / notebooks.LAB).read_text(encoding="utf-8")
    quick = text.replace(r"PROFILE = \"full\"", r"PROFILE = \"quick\"")
    assert quick != text
    (folder / "lab.ipynb").write_text(quick, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"),
        *("--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"),
    ]
    environment = surroundings.clean(dict(os.environ), tmp_path_factory.mktemp("settings"))
    with (folder / "log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
        try:
            for _ in range(240):
                with socket.socket() as tried:
                    if tried.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert server.poll() is None, (folder / "log").read_text(encoding="utf-8")
                time.sleep(0.5)
            yield address
        finally:
            server.terminate()
            server.wait(60)


def mean_error(setting):
    """Return the networks' mean squared distance from the true line, by a direct call of `fit_many`."""
    seen = lab.WORLDS["line"].draw(setting.seed, setting.noise, 6)
    most = seen.sets.n_train
    runs = fit_many(
        models.mlp(1, 1, hidden=(setting.width,) * 2, l2=0.01, dropout=0.5), seen.sets, members=6,
        epochs=setting.epochs, batch_size=most, learning_rate=setting.rate, seed=seeds.integer(setting.seed, "fit"),
        sample_weight=np.tile(np.where(np.arange(most) < setting.n, most / setting.n, 0), (6, 1)),
        vary={"l2": np.zeros(6), "dropout": np.zeros(6)},
    )  # fmt: skip
    fits = 10 + 10 * runs.predict(seen.new)[..., 0].astype(float)
    return np.mean((fits - seen.truth) ** 2)


def slider(page, name):
    """Return the handle of a slider, by the words before it."""
    row = page.locator(".widget-slider").filter(has_text=name)
    return row.locator(".noUi-handle, [role=slider]").first


def test_a_slider_moves_and_the_picture_shows_what_fit_many_gives(browser, jupyter):  # noqa: F811
    page = browser.new_page(viewport={"width": 1280, "height": 1600})
    outside = []
    page.on("request", lambda r: None if r.url.startswith(jupyter) else outside.append(r.url))
    page.goto(f"{jupyter}/lab/tree/lab.ipynb")
    ready = '.jp-Notebook-ExecutionIndicator[data-status="idle"]'
    page.wait_for_selector(ready, timeout=NEW)
    page.wait_for_timeout(1500)  # idle once more: the kernel has only just said hello
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    shown = page.locator('.widget-html img[alt^="Noisy line"]')
    shown.wait_for(timeout=4 * NEW)
    before, first = shown.get_attribute("src"), shown.get_attribute("alt")
    begun = lab.usual("line", width=16)  # of the two widths the one next to the usual one
    assert f"says no: {mean_error(begun):.3g}, against" in first

    handle = slider(page, "learning rate")
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "before => document.querySelector('.widget-html img').src !== before",
        arg=before,
        timeout=NEW,
    )
    page.wait_for_function(
        "() => [...document.querySelectorAll('.widget-html')].some(e => /picture after/.test(e.textContent))",
        timeout=NEW,
    )
    moved = lab.usual("line", width=16, rate=0.03)
    said = f"says no: {mean_error(moved):.3g}, against"
    printed = page.locator(".widget-html", has_text="single runs").inner_text()
    assert said in printed and said in shown.get_attribute("alt")
    assert mean_error(begun) != mean_error(moved)
    assert "pair by pair" in printed and not outside
    page.close()
