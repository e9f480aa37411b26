"""Learning rates: best moments, good rates, and who is stuck."""

import numpy as np
import pytest

from helpers.experiments import learning_rates


def test_the_moment_is_chosen_on_one_half_and_judged_on_the_other():
    losses = np.array([[[3.0, 1.0], [1.0, 2.0], [2.0, 0.0]]])  # (1, T, 2)
    assert learning_rates.at_best_moment(losses).tolist() == [2.0]


@pytest.mark.parametrize(
    ("errors", "decades"),
    [
        ([9, 5, 5, 5.5, 9], 2),  # 0.01 to 1
        ([5, 9, 5, 9, 5], 0),  # a gap on both sides: the first of equals, alone
        ([5, 5, 5, 5, 5], 4),
        ([9, 9, 5, 6.5, 6.0], 0),
    ],
)
def test_good_rates_reach_as_far_as_there_is_no_gap(errors, decades):
    rates = [0.001, 0.01, 0.1, 1.0, 10.0]
    both = np.stack([errors, errors], axis=1)
    assert np.isclose(learning_rates.width_of_good(both, rates), decades)


def test_a_share_of_the_training_labels_is_wrong_and_none_of_the_new_ones():
    one = learning_rates.draw(1000, points=50, wrong=0.2)
    for part, wrong in (("train", 10), ("test", 0)):
        x, y = getattr(one, f"x_{part}").astype(float), getattr(one, f"y_{part}")
        right = x[:, 1] > 2 * x[:, 0] ** 3 - x[:, 0]
        assert np.sum(right != (y == 1)) == wrong


@pytest.mark.parametrize("task", ["boundary", "xor", "mnist1d"])
def test_arms_of_one_rate_and_length_end_alike(task):
    found = learning_rates.too_low(
        1000, 3, task=task, hidden=[6], points=20, rates=[0.3, 0.3], steps=[60, 60], goal=0.5
    )
    assert np.array_equal(found["loss_low"], found["loss_high"])
    assert not found["low_only"].any() and not found["slow"].any()


@pytest.mark.compiled
def test_a_low_rate_is_slow_where_more_steps_help_and_keras_agrees():
    found = learning_rates.too_low(
        1000,
        3,
        task="boundary",
        hidden=[16],
        points=10,
        rates=[0.5, 0.01],
        steps=[200, 20000],
        goal=0.2,
    )
    assert found["short"].all() and found["slow"].any()
    assert np.array_equal(found["slow"], found["verified"])
    assert not (found["slow"] & found["never_low"]).any()
