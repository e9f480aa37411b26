"""The lab of the site in a real browser: it trains as Keras trains, and its page does what it says."""

import contextlib
import urllib.parse

import numpy as np
import pytest

from helpers import data, fit_many, stats
from helpers._tensorflow import keras
from tools.site import SITE

LAB = (SITE / "lab.html").as_uri()
DONE = '#lab[data-state="done"]'
START = {
    "line": {"width": 16, "l2": 0, "noise": 2, "steps": 200, "n": 40, "rate": 0.01},
    "xor": {"width": 2, "l2": 0, "noise": 0, "steps": 200, "n": 80, "rate": 0.1},
}
CASES = {  # task, sizes, points, optimizer, rate, L2
    "XOR 2-2-1": ("xor", (2, 2, 1), 20, "adam", 0.1, 0.0),
    "XOR 2-4-1, SGD, L2": ("xor", (2, 4, 1), 40, "sgd", 0.1, 0.003),
    "line 1-16-16-1": ("line", (1, 16, 16, 1), 40, "adam", 0.01, 0.0),
    "line 1-16-16-1, L2": ("line", (1, 16, 16, 1), 40, "adam", 0.01, 0.01),
    "line 1-8-8-1, SGD": ("line", (1, 8, 8, 1), 64, "sgd", 0.001, 0.0),
}
STEPS = 50


@pytest.fixture
def lab(tab):
    """The page, its first fifty networks trained."""
    tab.goto(LAB)
    tab.wait_for_selector(DONE, timeout=60_000)
    yield tab
    assert tab.errors == [] and tab.outside == []


@pytest.fixture
def core(tab):
    """The arithmetic alone, in an empty page."""
    tab.add_script_tag(path=SITE / "_static" / "lab-core.js")
    return tab


@contextlib.contextmanager
def precision(bits):
    """Let Keras compute in this precision: rates, losses and all that a layer's dtype does not reach."""
    keras.config.set_floatx(f"float{bits}")
    keras.config.set_dtype_policy(f"float{bits}")
    try:
        yield
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


def network(sizes, l2):
    how = {"kernel_regularizer": keras.regularizers.L2(l2) if l2 else None}
    layers = [keras.layers.Dense(units, activation="relu", **how) for units in sizes[1:-1]]
    return keras.Sequential(
        [keras.Input((sizes[0],)), *layers, keras.layers.Dense(sizes[-1], **how)]
    )


def optimizer_of(name, rate):
    return {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}[name](rate)


def trained_by_keras(sizes, weights, x, y, batches, how):
    """Return the network that plain Keras trains from the same start on the same batches."""
    model = network(sizes, how["l2"])
    model.set_weights(weights)
    binary = keras.losses.BinaryCrossentropy(from_logits=True)
    loss = "mse" if how["task"] == "line" else binary
    model.compile(optimizer_of(how["optimizer"], how["rate"]), loss=loss, run_eagerly=True)
    for rows in batches:
        model.train_on_batch(x[rows], y[rows])
    return model


def lists(arrays):
    return [np.asarray(one).ravel().tolist() for one in arrays]


def distance(ours, theirs):
    """Return the largest difference of any weight, relative to its array's largest entry."""
    pairs = [(np.asarray(a).reshape(b.shape), b) for a, b in zip(ours, theirs, strict=True)]
    return max(float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-3)) for a, b in pairs)


# ---------------------------------------------------------------------------------- as Keras trains


TRAIN = """given => {
    // In double precision the same text, with the other kind of arrays.
    const kind = given.bits === 64 ? Float64Array : Float32Array;
    const core = (0, eval)(`(${labCore})`.replaceAll("Float32Array", kind.name))();
    const {x, y, start} = given;
    const weights = start.map(one => kind.from(one));
    core.train(given.sizes, weights, kind.from(x), kind.from(y), given.batches, given.how);
    return weights.map(one => Array.from(one));
}"""


def trained_by_the_lab(core, sizes, start, x, y, batches, bits, **how):
    given = {"sizes": list(sizes), "start": lists(start), "batches": lists(batches), "bits": bits}
    given |= {"x": x.ravel().tolist(), "y": y.ravel().tolist(), "how": how}
    return core.evaluate(TRAIN, given)


