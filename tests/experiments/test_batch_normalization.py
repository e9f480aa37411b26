"""Lesson 03's worlds: two functions of one set of weights, speeds, and drift that is put back in."""

import numpy as np
import pytest
import tensorflow as tf

from helpers.engine import predict_many
from helpers.experiments import keras_post, mnist1d_depth
from helpers.experiments import keras_post_normalized as world

DEEP = {"hidden": [8, 8]}


def trained(n=2, epochs=3, **options):
    sets = [keras_post.draw(1000, row) for row in range(n)]
    net = lambda: world.network([8, 8], normalized=True, **options)  # noqa: E731
    return sets, net, world.train(1000, sets, net, epochs=epochs, rate=0.01)


def test_recomputed_statistics_are_those_of_all_training_points_as_one_batch():
    sets, net, runs = trained()
    exact = world.recomputed(runs.weights, world.inputs(sets))
    for row, one in enumerate(sets):
        in_training_mode = runs.model(row)(one.x_train, training=True).numpy()
        ours = predict_many(net, [part[row : row + 1] for part in exact], one.x_train)[0]
        assert np.allclose(in_training_mode, ours, atol=1e-4)


def test_no_weight_moves_after_the_switch_and_the_averages_arrive_at_the_recomputed_statistics():
    sets, net, runs = trained(momentum=0.9)
    rest = world.stopped(1000, sets, net, runs.weights, epochs=200, batch=80, record_every=200)
    exact = world.recomputed(runs.weights, world.inputs(sets))
    for at, (before, after, wanted) in enumerate(zip(runs.weights, rest.weights, exact)):
        if at % world.PIECES in (4, 5) and at < 2 * world.PIECES:
            assert np.allclose(after, wanted, rtol=1e-3, atol=1e-4)
        else:
            assert np.array_equal(before, after)


def test_a_first_layer_that_is_held_does_not_move():
    _, _, runs = trained(hold=True)
    assert np.array_equal(runs.weights[0], runs.initial_weights[0])
    assert not np.array_equal(runs.weights[6], runs.initial_weights[6])


def test_behind_batch_normalization_mean_and_spread_are_beta_and_gamma_whatever_the_weights():
    for size in (0.1, 1.0, 30.0):  # of the weights before it
        layer = tf.keras.layers.BatchNormalization()
        values = size * np.random.default_rng(0).normal(3.0, 1.0, (200, 4)).astype(np.float32)
        layer.build(values.shape)
        layer.gamma.assign([0.5, 1.0, 2.0, 3.0])
        layer.beta.assign([-1.0, 0.0, 1.0, 2.0])
        out = layer(values, training=True).numpy()
        shrunk = np.sqrt(values.var(axis=0) / (values.var(axis=0) + world.EPSILON))
        assert np.allclose(out.mean(axis=0), layer.beta, atol=1e-4)
        assert np.allclose(out.std(axis=0), layer.gamma * shrunk, rtol=1e-3)


def test_epochs_to_a_loss_are_read_between_two_epochs_and_all_count_where_it_is_not_reached():
    losses = np.array([[4.0, 2.0, 1.0], [1.0, 1.0, 1.0], [4.0, 3.0, np.nan], [np.nan] * 3])
    took, reached = world.epochs_to(1.5, losses)
    assert np.allclose(took, [2.5, 1.0, 3.0, 3.0])
    assert reached.tolist() == [True, True, False, False]


def test_a_wide_data_set_has_the_signal_that_was_asked_for():
    for dimension in (1, 50):
        one = world.wide(1000, 0, dimension, signal=34.0, new=20_000)
        assert one.x_train.shape == (80, dimension)
        assert one.y_test.var() == pytest.approx(34.0, rel=0.05)


def test_the_gradient_of_a_full_batch_step_is_the_one_of_tensorflow():
    stack = mnist1d_depth.training_only([mnist1d_depth.draw(1000, 0, train=40, test=0)])
    net = mnist1d_depth.network(DEEP, "normalized")
    weights = mnist1d_depth.train(1000, stack, net, epochs=0, rate=0.1).initial_weights
    loss, gradient = mnist1d_depth.loss_and_gradient(net, weights, stack)
    model = net()
    model.set_weights([part[0] for part in weights])
    with tf.GradientTape() as tape:
        scores = model(stack.x_train[0], training=True)
        wanted = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(stack.y_train[0], scores)
        )
    kernels = [v for v in model.trainable_variables if len(v.shape) == 2]
    assert loss[0] == pytest.approx(float(wanted), rel=1e-4)
    for ours, theirs in zip(gradient, tape.gradient(wanted, kernels), strict=True):
        assert np.allclose(ours[0], theirs, atol=1e-5)


def test_without_shifts_step_by_step_training_is_training():
    stack = mnist1d_depth.training_only(
        [mnist1d_depth.draw(1000, row, train=40, test=0) for row in range(2)]
    )
    net = mnist1d_depth.network(DEEP, "normalized")
    runs = mnist1d_depth.train(1000, stack, net, epochs=3, rate=0.1, batch=40)
    options = {"epochs": 3, "rate": 0.1, "x": stack.x_train, "batch": 40}
    _, losses = mnist1d_depth.shaken(
        1000, stack, net, runs.initial_weights, size=0.0, memory=1, **options
    )
    assert np.allclose(losses, runs.history["loss"], rtol=1e-4)
    _, moved = mnist1d_depth.shaken(
        1000, stack, net, runs.initial_weights, size=0.7, memory=1, **options
    )
    assert not np.allclose(losses, moved, rtol=1e-2)


def test_what_does_not_move_does_not_drift_and_a_diverged_network_counts_as_one():
    still = np.ones((3, 2, 2, 4, 5))
    assert np.all(mnist1d_depth.drift(still) == 0)
    still[1:] = np.nan
    assert np.all(mnist1d_depth.drift(still) == 1)


def test_crossentropy_of_guessing_is_the_logarithm_of_ten():
    scores, labels = np.zeros((2, 5, 10), np.float32), np.zeros((2, 5), int)
    scores[1] = np.nan
    assert np.allclose(mnist1d_depth.crossentropy(scores, labels), np.log(10))
