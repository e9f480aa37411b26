"""Basins, curvature and margins, against closed forms and plain Keras."""

import numpy as np
import pytest
import scipy.stats

from helpers import models, predict_many
from helpers._tensorflow import keras
from helpers.engine import runtime
from helpers.geometry import landscape, measures

RNG = np.random.default_rng(7)


def regression(members=3, n=40, inputs=4, noise=0.3):
    """Return inputs, targets, and least-squares weights of linear networks: their loss is an exact quadratic."""
    x = RNG.normal(size=(members, n, inputs)).astype(np.float32) * np.array(
        [3, 1, 0.5, 0.2][:inputs], np.float32
    )
    y = (x @ RNG.normal(size=(inputs, 1)) + noise * RNG.normal(size=(members, n, 1))).astype(
        np.float32
    )
    design = np.concatenate([x, np.ones((members, n, 1))], axis=2).astype(float)
    best = np.stack([np.linalg.lstsq(a, b, rcond=None)[0] for a, b in zip(design, y, strict=True)])
    loss = np.mean((design @ best - y) ** 2, axis=(1, 2))
    return x, y, [best[:, :-1].astype(np.float32), best[:, -1].astype(np.float32)], design, loss


def linear(inputs=4, outputs=1):
    """Return the builder of a linear network."""
    return lambda: models.linear((inputs,), outputs)


def flat(directions):
    """Return directions (M, K, P)."""
    return np.concatenate(
        [d.reshape(*d.shape[:2], -1) for d in directions if d is not None], axis=2
    )


def test_radii_of_a_quadratic_loss():
    x, y, weights, design, loss = regression()
    ways = landscape.directions(linear(), weights, 50, "euclidean", seed=3)
    threshold = float(loss.max() + 0.7)
    radii = measures.crossing_radii(linear(), weights, ways, x, y, threshold=threshold)
    steepness = np.einsum("mni,mki->mkn", design, flat(ways))
    exact = np.sqrt((threshold - loss)[:, None] / np.mean(steepness**2, axis=2))
    np.testing.assert_allclose(radii, exact, rtol=2e-4)


def test_radii_of_a_network_end_where_keras_says():
    builder = lambda: models.mlp((2,), 1, hidden=(8, 8))  # noqa: E731
    keras.utils.set_random_seed(4)
    model = builder()
    weights = [w[np.newaxis] for w in model.get_weights()]
    x = RNG.normal(size=(30, 2)).astype(np.float32)
    y = (
        np.arange(30, dtype=np.int32) % 2
    )  # at odds with the network: far away the loss is high in every direction
    start = measures_loss(model, x, y)
    for kind in ("filter", "euclidean"):
        ways = landscape.directions(builder, weights, 3, kind, seed=1)
        radii = measures.crossing_radii(builder, weights, ways, x, y, threshold=start + 0.2)
        for k in range(3):
            moved = [
                w[0] if d is None else w[0] + radii[0, k] * d[0, k]
                for w, d in zip(weights, ways, strict=True)
            ]
            model.set_weights(moved)
            assert measures_loss(model, x, y) == pytest.approx(start + 0.2, rel=1e-3)


def measures_loss(model, x, y):
    """Return the mean cross-entropy that Keras computes."""
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    return float(loss(y[:, None], model.predict(x, verbose=0)))


def test_a_network_above_the_threshold_has_radius_zero_and_a_flat_direction_none():
    x = np.zeros((5, 2), np.float32)  # the kernel moves nothing, only the bias does
    weights = [np.zeros((2, 2, 1), np.float32), np.array([[0.0], [9.0]], np.float32)]
    kernel = [np.ones((2, 1, 2, 1), np.float32), None]
    y = np.zeros((5, 1), np.float32)
    radii = measures.crossing_radii(linear(2), weights, kernel, x, y, threshold=1.0, reach=50.0)
    np.testing.assert_array_equal(radii, [[np.inf], [0.0]])
    with pytest.raises(ValueError, match="radius of 0"):
        measures.basin_volume(radii, 2, reach=50.0)
    with pytest.raises(ValueError, match="1 of 1 radii are infinite"):
        measures.basin_volume(radii[:1], 2)
    volume = measures.basin_volume(radii[:1], 2, reach=50.0)
    assert volume.uncrossed == [1.0] and volume.estimate[0] == pytest.approx(np.log10(np.pi * 2500))