@pytest.mark.parametrize("name", CASES)
def test_it_trains_as_keras_does(core, name):
    task, sizes, n, optimizer, rate, l2 = CASES[name]
    points = data.line(n=n, seed=3) if task == "line" else data.xor(n, seed=3)
    size = n if task == "xor" else 32
    runs = fit_many(
        network(sizes, l2), points, members=2, epochs=STEPS if size == n else STEPS // 2, batch_size=size,
        optimizer=optimizer_of(optimizer, rate), seed=5,
    )  # fmt: skip
    start = [w[1] for w in runs.initial_weights]
    batches = [rows for epoch in runs.batches(1) for rows in epoch]
    x, y = points.x_train, points.y_train.astype(np.float32).reshape(-1, 1)
    assert len(batches) == STEPS
    how = {"task": task, "optimizer": optimizer, "rate": rate, "l2": l2}
    for bits, close in ((32, 1e-4), (64, 1e-9)):
        ours = trained_by_the_lab(core, sizes, start, x, y, batches, bits, **how)
        with precision(bits):
            model = trained_by_keras(sizes, start, x, y, batches, how)
        theirs = model.get_weights()
        assert theirs[0].dtype == f"float{bits}"
        assert distance(start, theirs) > 0.01  # it was trained
        assert distance(ours, theirs) < close
        if bits == 32:
            assert distance(ours, [w[1] for w in runs.weights]) < close


@pytest.mark.parametrize(
    "change", [{}, {"l2": 0.01, "width": 8}, {"optimizer": "sgd", "rate": 0.001}]
)
@pytest.mark.parametrize("task", START)
def test_a_run_of_the_page_is_a_network_that_keras_would_have_trained(core, task, change):
    settings = {
        **START[task],
        "task": task,
        "optimizer": "adam",
        "seed": 7,
        "steps": STEPS,
        **change,
    }
    found = core.evaluate(
        """settings => {
            const core = labCore(), plain = arrays => arrays.map(one => Array.from(one));
            const sizes = core.sizesOf(settings), {x, y} = core.draw(settings, 4);
            const start = core.start(sizes, core.random(settings.seed, settings.task, "weights", 4));
            const [at, curve] = plain([core.places(settings.task), core.run(settings, 4).curve]);
            return {sizes, start: plain(start), x: Array.from(x), y: Array.from(y), at, curve,
                    batches: plain(core.batches(settings, 4))};
        }""",
        settings,
    )
    shapes = [w.shape for w in network(found["sizes"], 0).get_weights()]
    start = [np.reshape(w, s) for w, s in zip(found["start"], shapes, strict=True)]
    x, y = np.reshape(found["x"], (-1, found["sizes"][0])), np.reshape(found["y"], (-1, 1))
    batches = [np.array(rows) for rows in found["batches"]]
    assert len(batches) == STEPS
    if task == "line":  # each epoch holds every point once, in another order
        first, second = np.concatenate(batches[:2]), np.concatenate(batches[2:4])
        assert sorted(first) == sorted(second) == list(range(40)) and list(first) != list(second)
    model = trained_by_keras(found["sizes"], start, x, y, batches, settings)
    at = np.reshape(found["at"], (-1, found["sizes"][0])).astype(np.float32)
    expected = np.asarray(model(at))[:, 0]
    largest = np.abs(expected).max()
    assert largest > 0.1
    np.testing.assert_allclose(found["curve"], expected, rtol=0, atol=1e-4 * largest)


def test_a_network_that_diverged_counts_as_the_mean_of_its_targets(core):
    how = {"width": 32, "optimizer": "sgd", "rate": 0.1, "seed": 1}
    settings = {**START["line"], "task": "line", **how}
    finite, curve, y = core.evaluate(
        """settings => {
            const core = labCore(), one = core.run(settings, 7), sizes = core.sizesOf(settings);
            const {x, y} = one.points, start = core.start(sizes, core.random(1, "line", "weights", 7));
            const end = core.train(sizes, start, x, y, core.batches(settings, 7), settings);
            return [end.every(w => w.every(Number.isFinite)), Array.from(one.curve), Array.from(y)];
        }""",
        settings,
    )
    assert not finite
    np.testing.assert_allclose(curve, np.mean(y), rtol=1e-5)


# --------------------------------------------------------------------------------------- statistics


