"""Lesson 08's worlds: the Boolean machine, guess and check with its bound, images from a few pixels."""

import itertools

import numpy as np
import pytest
import scipy.stats
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from helpers import data, models, stats
from helpers._base import seeds
from helpers.engine import fit_many
from helpers.experiments import (
    boolean,
    boolean_complexity,
    boolean_guesses,
    boolean_learned,
    boolean_stepwise,
    boolean_trained,
    frequencies,
    kernels,
)
from helpers.experiments import twenty_pixels as pixels

MACHINE = {
    "inputs": 7,
    "hidden": [40, 40],
    "activation": "tanh",
    "values": "signs",
    "sigma_w": 1.0,
    "sigma_b": 0.2,
}
SMALL = MACHINE | {"inputs": 4, "hidden": [6]}

# ------------------------------------------------------------------------------- the machine


def test_a_random_network_says_what_keras_says():
    layers = boolean.drawn(
        seeds.generator(1, "a"), 3, inputs=7, hidden=[5, 4], sigma_w=2.0, sigma_b=0.5
    )
    x = boolean.table(7)
    says = boolean.says_yes(layers, x, "tanh")
    for member in range(3):
        model = models.mlp((7,), 1, hidden=(5, 4), activation="tanh")
        model.set_weights([part[member] for part in layers])
        assert np.array_equal(says[member], model.predict(x, verbose=0)[:, 0] > 0)


def test_weights_have_the_scale_that_is_asked_for():
    kernel, bias, *_ = boolean.drawn(
        seeds.generator(1, "a"), 4000, inputs=7, hidden=[40], sigma_w=3.0, sigma_b=0.5
    )
    assert abs(kernel.std() - 3 / 7**0.5) < 0.01 and abs(bias.std() - 0.5) < 0.01
    assert abs(kernel.mean()) < 0.01


@pytest.mark.parametrize("rows", [16, 64, 128])
def test_tables_are_packed_and_unpacked(rows):
    tables = np.random.default_rng(0).random((9, rows)) < 0.5
    assert np.array_equal(boolean.unpacked(boolean.packed(tables), rows), tables)


def test_a_bank_is_the_same_on_any_number_of_cores_and_read_from_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(boolean, "BLOCK", 300)
    monkeypatch.setattr(boolean.paths, "build", lambda: tmp_path)
    made = np.array(boolean.bank(networks=1000, seed=5, **MACHINE))
    parts = [
        boolean.block(5, number, size, **MACHINE) for number, size in enumerate([300] * 3 + [100])
    ]
    assert np.array_equal(made, np.concatenate(parts).T)
    assert len(list((tmp_path / "banks").glob("*.npy"))) == 1
    assert np.array_equal(boolean.bank(networks=1000, seed=5, **MACHINE), made)
    boolean.bank(networks=1000, seed=5, **MACHINE | {"activation": "relu"})
    assert len(list((tmp_path / "banks").glob("*.npy"))) == 2  # another machine, another file


def test_accepted_networks_are_those_that_agree_in_all_rows():
    tables = boolean.functions(seeds.generator(2, "a"), 500, **MACHINE).T
    whole = boolean.unpacked(np.ascontiguousarray(tables.T))
    for rows in ([3], [0, 70], [1, 2, 65, 127]):
        wanted = boolean.target("x1")
        agree = (whole[:, rows] == wanted[rows]).all(axis=1)
        assert np.array_equal(
            boolean.accepted(tables, wanted, np.array(rows)), np.flatnonzero(agree)
        )
    assert np.array_equal(boolean.wrong_rows(tables, wanted), whole != wanted)


def test_targets_say_what_they_are_called():
    x = boolean.table(7) > 0
    for row in (0, 5, 77, 127):
        assert boolean.target("x7")[row] == x[row, 6]
        assert boolean.target("and2")[row] == (x[row, 0] and x[row, 1])
        assert boolean.target("parity2")[row] == (x[row, 0] ^ x[row, 1])
        assert boolean.target("maj7")[row] == (x[row].sum() >= 4)
    with pytest.raises(ValueError, match="`name`"):
        boolean.target("xor9")


@pytest.mark.parametrize("inputs", [2, 3, 5, 7])
def test_of_all_signs_each_number_of_yeses_occurs_once(inputs):
    assert not boolean.signs_exact(1000, 3, inputs=inputs)["off"].any()


