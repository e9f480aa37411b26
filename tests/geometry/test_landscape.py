"""Directions, slices, rescalings and attacked data."""

import numpy as np
import pytest

from helpers import data, fit_many, models
from helpers.geometry import landscape, measures

SHAPE = {"hidden": (6, 5)}


def builder():
    """Return a small ReLU network of one logit."""
    return models.mlp((2,), 1, **SHAPE)


@pytest.fixture(scope="module")
def trained():
    """Return a few networks after some steps, and their data."""
    dataset = data.circles(seed=1)
    return fit_many(builder, dataset, members=3, epochs=20, batch_size=130, progress=False), dataset


@pytest.mark.parametrize("flipped", [True, False])
def test_attack_points_come_from_the_pool_and_carry_the_share(flipped):
    pool = data.split(data.spirals(100, seed=1), val=60, seed=2)
    for share, count in ((0.0, 0), (0.2, 10), (0.5, 40), (0.6, 60)):
        found = landscape.attacked(pool, share, flipped=flipped)
        assert found.n_train == 40 + count
        np.testing.assert_array_equal(
            found.x_train, np.concatenate([pool.x_train, pool.x_val[:count]])
        )
        np.testing.assert_array_equal(found.y_train[:40], pool.y_train)
        expected = 1 - pool.y_val[:count] if flipped else pool.y_val[:count]
        np.testing.assert_array_equal(found.y_train[40:], expected)
        np.testing.assert_array_equal(found.x_val, pool.x_train)
        np.testing.assert_array_equal(found.x_test, pool.x_test)
    with pytest.raises(ValueError, match="needs 120 attack points"):
        landscape.attacked(pool, 0.75)
    with pytest.raises(ValueError, match="validation part"):
        landscape.attacked(data.spirals(100), 0.5)
    with pytest.raises(ValueError, match="two classes"):
        landscape.attacked(data.split(data.digits(), 100), 0.5)


def test_directions_have_the_lengths_that_their_kind_promises(trained):
    runs, _ = trained
    ways = landscape.directions(builder, runs.weights, 4, "filter")
    assert [d is None for d in ways] == [False, True] * 3
    for w, d in zip(runs.weights, ways, strict=True):
        if d is not None:
            np.testing.assert_allclose(
                np.linalg.norm(d, axis=2),
                np.tile(np.linalg.norm(w, axis=1)[:, None], (1, 4, 1)),
                rtol=1e-5,
            )
    assert landscape.dimension(builder) == 2 * 6 + 6 * 5 + 5
    ways = landscape.directions(builder, runs.weights, 4, "euclidean")
    np.testing.assert_allclose(
        sum(np.sum(d.reshape(3, 4, -1) ** 2, axis=2) for d in ways), 1, rtol=1e-5
    )
    assert landscape.dimension(builder, "euclidean") == sum(w[0].size for w in runs.weights)
    scale = landscape.initial_scale(builder)
    white = landscape.directions(builder, runs.weights, 4, "gaussian", scale=scale)
    for d, e, s in zip(ways, white, scale, strict=True):
        np.testing.assert_allclose(e, s * d, rtol=1e-5)
    np.testing.assert_allclose(scale[0], np.sqrt(2 / (2 + 6)), rtol=0.1)  # Glorot uniform
    assert scale[1] == scale[0]
    again = landscape.directions(builder, [w[:2] for w in runs.weights], 4, "euclidean")
    np.testing.assert_array_equal(again[0], ways[0][:2])
    assert not np.allclose(ways[0][0], ways[0][1])
    with pytest.raises(ValueError, match="initial_scale"):
        landscape.directions(builder, runs.weights, 4, "gaussian")


def test_directions_are_uniform_on_the_sphere(trained):
    runs, _ = trained
    ways = landscape.directions(builder, [w[:1] for w in runs.weights], 4000, "euclidean", seed=3)
    rows = np.concatenate([d.reshape(4000, -1) for d in ways], axis=1)
    assert np.abs(rows.mean(axis=0)).max() < 0.012
    np.testing.assert_allclose(np.mean(rows**2, axis=0) * rows.shape[1], 1, atol=0.15)


def test_a_slice_at_zero_is_the_network_itself(trained):
    runs, dataset = trained
    ways = landscape.directions(builder, runs.weights, 2)
    found = landscape.along(
        builder, runs.weights, ways, [0.0, 0.3], dataset.x_train, dataset.y_train
    )
    plain = runs.evaluate(dataset.x_train, dataset.y_train)
    for name in ("crossentropy", "accuracy"):
        assert found[name].shape == (3, 2, 2)
        np.testing.assert_allclose(
            found[name][:, :, 0], np.tile(plain[name][:, None], (1, 2)), rtol=1e-5
        )
    one = [None if d is None else d[:, 1:2] for d in ways]
    there = landscape.moved(runs.weights, one, 0.3)
    back = landscape.along(builder, there, one, [0.0, -0.3], dataset.x_train, dataset.y_train)[
        "crossentropy"
    ]
    np.testing.assert_allclose(back[:, 0, 0], found["crossentropy"][:, 1, 1], rtol=1e-4)
    np.testing.assert_allclose(back[:, 0, 1], plain["crossentropy"], rtol=1e-4)


def test_rescaling_keeps_the_function_and_filter_normalised_radii_and_changes_euclidean_ones(
    trained,
):
    runs, dataset = trained
    one = [np.repeat(w[:1], 3, axis=0) for w in runs.weights]
    scaled = landscape.rescaled(one, 2, [0.1, 1.0, 10.0])
    logits = [helper_predict(w, dataset.x_test) for w in (one, scaled)]
    np.testing.assert_allclose(logits[1], logits[0], rtol=1e-3, atol=1e-5)
    limit = float(runs.evaluate(dataset.x_train, dataset.y_train)["crossentropy"][0]) + 0.1
    radii = {}
    for kind in ("filter", "euclidean"):
        ways = landscape.directions(builder, scaled, 20, kind)
        ways = [None if d is None else rebased(d, scaled[i], kind) for i, d in enumerate(ways)]
        options = {"threshold": limit}
        radii[kind] = measures.crossing_radii(
            builder, scaled, ways, dataset.x_train, dataset.y_train, **options
        )
    np.testing.assert_allclose(radii["filter"][2], radii["filter"][0], rtol=1e-3)
    assert radii["euclidean"][0].mean() < 0.7 * radii["euclidean"][1].mean()
    with pytest.raises(ValueError, match="above 0"):
        landscape.rescaled(one, 2, -1.0)
    with pytest.raises(ValueError, match="position"):
        landscape.rescaled(one, 1, 2.0)


def rebased(d, w, kind):
    """Give every network the random numbers of the first, so that only the scaling differs."""
    if kind == "euclidean":
        return np.repeat(d[:1], len(d), axis=0)
    own, first = (np.linalg.norm(v, axis=1)[:, None, None] for v in (w, w[:1]))
    return d[:1] * own / first


def helper_predict(weights, x):
    """Return logits of stacked weights."""
    from helpers import predict_many

    return predict_many(builder, weights, x)