def test_its_interval_is_wilsons(core):
    found = core.evaluate("() => Array.from({length: 51}, (_, k) => labCore().wilson(k, 50))")
    for count, (low, high) in enumerate(found):
        expected = stats.proportion_interval(count, 50)
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_its_band_and_its_least_squares_are_numpys(core):
    rng = np.random.default_rng(0)
    curves, x, y = rng.normal(size=(50, 7)), rng.normal(size=(20, 2)), rng.normal(size=20)
    bands, line, plane = core.evaluate(
        """([curves, x, y]) => {
            const core = labCore(), flat = Float32Array.from(x.flat()), at = Float32Array.from(x, one => one[0]);
            return [core.band(curves), core.leastSquares(at, y, 1), core.leastSquares(flat, y, 2)];
        }""",
        [curves.tolist(), x.tolist(), y.tolist()],
    )
    quantiles = np.quantile(curves, [0.05, 0.95], axis=0)
    np.testing.assert_allclose(bands, np.stack([quantiles[0], curves.mean(0), quantiles[1]], 1))
    np.testing.assert_allclose(line[::-1], np.polyfit(x[:, 0], y, 1), rtol=1e-5)
    design = np.column_stack([np.ones(20), x])
    np.testing.assert_allclose(plane, np.linalg.lstsq(design, y)[0], rtol=1e-5)


def test_its_chance_is_fair_and_keyed(core):
    uniform, normal, places, others = core.evaluate(
        """() => {
            const {random, order} = labCore(), n = 20000, of = (...key) => random(...key);
            const list = draw => Array.from({length: n}, draw);
            return [list(of(1, "a").uniform), list(of(1, "a").normal), Array.from(order(30, of(1, "a"))),
                    [[1, "b"], [2, "a"], [1, "a", 0]].map(key => of(...key).uniform())];
        }"""
    )
    n = len(uniform)
    assert abs(np.mean(uniform) - 0.5) < 4 / np.sqrt(12 * n) and 0 < min(uniform) < max(uniform) < 1
    counts = np.histogram(uniform, bins=20, range=(0, 1))[0]
    assert (
        np.sum((counts - n / 20) ** 2 / (n / 20)) < 44
    )  # chi square, 19 degrees: one in a thousand
    assert abs(np.corrcoef(uniform[1:], uniform[:-1])[0, 1]) < 4 / np.sqrt(n)
    assert abs(np.mean(normal)) < 4 / np.sqrt(n) and abs(np.var(normal) - 1) < 4 * np.sqrt(2 / n)
    assert sorted(places) == list(range(30)) and places != list(range(30))
    assert len({uniform[0], *others}) == 4


# --------------------------------------------------------------------------------------------- page


def state_in(tab):
    """Return the settings in the address."""
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(tab.url).fragment))


def said(tab):
    return tab.inner_text('[data-part="share"]'), tab.inner_text('[data-part="means"]')


def finish(tab):
    """Wait until all networks are trained, drawn, and what they follow from stands in the address."""
    tab.wait_for_selector(DONE, timeout=60_000)
    tab.wait_for_function("() => location.hash === `#${new URLSearchParams(theLab.state)}`")
    tab.wait_for_function(
        "() => /single runs/.test(document.querySelector('[data-part=share]').textContent)"
    )


def count_of(tab, settings):
    """Return how many of fifty networks say yes, trained in the page and not by its workers."""
    return tab.evaluate(
        "s => Array.from({length: 50}, (_, m) => labCore().run(s, m).yes).filter(Boolean).length",
        settings,
    )


def test_a_slider_moved_by_key_trains_anew_and_the_numbers_are_those_of_fifty_runs(lab):
    before, picture = said(lab), lab.inner_html('[data-part="many"]')
    slider = lab.get_by_label("n (points)")
    slider.focus()
    lab.keyboard.press("ArrowLeft")
    assert lab.get_attribute("#lab", "data-state") == "training"
    assert lab.inner_text('[data-part="status"]') == "Training ..."
    finish(lab)
    assert slider.get_attribute("aria-valuetext") == "20" and state_in(lab)["n"] == "20"
    assert said(lab) != before and lab.inner_html('[data-part="many"]') != picture
    yes = count_of(lab, {**START["line"], "n": 20, "task": "line", "optimizer": "adam", "seed": 1})
    expected = stats.proportion_interval(yes, 50)
    low, high = (f"{100 * end:.0f} %" for end in (expected.low, expected.high))
    sentence = f"{yes} of 50 single runs say yes: {2 * yes} %, 99 % interval from {low} to {high}."
    assert said(lab)[0] == sentence
    dots = lab.locator('[data-part="runs"] [data-run]')
    assert dots.count() == 50 and lab.locator('[data-part="runs"] circle').count() == yes


