"""Lesson 09's worlds: neighbours and clusters, kernels, invariance, and what fools a network."""

import numpy as np
import pytest
import sklearn.neighbors

from helpers import models
from helpers._tensorflow import keras_defaults
from helpers.engine import predict_many
from helpers.experiments import (
    adversarial,
    invariance,
    kernels,
    neighbours,
    neighbours_equal,
    neighbours_smooth,
)

SIZES = {"train": 60, "validation": 20, "test": 30}


@pytest.fixture
def points():
    rng = np.random.default_rng(7)
    return rng.standard_normal((80, 6)), rng.integers(0, 3, 80), rng.standard_normal((50, 6))


# ------------------------------------------------------------------------------- rules without a network


@pytest.mark.parametrize("k", [1, 5])
def test_neighbours_are_those_of_scikit_learn_and_vote_as_there(points, k):
    x, labels, new = points
    other = sklearn.neighbors.KNeighborsClassifier(k, algorithm="brute").fit(x, labels)
    places = neighbours.nearest(x, new, k)
    assert np.array_equal(places, other.kneighbors(new, return_distance=False))
    counts = other.predict_proba(new)
    clear = (counts == counts.max(axis=1, keepdims=True)).sum(axis=1) == 1  # no tie
    assert clear.any()
    assert np.array_equal(neighbours.votes(labels, places, k)[clear], other.predict(new)[clear])


def test_a_tie_goes_to_the_nearer_neighbour():
    labels = np.array([4, 2, 2, 4])
    assert neighbours.votes(labels, np.array([[1, 0, 3, 2], [3, 2, 1, 0]]), 4).tolist() == [2, 4]


def test_as_many_clusters_as_points_are_the_nearest_neighbour(points):
    x, labels, new = points
    centres, names = neighbours.clusters(x, labels, len(x), seed=1)
    one = neighbours.votes(labels, neighbours.nearest(x, new, 1), 1)
    assert np.array_equal(neighbours.copied(centres, names, new), one)


def test_one_cluster_says_the_most_frequent_label(points):
    x, labels, new = points
    centres, names = neighbours.clusters(x, labels, 1, seed=1)
    assert np.allclose(centres[0], x.mean(axis=0))
    assert set(neighbours.copied(centres, names, new)) == {np.bincount(labels).argmax()}


def test_centroids_are_exact_for_classes_that_differ_in_their_means_alone():
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 3, 7], 40)
    x = 50.0 * np.eye(10)[labels] + rng.standard_normal((120, 10))
    assert np.array_equal(neighbours.copied(*neighbours.centroids(x, labels), x), labels)


@pytest.mark.parametrize("task", neighbours.SHAPES)
def test_the_strangers_training_examples_are_all_others(task):
    own, other = neighbours.draw(1000, 0, task=task, **SIZES)
    parts = [neighbours.flat(x) for x in (own.x_train, other.x_train, own.x_val, own.x_test)]
    assert [len(one) for one in parts] == [60, 60, 20, 30]
    assert len(np.unique(np.concatenate(parts), axis=0)) == 170
    assert np.array_equal(own.x_test, other.x_test)


def test_a_task_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="`task`"):
        neighbours.draw(1, 0, task="letters", **SIZES)


# ------------------------------------------------------------------------------- agreement


def test_kappa_is_one_for_the_same_errors_and_nothing_by_chance():
    rng = np.random.default_rng(2)
    first, second = rng.random((2, 200_000)) < np.array([[0.7], [0.4]])
    assert neighbours.kappa(first, first) == 1
    assert abs(neighbours.kappa(first, second)) < 0.01
    half = np.arange(100) < 50
    assert neighbours.kappa(half, ~half) == -1


def test_what_classes_alone_explain_is_no_agreement_beyond_them():
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 2, 200_000)
    first, second = rng.random((2, 200_000)) < np.array([0.9, 0.2])[groups]
    assert neighbours.kappa(first, second) > 0.3
    assert abs(neighbours.kappa(first, second, groups)) < 0.01


def test_the_same_wrong_label_is_counted_where_the_other_errs():
    labels = np.array([0, 0, 0, 0])
    other, said = np.array([0, 1, 1, 2]), np.array([1, 1, 0, 2])
    seen, expected = neighbours.same_wrong(said, other, labels)
    assert seen == pytest.approx(100 * 2 / 3)
    assert expected == pytest.approx(100 * (0.5 + 0.5 + 0.25) / 3)


