"""Lesson 06's worlds: label noise, learning by heart, the loss advantage, and how much fits."""

import itertools

import numpy as np
import pytest

from helpers import stats
from helpers.claims import registry
from helpers.experiments import (
    capacity,
    keras_post,
    overfitting_pays,
    random_labels,
    random_labels_first,
    store,
)
from helpers.experiments import random_labels_rivals as rivals
from helpers.experiments import random_labels_sensitivity as sensitivity

SMALL = {"train": 60, "new": 40}
QUICK = {"hidden": [32], "rate": 0.01, "batch": 20}


@pytest.fixture(scope="module")
def one():
    return random_labels.draw(1000, 0, task="small_digits", train=200, new=50)


# ------------------------------------------------------------------------------- labels


def test_wrong_labels_are_as_many_as_asked_for_and_always_of_another_class(one):
    new, wrong = random_labels.relabelled(one, 1, 0, share=0.2, how="wrong")
    assert wrong.sum() == 40
    assert np.array_equal(new.y_train != one.y_train, wrong)
    assert np.array_equal(new.x_train, one.x_train) and np.array_equal(new.y_val, one.y_val)


def test_redrawn_labels_of_a_smaller_share_are_among_those_of_a_larger_one(one):
    few, _ = random_labels.relabelled(one, 1, 0, share=0.2, how="redrawn")
    many, wrong = random_labels.relabelled(one, 1, 0, share=0.6, how="redrawn")
    changed = few.y_train != one.y_train
    assert np.array_equal(many.y_train[changed], few.y_train[changed])
    assert 0.4 < wrong.mean() < 0.6  # a tenth of those redrawn stays right


def test_the_rule_swaps_two_classes_and_nothing_else(one):
    new, wrong = random_labels.relabelled(one, 1, 0, share=0.2, how="rule")
    assert set(one.y_train[wrong]) == set(random_labels.SWAPPED)
    again, _ = random_labels.relabelled(new, 1, 0, share=0.2, how="rule")
    assert np.array_equal(again.y_train, one.y_train)
    assert np.array_equal(new.y_val != one.y_val, np.isin(one.y_val, random_labels.SWAPPED))


def test_names_that_are_not_there_are_refused(one):
    with pytest.raises(ValueError, match="`how`"):
        random_labels.relabelled(one, 1, 0, share=0.2, how="nicely")
    with pytest.raises(ValueError, match="`task`"):
        random_labels.draw(1, 0, task="letters", train=10, new=10)


@pytest.mark.parametrize("task", random_labels.SHAPES)
def test_training_validation_and_test_examples_differ(task):
    one = random_labels.draw(1000, 1, task=task, **SMALL)
    parts = [
        getattr(one, f"x_{part}").reshape(-1, one.x_train[0].size)
        for part in ("train", "val", "test")
    ]
    assert [len(part) for part in parts] == [60, 40, 40]
    assert len(np.unique(np.concatenate(parts), axis=0)) == 140


def test_noise_in_the_inputs_leaves_labels_alone(one):
    new = random_labels.noise_inputs(one, 1, 0)
    assert np.array_equal(new.y_train, one.y_train)
    assert abs(new.x_train.mean()) < 0.05 and abs(new.x_train.std() - 1) < 0.05


# ------------------------------------------------------------------------------- by heart


def test_training_stops_at_the_first_epoch_that_gives_all_labels():
    sets = [random_labels.draw(1000, row, task="small_digits", **SMALL) for row in range(3)]
    runs, took, fitted = random_labels.learn_by_heart(
        5, sets, task="small_digits", epochs=200, **QUICK
    )
    assert fitted.all() and (took < 200).all()
    assert not random_labels.error_on(runs, sets, "train").any()
    assert np.array_equal(took, runs.best_epoch)
    before = runs.history["val_accuracy"][np.arange(3), took - 2]
    assert (before < 1).all()


@pytest.mark.parametrize(
    ("errors", "step"),
    [
        ([[10, 26, 42, 58, 74, 90]], 0.2),
        ([[10, 10, 10, 90, 90, 90]], 1.0),
        ([[10, 10, 50, 50, 90, 90]], 0.5),
        ([[90, 90, 90, 90, 90, 90]], 1.0),
    ],
)
def test_the_largest_step_is_a_part_of_the_whole_rise(errors, step):
    assert random_labels.largest_step(np.array(errors, float)) == pytest.approx(step)


