"""Lesson 11: rulers on shapes of known size, planes, rescaling, ranks and margins on networks one can check."""

import numpy as np
import pytest

from helpers import models
from helpers.experiments import (
    basins,
    basins_margins,
    basins_pairs,
    basins_ranks,
    basins_side,
    minima,
)
from helpers.geometry import landscape, measures

RNG = np.random.default_rng(11)


def bowl(members=2, n=30, inputs=4):
    """Return a linear network at its least squares and its points: the loss is an exact quadratic, 0 at the minimum."""
    x = RNG.normal(size=(members, n, inputs)).astype(np.float32) * np.array([3, 1, 0.5, 0.2], "f4")
    slope = RNG.normal(size=(members, inputs, 1)).astype(np.float32)
    weights = [slope, np.zeros((members, 1), np.float32)]
    return lambda: models.linear((inputs,), 1), weights, x, x @ slope


def volume_of(x):
    """Return the true size per weight of the basin of `bowl`."""
    design = np.concatenate([x, np.ones((*x.shape[:2], 1))], axis=2).astype(float)
    hessian = 2 * np.einsum("mni,mnj->mij", design, design) / x.shape[1]
    curved = np.linalg.eigvalsh(hessian)
    truth = measures.quadratic_volume(curved, 5, threshold=basins.EDGE, damping=0.0)
    return basins.per_weight(truth, 5)


def test_rays_and_curvature_agree_with_the_volume_of_a_small_bowl():
    model, weights, x, y = bowl()
    truth = volume_of(x)
    plain, _ = basins.along_rays(model, weights, x, y, kind="euclidean", rays=4000, seed=3)
    np.testing.assert_allclose(plain, truth, rtol=0.05)
    diagonal = measures.gauss_newton_diagonal(model, weights, x, y)
    found = basins.stretched(
        model, weights, x, y, kind="euclidean", rays=1000, seed=3, diagonal=diagonal
    )
    np.testing.assert_allclose(found, truth, rtol=0.05)


def test_stretched_rays_of_a_bowl_along_the_weights_are_all_alike():
    curved = np.geomspace(0.01, 10, 300)
    ways = basins.unit(RNG, 50, 300)
    stretch = curved**-0.5 / np.exp(np.mean(np.log(curved**-0.5)))
    radii = np.sqrt(2 * basins.EDGE / ((ways * stretch) ** 2 @ curved))
    assert np.ptp(radii) < 1e-9 * radii.mean()
    assert abs(basins.missing(curved, radii)) < 1e-6
    assert basins.missing(curved, basins.ellipsoid(curved, ways)) > 50


def test_what_plain_rays_miss_is_the_arithmetic_for_the_geometric_mean():
    found = basins.known_shapes(
        5, 2, dimensions=[2, 500], directions=4, flattest=0.001, steepest=10.0, turned=20
    )
    predicted = found["constants"]["predicted"][1]
    assert np.all(np.abs(found["missing"][:, 1] / predicted - 1) < 0.1)
    assert np.all(np.abs(found["stretched"]) < 1e-3)


def test_the_largest_of_three_estimates_gains_next_to_nothing_on_a_round_bowl():
    ways = [basins.unit(RNG, 64, 6000) for _ in range(3)]
    curved = np.full(6000, 0.5)
    sizes = [
        basins.per_weight(
            measures.basin_volume(basins.ellipsoid(curved, way)[None], 6000).estimate, 6000
        )
        for way in ways
    ]
    assert max(sizes)[0] / sizes[0][0] < 1.001


def test_the_diagonal_sums_to_the_trace_and_preconditioning_keeps_volumes():
    model, weights, x, y = bowl()
    diagonal = measures.gauss_newton_diagonal(model, weights, x, y)
    traces = sum(d.reshape(2, -1).sum(axis=1) for d in diagonal)
    np.testing.assert_allclose(
        traces, measures.gauss_newton_curvatures(model, weights, x, y).sum(axis=1), rtol=1e-5
    )
    ones = [np.ones((2, 1, *w.shape[1:]), np.float32) for w in weights]
    turned = measures.preconditioned(ones, diagonal, 0.01)
    logs = sum(np.log(t).reshape(2, -1).sum(axis=1) for t in turned)
    np.testing.assert_allclose(logs, 0, atol=1e-5)  # det P = 1
    with pytest.raises(ValueError, match="damping"):
        measures.preconditioned(ones, diagonal, 0.0)
    with pytest.raises(ValueError, match="diagonal"):
        measures.preconditioned(ones, [None, None], 0.1)


