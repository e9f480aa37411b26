"""Every public name of Keras is in the table of `tools.keras_names`; that it trains as said there is slow to see."""

import re

import numpy as np
import pytest

from helpers._tensorflow import keras
from tools.keras_names import layers, measures, parts, training, walk
from tools.keras_names.__main__ import PAGE, page

TOLERANCE, MOVED = 1e-4, 1e-3
EXACT = layers.exact()


pytestmark = pytest.mark.usefixtures("one_worker")


def some(kinds, *, without=()):
    return {n: c for n, c in EXACT.items() if c[0] in kinds and n not in without}


@pytest.mark.parametrize("room", walk.ROOMS)
def test_every_name_that_keras_exports_is_tried_or_has_a_reason(room):
    tried, reasons, names = walk.tried(room), walk.NO_CASE[room], set(walk.exported(room))
    missing = {n for n in names - tried - set(reasons) if not walk.alias(room, n)}
    assert not missing, f"add a case, or a reason for none, to tools/keras_names: {missing}"
    assert not (tried | set(reasons)) - names
    assert not tried & set(reasons)


def test_keras_itself_cannot_build_a_model_with_equalization():
    inputs = keras.Input((6, 6, 3))
    with pytest.raises(ValueError, match="cycle"):
        keras.Model(inputs, keras.layers.Equalization((-1, 1))(inputs))


def trains_as_keras(cases, engine):
    made = walk.joined(cases)
    optimizer = keras.optimizers.SGD(walk.RATE * len(cases))
    runs = walk.fit(made.model, made.x, made.y, optimizer, "mse", engine=engine)
    assert runs.settings["engine"] == engine
    model, _ = walk.twin(runs, made.model, made.x, made.y, optimizer, "mse")
    outputs = runs.predict(made.x)[1]  # (8, branches)
    np.testing.assert_allclose(outputs, model(made.x, training=False), atol=1e-4)
    assert np.all(np.ptp(outputs, axis=0) > 1e-3), "an output that does not depend on the input"
    found = walk.apart(made, runs, model)
    assert not {name: one for name, one in found.items() if not one[0] < TOLERANCE}
    assert not {name: one for name, one in found.items() if not one[1] > MOVED}


LISTED = walk.branches()
GROUPS = {
    "vectors": some({"vector"}),
    "sequences": some({"sequence"}),
    "images": some({"image"}),
    "volumes": some({"volume", "cube", "rows", "film", "films"}),
    "signals and whole numbers": some({"signal", "wave", "whole"}),
    "random, at rate 0": layers.STILL,
    **{room: LISTED[room] for room in ("activations", "regularizers", "constraints")},
}


@pytest.mark.traced
@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_branches_train_as_keras_trains_them(group):
    cases = {n: c for n, c in GROUPS[group].items() if n not in walk.REFUSED}
    trains_as_keras(cases, "general")


@pytest.mark.traced
@pytest.mark.slow
@pytest.mark.parametrize("room", [*LISTED, "rate 0"])
def test_branches_that_the_fast_engine_knows_train_as_keras_trains_them(room):
    cases = {"layers": EXACT, "rate 0": layers.STILL}.get(room) or LISTED[room]
    known = {n: c for n, c in cases.items() if walk.takes("fast", walk.branch_of({n: c}))}
    assert bool(known) == (room != "constraints")
    if known:
        trains_as_keras(known, "fast")


@pytest.mark.parametrize("name", walk.REFUSED)
def test_what_no_engine_takes_is_refused_with_the_reason(name):
    room = "layers" if name in LISTED["layers"] else "optimizers"
    call = walk.call_of(room, name)
    assert not walk.takes("fast", call)
    assert re.search(walk.REFUSED[name][1], walk.refusal("general", call))


def draws(made, rate, seed=4):
    """Two members that start alike and see the same batches."""
    start = [np.stack([w, w]) for w in made.model.get_weights()]
    settings = {"initial_weights": start, "shuffle": "shared", "epochs": 3, "seed": seed}
    optimizer = keras.optimizers.SGD(rate)
    return walk.fit(made.model, made.x, made.y, optimizer, "mse", engine="general", **settings)


def all_draw(cases):
    made, rate = walk.joined(cases), 1e-3 * len(cases)
    runs = draws(made, rate)
    differ = {
        name for name, w in zip(made.owners, runs.weights, strict=True) if np.any(w[0] != w[1])
    }
    assert differ == set(cases)
    outputs, again = runs.predict(made.x), draws(made, rate)
    assert all(np.array_equal(a, b) for a, b in zip(runs.weights, again.weights, strict=True))
    made.model.set_weights([w[1] for w in runs.weights])
    np.testing.assert_allclose(outputs[1], made.model(made.x, training=False), atol=1e-4)
    return runs


@pytest.mark.traced
@pytest.mark.slow
def test_random_layers_draw_for_each_member_and_nothing_in_inference():
    slow = {"RandAugment"}  # compiles as long as all the others
    cases = {n: c for n, c in layers.random().items() if n not in {*walk.REFUSED, *slow}}
    all_draw(cases)


@pytest.mark.traced
@pytest.mark.slow
def test_random_augmentation_draws_for_each_member():
    all_draw({"RandAugment": layers.random()["RandAugment"]})