def test_copying_the_nearest_example_errs_in_proportion_to_the_wrong_labels(one):
    errors = []
    for share in (0.0, 0.5, 1.0):
        many = [
            random_labels.relabelled(one, seed, 0, share=share, how="redrawn")[0]
            for seed in range(40)
        ]
        errors.append(np.mean([random_labels.nearest_error((one, new)) for new in many]))
    assert errors[1] == pytest.approx((errors[0] + errors[2]) / 2, abs=4)
    assert errors[2] == pytest.approx(90, abs=3)


# ------------------------------------------------------------------------------- what is learned first


def test_an_example_is_learned_from_where_it_always_gets_its_label():
    hits = np.zeros((3, 1, 40), bool)
    hits[:, 0, :38] = True  # from the first look on
    hits[0, 0, 38] = hits[2, 0, 38] = True  # lost in between: at the last look
    missed = np.zeros((1, 40), bool)
    missed[0, 38:] = True
    wrong = np.zeros((1, 40), bool)
    wrong[0, :2] = True
    found = random_labels_first.late(hits, missed, wrong, [1, 2, 5])
    assert found["late_epoch"] == pytest.approx((5 + 10) / 2)  # the last two of 38, one never
    assert found["late_missed"] == 100 and found["wrong_missed"] == 0
    assert found["wrong_epoch"] == 1


def test_labels_wrong_at_random_are_corrected_and_labels_wrong_by_a_rule_are_not():
    found = random_labels_first.sense_first(
        1001, 3, task="small_digits", sizes={"train": 400, "new": 100}, hidden=[50], epochs=40, rate=0.003, batch=40,
        share=0.2, arms=["wrong", "rule", "left_out"],
    )  # fmt: skip
    assert found["agreement_wrong"].mean() > 60
    assert found["agreement_rule"].mean() < 10
    assert found["agreement_left_out"].mean() >= found["agreement_wrong"].mean()


def test_noise_on_validation_labels_is_as_large_as_asked_for():
    labels = np.arange(100) % 10
    assert np.sum(random_labels_first.noisy_labels(labels, 1, 0, 0.2) != labels) == 20


def test_the_farthest_examples_are_those_far_away(one):
    missed = np.zeros(50, bool)
    apart = np.linalg.norm(one.x_test[:, None] - one.x_train, axis=-1).min(axis=1)
    missed[apart.argsort()[-10:]] = True
    near, far, _, _, every = rivals._by_distance(one, missed)
    assert (near, far, every) == (0, 100, 20)


# ------------------------------------------------------------------------------- the loss


@pytest.mark.parametrize("noise", [0.5, 4.0])
def test_least_squares_never_fits_worse_than_the_true_line(noise):
    sets = [overfitting_pays.draw(1000, row, noise) for row in range(40)]
    lines = keras_post.errors_of_lines(sets)[0]
    true = np.array([np.mean((1 + 2 * one.x_train - one.y_train) ** 2) for one in sets])
    assert (lines < true).all()
    assert true.mean() == pytest.approx(noise**2, rel=0.2)


def test_a_network_that_has_not_begun_has_no_loss_advantage():
    found = overfitting_pays.loss_advantage(1000, 5, hidden=[8], epochs=[1], rate=1e-6, noise=2.0)
    assert not found["pays_1"].any()


# ------------------------------------------------------------------------------- how much fits


@pytest.mark.parametrize("classes", [2, 10])
def test_the_construction_gives_every_label_with_two_n_plus_d_weights(classes):
    generator = np.random.default_rng(3)
    x, y = generator.standard_normal((50, 7)), generator.integers(0, classes, 50)
    parts = capacity.constructed(x, y, generator)
    assert sum(part.size for part in parts) == 2 * 50 + 7
    assert np.abs(capacity.says(x, *parts) - y).max() < 1e-6


def test_the_construction_refuses_two_examples_in_one_place():
    with pytest.raises(ValueError, match="`x`"):
        capacity.constructed(np.ones((2, 3)), [0, 1], np.random.default_rng(0))


@pytest.mark.parametrize(("examples", "inputs"), [(3, 2), (4, 2), (5, 3), (6, 3)])
def test_of_all_labelings_as_many_are_separable_as_cover_counts(examples, inputs):
    x = np.random.default_rng(4).standard_normal((examples, inputs))
    signs = itertools.product([-1, 1], repeat=examples)
    counted = sum(capacity.separable(x * np.array(one)[:, None]) for one in signs)
    assert counted == capacity.cover(examples, inputs) * 2**examples


def test_half_of_the_labelings_are_separable_at_twice_as_many_points_as_inputs():
    assert all(capacity.cover(2 * inputs, inputs) == 0.5 for inputs in range(1, 20))


