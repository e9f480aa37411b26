"""MNIST-1D made anew: the recipe spelled out for one signal, and the distribution of the shipped pool."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from helpers import data
from helpers.data import _signals


def one(label, padding, stretch, shift, smooth, white, shear):
    """The recipe of the package, in plain steps, for one signal."""
    t = _signals._templates()[label]
    padded = np.concatenate([t, np.zeros(padding)])
    grid = np.linspace(0, len(padded) - 1, 72)
    x = np.interp(grid, np.arange(len(padded)), padded) * stretch
    x, inside = np.roll(x, shift), np.roll(grid < 12, shift)
    x = inside * x + ~inside * gaussian_filter(0.25 * smooth, 2) + 0.02 * white
    x = x - shear * np.linspace(-0.5, 0.5, 72)
    return np.interp(np.linspace(0, 71, 40), np.arange(72), x)


def test_many_signals_at_once_are_the_recipe_applied_to_each():
    g = np.random.default_rng(0)
    n = 50
    parts = (
        g.integers(10, size=n), g.integers(36, 61, size=n), g.uniform(0.8, 1.2, n), g.integers(48, size=n),
        g.standard_normal((n, 72)), g.standard_normal((n, 72)), g.uniform(-0.375, 0.375, n),
    )  # fmt: skip
    expected = np.array([one(*row) for row in zip(*parts, strict=True)])
    np.testing.assert_allclose(_signals._finish(*parts), expected, atol=1e-12)


def test_each_digit_has_mean_and_spread_of_the_shipped_pool():
    made, pool = data.mnist1d_fresh(40_000, n_test=0, seed=3), data.mnist1d(n_train=40_000, seed=0)
    for digit in range(10):
        a, b = (part.x_train[part.y_train == digit] for part in (made, pool))
        error = np.sqrt(a.var(0) / len(a) + b.var(0) / len(b))
        assert np.abs((a.mean(0) - b.mean(0)) / error).max() < 5
        np.testing.assert_allclose(a.std(0), b.std(0), rtol=0.1)
        assert np.abs(np.corrcoef(a.T) - np.corrcoef(b.T)).max() < 0.1


def test_parts_have_streams_of_their_own_and_seeds_share_no_signal():
    small, large = (
        data.mnist1d_fresh(100, n_val=v, n_test=t, seed=1) for v, t in ((0, 0), (30, 500))
    )
    np.testing.assert_array_equal(small.x_train, large.x_train)
    assert small.x_test is None and small.x_val is None
    signals = np.concatenate(
        [large.x_train, large.x_val, large.x_test, data.mnist1d_fresh(100, seed=2).x_train]
    )
    assert len(np.unique(signals, axis=0)) == len(signals)


def test_chosen_digits_are_the_only_ones_and_are_relabelled():
    two = data.mnist1d_fresh(200, n_test=200, seed=0, classes=[7, 3])
    assert two.task == "binary" and two.n_train == 200
    seven = data.mnist1d(n_train=5000, seed=0, classes=[7, 3])
    means = [part.x_train[part.y_train.ravel() == 0].mean(0) for part in (two, seven)]
    assert np.corrcoef(means)[0, 1] > 0.8


@pytest.mark.parametrize("bad", [{"n_train": 0}, {"n_val": -1}, {"n_test": -1}, {"classes": [3]}])
def test_bad_counts_and_classes_are_named(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        data.mnist1d_fresh(**bad)