# ------------------------------------------------------------------------------- kernels


def test_the_kernel_of_one_layer_is_known_for_three_angles():
    x, z = np.array([[2.0, 0.0]]), np.array([[3.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    size = 2 * np.array([3.0, 1.0, 1.0]) / 2
    assert kernels.kernel(x, z, layers=1)[0] == pytest.approx(size * [1, 1 / np.pi, 0])


def test_the_tangent_kernel_of_a_point_with_itself_counts_the_layers():
    x = np.random.default_rng(4).standard_normal((5, 3))
    for layers in (1, 2, 4):
        own = np.diag(kernels.kernel(x, x, layers=layers, kind="ntk"))
        assert own == pytest.approx((layers + 1) * np.sum(x**2, axis=1) / 3)


@pytest.mark.parametrize(("kind", "layers"), [("nngp", 2), ("ntk", 1)])
def test_kernels_are_those_of_wide_random_networks(kind, layers):
    rng, width, times = np.random.default_rng(5), 256, 300
    x = rng.standard_normal((4, 6))
    seen = np.zeros((4, 4))
    for _ in range(times):
        v, w = rng.normal(0, (2 / 6) ** 0.5, (6, width)), rng.standard_normal(width)
        hidden = np.maximum(x @ v, 0)
        if layers == 2:
            hidden = np.maximum(hidden @ rng.normal(0, (2 / width) ** 0.5, (width, width)), 0)
        if kind == "nngp":
            seen += hidden @ hidden.T / width  # the mean over the last weights
            continue
        slopes = (hidden > 0) * w * 2**0.5  # of weights of variance 1, scaled after the draw
        seen += hidden @ hidden.T / width + (slopes @ slopes.T / width) * (x @ x.T / 6)
    exact = kernels.kernel(x, x, layers=layers, kind=kind)
    assert np.abs(seen / times - exact).max() < 0.05 * exact.max()


def test_without_noise_a_kernel_fits_its_training_labels(points):
    x, labels, _ = points
    for kind in kernels.KINDS:
        said = kernels.answers(x, labels, x, layers=2, kind=kind, noise=1e-9)
        assert np.array_equal(said, labels)


def test_a_kernel_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="`kind`"):
        kernels.kernel(np.ones((1, 2)), np.ones((1, 2)), layers=1, kind="linear")
    with pytest.raises(ValueError, match="`layers`"):
        kernels.kernel(np.ones((1, 2)), np.ones((1, 2)), layers=0)


# ------------------------------------------------------------------------------- invariance


def test_a_plain_network_with_permuted_kernel_gives_the_same_outputs():
    rng = np.random.default_rng(6)
    model = neighbours.mlp("signals", [5])
    weights = [rng.standard_normal((1, *w.shape)) for w in model.get_weights()]
    x, places = rng.standard_normal((9, 40)), invariance.order(1, 0)
    other = [weights[0][:, places], *weights[1:]]
    assert sorted(places) == list(range(40))
    same = predict_many(model, other, x[:, places])
    assert np.abs(same - predict_many(model, weights, x)).max() < 1e-4


def test_training_keeps_permuted_networks_the_same_and_leaves_keras_in_single_precision():
    keras_defaults()  # as before every registered experiment: the precision is then set twice
    recipe = {"train_size": 40, "hidden": [6], "filters": [3], "steps": 8, "rate": 0.1}
    found = invariance.permuted(1000, 1, **recipe)
    assert found["difference_mlp"].max() < 1e-12 < found["moved_mlp"].min()
    assert found["difference_cnn"].min() > 1e-3
    assert neighbours.mlp("signals", [2]).get_weights()[0].dtype == np.float32


def test_copies_are_shifted_by_every_number_of_places_and_keep_their_labels():
    one = neighbours.draw(1000, 0, task="signals", **SIZES)[0]
    more = invariance.with_copies(one, 2)
    assert np.array_equal(more.x_train[2 * 60 : 3 * 60], one.x_train)
    assert np.array_equal(np.roll(more.x_train[:60], 2, axis=1), one.x_train)
    assert np.array_equal(more.y_train.reshape(5, 60), [one.y_train] * 5)


@pytest.mark.parametrize("way", [(1, 0), (-2, 0), (0, 3), (0, -4)])
def test_moved_digits_come_back_but_for_what_was_lost(way):
    x = np.random.default_rng(8).random((3, 28, 28))
    across, down = way
    new = invariance.moved(x, across, down)
    whole = np.roll(x, (down, across), axis=(1, 2))
    empty = new == 0
    assert np.array_equal(new[~empty], whole[~empty])
    assert empty[0].sum() == 28 * (abs(across) + abs(down))


def test_averaging_over_positions_ignores_a_move_inside_the_picture():
    model = invariance.network("averaged", [2], [8])
    rng = np.random.default_rng(9)
    weights = [rng.standard_normal((1, *w.shape)).astype(np.float32) for w in model.get_weights()]
    weights[1] *= 0
    x = np.zeros((1, 28, 28), np.float32)
    x[0, 10:16, 10:16] = rng.random((6, 6))
    there = predict_many(model, weights, invariance.moved(x, 4, -2))  # a multiple of the pool
    assert np.allclose(there, predict_many(model, weights, x), atol=1e-5)
    assert not np.allclose(
        there, predict_many(model, weights, np.roll(x[:, ::-1], 3, 2)), atol=1e-3
    )


# ------------------------------------------------------------------------------- what fools a network


@pytest.fixture(scope="module")
def network():
    rng = np.random.default_rng(10)
    sizes = [(12, 7), (7,), (7, 6), (6,), (6, 10), (10,)]
    return [rng.standard_normal(size).astype(np.float32) for size in sizes]


def test_the_best_pixel_is_that_of_trying_all(network):
    x = np.random.default_rng(11).random(12).astype(np.float32)
    first = x @ network[0] + network[1]
    label = int(adversarial.logits_from(first, network).argmax())
    place, value, left = adversarial.best_pixel(x, first, label, network)
    tried = {}
    for at in range(12):
        for new in (0.0, 1.0):
            one = x.copy()
            one[at] = new
            logits = adversarial.logits_from(one @ network[0] + network[1], network)
            tried[at, new] = adversarial.lead(logits, label)
    best = min(tried, key=tried.get)
    assert (place, value) == best
    assert left == pytest.approx(tried[best], abs=1e-4)


def test_a_path_changes_one_pixel_at_a_time_and_stops_when_the_label_is_lost(network):
    x = np.random.default_rng(12).random(12).astype(np.float32)
    label = int(adversarial.logits_from(x @ network[0] + network[1], network).argmax())
    images, needed = adversarial.greedy(x, label, network, 6)
    steps = (images[1:] != images[:-1]).sum(axis=1)
    assert len(images) == 7 and steps.max() <= 1 and not steps[needed:].any()
    says = adversarial.logits_from(images @ network[0] + network[1], network).argmax(axis=1)
    if needed <= 6:
        assert says[-1] != label and (says[:needed] == label).all()
    assert images.min() >= 0 and images.max() <= 1


def test_a_neighbour_is_fooled_by_the_one_pixel_in_which_two_digits_differ():
    train, labels = np.zeros((2, 9)), np.array([0, 1])
    train[1, 4] = 1.0
    assert adversarial.greedy_neighbour(train[0], 0, train, labels, 3) == 1
    train[1, :] = 1.0  # now in nine: five are needed to be nearer to the other
    assert adversarial.greedy_neighbour(train[0], 0, train, labels, 9) == 5
    assert adversarial.greedy_neighbour(train[0], 0, train, labels, 3) == 4


def test_the_border_between_two_points_is_half_way_and_never_beyond_a_fooled_point():
    train, other = np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([False, True])
    apart = np.linalg.norm(train - [-1.0, 3.0], axis=1)
    assert adversarial.border(apart, train, other) == pytest.approx(2)
    rng = np.random.default_rng(14)
    many, point = rng.standard_normal((30, 3)), np.zeros(3)
    apart = np.linalg.norm(many, axis=1)
    other = np.arange(30) != apart.argmin()
    least = adversarial.border(apart, many, other)
    steps = rng.standard_normal((2000, 3))
    steps *= 0.999 * least / np.linalg.norm(steps, axis=1)[:, None]
    nearest = np.linalg.norm(point + steps[:, None] - many, axis=2).argmin(axis=1)
    assert not other[nearest].any()


def test_random_pixels_are_as_many_as_asked_for_and_turned():
    x = np.array([[0.1, 0.9, 0.3, 0.7]] * 5)
    new = adversarial.random_pixels(x, 2, np.random.default_rng(0))
    assert ((new != x).sum(axis=1) == 2).all()
    assert (np.abs(new - x)[new != x] > 0.5).all()


def test_a_linear_boundary_half_way_has_a_ratio_of_one_half():
    """Of two training digits the boundary between them; its distance is half of that to the other one."""
    from helpers import Dataset

    x = np.zeros((2, 28, 28), np.float32)
    x[1, 3, 3] = 1.0
    one = Dataset(x_train=x, y_train=[0, 1], task="classification", name="two", num_classes=2)
    model = models.mlp((28, 28), 2, hidden=())
    kernel = np.zeros((784, 2), np.float32)
    kernel[3 * 28 + 3] = [-1, 1]
    weights = [kernel, np.array([0.5, -0.5], np.float32)]
    rng = np.random.default_rng(0)
    found = adversarial.distances(
        model, weights, one, x.reshape(2, -1)[:1], np.array([0]), rng
    )  # fmt: skip
    assert found["other"] == pytest.approx(1)
    assert found["ratio"] == pytest.approx(0.5, abs=0.02)


def test_wrong_labels_are_as_many_as_asked_for():
    true = adversarial.draw(1000, 0, train=50, test=10, wrong=0.0)
    wrong = adversarial.draw(1000, 0, train=50, test=10, wrong=0.4)
    assert np.sum(true.y_train != wrong.y_train) == 20
    assert np.array_equal(true.y_test, wrong.y_test)


# ------------------------------------------------------------------------------- smoothness


def test_distances_of_the_inputs_themselves_go_together():
    rng = np.random.default_rng(13)
    near = rng.standard_normal((200, 1))
    logits = np.concatenate([near, -near], axis=1)
    assert neighbours_smooth._together(near, logits, rng, 2000) > 0.8
    noise = rng.standard_normal((200, 5))
    assert abs(neighbours_smooth._together(near, noise, rng, 2000)) < 0.2


def test_small_steps_are_small():
    step = neighbours_smooth._step(np.random.default_rng(0), (20, 40))
    assert np.linalg.norm(step, axis=1) == pytest.approx(neighbours_smooth.STEP, rel=1e-4)


# ------------------------------------------------------------------------------- equal accuracies, and guards


def test_neighbours_of_the_equal_comparison_are_those_of_the_other_one():
    one = neighbours.draw(1000, 0, task="signals", **SIZES)[0]
    said = neighbours_equal.rules(one, [60], 1, 0.01)
    known = neighbours.without_networks(one, [5], 1, 0.01, 0)
    assert np.array_equal(said["one"][1], known["one"])
    assert np.array_equal(said["few"][1], known["few"])
    assert np.array_equal(said[60][1], known["nngp"])
    assert [len(part) for part in said["one"]] == [20, 30]


def test_where_no_digit_is_recognised_by_all_it_is_said():
    count = np.array([[True, False], [False, False]])
    assert invariance.some_count(count[:1], [4]).tolist() == [1]
    with pytest.raises(ValueError, match=r"`epochs`.*\[5\]"):
        invariance.some_count(count, [4, 5])


def test_a_network_without_a_boundary_is_named():
    assert adversarial.met(np.array([1.0, 2.0])).tolist() == [1.0, 2.0]
    for none in (np.array([1.0, np.inf]), np.array([])):
        with pytest.raises(ValueError, match="`epochs`"):
            adversarial.met(none)
    model = neighbours.mlp("digits", [3, 3])
    weights = [np.zeros(w.shape, np.float32) for w in model.get_weights()]
    weights[-1][4] = 1  # says 4, whatever it sees
    one = neighbours.draw(1000, 0, task="digits", train=30, validation=5, test=5)[0]
    images = one.x_test.reshape(5, -1).astype(np.float32)
    with pytest.raises(ValueError, match="boundary"):
        adversarial.distances(model, weights, one, images, np.full(5, 4), np.random.default_rng(0))