def test_radii_do_not_depend_on_the_neighbours():
    x, y, weights, _, loss = regression(members=5)
    ways = landscape.directions(linear(), weights, 7, "euclidean")
    options = {"threshold": float(loss.max() + 1)}
    every = measures.crossing_radii(linear(), weights, ways, x, y, **options)
    some = measures.crossing_radii(
        linear(), [w[:2] for w in weights], [d[:2] for d in ways], x[:2], y[:2], **options
    )
    np.testing.assert_array_equal(every[:2], some)


def test_a_pilot_changes_how_long_radii_take_and_not_what_they_are():
    x, y, weights, _, loss = regression(members=3)
    ways = landscape.directions(linear(), weights, 40, "euclidean", seed=5)
    options = {"threshold": float(loss.max() + 1), "start": 1e-4}
    whole = measures.crossing_radii(linear(), weights, ways, x, y, **options)
    found = measures.crossing_radii(linear(), weights, ways, x, y, pilot=True, **options)
    np.testing.assert_allclose(found, whole, rtol=5e-4)
    above = measures.crossing_radii(
        linear(), weights, ways, x, y, pilot=True, threshold=float(loss.max() / 2)
    )
    assert (above[loss.argmax()] == 0).all()  # outside its basin, with a pilot too


def test_radii_do_not_depend_on_how_many_rays_a_call_holds(monkeypatch):
    x, y, weights, _, loss = regression(members=2)
    ways = landscape.directions(linear(), weights, 70, "euclidean", seed=5)
    call = {"threshold": float(loss.max() + 1), "start": 1e-4, "pilot": True}
    whole = measures.crossing_radii(linear(), weights, ways, x, y, **call)
    slices = landscape.along(linear(), weights, ways, [0.0, 0.5], x, y)["mse"]
    monkeypatch.setattr(runtime, "CALL_WORK", 1.0)
    np.testing.assert_array_equal(
        measures.crossing_radii(linear(), weights, ways, x, y, **call), whole
    )
    np.testing.assert_array_equal(
        landscape.along(linear(), weights, ways, [0.0, 0.5], x, y)["mse"], slices
    )


def test_a_wide_bracket_is_enough_where_the_loss_is_a_power_of_the_radius():
    x = RNG.normal(size=(8, 3)).astype(np.float32)
    weights = [np.zeros((1, 3, 1), np.float32), np.zeros((1, 1), np.float32)]
    y = np.zeros((8, 1), np.float32)  # the loss is r^2 u'Hu exactly
    ways = landscape.directions(linear(3), weights, 40, "euclidean", seed=2)
    exact = 1 / np.sqrt(landscape.along(linear(3), weights, ways, [1.0], x, y)["mse"][..., 0])
    found = measures.crossing_radii(linear(3), weights, ways, x, y, threshold=1.0, precision=0.5)
    np.testing.assert_allclose(found, exact, rtol=1e-4)


def test_a_narrow_bracket_waits_unchanged_for_a_wide_one():
    x, y, weights, _, loss = regression(members=2)
    ways = landscape.directions(linear(), weights, 2, "euclidean")
    long = np.array(
        [1, 1e-3], np.float32
    )  # the first look is far outside along the first one's directions
    ways = [d * long.reshape(2, *[1] * (d.ndim - 1)) for d in ways]
    options = {"threshold": float(loss.max() + 1), "start": 100.0, "reach": 1e5}

    def radii(which):
        some = [w[which] for w in weights], [d[which] for d in ways], x[which], y[which]
        return measures.crossing_radii(linear(), *some, **options)

    both = radii(slice(2))
    np.testing.assert_array_equal(both, np.concatenate([radii(slice(1)), radii(slice(1, 2))]))


@pytest.mark.parametrize(("n", "volume"), [(1, 2), (2, np.pi), (3, 4 * np.pi / 3)])
def test_unit_balls(n, volume):
    assert measures.log10_ball(n) == pytest.approx(np.log10(volume))