def test_random_perceptrons_say_yes_to_each_number_of_rows_equally_often():
    rng = seeds.generator(1000, "perceptrons")
    yeses = (rng.standard_normal((64_000, 5)) @ boolean.table(5, "bits").T.astype(float) > 0).sum(
        axis=1
    )
    expected = len(yeses) / 32
    chi = np.sum((np.bincount(yeses, minlength=32) - expected) ** 2 / expected)
    assert 9 < chi < 65  # 31 degrees of freedom; 99.9 % between 10 and 62


# ------------------------------------------------------------------------------- complexity


@pytest.mark.parametrize(
    ("text", "count"),
    [("0001101001000101", 6), ("0" * 20, 2), ("01" * 20, 3), ("1", 1), ("10", 2), ("0010111", 4)],
)
def test_the_words_of_lempel_and_ziv(text, count):
    assert boolean_complexity.words(text) == count


def test_a_periodic_table_is_simpler_than_a_random_one():
    random = np.random.default_rng(0).random(128) < 0.5
    assert boolean_complexity.lempel_ziv(np.zeros(128, bool)) == 7
    assert boolean_complexity.lempel_ziv(boolean.target("x7")) == 21  # words 0.1.0101...
    assert boolean_complexity.lempel_ziv(random) > 100


def test_sensitivity_and_leaves_in_closed_form():
    for name, flips, leaves in (
        ("x3", 1, 2),
        ("and2", 1, 3),
        ("parity2", 2, None),
        ("maj3", 1.5, 6),
    ):
        assert boolean_complexity.sensitivity(boolean.target(name)) == flips
        assert leaves is None or boolean_complexity.leaves(boolean.target(name)) == leaves


def test_functions_are_counted_as_numpy_counts_them():
    tables = boolean.functions(seeds.generator(3, "a"), 3000, **SMALL).T
    different, counts = boolean_complexity.counted(tables)
    _, expected = np.unique(tables[0], return_counts=True)
    assert np.array_equal(np.sort(counts)[::-1], counts)
    assert np.array_equal(np.sort(counts), np.sort(expected))
    assert all(
        (tables[0] == one).sum() == k for one, k in zip(different[0, :5], counts[:5], strict=True)
    )


def test_permuting_twice_makes_nothing_simpler():
    found = boolean_complexity.simpler(1000, 2, look=100, minority=16, machine=MACHINE)
    assert (found["simpler"] > 90).all() and (abs(found["again"] - 50) < 20).all()


# ------------------------------------------------------------------------------- guess and check


@pytest.mark.parametrize("share", [0.0005, 0.002, 0.3])
def test_limits_hold_the_share_as_often_as_they_say(share):
    counts = np.arange(2001)
    low, high = boolean_guesses.limits(counts, 2000)
    chance = scipy.stats.binom.pmf(counts, 2000, share)
    assert chance[(low <= share) & (high >= share)].sum() >= 0.99
    assert low[0] == 0 and boolean_guesses.limits(0, 1000)[0] == 0


def test_the_bound_solves_its_own_formula_and_never_says_less_than_nothing():
    share = np.array([1e-9, 1e-4, 0.3])
    eps = boolean_guesses.bound(share, 32) / 100
    assert np.allclose(
        -np.log1p(-eps) * 31, np.log(1 / share) + np.log(2 * 32 / boolean_guesses.DELTA)
    )
    assert boolean_guesses.bound(0.0, 32) == 100
    assert (np.diff(eps) < 0).all()


def test_few_guesses_make_a_bound_that_holds_and_says_nothing():
    bank = {"networks": 3000, "seed": 1000}
    found = boolean_guesses.bounds(
        1, 2, bank=bank, machine=MACHINE, targets=["x1", "random"], rows=6
    )
    assert (found["held_x1"]).all() and not found["useful_random"].any()
    assert (found["error_x1"] < 50).all() and (found["right_x1"] > 50).all()


# ------------------------------------------------------------------------------- guessed and trained


def test_trained_networks_start_from_guesses_and_fit_their_rows():
    rows = np.arange(0, 16, 2)
    arm = {"optimizer": "sgd", "rate": 0.3, "batch": 4, "epochs": 150}
    wanted = boolean.target("x1", 4)
    first, end, fitted = boolean_trained.learn(
        1, [(0, rows), (1, rows)], target=wanted, machine=SMALL, networks=6, arm=arm
    )
    assert first.shape == end.shape == (2, 6, 16) and fitted.all()
    assert not first[..., rows].any() and not end[..., rows].any()
    assert not np.array_equal(first[0], first[1])  # other starts