def test_both_engines_draw_the_initial_weights_that_keras_would_draw():
    inputs = keras.Input((12,))
    ends = [
        keras.layers.Dense(12, kernel_initializer=one, name=name)(inputs)
        for name, one in parts.INITIALIZERS.items()
    ]
    model = keras.Model(inputs, keras.layers.Concatenate()(ends))
    y = np.zeros((8, 12 * len(ends)), np.float32)
    drawn = {
        engine: walk.fit(
            model, walk.examples(), y, "sgd", "mse", members=60, epochs=0, engine=engine
        ).initial_weights
        for engine in ("fast", "general")
    }
    for name, fast, general, variable in zip(
        [v.path.split("/")[0] for v in model.weights], *drawn.values(), model.weights, strict=True
    ):
        assert np.array_equal(fast, general), name
        if variable.path.endswith("bias"):
            continue
        made = parts.INITIALIZERS[name]
        drawn_anew = "seed" in made.get_config()  # a copy of any other may forget its settings
        kerass = np.stack(
            [np.asarray((made.clone() if drawn_anew else made)((12, 12))) for _ in range(60)]
        )
        np.testing.assert_allclose(fast.mean(), kerass.mean(), atol=0.02, err_msg=name)
        np.testing.assert_allclose(fast.std(), kerass.std(), rtol=0.05, err_msg=name)
        np.testing.assert_allclose(np.abs(fast).max(), np.abs(kerass).max(), rtol=0.3, err_msg=name)
        fixed = not np.any(kerass[0] != kerass[1])
        assert fixed == np.array_equal(fast[0], fast[1]), name
        if fixed:
            assert np.array_equal(fast, kerass), name
        if name == "Orthogonal":
            np.testing.assert_allclose(fast[3].T @ fast[3], 0.25 * np.eye(12), atol=1e-5)


def equal_after_training(build, x, y, optimizer, loss, engine):
    """``optimizer`` and ``loss`` are functions that make one."""
    runs = walk.fit(build, x, y, optimizer(), loss(), engine=engine)
    assert runs.settings["engine"] == engine
    model, history = walk.twin(runs, build(), x, y, optimizer(), loss())
    rows = zip(model.weights, runs.initial_weights, runs.weights, strict=True)
    for variable, first, last in rows:
        assert walk.distance(last[1], np.asarray(variable)) < TOLERANCE, variable.path
        assert walk.distance(first[1], np.asarray(variable)) > MOVED, variable.path
    np.testing.assert_allclose(runs.history["loss"][1], history["loss"], rtol=1e-4)


def engines(call):
    return ["general", *(["fast"] if walk.takes("fast", call) else [])]


@pytest.mark.slow
@pytest.mark.parametrize(
    "label", [one for one in training.OPTIMIZERS if one.split(", ")[0] not in walk.REFUSED]
)
@pytest.mark.traced
def test_optimizers_train_as_keras_does(label):
    make = training.OPTIMIZERS[label]
    taken = engines(walk.optimizer_of(make))
    for engine in taken:
        y = training.DATA["numbers"].y[:, :1]
        equal_after_training(training.small, walk.examples(), y, make, lambda: "mse", engine)


@pytest.mark.traced
@pytest.mark.slow
@pytest.mark.parametrize("name", [*training.LOSSES, *training.FUNCTIONS])
def test_losses_train_as_keras_does(name):
    kind, make = walk.loss_of(name)
    data = training.DATA[kind]
    taken = engines(walk.loss_call(name))
    steep = {"ercentage": 0.001, "ircle": 0.001, "osine": 0.005}  # a larger step blows rounding up
    rate = next((small for part, small in steep.items() if part in name), 0.05)
    x = walk.examples()
    for engine in taken:
        equal_after_training(
            data.network, x, data.y, lambda: keras.optimizers.SGD(rate), make, engine
        )


MEASURED = [
    (kind, functions)
    for kind, names in measures.METRICS.items()
    for functions in (False, True)
    if any((settings is None) == functions for settings in names.values())
]


@pytest.mark.traced
@pytest.mark.slow
@pytest.mark.parametrize(("kind", "functions"), MEASURED)
def test_metrics_are_what_keras_reports(kind, functions):
    data, names = training.DATA[kind], measures.METRICS[kind]
    names = {n: s for n, s in names.items() if (s is None) == functions}
    for engine in ("fast", "general"):
        known = names
        if engine == "fast":
            known = {
                n: s for n, s in names.items() if walk.takes(engine, walk.metric_call(kind, n))
            }
        if not known:
            continue

        def made(known=known):
            return [measures.made(name, settings) for name, settings in known.items()]

        x, rate, loss = walk.examples(), keras.optimizers.SGD(0.05), walk.loss_for(kind)
        runs = walk.fit(data.network, x, data.y, rate, loss, engine=engine, metrics=made())
        _, history = walk.twin(runs, data.network(), x, data.y, rate, loss, metrics=made())
        assert len(history) == len(known) + 1
        for name, expected in history.items():
            np.testing.assert_allclose(
                runs.history[name][1], expected, rtol=1e-4, atol=1e-5, err_msg=name
            )


@pytest.mark.slow
def test_the_page_says_what_the_engines_take():
    shown = PAGE.read_text(encoding="utf-8").replace("\r\n", "\n")
    assert shown == page(), "write it again: python -m tools.keras_names"
