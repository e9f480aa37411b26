"""Pruning: exact counts, nested masks, members that do not touch each other, zeros that stay zeros."""

import numpy as np
import pytest
from making import make

from helpers import models, pruning
from helpers._tensorflow import keras
from helpers.engine import api, draws, recipe

SIZES = (28 * 28 * 300, 300 * 100, 100 * 10)  # LeNet-300-100


def draw(members=3, shapes=((4, 5), (5,), (5, 2), (2,)), seed=0):
    """Return stacked weights of a small network."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(members, *shape)).astype(np.float32) for shape in shapes]


def kernels(masks):
    """Return the masks that are not None."""
    return [mask for mask in masks if mask is not None]


def nested(inner, outer):
    """Whether every weight that `inner` keeps is kept by `outer`."""
    return all(np.all(a <= b) for a, b in zip(kernels(inner), kernels(outer), strict=True))


def test_dense_masks_keep_every_kernel_and_leave_biases_alone():
    masks = pruning.dense_masks(draw())
    assert [None if m is None else (m.shape, m.dtype) for m in masks] == [
        ((3, 4, 5), np.float32), None, ((3, 5, 2), np.float32), None
    ]  # fmt: skip
    assert pruning.share_remaining(masks).tolist() == [1, 1, 1]


def test_normalization_vectors_are_not_kernels():
    weights = draws.draw(recipe.Recipe(lambda: models.mlp((3,), 2, (4,), batch_norm=True)), 2, 0)
    masks = pruning.dense_masks(weights)
    assert [m is not None for m in masks] == [w.ndim == 3 for w in weights] and sum(
        m is not None for m in masks
    ) == 2


def test_rounds_give_the_percentages_of_the_paper():
    counts = pruning.remaining_counts(SIZES, 18)
    share = 100 * counts.sum(axis=1) / counts[0].sum()
    at = {level: round(share[level], 2 if level == 18 else 1) for level in (3, 7, 9, 12, 15, 18)}
    assert at == {3: 51.3, 7: 21.1, 9: 13.5, 12: 7.0, 15: 3.6, 18: 1.85}
    assert counts[0].tolist() == list(SIZES) and counts[1].tolist() == [188160, 24000, 900]


def test_pruning_leaves_exactly_the_counts_that_the_schedule_says():
    weights = draws.draw(recipe.Recipe(models.lenet_300_100), 2, 0)
    masks, planned = pruning.dense_masks(weights), pruning.remaining_counts(SIZES, 7)
    for expected in planned[1:]:
        masks = pruning.prune_by_magnitude(weights, masks)
        assert pruning.layer_counts(masks).tolist() == [expected.tolist()] * 2
    assert np.round(100 * pruning.share_remaining(masks), 1).tolist() == [21.1, 21.1]


def test_the_smallest_of_a_hand_made_layer_go():
    weights = [
        np.array([[[3.0, -1.0, 0.5, -4.0, 2.0]]]),
        np.zeros((1, 5)),
        np.ones((1, 5, 2)),
        np.zeros((1, 2)),
    ]
    masks = pruning.prune_by_magnitude(
        weights, pruning.dense_masks(weights), share=0.4, output_share=0.0
    )
    assert masks[0][0, 0].tolist() == [1, 0, 0, 1, 1] and masks[2].all()
    again = pruning.prune_by_magnitude(weights, masks, share=0.34, output_share=0.0)
    assert again[0][0, 0].tolist() == [1, 0, 0, 1, 0]


def test_masks_are_nested_even_where_a_removed_weight_is_large():
    first, second = draw(seed=0), draw(seed=1)
    masks = pruning.prune_by_magnitude(first, pruning.dense_masks(first), 0.5, 0.5)
    huge = [w + 100 * (1 - m) if m is not None else w for w, m in zip(second, masks, strict=True)]
    assert nested(pruning.prune_by_magnitude(huge, masks, 0.3, 0.3), masks)


def test_a_layer_pruned_to_nothing_stays_empty():
    weights = draw()
    masks = pruning.prune_by_magnitude(weights, pruning.dense_masks(weights), 1.0, 0.0)
    again = pruning.prune_by_magnitude(weights, masks, 0.2, 0.0)
    assert not masks[0].any() and not again[0].any() and again[2].all()


def test_ties_are_broken_by_position_and_counts_stay_exact():
    weights = [np.ones((1, 2, 5)), np.zeros((1, 5)), np.zeros((1, 5, 2)), np.zeros((1, 2))]
    masks = pruning.prune_by_magnitude(weights, pruning.dense_masks(weights), 0.2, 0.5)
    assert masks[0][0].ravel().tolist() == [0, 0, *[1] * 8]
    assert masks[2][0].ravel().tolist() == [
        *[0] * 5,
        *[1] * 5,
    ]  # surviving zeros are pruned like any weight


def test_members_are_pruned_by_their_own_weights():
    weights = draw(members=4)
    masks = pruning.prune_by_magnitude(weights, pruning.dense_masks(weights))
    for m in range(4):
        alone = [w[m : m + 1] for w in weights]
        own = pruning.prune_by_magnitude(alone, pruning.dense_masks(alone))
        assert all(
            np.array_equal(a[m], b[0]) for a, b in zip(kernels(masks), kernels(own), strict=True)
        )


def test_members_may_have_lost_different_numbers():
    weights = draw(members=2)
    masks = pruning.dense_masks(weights)
    masks[0][1].flat[:10] = 0
    left = pruning.layer_counts(pruning.prune_by_magnitude(weights, masks, 0.2, 0.0))
    assert left.tolist() == [[16, 10], [8, 10]]


def test_one_shot_keeps_the_largest_and_the_counts_of_the_other():
    weights = draw()
    like = pruning.prune_by_magnitude(draw(seed=5), pruning.dense_masks(weights), 0.45, 0.3)
    masks = pruning.one_shot(weights, like)
    assert np.array_equal(pruning.layer_counts(masks), pruning.layer_counts(like))
    for w, mask in zip(weights, masks, strict=True):
        if mask is not None:
            for values, kept in zip(np.abs(w), mask == 1, strict=True):
                assert values[kept].min() > values[~kept].max()


def test_random_masks_copy_counts_repeat_by_seed_and_differ_between_members():
    like = pruning.prune_by_magnitude(draw(5), pruning.dense_masks(draw(5)), 0.5, 0.5)
    first, same, other = (pruning.random_masks(like, seed) for seed in (1, 1, 2))
    assert np.array_equal(pruning.layer_counts(first), pruning.layer_counts(like))
    assert all(np.array_equal(a, b) for a, b in zip(kernels(first), kernels(same), strict=True))
    assert not np.array_equal(first[0], other[0]) and not np.array_equal(first[0][0], first[0][1])
    fewer = pruning.random_masks([None if m is None else m[:2] for m in like], 1)
    assert np.array_equal(fewer[0], first[0][:2])


def test_random_masks_choose_every_weight_alike():
    like = [
        np.concatenate([np.ones((2000, 1, 2)), np.zeros((2000, 1, 3))], axis=2),
        None,
        np.ones((2000, 5, 1)),
        None,
    ]
    share = pruning.random_masks(like, 0)[0].mean(axis=0)[0]
    assert np.all(np.abs(share - 0.4) < 5 * np.sqrt(0.24 / 2000))


def test_unit_masks_remove_both_sides_of_a_unit():
    weights = draw(members=2, shapes=((2, 3), (3,), (3, 1), (1,)))
    kept = np.array([[True, False, True], [False, True, True]])
    masks = pruning.unit_masks(weights, kept)
    assert masks[0][0].tolist() == [[1, 0, 1]] * 2 and masks[2][1].ravel().tolist() == [0, 1, 1]
    build = lambda: models.mlp((2,), 1, hidden=(3,))  # noqa: E731
    x = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
    small = [
        w[:, ..., kept[0]] if i < 2 else w[:, kept[0]] if i == 2 else w
        for i, w in enumerate(weights)
    ]
    both = api.predict_many(build, pruning.apply(weights, masks), x)[0]
    alone = api.predict_many(lambda: models.mlp((2,), 1, hidden=(2,)), [w[:1] for w in small], x)[0]
    np.testing.assert_allclose(both, alone, rtol=1e-5, atol=1e-6)


def test_apply_zeroes_and_copies():
    weights = draw()
    masks = pruning.prune_by_magnitude(weights, pruning.dense_masks(weights), 0.5, 0.5)
    found = pruning.apply(weights, masks)
    assert np.array_equal(found[0], weights[0] * masks[0]) and found[0].dtype == np.float32
    found[1][:] = 7
    assert not np.any(weights[1] == 7)


@pytest.mark.both
@pytest.mark.parametrize("batch_norm", [False, True])
def test_masked_weights_are_exactly_zero_throughout_training_and_in_snapshots(batch_norm):
    data = make("classification", (6,), 20, 3)
    net = lambda: models.mlp((6,), 3, hidden=(8,), batch_norm=batch_norm)  # noqa: E731
    start = api.fit_many(net, data, members=3, epochs=0).weights
    masks = pruning.prune_by_magnitude(start, pruning.dense_masks(start), 0.7, 0.4)
    options = {"initial_weights": start, "masks": masks, "snapshots": (0, 1, 2, 5), "batch_size": 7}
    for optimizer in (
        "adam",
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.optimizers.AdamW(0.01, weight_decay=0.1),
    ):
        runs = api.fit_many(net, data, members=3, epochs=5, optimizer=optimizer, **options)
        for weights in (runs.initial_weights, runs.weights, *runs.snapshots.values()):
            for w, mask in zip(weights, masks, strict=True):
                assert mask is None or (np.all(w[mask == 0] == 0) and np.all(w[mask == 1] != 0))


def test_rewinding_starts_from_the_same_values_under_the_mask():
    data = make("classification", (6,), 20, 3)
    net = lambda: models.mlp((6,), 3, hidden=(8,))  # noqa: E731
    dense = api.fit_many(net, data, members=2, epochs=3, seed=4)
    masks = pruning.prune_by_magnitude(dense.weights, pruning.dense_masks(dense.weights))
    again = api.fit_many(
        net, data, members=2, epochs=0, initial_weights=dense.initial_weights, masks=masks
    )
    wanted = pruning.apply(dense.initial_weights, masks)
    assert all(np.array_equal(a, b) for a, b in zip(again.initial_weights, wanted, strict=True))


def test_keep_signs_takes_magnitudes_from_one_and_signs_from_the_other():
    fresh, old = draw(seed=3), draw(seed=4)
    found = pruning.keep_signs(fresh, old)
    for f, new, o in zip(found, fresh, old, strict=True):
        if f.ndim == 3:
            assert np.array_equal(np.sign(f), np.sign(o)) and np.array_equal(np.abs(f), np.abs(new))
        else:
            assert np.array_equal(f, o)


def test_constant_values_have_one_magnitude_a_layer_and_member():
    weights = draw(members=2)
    for signs in ("kept", "random"):
        found = pruning.constant_values(weights, signs, seed=1)
        for f, w in zip(found, weights, strict=True):
            if f.ndim == 3:
                spread = np.broadcast_to(w.std(axis=(1, 2), keepdims=True), f.shape)
                np.testing.assert_allclose(np.abs(f), spread, rtol=1e-5)
                assert (signs == "kept") == np.array_equal(np.sign(f), np.sign(w))
            else:
                assert np.array_equal(f, w)
    first, same, other = (pruning.constant_values(weights, "random", seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, same) and not np.array_equal(np.sign(first), np.sign(other))


def test_the_constant_is_the_standard_deviation_of_the_initializer():
    weights = draws.draw(recipe.Recipe(models.lenet_300_100), 1, 0)
    found = pruning.constant_values(weights)[0]
    assert np.abs(found).max() == pytest.approx(np.sqrt(2 / (784 + 300)), rel=0.01)  # Glorot normal


W, MASKS = draw(), pruning.dense_masks(draw())
BAD_MASK = [0.5 * MASKS[0], *MASKS[1:]]
NAN = [np.full_like(W[0], np.nan), *W[1:]]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: pruning.dense_masks("weights"), ["`weights`", "list", "Received"]),
        (
            lambda: pruning.dense_masks([w[0] for w in W]),
            ["`weights`", "one number of members", "w\\[None\\]"],
        ),
        (lambda: pruning.dense_masks([W[1], W[3]]), ["`weights`", "kernel"]),
        (
            lambda: pruning.dense_masks([W[0], W[1][:2], *W[2:]]),
            ["`weights`", "one number of members"],
        ),
        (lambda: pruning.prune_by_magnitude(W, MASKS, share=1.2), ["`share`", "\\[0, 1\\]", "1.2"]),
        (
            lambda: pruning.prune_by_magnitude(W, MASKS, output_share=-0.1),
            ["`output_share`", "-0.1"],
        ),
        (lambda: pruning.prune_by_magnitude(W, MASKS[:3]), ["`len\\(masks\\)`", "4", "3"]),
        (lambda: pruning.prune_by_magnitude(W, BAD_MASK), ["`masks\\[0\\]`", "0 and 1", "0.5"]),
        (lambda: pruning.prune_by_magnitude(W, [None] * 4), ["`masks`", "dense_masks"]),
        (
            lambda: pruning.prune_by_magnitude(NAN, MASKS),
            ["`weights\\[0\\]`", "finite", "diverged"],
        ),
        (
            lambda: pruning.one_shot(W, [m if m is None else m[:2] for m in MASKS]),
            ["`like\\[0\\]`", "shape"],
        ),
        (lambda: pruning.random_masks(MASKS, seed=-1), ["`seed`", "-1"]),
        (lambda: pruning.unit_masks(W[:2], np.ones((3, 5))), ["`weights`", "one hidden layer"]),
        (lambda: pruning.unit_masks(W, np.ones((3, 4))), ["`kept`", "shape"]),
        (lambda: pruning.unit_masks(W, np.full((3, 5), 2)), ["`kept`", "0 and 1"]),
        (lambda: pruning.constant_values(W, signs="lost"), ["`signs`", "'kept', 'random'", "lost"]),
        (lambda: pruning.keep_signs(draw(2), W), ["`values\\[0\\]`", "shape"]),
        (lambda: pruning.remaining_counts((10, 0), 3), ["`sizes`", "1"]),
        (lambda: pruning.remaining_counts((10, 10), -1), ["`rounds`", "-1"]),
        (lambda: pruning.layer_counts([None, None]), ["`masks`", "mask"]),
    ],
)
def test_bad_input_is_refused_by_name(call, words):
    with pytest.raises((TypeError, ValueError), match=".*".join(words)):
        call()