@pytest.mark.parametrize(
    ("hits", "most"),
    [([1, 1, 0, 0], 20), ([0, 0, 0, 0], 5), ([1, 1, 1, 1], 160), ([1, 0, 1, 0], np.sqrt(50))],
)
def test_the_threshold_lies_between_the_last_hit_and_the_first_miss(hits, most):
    numbers = [5, 10, 40, 160]
    assert capacity.threshold(np.array([hits], bool), numbers) == pytest.approx(most)


def test_weights_are_counted_as_keras_counts_them():
    from helpers import models

    for width in (8, 16):
        net = models.mlp((40,), 10, hidden=(width,))
        assert capacity.weights_of(width) == net.count_params()


# ------------------------------------------------------------------------------- loss sensitivity, places


def test_a_gini_coefficient_is_zero_for_equal_numbers_and_knows_no_unit():
    values = np.random.default_rng(0).random((3, 50))
    assert np.allclose(sensitivity.gini(np.full((2, 7), 3.0)), 0)
    assert np.allclose(sensitivity.gini(np.eye(20)[4]), 1 - 1 / 20)
    assert np.allclose(sensitivity.gini(5 * values), sensitivity.gini(values))
    assert np.allclose(sensitivity.gini(values[:, ::-1]), sensitivity.gini(values))
    apart = np.abs(values[:, :, None] - values[:, None]).mean(axis=(1, 2))
    assert np.allclose(sensitivity.gini(values), apart / (2 * values.mean(axis=1)))
    assert sensitivity.gini(np.zeros(4)) == 0


def test_loss_sensitivity_is_the_gradient_that_small_steps_find():
    rng = np.random.default_rng(1)
    shapes = [(6, 5), (5,), (5, 4), (4,), (4, 3), (3,)]
    weights = [rng.normal(size=shape) for shape in shapes]
    x, labels, step = rng.normal(size=(8, 6)), rng.integers(0, 3, 8), 1e-3

    def loss(x):
        for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            x = np.maximum(x @ kernel + bias, 0)
        logits = x @ weights[-2] + weights[-1]
        logits = logits - logits.max(axis=1, keepdims=True)
        return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(x)), labels]

    slopes = [(loss(x + step * way) - loss(x - step * way)) / (2 * step) for way in np.eye(6)]
    assert np.allclose(
        sensitivity.sensitivity(weights, x, labels), np.abs(slopes).sum(axis=0), atol=1e-3
    )


def test_the_mean_up_to_the_first_fit_leaves_later_looks_out():
    each = np.stack([np.ones((1, 4)), np.array([[0.0, 0, 0, 9]])], axis=1)  # (1, 2, 4)
    known = np.array([[True, True]])
    found = sensitivity.summary(each, known, np.array([1, 5]))
    assert found["gini_fit"] == 0 and found["gini"] > 0.5 and found["fitted"]
    late = sensitivity.summary(each, ~known, np.array([1, 5]))
    assert late["gini_fit"] == late["gini"] and not late["fitted"]


def test_places_outside_are_missed_where_places_inside_are_learned():
    found = rivals.positions(
        1000, 2, sizes={"train": 400, "new": 200}, hidden=[64], filters=[4], epochs=30, rate=0.003, batch=50, middle=24
    )  # fmt: skip
    assert (found["outside"] > found["inside"] + 20).all()
    assert (found["taught"] < found["outside"] - 20).all()
    assert np.allclose(found["room"], 90 - found["inside"])


def test_where_luck_missed_a_number_the_last_hit_counts_more_and_the_verdict_stays():
    hits = np.array([[True, False, True], [True, True, False], [False, False, False]])
    numbers = [10, 20, 40]
    low, high = (capacity.threshold(hits, numbers, last=last) for last in (False, True))
    assert np.allclose(low, [200**0.5, 800**0.5, 10]) and np.allclose(high, [40, 800**0.5, 10])
    id = "capacity/largest"
    kept = store.read(id, registry.registration(id))
    most = {
        width: capacity.threshold(
            kept[f"fitted_{width}"], kept["constants"][f"sizes_{width}"], last=True
        )
        for width in (8, 32)
    }
    shares = {width: values / capacity.weights_of(width) for width, values in most.items()}
    assert stats.ratio_interval(shares[8], shares[32]).high < 0.75
    slope = (most[32] - most[8]) / (capacity.weights_of(32) - capacity.weights_of(8))
    found = stats.mean_interval(slope)
    assert found.low > 0.5 and found.high < 1.0
