"""Many inputs: signal and noise are the post's, and the bound is one."""

import numpy as np

from helpers.experiments import wide_inputs


def test_signal_and_noise_have_the_posts_variances_and_irrelevant_inputs_none():
    sets = [wide_inputs.draw(1000, row, inputs=8, relevant=3) for row in range(300)]
    clean = np.concatenate([one.y_test[:, 0] for one in sets])
    assert abs(clean.var() / wide_inputs.SIGNAL**2 - 1) < 0.05
    slopes = [np.linalg.lstsq(one.x_test, one.y_test[:, 0], rcond=None)[0] for one in sets]
    assert np.abs(np.array(slopes)[:, 3:]).max() < 1e-4
    noise = [one.y_train[:, 0] - one.x_train @ b for one, b in zip(sets, slopes, strict=True)]
    assert abs(np.var(noise) / wide_inputs.VARIANCE - 1) < 0.05


def test_ridge_that_knows_all_is_better_than_least_squares():
    for inputs in (1, 20, 100):
        sets = [wide_inputs.draw(1000, row, inputs=inputs, relevant=inputs) for row in range(60)]
        ridge = wide_inputs.excess_of_ridge(sets, inputs)
        squares = wide_inputs.excess_of_least_squares(sets)
        assert ridge.mean() < squares.mean(), inputs


def test_the_strength_with_the_lowest_validation_error_is_the_one_that_counts():
    recipe = {"strengths": [0, 1000.0], "hidden": [8], "epochs": 60, "rate": 0.01}
    found = wide_inputs.by_dimension(1000, 4, inputs=[3], **recipe)
    assert (found["strength_3"] == 0).all()  # 1,000 allows nothing but the mean
    assert np.array_equal(found["chosen_3"], found["plain_3"])
