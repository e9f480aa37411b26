"""Cross-validation and stopping: folds, regrets, windows."""

import numpy as np

from helpers.experiments import selection


def test_the_folds_leave_out_every_point_once():
    one = selection.points(1000, 0, 1)
    found = selection.folds(1000, 0, one, 5)
    assert one.n_train == 100
    assert [(s.n_train, len(s.x_val)) for s in found] == [(80, 20)] * 5
    left_out = np.concatenate([s.x_val for s in found])
    assert np.array_equal(np.sort(left_out, axis=0), np.sort(one.x_train, axis=0))


def test_no_choice_beats_the_best_strength_and_one_strength_leaves_no_choice():
    recipe = {"inputs": 6, "examples": 50, "hidden": [8], "epochs": 3, "rate": 0.01, "parts": 5}
    found = selection.cross_validation(1000, 4, strengths=[0, 100.0], **recipe)
    assert min(found[f"regret_{name}"].min() for name in ("folds", "split", "none")) == 0
    assert np.all(found["regret_none"] == found["excess"][:, 0] - found["excess"].min(axis=1))
    alone = selection.cross_validation(1000, 4, strengths=[0], **recipe)
    assert not alone["regret_folds"].any() and not alone["bad_split"].any()
    np.testing.assert_array_equal(alone["excess"][:, 0], found["excess"][:, 0])


def test_a_window_begins_and_ends_where_the_loss_is_near_its_lowest():
    losses = np.array([[3, 1.04, 1.2, 1.0, 1.05, 2], [5, 4, 3, 2, 1, 1.01]])
    first, last = selection.window(losses)
    assert first.tolist() == [2, 5] and last.tolist() == [5, 6]


def test_a_training_that_never_arrives_counts_as_one_epoch_more():
    assert selection.arrival(np.array([[3, 1, 2], [3, 2, 1.5]])).tolist() == [2, 4]
