"""Lesson 07: least squares on features, networks by width, bias and variance, recipes by lot."""

import numpy as np
import pytest

from helpers.experiments import (
    bias_variance,
    blind_recipes,
    double_descent,
    noisy_line_sizes,
    random_features,
    random_features_causes,
)

# Few small networks train sooner than XLA compiles.
RNG = np.random.default_rng(7)
SHAPES = [(30, 10), (30, 30), (30, 80)]
WIDTHS = {
    "examples": 40,
    "shares": [0.2, 0.4, 0.9, 1.0, 1.1, 1.5, 10.0],
    "penalties": [0.01, 1.0, 100.0],
    "small": 0.4,
    "large": 10.0,
    "wiggle": [0.2, 1.5, 10.0],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_fit_is_the_pseudo_inverse_and_ridge_its_normal_equations(shape):
    phi, y = RNG.normal(size=shape), RNG.normal(size=(shape[0], 3))
    fit = random_features.Fit(phi)
    assert np.allclose(fit.weights(y), np.linalg.pinv(phi) @ y, atol=1e-8)
    ridge = np.linalg.solve(phi.T @ phi + 0.7 * np.eye(shape[1]), phi.T @ y)
    assert np.allclose(fit.weights(y, penalty=0.7), ridge)
    new = RNG.normal(size=(5, shape[1]))
    assert np.allclose(fit.path(new, y, [0.7])[0], new @ ridge)


def test_past_the_threshold_every_target_is_met_with_the_smallest_weights():
    phi, y = RNG.normal(size=(20, 50)), RNG.normal(size=(20, 2))
    found = random_features.Fit(phi).weights(y)
    assert np.allclose(phi @ found, y)
    null = np.linalg.svd(phi)[2][20:]  # directions that change no prediction
    other = found + null.T @ RNG.normal(size=(30, 2))
    assert np.allclose(phi @ other, y)
    assert np.linalg.norm(found) < np.linalg.norm(other)


def test_gradient_descent_from_zero_ends_at_the_fit_with_the_smallest_weights():
    phi, y = RNG.normal(size=(10, 40)), RNG.normal(size=(10, 1))
    weights = np.zeros((40, 1))
    for _ in range(3000):
        weights -= 0.01 * phi.T @ (phi @ weights - y)
    assert np.allclose(weights, random_features.Fit(phi).weights(y), atol=1e-6)


def test_known_effect_noisy_linear_targets_peak_at_as_many_weights_as_examples():
    errors = []
    for inputs in (10, 40, 400):
        here = []
        for _ in range(20):
            true = RNG.normal(size=(inputs, 1)) / np.sqrt(inputs)
            x, new = RNG.normal(size=(40, inputs)), RNG.normal(size=(200, inputs))
            y = x @ true + 0.5 * RNG.normal(size=(40, 1))
            here.append(np.mean((new @ (random_features.Fit(x).weights(y) - true)) ** 2))
        errors.append(np.median(here))
    assert errors[1] > 5 * max(errors[0], errors[2])


def test_draws_of_features_keep_their_promises():
    (x, y), (x_val, _), (x_new, _) = random_features.draw(1, examples=60, noise=0.25)
    (same, clean), _, _ = random_features.draw(1, examples=60)
    assert np.array_equal(x, same)
    assert np.sum(y != clean) == 15
    assert len(x_val) == len(x_new) == 1000
    assert not set(map(bytes, x_val)) & set(map(bytes, x_new))
    v = random_features.directions(1, 0, 40, 500)
    assert np.array_equal(v[:, :100], random_features.directions(1, 0, 40, 100))  # nested
    assert v.std() == pytest.approx(40**-0.5, rel=0.05)
    with pytest.raises(ValueError, match="source"):
        random_features.draw(1, source="nothing")


def test_a_flat_function_has_no_second_differences_and_the_way_it_takes():
    x, v = np.zeros((3, 2)), np.eye(2)
    x[:, 0] = [0, 1, 3]
    (way,), (bends,) = random_features.wiggles(x, v, [np.array([[2.0], [0.0]])], pairs=2)
    assert way == pytest.approx((2 + 4) / 2)
    assert bends == pytest.approx(0, abs=1e-12)


def test_the_registered_quantities_agree_with_the_curves():
    found = random_features.widths(3, 4, **WIDTHS)
    counts = found["constants"]["counts"]
    assert list(counts) == [8, 16, 36, 40, 44, 60, 400]
    assert np.array_equal(found["error_small"], found["error"][:, 1])
    assert np.allclose(found["gain"], found["error"][:, 3] - found["error"][:, 6], atol=1e-4)
    ridge = found["error_ridge"]
    assert np.allclose(found["rise_ridge"], ridge[:, 3] - ridge[:, 1], atol=1e-4)
    assert (found["training_error"][:, 3:] == 0).all()
    assert found["peak_here"].mean() >= 0.75
    assert (found["mse_best"][:, None] >= found["mse"][:, :3].min(axis=1, keepdims=True)).all()
    assert (found["norm_many"] < found["norm_past"]).all()


def test_without_residuals_or_small_singular_values_most_of_the_rise_goes():
    found = random_features_causes.causes(5, 4, examples=100, small=0.4, cut=0.01, others=2000)
    assert found["recovered"].max() < 1e-6
    assert found["projected"].max() < 1e-6
    assert found["rise_cut"].mean() < 0.6 * found["rise"].mean()
    assert found["rise_ideal"].mean() < 0


def test_the_textbook_example_has_its_points_in_fifteen_cells_and_a_peak():
    x, _, places, wanted = random_features_causes.textbook_draw(1)
    assert np.array_equal((x * 15).astype(int), np.arange(15))
    assert wanted == pytest.approx(np.exp(np.sin(2 * np.pi * places)))
    found = random_features_causes.textbook(2, 40, units=[5, 12, 15, 200], shown=12)
    middle = np.median(found["mse"], axis=0)
    assert middle[2] > 5 * middle[0]
    assert middle[3] < middle[2]


def test_one_hot_targets_wrong_labels_and_unknown_losses():
    one = double_descent.draw(1, examples=40, noise=0.15, new=10)
    clean = double_descent.draw(1, examples=40, new=10)
    assert np.sum(one.y_train != clean.y_train) == 6
    stack = double_descent.stacked([one], "squared")
    assert np.array_equal(stack.y_train[0].argmax(axis=1), np.ravel(one.y_train))
    assert (stack.y_train.sum(axis=2) == 1).all()
    with pytest.raises(ValueError, match="loss"):
        double_descent.stacked([one], "hinge")


def test_a_wide_network_fits_and_the_three_widths_are_those_asked_for():
    how = {"epochs": 150, "rate": 0.01, "loss": "squared", "examples": 50, "looks": [50]}
    found = double_descent.widths(1, 3, widths=[2, 8, 128], three=[2, 8, 128], **how)
    assert found["training_error"][:, 0].min() > 5
    assert found["training_error"][:, 2].max() < 3
    assert np.array_equal(found["error_peak"], found["error"][:, 1])
    assert found["paths"].shape == (3, 3, 2)
    assert np.allclose(found["paths"][:, :, 1], found["error"], atol=0.05)


def test_two_starts_differ_and_share_their_data():
    found = double_descent.another_start(1, 3, width=8, epochs=5, rate=0.01, examples=100)
    assert (found["error_first"] != found["error_second"]).any()


def test_bias_and_variance_are_unbiased_on_known_parts():
    sets, starts, new = 5, 4, 20_000
    wanted = np.zeros((new, 1))
    between = RNG.normal(0, 2, (sets, 1, new, 1))
    within = RNG.normal(0, 3, (sets, starts, new, 1))
    found = bias_variance.decomposed(1.5 + between + within, wanted)
    assert found[:4] == pytest.approx([9, 4, 13, 2.25], rel=0.05)
    assert found[4] == pytest.approx(found[2] + found[3], rel=0.05)


def test_networks_that_differ_in_nothing_have_no_variance():
    outputs = np.broadcast_to(RNG.normal(size=(1, 1, 30, 2)), (3, 4, 30, 2))
    found = bias_variance.decomposed(outputs, np.zeros((30, 2)))
    assert found[:3] == pytest.approx(0, abs=1e-12)
    assert found[3] == pytest.approx(found[4])


def test_slopes_are_per_doubling():
    widths = [4, 8, 16, 32]
    values = np.array([[1.0, 2.0, 4.0, 8.0], [1.0, 0.5, 0.25, 0.125]])
    assert bias_variance.slope(values, widths) == pytest.approx([1, -1])


def test_a_block_of_nets_splits_into_its_parts():
    how = {
        "widths": [2, 4, 8, 16],
        "few": 2,
        "sets": 2,
        "starts": 2,
        "epochs": 5,
        "rate": 0.01,
        "batch": 20,
    }
    found = bias_variance.split(1, 2, examples=40, **how)
    assert np.allclose(found["initialisation"] + found["data"], found["total"], atol=1e-6)
    assert np.allclose(found["bias"] + found["total"], found["risk"], atol=1e-5)
    with pytest.raises(ValueError, match="source"):
        bias_variance.block_data(1, 0, "nothing", 2, 10, 0.0)


def test_recipes_are_drawn_within_their_ranges_and_depend_on_their_row_alone():
    ranges = {"depths": [1, 2], "widths": [4, 8], "scales": [0.3, 3.0]}
    ranges["rates"] = {"adam": [1e-4, 1e-1], "sgd": [1e-3, 1.0]}
    drawn = [blind_recipes.recipe(1, row, **ranges) for row in range(200)]
    assert drawn[3] == blind_recipes.recipe(1, 3, **ranges)
    assert {kind[:4] for kind in drawn} == {
        (depth, width, activation, optimizer)
        for depth in (1, 2)
        for width in (4, 8)
        for activation in blind_recipes.ACTIVATIONS
        for optimizer in blind_recipes.OPTIMIZERS
    }
    for *_, optimizer, rate, scale in drawn:
        low, high = ranges["rates"][optimizer]
        assert low <= rate <= high
        assert 0.3 <= scale <= 3.0


# ------------------------------------------------------------------------------- gate, and sizes on the line


def test_the_best_of_all_fits_is_chosen_on_other_examples_and_never_on_the_new_ones():
    plain, tuned = np.array([5.0, 1.0]), np.array([4.0, 3.0])
    assert random_features.best_of(plain, tuned, np.array([2.0, 9.0]), np.array([1.0, 8.0])) == 4.0
    assert random_features.best_of(plain, tuned, np.array([0.0, 9.0]), np.array([1.0, 8.0])) == 5.0


def test_the_best_of_all_is_one_of_the_fits():
    found = random_features.widths(1000, 2, **WIDTHS)
    for name in ("error", "mse"):
        for row in range(2):
            every = np.concatenate([found[name][row], found[f"{name}_ridge"][row]])
            assert found[f"{name}_any_best"][row] in every


def test_weights_are_counted_as_keras_counts_them():
    from helpers.experiments import noisy_line

    for hidden in ([7], [100] * 5, [3, 8, 2]):
        assert noisy_line.network(hidden).count_params() == noisy_line_sizes.weights_of(hidden)


def test_slopes_over_sizes_are_those_of_the_excess_risk():
    found = noisy_line_sizes.sizes(
        1000, 3, widths=[2, 4, 8], depths=[1, 2], width=4, depth=1, epochs=5, rate=0.01
    )
    at = np.log2(found["constants"]["weights_width"])
    expected = [np.polyfit(at, np.log2(row), 1)[0] for row in found["excess_width"]]
    assert np.allclose(found["slope_width"], expected, atol=1e-4)
    assert (found["largest_width"] == found["excess_width"][:, -1]).all()
