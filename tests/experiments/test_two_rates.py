"""Lesson 00's world: pairs that differ in the rate alone, and a rule that nobody beats."""

import numpy as np

from helpers.experiments import two_rates

DATA = {"n": 60, "turns": 1.25, "noise": 0.12}
SMALL = {"hidden": [8], "epochs": 3, "data": DATA}


def test_two_networks_of_a_pair_are_equal_where_the_rates_are():
    found = two_rates.pairs(1000, 3, rates=[0.01, 0.01], **SMALL)
    assert np.array_equal(found["error_small"], found["error_large"])
    assert not found["large_wins"].any()  # a tie is no win


def test_the_best_rule_is_right_on_spirals_without_noise_and_makes_fewest_errors_with_it():
    sets = [two_rates.draw(1000, row, **DATA) for row in range(20)]
    clean = two_rates.draw(1000, n=60, turns=1.25, noise=0.0)
    assert two_rates.wrong(two_rates.best_scores(clean.x_test, 1.25, 0.01)[None], [clean])[0] < 0.5
    scores = {
        noise: np.array([two_rates.best_scores(one.x_test, 1.25, noise) for one in sets])
        for noise in (0.01, 0.12, 1.0)  # what the rule believes; 0.12 is true
    }
    errors = {noise: two_rates.wrong(found, sets).mean() for noise, found in scores.items()}
    assert min(errors, key=errors.get) == 0.12


def test_errors_are_counted_in_percent():
    one = two_rates.draw(1000)
    right = np.where(np.ravel(one.y_test) > 0.5, 1.0, -1.0)
    assert two_rates.wrong(right[None], [one])[0] == 0
    assert two_rates.wrong(np.where(np.arange(2000) < 20, -right, right)[None], [one])[0] == 1
