"""Penalties: the signal, what is found, what a penalty does to the training error."""

import numpy as np

from helpers.experiments import penalties


def test_the_signal_is_as_strong_as_the_lines_and_five_inputs_carry_it():
    one = penalties.draw(1000, inputs=20)
    slopes = np.linalg.lstsq(one.x_test, one.y_test[:, 0], rcond=None)[0]
    assert np.isclose(np.sum(slopes**2), 100 / 3, rtol=1e-4)
    assert np.allclose(np.abs(slopes[:5]), np.abs(slopes[0]), rtol=1e-3)
    assert np.allclose(slopes[5:], 0, atol=1e-4)


def test_inputs_are_found_by_the_length_of_their_weights():
    kernels = np.full((2, 8, 3), 0.1)
    kernels[0, :5] = -1  # the five that matter
    kernels[1, 3:] = 1  # two of them, and three others
    assert penalties.recall(kernels).tolist() == [1.0, 0.4]


def test_a_strong_penalty_raises_the_training_error_and_counts_in_the_loss():
    found = penalties.slightly_higher(
        1000, 3, hidden=[16, 16], epochs=60, rate=0.01, strength=0.01, strong=10.0
    )
    assert np.all(found["training_strong"] > found["training_plain"])
    assert np.all(found["reported_l2"] > found["training_l2"])