@pytest.mark.compiled
def test_volume_of_an_ellipsoid_in_few_dimensions():
    x, y, weights, design, loss = regression(inputs=2)
    curvatures = np.stack([np.linalg.eigvalsh(2 * a.T @ a / len(a)) for a in design])
    ways = landscape.directions(linear(2), weights, 20_000, "euclidean", seed=5)
    threshold = float(loss.max() + 0.5)
    radii = measures.crossing_radii(linear(2), weights, ways, x, y, threshold=threshold)
    found = measures.basin_volume(radii, 3)
    rise = threshold - loss
    exact = [
        measures.quadratic_volume(c[None], 3, threshold=r, damping=0)[0]
        for c, r in zip(curvatures, rise, strict=True)
    ]
    np.testing.assert_allclose(found.estimate, exact, atol=0.02)
    assert (found.lower < found.estimate).all() and (found.low < found.estimate).all()
    assert (found.estimate < found.high).all() and not found.uncrossed.any()


def test_in_many_dimensions_the_estimate_has_the_arithmetic_mean_of_the_curvatures():
    n, threshold = 2000, 0.1
    curvatures = np.geomspace(1e-3, 10, n)
    ways = RNG.normal(size=(1, 300, n))
    ways /= np.linalg.norm(ways, axis=2, keepdims=True)
    radii = np.sqrt(2 * threshold / (ways**2 @ curvatures))
    naive = measures.basin_volume(radii, n)
    exact = measures.quadratic_volume(curvatures[None], n, threshold=threshold, damping=0)[0]
    bias = n / 2 * (np.log10(curvatures.mean()) - np.log10(curvatures).mean())
    assert naive.lower[0] == pytest.approx(exact - bias, abs=5)
    assert bias > 600 and naive.high[0] < exact - 300


@pytest.mark.parametrize("distance", [0.0, 1.5])
def test_gaussian_mass_of_a_ball_is_a_chi_square(distance):
    centre = np.array([[[0.0], [distance], [0.0]]], np.float32)  # a kernel (3, 1) of one network
    ways = RNG.normal(size=(1, 50_000, 3, 1))
    ways = [(2.0 * ways / np.linalg.norm(ways, axis=2, keepdims=True)).astype(np.float32)]
    for radius in (0.3, 1.0, 4.0):  # in units of the prior's standard deviation, 2
        found = measures.gaussian_mass(np.full((1, 50_000), radius), [centre], ways, [2.0])
        exact = scipy.stats.ncx2.cdf(radius**2, 3, (distance / 2) ** 2 + 1e-12)
        assert found[0] == pytest.approx(np.log10(exact), abs=0.01)


def test_gaussian_mass_of_everything_is_one_in_many_dimensions():
    ways = RNG.normal(size=(1, 10, 500, 4))
    ways = [(ways / np.sqrt(np.sum(ways**2, axis=(2, 3), keepdims=True))).astype(np.float32)]
    found = measures.gaussian_mass(np.full((1, 10), np.inf), [np.zeros((1, 500, 4))], ways, [1.0])
    assert found[0] == pytest.approx(0, abs=1e-6)
    ball = measures.gaussian_mass(np.full((1, 10), 40.0), [np.zeros((1, 500, 4))], ways, [1.0])
    assert ball[0] == pytest.approx(scipy.stats.chi2.logcdf(1600.0, 2000) / np.log(10), rel=1e-4)


def test_gauss_newton_is_the_hessian_of_a_linear_network():
    x, y, weights, design, _ = regression()
    found = measures.gauss_newton_curvatures(linear(), weights, x, y)
    exact = np.stack([np.linalg.eigvalsh(2 * a.T @ a / len(a))[::-1] for a in design])
    np.testing.assert_allclose(found, exact, rtol=1e-4)
    # Logistic: p (1 - p) weights the design; three classes: diag(p) - p p' does.
    labels = (y[0, :, 0] > 0).astype(np.int32)
    chance = 1 / (1 + np.exp(-(design[0] @ np.append(weights[0][0], weights[1][0]))))
    exact = np.linalg.eigvalsh(
        (design[0] * (chance * (1 - chance))[:, None]).T @ design[0] / len(x[0])
    )[::-1]
    one = [w[:1] for w in weights]
    np.testing.assert_allclose(
        measures.gauss_newton_curvatures(linear(), one, x[0], labels)[0],
        exact,
        rtol=1e-3,
        atol=1e-7,
    )
    three = [RNG.normal(size=(1, 4, 3)).astype(np.float32), np.zeros((1, 3), np.float32)]
    logits = x[0] @ three[0][0]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    inner = p[:, :, None] * np.eye(3) - p[:, :, None] * p[:, None]
    hessian = np.einsum("ncd,ni,nj->icjd", inner, design[0], design[0]).reshape(15, 15) / len(x[0])
    found = measures.gauss_newton_curvatures(linear(4, 3), three, x[0], labels)[0]
    np.testing.assert_allclose(found, np.linalg.eigvalsh(hessian)[::-1], rtol=1e-3, atol=1e-6)


