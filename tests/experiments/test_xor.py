"""Lesson 10's worlds: starts that do what they say, rules of convergence and darkness, units that change nothing."""

import numpy as np
import pytest

from helpers.experiments import xor, xor_pairs, xor_settings, xor_signs, xor_units

# Few small networks train sooner than XLA compiles.
WHERE = {"points": 100, "spread": 0.25, "low": -1}
SETS = xor.stack(1000, range(6), **WHERE)


def solution(n=6, scale=4.0):
    """Return networks that compute scale (|x1 - x2| - 1), which separates the blobs."""
    kernel, bias, votes, offset = xor.started(1, n)
    return [kernel, bias, scale * votes, offset - scale]


@pytest.mark.parametrize("start", xor.STARTS)
def test_begin_returns_what_training_starts_from(start):
    runs = xor.train(7, SETS, 3, start=start, steps=0, rate=0.1)
    for ours, theirs in zip(xor.begin(7, 6, 3, start), runs.initial_weights, strict=True):
        assert np.array_equal(ours, theirs)


def test_starts_are_the_three_of_the_libraries():
    tutorial, pytorch, keras = (xor.begin(7, 500, 4, start) for start in xor.STARTS)
    assert np.all(tutorial[1] == np.float32(0.1)) and np.abs(tutorial[0]).max() <= 0.2
    assert np.abs(pytorch[1]).max() <= 2**-0.5 and np.abs(pytorch[3]).max() <= 0.5
    assert np.abs(pytorch[1]).max() > 0.6 and np.abs(pytorch[2]).max() > 0.45
    assert not keras[1].any() and np.abs(keras[0]).max() <= 1  # sqrt(6 / (2 + 4))


def test_our_logits_are_those_of_the_networks():
    runs = xor.train(7, SETS, 3, steps=5, rate=0.1)
    theirs = runs.predict(SETS.x_train)[..., 0]
    assert np.allclose(xor.logits(runs.weights, SETS.x_train), theirs, atol=1e-5)


@pytest.mark.parametrize("low", [-1, 0])
def test_blobs_lie_in_order_and_the_nearest_centre_is_mostly_right(low):
    one = xor.draw(1000, points=4000, low=low)
    for blob, centre in enumerate(xor.BLOBS):
        mean = one.x_train[blob::4].mean(axis=0)
        assert np.allclose(mean, low + (centre + 1) * (1 - low) / 2, atol=0.03)
    assert np.mean(xor.nearest(one.x_train, low) == one.y_train) > 0.999


def test_a_solution_converged_and_a_diverged_network_did_not():
    many = xor.stack(1000, range(200), **WHERE)
    assert (
        xor.converged(solution(200), many).mean() > 0.9
    )  # not all: the rule is a little worse than the nearest centre
    broken = [np.full_like(w, np.nan) for w in solution()]
    with np.errstate(invalid="ignore"):
        assert not xor.converged(broken, SETS).any()


def test_dark_blobs_are_those_without_an_active_unit():
    lit = xor.dark(solution(), SETS)  # |x1 - x2| is nearly 0 at blobs 0 and 2, not quite
    assert not lit.any()
    one_sided = [w.copy() for w in solution()]
    one_sided[1][:] = -1.6  # only beyond |x1 - x2| = 1.6, where blobs 1 and 3 lie
    assert xor.dark(one_sided, SETS).tolist() == [[True, False, True, False]] * 6
    assert not xor.both_dark(one_sided, SETS).any()
    off = [w.copy() for w in solution()]
    off[1][:] = -10
    assert xor.both_dark(off, SETS).all()