def test_the_chance_of_a_draw_is_the_same_by_plain_and_by_stretched_rays():
    weights = [np.array([[[0.3], [-0.2]]], np.float32), np.array([[0.1]], np.float32)]
    scale = [0.7, 0.7]
    ways = landscape.directions(
        lambda: models.linear((2,), 1), weights, 20_000, "gaussian", seed=1, scale=scale
    )
    diagonal = [np.array([[[4.0], [0.1]]]), np.array([[1.0]])]
    bent = measures.preconditioned(ways, diagonal, 0.1)

    def edge(
        directions,
    ):  # an ellipsoid with the curvatures of `diagonal`, in coordinates divided by the scale
        flat = np.concatenate([d.reshape(*d.shape[:2], -1) for d in directions], axis=2) / 0.7
        return 1 / np.sqrt(flat**2 @ np.array([4.0, 0.1, 1.0]))

    plain = measures.gaussian_mass(edge(ways), weights, ways, scale)
    turned = measures.gaussian_mass(edge(bent), weights, bent, scale)
    assert plain[0] == pytest.approx(turned[0], abs=0.01)


def test_planes_of_a_round_bowl_are_as_wide_as_its_rays():
    x = np.eye(4, dtype=np.float32)[None] * 2  # loss w'w, up to the factor of the mean
    model = lambda: models.linear((4,), 1)  # noqa: E731
    weights = [np.ones((1, 4, 1), np.float32), np.zeros((1, 1), np.float32)]
    y = x @ weights[0]
    width = basins_pairs.in_planes(model, weights, x, y, planes=40, angles=8, seed=2)
    _, radii = basins.along_rays(model, weights, x, y, kind="filter", rays=40, seed=2)
    assert np.ptp(radii) < 1e-3 * radii.mean()
    assert width[0] == pytest.approx(
        radii.mean(), rel=0.25
    )  # two random spans are not quite at right angles


def test_weights_that_are_hardly_moved_relabel_nothing_and_those_that_are_moved_far_do():
    model = minima.network("spirals")
    sets = [minima.draw("spirals", 1000)]
    found = minima.minima("spirals", 1000, sets, share=0.5, flipped=False, steps=60)
    how = {"directions": 4, "seed": 1}
    points = basins_pairs.disc()
    assert basins_pairs.relabelled(model, found.weights, points, size=0.0, **how) == 0
    assert basins_pairs.relabelled(model, found.weights, points, size=1.0, **how) > 0.05


def test_half_of_the_further_points_get_a_wrong_label():
    one = minima.draw("signals", 1000)
    true, half, whole = (basins_ranks.partly_flipped(one, share) for share in (0.0, 0.5, 1.0))
    assert np.array_equal(true.x_train, whole.x_train)
    assert np.sum(half.y_train != true.y_train) == one.n_train // 2
    assert np.sum(whole.y_train != true.y_train) == one.n_train
    assert np.array_equal(half.y_train[: one.n_train], one.y_train)


def test_networks_stop_where_pairs_do():
    sets = [minima.draw("signals", 1000, row) for row in range(3)]
    theirs = minima.minima("signals", 1000, sets, share=0.5, flipped=True, steps=200)
    ours = basins_ranks.stop(1000, "signals", sets, minima.asked(sets, 0.5), steps=200)
    assert np.array_equal(theirs.loss, ours.loss)
    assert all(np.array_equal(a, b) for a, b in zip(theirs.weights, ours.weights, strict=True))
    np.testing.assert_allclose(theirs.test, ours.right.mean(axis=1), atol=1e-6)


def test_rescaling_is_found_sharper_again_and_a_network_itself_is_not():
    sets = [minima.draw("spirals", 1000)]
    found = minima.minima("spirals", 1000, sets, share=0.5, flipped=False, steps=200)
    x, y = found.stack.x_val[0], found.stack.y_val[0]
    assert basins_pairs._sharper_again(found.weights, x, y)
    plain = [w[0].astype(float) for w in found.weights]
    logits = basins_pairs._forward(plain, x)
    loss = np.mean(np.logaddexp(0, -logits * (2.0 * y - 1)))
    assert loss == pytest.approx(found.last_loss[0], rel=0.2) or loss == pytest.approx(
        found.loss[0], rel=1e-3
    )


def test_margins_of_a_line_are_distances_from_it():
    model = lambda: models.linear((2,), 1)  # noqa: E731
    weights = [np.array([[[1.0], [0.0]]], np.float32), np.array([[0.0]], np.float32)]
    x = np.array([[[1.0, 0], [-2.0, 1], [0.5, 3]]], np.float32)
    y = np.array([[1, 0, 1]])
    assert basins_pairs.margin(model, weights, x, y)[0] == pytest.approx(1.0, rel=0.01)
    wrong = np.array([[0, 1, 1]])
    assert basins_pairs.margin(model, weights, x, wrong)[0] == 0


def test_rings_without_close_points_are_fitted_sooner():
    found = basins_margins.rings(1000, 2, hidden=[20, 20], steps=300, rate=0.01, close=10, every=10)
    assert np.all(found["steps_far"] <= found["steps_close"])
    assert np.all(found["steps_close"][~found["fits_close"]] == 300)


def test_wrong_targets_raise_the_error_on_new_points():
    found = basins_side.regression(
        1000, 3, inputs=5, points=20, new=200, levels=[0.0, 2.0], hidden=[32], steps=300, rate=0.01, target=0.02
    )  # fmt: skip
    assert np.all(found["risk"][:, 1] > found["risk"][:, 0])
