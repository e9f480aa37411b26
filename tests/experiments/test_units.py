"""Silent units and sub-networks: what is multiplied, and what counts as unused."""

import numpy as np

from helpers import predict_many
from helpers.experiments import units

WIDTHS = (5, 4)


def weights(seed=1000):
    """Return a network of random weights, kernels and biases in turn."""
    rng = np.random.default_rng(seed)
    shapes = [(40, 5), (5,), (5, 4), (4,), (4, 10), (10,)]
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


def test_a_silent_unit_is_one_whose_outgoing_weights_are_zero():
    own, x = weights(), np.random.default_rng(1001).normal(size=(30, 40)).astype(np.float32)
    copies = units.without_units(own, units.one_silent(WIDTHS))
    found = predict_many(units.network(WIDTHS), copies, x)
    assert np.array_equal(copies[0][0], own[0]) and len(found) == 1 + sum(WIDTHS)
    assert np.array_equal(
        found[0], predict_many(units.network(WIDTHS), [w[None] for w in own], x)[0]
    )
    by_hand = [w.copy() for w in own]
    by_hand[4][2] = 0  # the third unit of the second layer
    alone = predict_many(units.network(WIDTHS), [w[None] for w in by_hand], x)[0]
    np.testing.assert_allclose(found[1 + 5 + 2], alone, atol=1e-5)


def test_units_without_influence_are_unused_and_a_decisive_one_is_not():
    own, x = weights(), np.random.default_rng(1002).normal(size=(200, 40)).astype(np.float32)
    own[2][1] = 0  # nothing leaves the second unit of the first layer
    own[4][3] = 0  # nor the last one of the second
    own[4][0] = 100 * own[4][0]  # and the first one decides

    found = units.unused(own, WIDTHS, x)
    assert found[1] and found[5 + 3] and not found[5]


def test_sub_networks_are_scaled_so_that_every_unit_speaks_as_much_on_average():
    parts = units.halves(1000, 0, (300, 200), dropout=0.25, copies=400)
    assert [part.shape for part in parts] == [(400, 300), (400, 200)]
    for part in parts:
        assert set(np.unique(part)) == {0.0, 1 / 0.75}
        assert abs(part.mean() - 1) < 0.01


def test_without_dropout_every_sub_network_is_the_network():
    small = {"hidden": [8, 8], "examples": 40, "fresh": 50, "epochs": 1, "rate": 0.003}
    found = units.sub_networks(1000, 2, dropout=0.0, copies=3, **small)
    for name in ("agree_average", "agree_two_averages", "agree_two_parts", "agree_part"):
        assert np.all(found[name] == 1), name
    assert np.array_equal(found["error_inference"], found["error_average"])