def test_margins_of_linear_networks_are_exact():
    weights = [
        RNG.normal(size=(3, 2, 1)).astype(np.float32),
        RNG.normal(size=(3, 1)).astype(np.float32),
    ]
    x = RNG.normal(size=(20, 2)).astype(np.float32)
    exact = np.abs(x @ weights[0] + weights[1][:, None])[..., 0] / np.linalg.norm(
        weights[0], axis=1
    )
    np.testing.assert_allclose(measures.margins(linear(2), weights, x), exact, rtol=2e-3)
    compass = measures.compass(256)
    rays = measures.margins(
        linear(2), weights, x, directions=compass, reach=20.0, looks=40, halvings=16
    )
    near = exact < 15
    np.testing.assert_allclose(rays[near], exact[near], rtol=2e-3)
    three = [RNG.normal(size=(1, 5, 3)).astype(np.float32), np.zeros((1, 3), np.float32)]
    x = RNG.normal(size=(30, 5)).astype(np.float32)
    logits, own = x @ three[0][0], (x @ three[0][0]).argmax(1)
    gaps = np.take_along_axis(logits, own[:, None], 1) - logits
    lengths = np.linalg.norm(three[0][0][:, own].T[:, None] - three[0][0].T[None], axis=2)
    exact = np.min(
        np.where(np.arange(3) == own[:, None], np.inf, gaps / np.maximum(lengths, 1e-9)), axis=1
    )
    np.testing.assert_allclose(
        measures.margins(linear(5, 3), three, x)[0], exact, rtol=2e-3, atol=1e-5
    )


def test_margins_of_a_network_against_a_fine_grid():
    builder = lambda: models.mlp((2,), 1, hidden=(16, 16), initializer="he_normal")  # noqa: E731
    keras.utils.set_random_seed(4)
    weights = [w[np.newaxis] for w in builder().get_weights()]
    weights[-1] = np.array([[0.05]], np.float32)
    side = np.linspace(-2, 2, 401)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2).astype(np.float32)
    label = predict_many(builder, weights, grid)[0, :, 0] > 0
    assert label.any() and not label.all()
    x = np.random.default_rng(8).uniform(-0.7, 0.7, size=(15, 2)).astype(np.float32)
    own = predict_many(builder, weights, x)[0, :, 0] > 0
    exact = np.array(
        [np.linalg.norm(grid[label != o] - p, axis=1).min() for p, o in zip(x, own, strict=True)]
    )
    found = measures.margins(
        builder, weights, x, directions=measures.compass(128), reach=2.5, looks=100
    )[0]
    np.testing.assert_allclose(found, exact, atol=0.015)
    gradient = measures.margins(builder, weights, x)[0]
    assert (gradient > found - 0.01).all() and np.median(gradient / np.maximum(found, 0.02)) < 1.6


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"threshold": 0.0}, "threshold"),
        ({"growth": 1.0}, "growth"),
        ({"start": 5.0, "reach": 1.0}, "reach"),
        ({"directions": [None, None]}, "directions"),
        ({"directions": [np.ones((1, 2, 3, 1)), None]}, r"directions\[0\]"),
        ({"y": np.zeros(3, int)}, "`y`"),
    ],
)
def test_bad_input_is_refused(change, match):
    weights = [np.zeros((1, 2, 1)), np.zeros((1, 1))]
    call = {
        "directions": [np.ones((1, 2, 2, 1)), None],
        "x": np.zeros((4, 2)),
        "y": np.zeros(4, int),
    } | change
    with pytest.raises((ValueError, TypeError), match=match):
        measures.crossing_radii(linear(2), weights, **call)