def test_what_is_out_of_date_is_thrown_away(lab):
    for seed in (11, 12, 13):
        lab.fill("#lab-seed", str(seed))
        lab.press("#lab-seed", "Enter")
    finish(lab)
    found = lab.evaluate("() => theLab.results.map(one => one.error)")
    settings = {**START["line"], "task": "line", "optimizer": "adam", "seed": 13}
    expected = lab.evaluate(
        "s => Array.from({length: 50}, (_, m) => labCore().run(s, m).error)", settings
    )
    assert found == expected


def test_the_address_restores_everything(lab, browser):
    lab.select_option("#lab-world", "xor")
    for label in ("width", "label noise", "training steps"):
        lab.get_by_label(label).press("ArrowRight")
    lab.select_option("#lab-optimizer", "sgd")
    lab.get_by_label("the run shown").press("ArrowRight")
    lab.click("text=New seed")
    finish(lab)
    other = browser.new_page()
    other.goto(lab.url)
    finish(other)
    assert said(other) == said(lab)
    assert other.inner_text('[data-part="alone"]') == lab.inner_text('[data-part="alone"]')
    assert other.inner_html('[data-part="many"]') and state_in(lab)["seed"] != "1"
    values = "() => [...document.querySelectorAll('#lab input, #lab select')].map(one => one.value)"
    assert other.evaluate(values) == lab.evaluate(values)
    other.close()


def test_an_address_that_makes_no_sense_is_read_as_far_as_it_does(lab):
    read = lambda text: lab.evaluate("text => theLab.read(text)", text)  # noqa: E731
    start = {"world": "line", **START["line"], "optimizer": "adam", "seed": 1, "run": 1}
    assert read("") == read("#world=toString&width=&n=many&seed=-3&run=1e9x&optimizer=x") == start
    assert read("#world=line&width=1e9&n=33&seed=99999999999&run=0&rate=NaN") == {
        **start, "width": 32, "n": 40, "seed": 999999, "run": 1,
    }  # fmt: skip
    assert read("#world=xor")["width"] == START["xor"]["width"]


def test_an_address_that_is_put_in_later_counts_too(lab):
    lab.evaluate("() => { location.hash = '#world=xor&width=8'; }")
    lab.wait_for_function("() => theLab.state.world === 'xor'")
    finish(lab)
    assert "learned XOR" in lab.inner_text('[data-part="statement"]')


OVERLAPS = """labels => {
    const found = [...document.querySelectorAll(labels)].map(one => [one.textContent, one.getBoundingClientRect()]);
    const meet = (a, b) =>
        a.left < b.right && b.left < a.right && a.top + 3 < b.bottom && b.top + 3 < a.bottom;
    return found.flatMap(([text, a], i) =>
        found.slice(i + 1).filter(([, b]) => meet(a, b)).map(([other]) => [text, other]));
}"""


def test_every_suggestion_fits_a_telephone(lab):
    lab.set_viewport_size({"width": 390, "height": 844})
    buttons = lab.locator("button[data-lab]")
    assert buttons.count() >= 5
    for i in range(buttons.count()):
        buttons.nth(i).click()
        finish(lab)
        assert (
            lab.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            <= 0
        )
        for picture in ("one", "many", "runs"):
            words = lab.get_attribute(f'[data-part="{picture}"]', "aria-label")
            assert len(words) > 40 and "NaN" not in lab.inner_html(f'[data-part="{picture}"]')
            assert lab.evaluate(OVERLAPS, f'[data-part="{picture}"] text') == []


def test_every_control_has_a_name_and_a_key_reaches_it(lab):
    names = lab.evaluate(
        "() => [...document.querySelectorAll('#lab input, #lab select')].map(one => one.labels[0]?.textContent)"
    )
    assert len(names) == 10 and all(names)
    lab.focus("#lab-world")
    reached = set()
    for _ in range(14):
        reached.add(
            lab.evaluate("() => document.activeElement.name || document.activeElement.dataset.part")
        )
        lab.keyboard.press("Tab")
    assert reached >= {
        "world",
        "width",
        "l2",
        "noise",
        "steps",
        "n",
        "rate",
        "optimizer",
        "seed",
        "new",
        "reset",
        "run",
    }


def test_a_dot_shows_its_run(lab):
    lab.locator('[data-part="runs"] [data-run="17"]').dispatch_event("click")
    lab.wait_for_function("() => theLab.state.run === 17")
    lab.wait_for_selector('[data-part="runs"] .shown[data-run="17"]', state="attached")
    assert lab.inner_text('[data-part="alone"]').startswith("Run 17 alone")
    assert lab.get_attribute("#lab", "data-state") == "done"  # nothing is trained for it
