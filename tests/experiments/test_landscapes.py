"""The gradient by hand, and how much it changes."""

import numpy as np
from scipy.special import log_softmax

from helpers.experiments import landscapes


def network(rng):
    """Return random weights of a small network, kernels and biases in turn."""
    shapes = [(4, 6), (6,), (6, 5), (5,), (5, 3), (3,)]
    return [rng.normal(size=shape) for shape in shapes]


def loss(weights, x, y):
    """Return the cross-entropy."""
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2]):
        x = np.maximum(x @ kernel + bias, 0)
    return -log_softmax(x @ weights[-2] + weights[-1], axis=1)[np.arange(len(y)), y].mean()


def test_the_gradient_is_that_of_finite_differences():
    rng = np.random.default_rng(1000)
    weights, x, y = network(rng), rng.normal(size=(20, 4)), rng.integers(0, 3, 20)
    found = landscapes.gradient(weights, x, y)
    for place, own in enumerate(found):
        direction = rng.normal(size=own.shape)
        ends = []
        for sign in (1e-6, -1e-6):
            moved = [w.copy() for w in weights]
            moved[place] += sign * direction
            ends.append(loss(moved, x, y))
        assert np.isclose(np.sum(own * direction), (ends[0] - ends[1]) / 2e-6, rtol=1e-4)


def test_a_landscape_without_slope_does_not_change():
    weights = [np.zeros((4, 2)), np.zeros(2), np.zeros((2, 2)), np.zeros(2)]
    x, y = np.ones((4, 4)), np.array([0, 1, 0, 1])
    assert landscapes.gradient_change(weights, x, y) == 0