def test_overlap_and_correlation_of_counts():
    a, b = np.array([4, 0, 6, 0]), np.array([2, 0, 3, 0])
    assert boolean_trained.overlap(a, b) == 1 and boolean_trained.overlap(a, b[::-1]) == 0
    assert boolean_trained.overlap(a, np.zeros(4)) == 0
    assert boolean_trained.correlation(np.array([3, 2, 1, 0]), np.array([9, 5, 2, 0])) == 1
    wrong = np.array(list(itertools.product((False, True), repeat=3)))
    assert np.array_equal(np.sort(boolean_trained.counted(wrong)), np.ones(8))


def test_halves_make_the_whole_and_constant_rows_agree_with_nothing():
    wrong = np.random.default_rng(0).random((40, 5)) < 0.3
    whole, halves = boolean_trained.shares(wrong)
    assert np.allclose(halves.mean(axis=1), whole)
    assert boolean_trained.agreement(np.ones((1, 4)), np.arange(4.0)[None])[0] == 0


# ------------------------------------------------------------------------------- images


@pytest.mark.parametrize("family", pixels.FAMILIES)
def test_each_image_is_half_white(family):
    white = pixels.image(family, seeds.generator(1, family), side=16)
    assert white.shape == (256,) and white.sum() == 128


def test_a_shuffled_half_plane_has_lost_its_edge():
    sides = []
    for family in ("half_plane", "shuffled"):
        picture = pixels.image(family, seeds.generator(1, "a"), side=32).reshape(32, 32)
        sides.append(np.mean(picture[:, 1:] != picture[:, :-1]))
    assert sides[0] < 0.05 and abs(sides[1] - 0.5) < 0.05


def test_other_families_are_refused():
    with pytest.raises(ValueError, match="`family`"):
        pixels.image("cat", seeds.generator(1, "a"))


def test_the_evidence_is_that_of_scikit_learn_and_largest_at_the_best_variance():
    rng = np.random.default_rng(0)
    x, y = rng.random((12, 2)), np.where(rng.random(12) < 0.5, -1.0, 1.0)
    ours = pixels.evidence(x, y, 0.7, 0.1)
    spread = pixels.covariance(x, x, 0.7) + 0.1 * np.eye(12)
    best = y @ np.linalg.solve(spread, y) / 12
    each = []
    for variance in (best, 0.8 * best, 1.2 * best):
        kernel = ConstantKernel(variance) * RBF(0.7) + WhiteKernel(0.1 * variance)
        one = GaussianProcessRegressor(kernel, optimizer=None, alpha=0).fit(x, y)
        each.append(one.log_marginal_likelihood())
    assert abs(ours - each[0]) < 1e-8 and each[0] > max(each[1:])


def test_who_sees_most_pixels_guesses_nearly_all():
    white, at = pixels.draw(1, 0, "half_plane", 200, side=16)
    guess, _ = pixels.by_process(white, at, side=16)
    assert pixels.right(guess, white, at) > 85
    assert np.array_equal(pixels.by_nearest(white, at, side=16)[at], white[at])


def test_right_counts_hidden_pixels_alone():
    white, at = np.array([True, True, False, False]), np.array([0, 1])
    assert pixels.right(np.array([False, False, False, True]), white, at) == 50


def test_the_slope_is_that_of_least_squares():
    heights = np.array([[50.0, 60, 80], [1, 2, 3]])
    at = np.array([0.0, 1, 3])
    assert np.allclose(pixels.slope(heights, at), [np.polyfit(at, one, 1)[0] for one in heights])


def test_agreement_is_spearman():
    one, two = np.random.default_rng(1).random((2, 3, 9))
    assert np.allclose(boolean_trained.agreement(one, two), stats.rank_correlations(one, two))


# ------------------------------------------------------------------------------- functions of few inputs


@pytest.mark.parametrize("count", range(1, 8))
def test_a_function_of_few_inputs_is_true_for_half_of_the_rows_and_needs_so_many(count):
    table = boolean_learned.of_few_inputs(np.random.default_rng(count), count)
    assert table.sum() == 64
    assert boolean_learned.matters(table).sum() == count


def test_inputs_that_matter_are_those_that_are_named():
    assert (
        boolean_learned.matters(boolean.target("x3")).tolist() == [False] * 2 + [True] + [False] * 4
    )
    assert boolean_learned.matters(boolean.target("parity2")).tolist() == [True] * 2 + [False] * 5
    with pytest.raises(ValueError, match="`count`"):
        boolean_learned.of_few_inputs(np.random.default_rng(0), 8)


