"""Lesson 04's worlds: pairs of good and bad minima, what is measured on them, and the trainers behind."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers.experiments import descent, flatter, minima, minima_flat, minima_near, random_search
from helpers.geometry import landscape


def pair_of(n=3, steps=60, **options):
    sets = [minima.draw("spirals", 1000, row) for row in range(n)]
    return sets, minima.pair("spirals", 1000, sets, steps=steps, **options)


# ------------------------------------------------------------------------------------ pairs


def test_good_and_bad_networks_are_asked_for_the_same_points_and_differ_in_the_labels_of_the_attack():
    sets = [minima.draw("spirals", 1000, row) for row in range(2)]
    stacks = minima.both(sets, 2 / 3)
    good, bad = stacks["good"], stacks["bad"]
    assert np.array_equal(good.x_train, bad.x_train)
    assert np.array_equal(good.y_train[:, :66], bad.y_train[:, :66])
    assert np.array_equal(good.y_train[:, 66:], 1 - bad.y_train[:, 66:])
    assert good.x_train.shape[1] == 3 * 66
    assert np.array_equal(good.x_val, good.x_train[:, :66])


def test_both_of_a_pair_start_from_the_same_weights():
    _, made = pair_of(2, steps=1)
    first, second = made["good"].last, made["bad"].last
    moved = [np.abs(a - b).max() for a, b in zip(first, second, strict=True)]
    assert max(moved) <= 2 * minima.PROBLEMS["spirals"].rate * 1.01  # one step of Adam each


def test_no_point_of_the_grid_is_clean_and_in_the_pool():
    one = minima.draw("spirals", 1000, 3)
    both = np.concatenate([one.x_train, one.x_val])
    assert len(np.unique(both.round(5), axis=0)) == len(both) == 266


def test_the_matched_look_is_the_nearest_up_to_the_first_below_the_target():
    losses = np.array([[1.0, 0.02, 0.004, 0.005], [1.0, 0.9, 0.8, 0.7], [np.nan, 0.02, 1.0, 0.006]])
    assert minima.nearest_look(losses, 0.005).tolist() == [2, 3, 3]


def test_losses_and_shares_are_those_that_training_reports():
    sets, made = pair_of()
    one = made["bad"]
    assert np.allclose(
        minima.losses("spirals", one.last, one.stack.x_val, one.stack.y_val),
        one.last_loss,
        rtol=1e-4,
    )
    model = minima.network("spirals")()
    model.set_weights([w[0] for w in one.last])
    right = (model.predict(sets[0].x_test, verbose=0)[:, 0] > 0) == sets[0].y_test
    assert one.last_test[0] == pytest.approx(right.mean(), abs=1e-3)


@pytest.mark.parametrize("call", [minima.problem, minima.network])
def test_a_problem_that_is_not_there_is_refused(call):
    with pytest.raises(ValueError, match=r"name.*spirals.*signals"):
        call("swiss roll")


# ------------------------------------------------------------------------------- the trainers


def test_a_leash_of_no_strength_is_plain_adam_of_the_engine():
    sets = [minima.draw("signals", 1000, row) for row in range(2)]
    stack, net = minima.asked(sets, 0.5), minima.network("signals")
    runs = minima.train("signals", 1000, stack, steps=30, rate=0.003)
    walk = descent.leashed(
        net, descent.begin(runs.initial_weights), stack.x_train, stack.y_train, rate=0.003, steps=30
    )
    for ours, theirs in zip(walk.weights, runs.weights, strict=True):
        assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    assert np.allclose(walk.loss, runs.history["loss"][:, -1], rtol=1e-4)
    halves = descent.begin(runs.initial_weights)
    for _ in range(2):
        halves = descent.leashed(net, halves, stack.x_train, stack.y_train, rate=0.003, steps=15)
    for ours, theirs in zip(halves.weights, walk.weights, strict=True):
        assert np.array_equal(ours, theirs)


def test_each_network_stops_by_itself_and_a_strong_leash_holds():
    sets = [minima.draw("signals", 1000, row) for row in range(3)]
    stack, net = minima.asked(sets, 0.5, flipped=False), minima.network("signals")
    start = minima.train("signals", 1000, stack, steps=0).initial_weights
    data = stack.x_train, stack.y_train
    walk = descent.leashed(net, descent.begin(start), *data, rate=0.003, steps=300, stop=0.3)
    assert np.all(walk.loss <= 0.3)
    assert len(set(walk.count)) > 1
    assert np.all(walk.worst > 0.3)
    free, held = (
        minima_near.length(
            descent.leashed(
                net, descent.begin(start), *data, rate=0.003, steps=100, strength=strength
            ).weights,
            start,
        )
        for strength in (0.0, 10.0)
    )
    assert np.all(held < 0.2 * free)


def one_by_one(net, weights, x, y, order, *, method, rates, size, decay):
    """The same training in plain Keras and TensorFlow, for one network."""
    model = net()
    model.set_weights(weights)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    slots = [np.zeros_like(w) for w in weights]
    for rows, rate in zip(order, rates, strict=True):
        here = [v.numpy() for v in model.trainable_variables]
        with tf.GradientTape() as tape:
            value = loss(y[rows], model(x[rows]))
        gradient = [g.numpy() for g in tape.gradient(value, model.trainable_variables)]
        if method == "uphill":
            length = np.sqrt(sum(np.sum(g**2) for g in gradient))
            model.set_weights([w + size * g / length for w, g in zip(here, gradient, strict=True)])
            with tf.GradientTape() as tape:
                value = loss(y[rows], model(x[rows]))
            gradient = [g.numpy() for g in tape.gradient(value, model.trainable_variables)]
        gradient = [g + decay * w * (w.ndim > 1) for g, w in zip(gradient, here, strict=True)]
        slots = [0.9 * s - rate * g for s, g in zip(slots, gradient, strict=True)]
        model.set_weights([w + s for w, s in zip(here, slots, strict=True)])
    return model.get_weights()


@pytest.mark.parametrize(("method", "size", "decay"), [("plain", 0, 0.01), ("uphill", 0.2, 0)])
def test_a_flattened_training_is_the_one_of_keras_with_a_gradient_tape(method, size, decay):
    from helpers._base import seeds

    net, start = flatter.network([8]), flatter.begin(1000, 2, [8])
    sets = [flatter.draw(1000, row, train=40, new=2) for row in range(2)]
    x, y = (np.stack([getattr(s, f"{a}_train") for s in sets]) for a in "xy")
    how = {"method": method, "rate": 0.1, "size": size, "decay": decay}
    weights, kept = descent.flattened(
        net, start, x, y, seed=5, epochs=3, batch=10, looks=(2,), **how
    )
    rates = 0.1 * 0.5 * (1 + np.cos(np.pi * np.arange(12) / 12))
    for row in range(2):
        generator = seeds.generator(5, "order", row)
        order = np.concatenate([generator.permutation(40).reshape(4, 10) for _ in range(3)])
        wanted = one_by_one(
            net, [w[row] for w in start], x[row], y[row], order,
            method=method, rates=rates, size=size, decay=decay,
        )  # fmt: skip
        for ours, theirs in zip(weights, wanted, strict=True):
            assert np.allclose(ours[row], theirs, rtol=1e-3, atol=1e-5)
    assert not np.array_equal(kept[2][0], weights[0])


def test_noise_of_no_size_is_plain_training_and_has_the_variance_asked_for():
    net, start = flatter.network([8]), flatter.begin(1000, 2, [8])
    x = np.random.default_rng(0).normal(size=(2, 20, 40)).astype(np.float32)
    y = np.tile(np.arange(20) % 10, (2, 1))
    kinds = [("plain", 0.0), ("shaken", 0.0), ("shaken", 0.5)]
    plain, still, moved = (
        descent.flattened(net, start, x, y, seed=1, method=m, rate=0.1, size=s, epochs=2, batch=10)[
            0
        ]
        for m, s in kinds
    )
    assert np.allclose(plain[0], still[0], atol=1e-6)
    assert not np.allclose(plain[0], moved[0], atol=1e-3)
    keys = tf.constant(np.array([[1, 2], [3, 4]], np.uint32))
    shakes = descent._shakes(keys, tf.constant(7), 0, tf.zeros([2, 200, 200])).numpy()
    assert shakes.mean() == pytest.approx(0, abs=0.02)
    assert shakes.var() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("options", "says"), [({"method": "flat"}, "method"), ({"batch": 3}, "batch")]
)
def test_arguments_that_do_not_fit_are_refused(options, says):
    net, start = flatter.network([8]), flatter.begin(1000, 1, [8])
    x, y = np.zeros((1, 10, 40), np.float32), np.zeros((1, 10), int)
    how = {"method": "plain", "batch": 10} | options
    with pytest.raises(ValueError, match=f"`{says}`"):
        descent.flattened(net, start, x, y, seed=0, rate=0.1, epochs=1, **how)


# ------------------------------------------------------------------------------- what is measured


@pytest.mark.compiled
def test_the_size_that_leaves_nine_tenths_doubles_when_directions_are_halved(monkeypatch):
    _, made = pair_of(2, steps=300)
    one = made["good"]
    data, options = (one.stack.x_val, one.stack.y_val), {"directions": 3, "seed": 1}
    left, curve = minima_flat.sizes_left("spirals", one.weights, *data, **options)
    whole = landscape.directions
    halved = lambda *a, **k: [None if d is None else d / 2 for d in whole(*a, **k)]  # noqa: E731
    monkeypatch.setattr(landscape, "directions", halved)
    twice, _ = minima_flat.sizes_left("spirals", one.weights, *data, **options)
    assert np.allclose(np.log(twice / left), np.log(2), atol=0.15)
    assert np.all(curve[:, 0] == one.fit)


def test_distances_are_those_of_all_weights_together():
    ours = [np.zeros((2, 3, 4)), np.ones((2, 4))]
    theirs = [np.full((2, 3, 4), 2.0), np.ones((2, 4))]
    assert np.allclose(minima_near.length(ours, theirs), np.sqrt(12 * 4))


# ------------------------------------------------------------------------------- guess and check


@pytest.mark.parametrize("task", random_search.TASKS)
def test_of_every_even_number_of_points_half_have_each_label(task):
    (x, y), (new_x, new_y) = random_search.draw(task, 1000, 1)
    assert x.shape == (20, 2)
    assert new_x.shape == (500, 2)
    assert all(y[:p].sum() == p / 2 for p in range(2, 21, 2))
    assert 0.4 < new_y.mean() < 0.6


def test_the_search_finds_exactly_the_networks_that_fit():
    generator = np.random.default_rng(0)
    layers = random_search.draws(generator, 3000)
    (x, y), _ = random_search.draw("moons", 1000)
    begun = random_search.positive(layers, x[: random_search.FIRST])
    found = random_search.search(x, y, layers, begun, [2, 4, 6])
    scores = random_search.positive(layers, x)
    for p, (alive, flipped) in found.items():
        fits = [(scores[:, :p] == y[:p]).all(axis=1), (scores[:, :p] != y[:p]).all(axis=1)]
        assert np.array_equal(alive, np.flatnonzero(fits[0] | fits[1]))
        assert np.array_equal(flipped, fits[1][alive])
        if len(alive):
            some = random_search.kept(layers, alive)
            assert np.all(random_search.accuracy(some, flipped, x[:p], y[:p]) == 1)


def test_a_random_network_is_the_one_of_keras():
    layers = random_search.draws(np.random.default_rng(1), 2)
    model = keras.Sequential([keras.Input((2,))])
    for units, activation in ((16, "relu"), (16, "relu"), (1, None)):
        model.add(keras.layers.Dense(units, activation=activation))
    model.set_weights(
        [part[0] if k == 0 else part[0, 0] for one in layers for k, part in enumerate(one)]
    )
    x = np.random.default_rng(2).normal(size=(50, 2)).astype(np.float32)
    assert np.array_equal(
        random_search.positive(layers, x)[0], model.predict(x, verbose=0)[:, 0] > 0
    )


def test_a_task_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"task.*moons"):
        random_search.draw("circle", 1000)


def test_who_does_not_train_on_makes_up_nothing_and_twins_that_do_not_differ_count_as_equal():
    found = minima_near.still(
        1000, 3, name="signals", share=0.5, rate=0.002, attack=200, more=0, every=10
    )
    apart = found["after_good"] - found["before_bad"] >= minima_near.APART
    for what in ("regained", "drifted"):
        assert np.array_equal(found[what], np.where(apart, 0.0, 1.0))
    assert np.array_equal(found["compared"], apart & found["reached_bad"])
    assert apart.any()


def test_a_bad_network_that_is_near_was_met():
    found = minima_near.nearest(
        1000, 2, name="spirals", strengths=[0.01], rates=[0.003], steps=40, every=20
    )
    assert np.array_equal(found["within"], found["hit"] & (found["nearest"] <= 1))
    assert np.all(found["nearest"][~found["hit"]] == minima_near.NO_HIT)