def test_a_shift_lights_every_dark_blob_and_redrawn_starts_have_none():
    sets = xor.stack(1000, range(200), **WHERE)
    first = xor.begin(7, 200, 2)
    assert 0.3 < xor.dark(first, sets).any(axis=1).mean() < 0.7
    assert not xor.dark(xor_pairs.shifted(first, sets), sets).any()
    assert not xor.dark(xor_pairs.redrawn(7, sets, 2, "keras", first), sets).any()
    lit = ~xor.dark(first, sets).any(axis=1)
    for changed in (xor_pairs.shifted(first, sets), xor_pairs.redrawn(7, sets, 2, "keras", first)):
        assert all(np.array_equal(a[lit], b[lit]) for a, b in zip(first, changed, strict=True))


def test_added_units_change_nothing_and_dead_ones_do_not_help():
    stuck = xor.begin(7, 6, 2)
    wider = xor_units.widened(stuck, xor.begin(8, 6, 5))
    x = SETS.x_train
    assert wider[0].shape == (6, 2, 5)
    assert np.allclose(xor.logits(wider, x), xor.logits(stuck, x), rtol=0, atol=1e-12)
    dead = [w.copy() for w in wider]
    dead[0][:, :, 2:], dead[1][:, 2:] = 0, -1
    how = {"steps": 60, "rate": 0.1}
    two, five = (xor.train(7, SETS, k, weights=w, **how) for k, w in ((2, stuck), (5, dead)))
    assert np.allclose(xor.logits(two.weights, x), xor.logits(five.weights, x), atol=1e-3)


def test_the_parts_of_a_difference_that_go():
    gone = xor_pairs._part(np.array([0.2, 0.1]), np.array([0.4, 0.0]))
    assert gone.tolist() == [0.5, 0.0]
    fails, of = np.array([1, 0, 1, 1], bool), np.array([1, 1, 0, 0], bool)
    assert xor_pairs._share(fails, of, 4).tolist() == [0.5]
    assert xor_pairs._share(fails, np.zeros(4, bool), 4).tolist() == [0.75]  # of all


def test_the_unit_that_costs_least_goes_first():
    idle = xor_units.widened(solution(), xor.begin(8, 6, 3))
    assert xor_units._without_the_least(idle, SETS).tolist() == [[0, 1]] * 6


def test_second_derivatives_are_those_of_the_loss():
    weights = [w.astype(float) for w in xor.begin(7, 1, 2, "pytorch")]
    x, y = SETS.x_train[:1], SETS.y_train[:1]

    def put(flat):
        kernel = np.stack([flat[0:2], flat[3:5]], axis=1)
        return [kernel[None], flat[[2, 5]][None], flat[6:8][None, :, None], flat[8:9][None]]

    def loss(flat):
        signed = np.where(y > 0, 1, -1) * xor.logits(put(flat), x)
        return np.logaddexp(0, -signed).mean()

    kernel, bias, votes, offset = (w[0] for w in weights)
    flat = np.array([*kernel[:, 0], bias[0], *kernel[:, 1], bias[1], *votes[:, 0], *offset])
    step, basis = 1e-4, np.eye(9)
    wanted = [[(loss(flat + step * (a + b)) - loss(flat + step * (a - b)) - loss(flat - step * (a - b))
                + loss(flat - step * (a + b))) / (4 * step**2) for a in basis] for b in basis]  # fmt: skip
    assert np.allclose(xor_units.hessian(weights, x, y)[0], wanted, atol=1e-5)


def test_the_same_signs_are_the_same_and_sizes_differ():
    found = xor_signs.signs(1000, 2, where=WHERE, how={"steps": 1, "rate": 0.1})
    assert found["first"].shape == (2, 64)
    drawn = xor.started(4, 3, xor.begin(7, 3, 2))
    assert all(np.array_equal(np.sign(a), b) for a, b in zip(drawn, xor.started(4, 3), strict=True))


def test_a_thousand_dark_units_never_move():
    found = xor_settings.thousand(
        1000, 2, width=30, bias=-10.0, where=WHERE, how={"steps": 3, "rate": 0.1}
    )
    assert found["stays"].all() and found["verified"].all()
