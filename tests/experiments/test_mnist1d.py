"""MNIST-1D: matching, silencing and stopping do what they say."""

import itertools

import numpy as np

from helpers.experiments import mnist1d


def test_the_nearest_loss_is_found_on_the_log_scale_with_its_ratio():
    losses = np.array([[4.0, 2.0, 1.0, 0.5], [4.0, 2.0, 1.0, 0.5]])
    place, ratio = mnist1d.nearest(losses, np.array([1.9, 0.1]))
    assert place.tolist() == [1, 3]
    assert np.allclose(ratio, [2 / 1.9, 5.0])


def test_looks_rise_to_the_last_epoch_and_are_close_at_first():
    looks = mnist1d.looks_of(200)
    assert looks[:20] == list(range(1, 21)) and looks[-1] == 200
    assert all(b - a <= max(1, a // 20) for a, b in itertools.pairwise(looks))


def weights_of(count, hidden=(6, 4), seed=0):
    rng = np.random.default_rng(seed)
    shapes = ((40, hidden[0]), (hidden[0],), hidden, (hidden[1],), (hidden[1], 10), (10,))
    return [rng.normal(size=(count, *shape)).astype(np.float32) for shape in shapes]


def test_a_silenced_unit_is_one_whose_outgoing_weights_are_zero():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 30, 40)).astype(np.float32)
    y = rng.integers(0, 10, (2, 30))
    weights = weights_of(2)
    keep = np.ones((2, 2, 10))
    keep[1, :, [1, 8]] = 0  # a unit of each layer
    cut = [w.copy() for w in weights]
    cut[2][:, 1] = cut[4][:, 2] = 0
    found = mnist1d.silenced(weights, keep, x, y)
    assert np.allclose(found[:, 1], mnist1d.silenced(cut, keep[:1], x, y)[:, 0], rtol=1e-5)
    assert not np.allclose(found[1, 0], found[1, 1])


def test_the_most_important_units_are_silenced():
    rng = np.random.default_rng(2)
    weights = weights_of(3, hidden=(12, 8))
    for layer in (2, 4):
        weights[layer][:, 2:] *= 1e-3  # only the first two units of each layer matter
    x = rng.normal(size=(3, 300, 40)).astype(np.float32)
    first = np.maximum(x @ weights[0] + weights[1][:, None], 0)
    second = np.maximum(first @ weights[2] + weights[3][:, None], 0)
    y = (second @ weights[4] + weights[5][:, None]).argmax(axis=2)  # all are right
    error, loss = mnist1d.rises(weights, [12, 8], x, y)
    assert (error > 0).all() and (loss > 0).all()


def test_averages_are_over_five_looks():
    assert np.allclose(mnist1d.averaged(np.arange(7.0)[None]), [[2, 3, 4]])


def test_labels_without_meaning_are_new_on_both_sides_and_signals_stay():
    one = mnist1d.draw(1000, train=500, test=500)
    noisy = mnist1d.with_noise(1000, 0, one, 1)
    assert np.array_equal(noisy.x_train, one.x_train)
    for part in ("y_train", "y_test"):
        agree = np.mean(getattr(noisy, part) == getattr(one, part))
        assert 0.03 < agree < 0.2
    changed = mnist1d.with_noise(1000, 0, one, 0.2).y_train != one.y_train
    assert changed.mean() == 0.2
