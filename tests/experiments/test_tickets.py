"""Lesson 05's worlds: tickets that keep what they say, rates that each arm chooses, the smallest ticket of XOR."""

import itertools

import numpy as np

from helpers import pruning
from helpers.experiments import tickets, tickets_early, tickets_transfer, xor, xor_pruning

# Few small networks train sooner than XLA compiles.
SIZES = {"train": 400, "validation": 200, "test": 400}
HOW = {"epochs": 8, "batch": 50}
SETS = tickets.stack(1000, 4, **SIZES)
NET = tickets.network((32, 32))
START = tickets.begin(1000, 4, NET)
WHERE = {"points": 100, "spread": 0.25, "low": -1}


def test_each_trial_takes_the_rate_that_validation_likes_and_ties_share():
    held = [[0.5, 0.6, 0.4], [0.6, 0.6, 0.1], [0.1, 0.2, 0.3]]
    tested = [[90, 50, 10], [40, 60, 99], [1, 2, 3]]
    accuracy, rate = tickets.chosen(held, tested, [0.01, 0.1, 1.0])
    assert accuracy.tolist() == [50, 50, 3]
    assert rate.tolist() == [0.1, 0.01, 1.0]


def test_a_ticket_that_lost_nothing_is_the_dense_network():
    dense = tickets.compete(7, SETS, NET, START, rates=[0.003, 0.01], **HOW)
    whole = pruning.dense_masks(START)
    ticket = tickets.compete(7, SETS, NET, START, whole, rates=[0.003, 0.01], **HOW)
    assert np.array_equal(dense["sweep"], ticket["sweep"])
    assert np.array_equal(dense["accuracy"], ticket["accuracy"])


def test_a_search_prunes_by_schedule_and_begins_each_round_anew():
    masks, trained = tickets.search(7, SETS, NET, START, rate=0.01, rounds=3, **HOW)
    assert len(masks) == 4 and len(trained) == 3
    for before, after in itertools.pairwise(masks):
        assert all(np.all(b <= a) for a, b in zip(before, after, strict=True) if a is not None)
    sizes = [w[0].size for w in START if w.ndim == 3]
    wanted = pruning.remaining_counts(sizes, 3)[-1]
    assert np.array_equal(pruning.layer_counts(masks[-1]), np.tile(wanted, (4, 1)))
    again = tickets.train(7, SETS, NET, START, masks[1], rate=0.01, **HOW)
    assert all(np.array_equal(a, b) for a, b in zip(again.weights, trained[1], strict=True))


def test_a_mask_of_the_smallest_weights_is_worse():
    sets = tickets.stack(1001, 4, train=1000, validation=200, test=1000)
    how = {"epochs": 20, "batch": 50}
    masks, trained = tickets.search(7, sets, NET, START, rate=0.01, rounds=6, **how)
    inverse = [1 / (1e-6 + np.abs(w)) if w.ndim == 3 else w for w in trained[0]]
    smallest = pruning.one_shot(inverse, masks[-1])
    best, worst = (
        tickets.compete(7, sets, NET, START, mask, rates=[0.01, 0.03], **how)["accuracy"]
        for mask in (masks[-1], smallest)
    )
    assert best.mean() > worst.mean() + 2


def test_every_rival_keeps_what_it_says():
    masks, _ = tickets.search(7, SETS, NET, START, rate=0.01, rounds=2, **HOW)
    new = tickets.begin(8, 4, NET)
    made = tickets.arms(
        7, START, new, masks[-1], ("ticket", "redrawn", "signs", "constant", "random")
    )
    kernels = [i for i, w in enumerate(START) if w.ndim == 3]
    for i in kernels:
        assert np.array_equal(np.sign(made["signs"][0][i]), np.sign(START[i]))
        assert np.array_equal(np.abs(made["signs"][0][i]), np.abs(new[i]))
        assert np.array_equal(np.sign(made["constant"][0][i]), np.sign(START[i]))
        assert len(np.unique(np.abs(made["constant"][0][i][0]))) == 1
        assert np.array_equal(made["random"][0][i], START[i])
        assert not np.array_equal(made["random"][1][i], masks[-1][i])
        assert np.array_equal(made["redrawn"][0][i], new[i])
    counts = pruning.layer_counts(masks[-1])
    assert np.array_equal(pruning.layer_counts(made["random"][1]), counts)
    assert all(made[arm][1] is masks[-1] for arm in ("ticket", "redrawn", "signs", "constant"))


def test_a_small_dense_network_has_as_many_weights():
    for width in (5, 39, 100):
        assert tickets.small_width(width**2 + 50 * width) == width
    assert tickets.network((39, 39))().count_params() == 39**2 + 50 * 39 + 39 + 39 + 10


