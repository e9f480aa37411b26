"""The penalty on the Keras post's line: what Keras reports is the error and the penalty, and nothing else changes."""

import numpy as np

from helpers.experiments import keras_post, keras_post_penalty

RECIPE = {"hidden": [8, 8], "epochs": 3, "rate": 0.001}


def test_what_is_reported_is_the_error_and_the_penalty_of_the_hidden_kernels():
    sets = [keras_post.draw(1000, row) for row in range(3)]
    runs = keras_post_penalty.train(1000, sets, strength=0.1, **RECIPE)
    _, validation, _, reported = keras_post_penalty.score(runs, sets)
    penalty = 0.1 * sum((runs.weights[k].astype(float) ** 2).sum(axis=(1, 2)) for k in (0, 2))
    assert np.allclose(reported - validation, penalty, rtol=1e-4)


def test_without_penalty_the_two_are_equal_and_the_network_is_that_of_lesson_1():
    found = keras_post_penalty.strengths(1000, 3, strengths=[0, 0.1], post=0.1, **RECIPE)
    assert np.allclose(found["reported"][:, 0], found["validation"][:, 0], rtol=1e-5)
    sets = [keras_post.draw(1000, row) for row in range(3)]
    plain = keras_post.errors(keras_post.train(1000, sets, **RECIPE), sets)
    assert np.allclose(found["excess"][:, 0], plain[2], rtol=1e-5)


def test_the_true_line_is_compared_on_the_same_validation_points():
    found = keras_post_penalty.strengths(1000, 40, strengths=[0], post=0, **RECIPE)
    assert found["lower_best"].mean() > 0.95  # of networks that have hardly been trained
    assert not found["lower_error"].any()  # nothing is below itself