def test_one_input_is_found_and_seven_are_not():
    found = boolean_learned.by_complexity(
        1000, 3, counts=[1, 7], each=1, shown=64, hidden=[20], epochs=60, rate=0.02, batch=16
    )
    assert found["found_1"].all() and not found["found_7"].any()
    assert (found["words"][:, 0] < found["words"][:, 1]).all()
    assert (found["fitted"] > 0).all()


# ------------------------------------------------------------------------------- step by step


def test_a_step_in_numpy_is_the_step_of_the_engine():
    generator = seeds.generator(3, "start")
    layers = boolean.drawn(generator, 2, inputs=7, hidden=[6, 5], sigma_w=1.0, sigma_b=0.2)
    x, y = boolean.table(7)[:8], boolean.target("maj3")[:8].astype(np.int32)
    one = data.Dataset(x_train=x, y_train=y, task="binary", name="table")
    runs = fit_many(
        models.mlp((7,), 1, hidden=(6, 5), activation="tanh"), data.Dataset.stack([one, one]), members=2,
        epochs=3, batch_size=8, optimizer="sgd", learning_rate=0.5, initial_weights=[w.copy() for w in layers],
        shuffle=False,
    )  # fmt: skip
    wide, wanted = np.stack([x, x]), np.stack([y, y])
    for _ in range(3):
        layers = boolean_stepwise.stepped(layers, wide, wanted, 0.5)
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(layers, runs.weights, strict=True))


def test_the_first_step_that_fits_comes_before_the_end_of_the_first_epoch_that_does():
    generator = seeds.generator(4, "start")
    layers = boolean.drawn(generator, 30, inputs=7, hidden=[20], sigma_w=1.0, sigma_b=0.2)
    x, y, rows = boolean.table(7), boolean.target("x1"), np.arange(128)[::5][:24]
    by_step, by_epoch, step, epoch = boolean_stepwise.first_fits(
        layers, generator, x, y, rows, rate=0.3, batch=4, epochs=40
    )
    assert (epoch > 0).all() and (step <= 6 * epoch).all() and (step >= 1).all()
    assert not by_step[:, rows].any() and not by_epoch[:, rows].any()
    assert by_step.any()


# ------------------------------------------------------------------------------- frequencies


def test_waves_are_told_apart_whatever_their_phases():
    wanted = frequencies.target(1000, 0, [1, 2, 4, 8], [1.0, 0.5, 2.0, 0.25])
    heights = np.abs(frequencies.waves(wanted, [1, 2, 3, 4, 8]))
    assert np.allclose(heights, [1.0, 0.5, 0.0, 2.0, 0.25], atol=1e-9)


def test_a_frequency_is_learned_at_the_first_look_that_is_close():
    far = np.array([[[0.9, 0.1, 0.5], [0.2, 0.3, 0.5], [0.1, 0.0, 0.5]]])
    learned, there = frequencies.first_learned(far, [1, 10, 100])
    assert learned.tolist() == [[10, 1, 100]] and there.tolist() == [[True, True, False]]


# ------------------------------------------------------------------------------- the network's own kernel


def test_the_own_kernel_knows_a_straight_edge_and_not_its_place_without_the_one():
    generator = seeds.generator(5, "plane")
    white = pixels.image("half_plane", generator)
    at = generator.permutation(len(white))[:200]
    guess = pixels.by_own_kernel(white, at, layers=2, kind="nngp")
    assert pixels.right(guess, white, at) > 95
    assert (guess[at] == white[at]).mean() > 0.9
    x = pixels.places()[:50].astype(float)
    with_one = np.column_stack([x, np.ones(50)])
    assert np.allclose(kernels.kernel(3 * x, x, layers=2), 3 * kernels.kernel(x, x, layers=2))
    assert not np.allclose(
        kernels.kernel(with_one * [3, 3, 1], with_one, layers=2),
        3 * kernels.kernel(with_one, with_one, layers=2),
    )


def test_the_likelihood_is_highest_at_the_covariance_that_made_the_numbers():
    rng = np.random.default_rng(2)
    places = rng.random((200, 2))
    true, other = (
        pixels.covariance(places, places, length) + 0.01 * np.eye(200) for length in (0.1, 1.0)
    )
    drawn = np.linalg.cholesky(true) @ rng.standard_normal(200)
    assert pixels.likelihood(true, drawn) > pixels.likelihood(other, drawn)
    assert np.isclose(
        pixels.likelihood(true, 7 * drawn) + 200 * np.log(7), pixels.likelihood(true, drawn)
    )