def test_the_lowest_loss_is_counted_in_steps_and_the_last_epoch_is_not_seen():
    dense, ticket = {"lowest": np.array([[4, 1], [9, 3]])}, {"lowest": np.array([[0, 1], [2, 2]])}
    found = tickets.stops(dense, ticket, [0.1, 0.01], rates=[0.01, 0.1], epochs=10, steps=20)
    assert found["stop_dense"].tolist() == [40, 200]
    assert found["stop_ticket"].tolist() == [40, 60]
    assert found["seen"].tolist() == [True, False]
    assert found["first"].tolist() == [20, 20]


def test_survivors_are_compared_with_all_weights():
    first = np.array([[[1.0, -1.0], [3.0, -3.0]]])
    last = np.array([[[5.0, 5.0], [-2.0, -4.0]]])
    found = tickets.survivors(first, last, np.array([[[0, 0], [1, 1]]]))
    assert found["larger"].tolist() == [1.5]
    assert found["flipped"].tolist() == [0.5]


def test_masks_that_keep_neighbours_are_correlated_and_random_ones_are_not():
    rng = np.random.default_rng(0)
    blocks = np.repeat(rng.random((3, 20, 100)) < 0.3, 2, axis=1)
    loose = rng.random((3, 40, 100)) < 0.3
    assert np.all(tickets_transfer.together(blocks, 1) > 0.4)
    assert np.all(np.abs(tickets_transfer.together(loose, 1)) < 0.1)


def solution_with_idle_units(n=3):
    """Return networks of four units: 1 and 3 solve XOR, 0 and 2 hardly speak."""
    kernel, bias, votes, offset = xor.started(1, n)
    wide = [np.full((n, 2, 4), 0.01, np.float32), np.zeros((n, 4), np.float32),
            np.full((n, 4, 1), 0.01, np.float32), 4 * (offset - 1)]  # fmt: skip
    wide[0][:, :, [1, 3]], wide[1][:, [1, 3]], wide[2][:, [1, 3]] = kernel, bias, 4 * votes
    return wide


def test_the_best_pair_is_that_of_the_trained_network():
    sets = xor.stack(1000, range(3), **WHERE)
    whole = solution_with_idle_units()
    best = xor_pruning.best_pair(whole, sets)
    assert best.tolist() == [[1, 3]] * 3
    pair = xor_pruning.units(whole, best)
    assert pair[0].shape == (3, 2, 2)
    scores = xor.logits(pair, sets.x_train)
    assert np.allclose(scores, xor.logits(whole, sets.x_train), atol=0.01)
    assert xor_pruning._elsewhere(best, 4).tolist() == [[0, 2]] * 3


def test_the_unit_of_the_smallest_magnitude_is_the_idle_one():
    sizes = xor_pruning.magnitudes(solution_with_idle_units())
    assert np.all(sizes[:, [1, 3]] > 100 * sizes[:, [0, 2]])


def test_two_draws_for_one_place_are_alike_and_a_good_start_is_better():
    found = xor_pruning.smallest_ticket(
        1000, 200, start="keras", width=4, attempts=2, where=WHERE, how={"steps": 100, "rate": 0.1}
    )
    one, two = found["replaced"].mean(), found["replaced_again"].mean()
    assert abs(one - two) < 0.15
    assert found["pattern"].mean() > one + 0.2


def test_a_level_is_reached_between_two_epochs_and_never_counts_as_the_last():
    path = [[0.1, 0.3, 0.5, 0.2], [0.5, 0.6, 0.7, 0.8], [0.1, 0.2, 0.3, 0.3]]
    far, there = tickets_early.reach(path, 0.4)
    assert np.allclose(far, [2.5, 0.8, 4.0])
    assert there.tolist() == [True, True, False]


def test_an_early_network_is_the_one_of_its_lowest_validation_loss():
    how = {"epochs": 30, "batch": 50}
    one = tickets_early.stopped(7, SETS, NET, START, None, rate=0.03, **how)
    last = tickets.train(7, SETS, NET, START, rate=0.03, each=True, **how)
    assert np.array_equal(one["path"], last.history["val_accuracy"])
    assert np.array_equal(one["lowest"], last.history["val_loss"].argmin(axis=1))
    assert np.all(one["lowest"] < 29)
    short = tickets.train(
        7, SETS, NET, START, rate=0.03, epochs=int(one["lowest"][0]) + 1, batch=50
    )
    assert np.isclose(tickets.right(short, SETS)[0], one["tested"][0])
    assert one["held"][0] == short.history["val_accuracy"][0, -1]
